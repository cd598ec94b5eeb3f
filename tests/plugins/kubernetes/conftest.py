"""A cluster for the tests, emulated or real; a namespace for each test; and a bench whose nodes know the cluster."""

import base64
import json
import time
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config

from groundplan.runtime.foreign.machine import Machine
from groundplan.sdk.context import Neighbour
from groundplan.sdk.testing import BenchContext, context
from groundplan_kubernetes import resources

from ...live.clusters import BOTH, EMULATED, maker

Object = dict[str, Any]
Definition = Callable[..., Object]


@dataclass(frozen=True, kw_only=True)
class Served:
    """The cluster of this session; `kind` as in `live.clusters`."""

    kind: str
    url: str
    kubeconfig: Object
    token: str

    @property
    def authority(self) -> str:
        """The certificate (PEM) that the server's descends from."""
        return base64.b64decode(self.kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"]).decode()


@pytest.fixture(scope="session", params=BOTH)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    cluster = maker(request.param)("plugin", tmp_path_factory.mktemp("cluster"))
    [(address, port)] = cluster.start([("127.0.0.1", 0)], ["plugin.test"])
    url = f"https://{address}:{port}"
    token = cluster.token("somebody", ["system:masters"])
    yield Served(kind=request.param, url=url, kubeconfig=cluster.kubeconfig(url), token=token)
    cluster.delete()


@pytest.fixture(scope="session")
def core(served: Served) -> Iterator[client.CoreV1Api]:
    """Somebody else's client."""
    with config.new_client_from_config_dict(served.kubeconfig) as api:
        yield client.CoreV1Api(api)


@pytest.fixture
def namespace(core: client.CoreV1Api) -> Iterator[str]:
    name = core.create_namespace({"metadata": {"generateName": "test-"}}).metadata.name
    yield name
    core.delete_namespace(name)


@dataclass(kw_only=True)
class Bench:
    """Makes contexts of nodes that know the cluster.

    Attributes:
        folder: that of the blueprint; scratch: where attempts have their folders.
        before_sleep: done when an operation waits, and then forgotten.
        longest_sleep: in seconds: an emulated cluster is quicker than the operations think.
    """

    served: Served
    machine: Machine
    folder: Path
    before_sleep: list[Callable[[], object]] = field(default_factory=list)
    longest_sleep: float = 0.02

    def node(
        self,
        definition: Object | None = None,
        *,
        runtime: MutableMapping[str, Any] | None = None,
        node_type: str = "cloudify.kubernetes.resources.BlueprintDefinedResource",
        sandboxed: bool = True,
        settings: Object | None = None,
        neighbours: Sequence[Neighbour] = (),
        **properties: Any,
    ) -> BenchContext:
        given = {"client_config": {"configuration": {"file_content": self.served.kubeconfig}}, **properties}
        if definition is not None:
            given["definition"] = definition
        return context(
            properties=given,
            runtime_properties=runtime,
            node_type=node_type,
            sandboxed=sandboxed,
            settings=settings,
            neighbours=neighbours,
            machine=self.machine,
            sleep=self._sleep,
        )

    def file(self, name: str, *documents: Object, text: str = "") -> str:
        (self.folder / name).write_text(text or "\n---\n".join(json.dumps(document) for document in documents))
        return name

    def _sleep(self, seconds: float) -> None:
        todo, self.before_sleep = self.before_sleep, []
        for act in todo:
            act()
        time.sleep(min(seconds, self.longest_sleep))


@pytest.fixture
def bench(served: Served, tmp_path: Path) -> Iterator[Bench]:
    folder, scratch = tmp_path / "blueprint", tmp_path / "scratch"
    folder.mkdir()
    scratch.mkdir()
    with Machine(scratch=scratch, resource_folders=[folder]) as machine:
        longest = 0.02 if served.kind == EMULATED else 0.5
        yield Bench(served=served, machine=machine, folder=folder, longest_sleep=longest)


@pytest.fixture
def config_map(namespace: str) -> Definition:
    def define(name: str = "settings", **data: str) -> Object:
        metadata = {"name": name, "namespace": namespace}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}

    return define


@pytest.fixture
def deployment(namespace: str) -> Definition:
    def define(name: str = "app", replicas: int = 1, **container: Any) -> Object:
        labels = {"app": name}
        pod = {"containers": [{"name": "main", "image": "nginx", **container}]}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        }

    return define


@pytest.fixture
def installed(bench: Bench) -> Callable[..., BenchContext]:
    """A node that was created and is ready."""

    def install(definition: Object | None = None, **properties: Any) -> BenchContext:
        ctx = bench.node(definition, **properties)
        resources.create(ctx)
        resources.read(ctx)
        return ctx

    return install
