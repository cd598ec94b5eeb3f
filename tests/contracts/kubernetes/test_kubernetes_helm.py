"""Contract: Helm keeps its releases on the cluster and waits for what it installs."""

from __future__ import annotations

import os
import subprocess

import pytest

from ...live.programs import program as program_of

pytestmark = pytest.mark.live


@pytest.fixture
def helm(kubeconfig, tmp_path, namespace):
    program = str(program_of("helm"))

    def run(*arguments):
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": str(kubeconfig)}
        command = [program, "--namespace", namespace, *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, env=environment, cwd=tmp_path, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_a_release_from_install_to_uninstall(helm, core, apps, namespace):
    helm("create", "demo")
    helm("install", "one", "./demo", "--wait", "--timeout=20s")
    assert apps.read_namespaced_deployment("one-demo", namespace).status.available_replicas == 1
    helm("upgrade", "one", "./demo", "--set", "replicaCount=2", "--wait", "--timeout=20s")
    assert apps.read_namespaced_deployment("one-demo", namespace).status.available_replicas == 2
    helm("rollback", "one", "1", "--wait", "--timeout=20s")
    assert "one" in helm("list")
    secrets = core.list_namespaced_secret(namespace, label_selector="owner=helm").items
    assert [secret.metadata.name for secret in secrets] == [f"sh.helm.release.v1.one.v{n}" for n in (1, 2, 3)]
    helm("uninstall", "one", "--wait", "--timeout=20s")
    assert not apps.list_namespaced_deployment(namespace).items
    assert not core.list_namespaced_secret(namespace, label_selector="owner=helm").items
