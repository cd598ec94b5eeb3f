"""eaas-example's own scripts, byte for byte, on one machine: a database, an object store and a cluster come of them."""

import base64
from collections.abc import Iterator
from pathlib import Path

import boto3
import botocore.exceptions
import kubernetes
import psycopg
import pytest
import yaml
from botocore.config import Config

from groundplan_sandbox.machines.host import Machine

from .conftest import Client

ACCESS_KEY, SECRET_KEY, BUCKET = "rehearsal-key", "rehearsal-secret", "shop-assets"
NODE_PROPERTIES = {
    "bucket_name": BUCKET,
    "bucket_region": "us-west-1",
    "data_dir": "/var/minio/data",
    "access_key_id": ACCESS_KEY,
    "secret_access_key": SECRET_KEY,
}
# What the scripts ask of the engine's ctx: `ctx node properties NAME`, `ctx instance runtime-properties NAME VALUE`.
CTX = """#!/bin/bash -e
case "$1 $2" in
  "node properties") cat /tmp/properties/$3 ;;
  "instance runtime-properties") mkdir -p /tmp/runtime; printf %s "$4" > /tmp/runtime/$3 ;;
  *) exit 2 ;;
esac
"""


class Blueprint:
    """Runs scripts of a blueprint as its engine would: sent by SFTP, with ctx first on the PATH."""

    def __init__(self, client: Client, folder: Path) -> None:
        self._client = client
        self._folder = folder
        client.run("mkdir -p /tmp/ctx /tmp/properties")
        client.put(CTX, "/tmp/ctx/ctx")
        for name, value in NODE_PROPERTIES.items():
            client.put(value, f"/tmp/properties/{name}")

    def run(self, *names: str, env: str = "") -> None:
        for name in names:
            self._client.put((self._folder / "scripts" / f"{name}.sh").read_text(), "/tmp/script.sh")
            result = self._client.run(f"{env} PATH=/tmp/ctx:$PATH /tmp/script.sh")
            assert (name, result.code, result.err) == (name, 0, "")

    def runtime(self, name: str) -> str:
        return self._client.run(f"cat /tmp/runtime/{name}").out


def _query(address: str, user: str, password: str) -> object:
    with psycopg.connect(host=address, dbname="postgres", user=user, password=password, connect_timeout=5) as database:
        row = database.execute("select current_user").fetchone()
    assert row is not None
    return row[0]


def test_the_database_answers_its_password_alone(machine: Machine, client: Client, infra: Path) -> None:
    blueprint = Blueprint(client, infra / "psql")
    blueprint.run("install-psql", "configure-psql", "start-psql", env="master_username=shopkeeper")
    address, password = machine.addresses[0], blueprint.runtime("master_password")
    assert _query(address, "shopkeeper", password) == "shopkeeper"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        _query(address, "shopkeeper", "wrong")
    blueprint.run("stop-psql")
    with pytest.raises(psycopg.OperationalError, match="refused"):
        _query(address, "shopkeeper", password)
    blueprint.run("start-psql")
    assert _query(address, "shopkeeper", password) == "shopkeeper"


def _s3(address: str, secret: str):  # type: ignore[no-untyped-def] # boto3 makes its clients at run time
    config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1})
    return boto3.client(
        "s3",
        endpoint_url=f"http://{address}:9000",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=secret,
        region_name="us-west-1",
        config=config,
    )


def test_the_store_keeps_objects_for_its_keys_alone(machine: Machine, client: Client, infra: Path) -> None:
    blueprint = Blueprint(client, infra / "minio")
    blueprint.run("install-minio-server", "configure-minio-server", "start-minio-server")
    blueprint.run("install-minio-client", "configure-minio-client", "create-bucket")
    s3 = _s3(machine.addresses[0], SECRET_KEY)
    s3.put_object(Bucket=BUCKET, Key="greeting", Body=b"hello")
    assert client.run(f"mc cat local/{BUCKET}/greeting").out == "hello"
    stranger = _s3(machine.addresses[0], "another-secret")
    with pytest.raises(botocore.exceptions.ClientError, match="SignatureDoesNotMatch"):
        stranger.get_object(Bucket=BUCKET, Key="greeting")
    s3.close()
    stranger.close()


@pytest.fixture
def cluster(client: Client, infra: Path) -> Iterator[Blueprint]:
    blueprint = Blueprint(client, infra / "minikube")
    blueprint.run("install-docker", "configure-docker", "start-docker", "install-minikube", "start-minikube")
    yield blueprint
    blueprint.run("stop-minikube", "stop-docker")


def test_the_cluster_takes_a_deployment(machine: Machine, client: Client, cluster: Blueprint, tmp_path: Path) -> None:
    text = client.run("sudo cat /home/docker/.kube/config").out
    config = yaml.safe_load(text)
    assert config["clusters"][0]["cluster"]["server"] == f"https://{machine.addresses[0]}:8443"
    assert b"BEGIN CERTIFICATE" in base64.b64decode(config["users"][0]["user"]["client-certificate-data"])
    with kubernetes.config.new_client_from_config_dict(config) as api:
        core = kubernetes.client.CoreV1Api(api)
        core.create_namespaced_config_map("default", {"metadata": {"name": "shop"}, "data": {"colour": "green"}})
        assert core.read_namespaced_config_map("shop", "default").data == {"colour": "green"}
    assert "apiserver: Running" in client.run("sudo su - docker -c 'minikube status'").out
