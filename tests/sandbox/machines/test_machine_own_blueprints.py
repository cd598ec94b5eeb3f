"""The scripts of our own development blueprints, on a confined machine and on one that the kernel leaves unconfined."""

from collections.abc import Iterator
from pathlib import Path

import kubernetes
import minio
import psycopg
import pytest
import yaml

from groundplan_sandbox.cells.confinement import Confinement
from groundplan_sandbox.kubernetes.door import MakeCluster
from groundplan_sandbox.machines.host import Machine, MachineHost

from ...live.clusters import BOTH, EMULATED, maker
from .conftest import Client, Login, new_address
from .test_machine_services import eventually_connects

BLUEPRINTS = Path(__file__).parents[3] / "blueprints" / "infra" / "dev"
CTX = '#!/bin/sh\ntest "$1 $2" = "instance runtime-properties" && printf %s "$4" > "$HOME/runtime-$3"\n'


@pytest.fixture
def make_cluster(request: pytest.FixtureRequest) -> MakeCluster:
    return maker(getattr(request, "param", EMULATED))


@pytest.fixture(params=list(Confinement), ids=lambda confinement: confinement.value)
def own_machine(
    request: pytest.FixtureRequest, tmp_path: Path, public_key: str, make_cluster: MakeCluster
) -> Iterator[Machine]:
    host = MachineHost(tmp_path, request.param, make_cluster=make_cluster)
    if host.refusal is not None:
        host.close()
        pytest.skip(host.refusal)
    machine = host.launch("own", [public_key])
    machine.add_address(new_address())
    yield machine
    machine.terminate()
    host.close()


class Blueprint:
    def __init__(self, client: Client, name: str, **inputs: str) -> None:
        self._client = client
        self._scripts = BLUEPRINTS / name / "scripts"
        self._inputs = inputs
        client.run("mkdir -p ctx")
        client.put(CTX, "ctx/ctx")

    def run(self, *names: str) -> None:
        inputs = " ".join(f"{name}='{value}'" for name, value in self._inputs.items())
        for name in names:
            self._client.put((self._scripts / f"{name}.sh").read_text(), "script.sh")
            result = self._client.run(f"{inputs} PATH=$HOME/ctx:$PATH ./script.sh")
            assert (name, result.code) == (name, 0), result.err

    def runtime(self, name: str) -> str:
        return self._client.run(f"cat runtime-{name}").out


def test_the_database(own_machine: Machine, login: Login) -> None:
    blueprint = Blueprint(login(own_machine), "psql", master_username="keeper")
    blueprint.run("install", "configure", "start")
    password, address = blueprint.runtime("master_password"), own_machine.addresses[0]
    with psycopg.connect(host=address, dbname="postgres", user="keeper", password=password) as database:
        assert database.execute("select 42").fetchone() == (42,)
    blueprint.run("stop")


def test_the_store(own_machine: Machine, login: Login) -> None:
    inputs = {"access_key_id": "keeper", "secret_access_key": "not a secret", "region": "us-west-1"}
    blueprint = Blueprint(login(own_machine), "minio", **inputs)
    blueprint.run("install", "start")
    address = own_machine.addresses[0]
    eventually_connects(address, 9000).close()
    store = minio.Minio(
        f"{address}:9000", access_key="keeper", secret_key="not a secret", region="us-west-1", secure=False
    )
    store.make_bucket("shop")
    assert [bucket.name for bucket in store.list_buckets()] == ["shop"]
    store._http.clear()
    blueprint.run("stop")


@pytest.mark.parametrize("make_cluster", BOTH, indirect=True)
def test_the_cluster(own_machine: Machine, login: Login) -> None:
    blueprint = Blueprint(login(own_machine), "minikube", address=own_machine.addresses[0])
    for _ in range(2):
        blueprint.run("install-docker", "start-docker", "install-minikube", "start-minikube")
    config = yaml.safe_load(blueprint.runtime("kubeconfig"))
    with kubernetes.config.new_client_from_config_dict(config) as api:
        names = [each.metadata.name for each in kubernetes.client.CoreV1Api(api).list_namespace().items]
    assert "default" in names
    blueprint.run("stop-minikube", "delete-minikube", "stop-docker")
