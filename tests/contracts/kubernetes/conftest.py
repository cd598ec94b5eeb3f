"""The clusters that the contract suite runs against: a kubeconfig, clients, a namespace for each test.

Every test here holds on the emulated API and on the real control plane, unless it says why it is the sandbox's alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, dynamic

from ...live.clusters import BOTH, maker
from ...live.programs import program

Eventually = Callable[..., Any]


@pytest.fixture(scope="session", params=BOTH)
def kubeconfig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("cluster")
    cluster = maker(request.param)("minikube", place / "state")
    [(address, port)] = cluster.start([("127.0.0.1", 0)], ["minikube.test"])
    path = place / "kubeconfig"
    path.write_text(json.dumps(cluster.kubeconfig(f"https://{address}:{port}")))
    yield path
    cluster.delete()


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
    eventually(lambda: core.read_namespaced_config_map("kube-root-ca.crt", name))
    yield name
    try:
        core.delete_namespace(name)
    except client.ApiException as error:
        assert error.status == 404  # noqa: PT017


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    """Call until the result is true; returns it. An ApiException counts as not yet."""

    def poll(probe: Callable[[], Any], timeout: float = 60.0) -> Any:
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
    command = [str(program("kubectl")), "--namespace", namespace]

    def run(*arguments: str, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": str(kubeconfig)}
        done = subprocess.run(
            [*command, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            env=environment,
            check=False,
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
