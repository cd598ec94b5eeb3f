"""The cluster that the contract suite runs against: a kubeconfig, clients, a namespace for each test.

Every test that takes `kubeconfig`, and nothing of the sandbox, must hold on a real API server too.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, dynamic

from groundplan_sandbox.kubernetes.cluster import KubernetesCluster

BACKENDS = ["sandbox"]

Eventually = Callable[..., Any]


@pytest.fixture(scope="session", params=BACKENDS)
def kubeconfig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cluster")
    cluster = KubernetesCluster("minikube", folder / "state")
    [(address, port)] = cluster.start([("127.0.0.1", 0)], ["minikube.test"])
    path = folder / "kubeconfig"
    path.write_text(json.dumps(cluster.kubeconfig(f"https://{address}:{port}")))
    yield path
    cluster.stop()


@pytest.fixture(scope="session")
def api(kubeconfig: Path) -> Iterator[client.ApiClient]:
    with config.new_client_from_config(str(kubeconfig)) as api_client:
        yield api_client


@pytest.fixture(scope="session")
def core(api: client.ApiClient) -> client.CoreV1Api:
    return client.CoreV1Api(api)


@pytest.fixture(scope="session")
def apps(api: client.ApiClient) -> client.AppsV1Api:
    return client.AppsV1Api(api)


@pytest.fixture(scope="session")
def dynamic_client(api: client.ApiClient, tmp_path_factory: pytest.TempPathFactory) -> dynamic.DynamicClient:
    return dynamic.DynamicClient(api, cache_file=str(tmp_path_factory.mktemp("discovery") / "cache.json"))


@pytest.fixture(scope="session")
def raw(api: client.ApiClient) -> Callable[..., Any]:
    """A request with a media type of one's own; returns the answer's JSON. Raises ApiException."""

    def call(
        method: str, path: str, *, query: list[tuple[str, str]] | None = None, body: Any = None, **headers: str
    ) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = api.param_serialize(method, path, query_params=query, header_params=named, body=body)
        answer = api.call_api(*request)
        answer.read()
        api.response_deserialize(answer, {})
        lines = answer.data.decode().splitlines()
        return [json.loads(line) for line in lines] if query else json.loads(lines[0])

    return call


@pytest.fixture
def namespace(core: client.CoreV1Api, eventually: Eventually) -> Iterator[str]:
    made = core.create_namespace({"metadata": {"generateName": "test-"}})
    name = made.metadata.name
    eventually(lambda: core.list_namespaced_service_account(name).items)
    yield name
    try:
        core.delete_namespace(name)
    except client.ApiException as error:
        assert error.status == 404  # noqa: PT017


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    """Call until the result is true; returns it. An ApiException counts as not yet."""

    def poll(probe: Callable[[], Any], timeout: float = 15.0) -> Any:
        deadline = time.monotonic() + timeout
        while True:
            try:
                found = probe()
            except client.ApiException as error:
                found = None
                last: object = error
            else:
                last = found
            if found:
                return found
            assert time.monotonic() < deadline, f"not within {timeout} s; last: {last}"
            time.sleep(0.02)

    return poll


@pytest.fixture
def kubectl(kubeconfig: Path, tmp_path: Path, namespace: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not on PATH")

    def run(*arguments: str, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": str(kubeconfig)}
        command = [program, "--namespace", namespace, *arguments]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=60, env=environment, check=False
        )
        assert not check or done.returncode == 0, f"{' '.join(arguments)}: {done.stderr}{done.stdout}"
        return done

    return run


@pytest.fixture
def deployment() -> Callable[..., dict[str, Any]]:
    """Builds a Deployment manifest."""

    def build(name: str = "web", replicas: int = 2, image: str = "nginx:1.27", **pod: Any) -> dict[str, Any]:
        container = {"name": "web", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}
        container |= pod.pop("container", {})
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container], **pod}},
            },
        }

    return build
