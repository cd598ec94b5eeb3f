"""Two applications on one environment: each keeps to what it made itself, and the last one to go leaves nothing."""

import socket
from collections.abc import Mapping
from typing import Any

import pytest

from .clients import Bucket, Keys, ec2
from .user import User, descendants, eventually

pytestmark = pytest.mark.slow

SHARING = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml]
    node_templates:
      database:
        type: cloudify.nodes.SharedResource
        properties: {resource_config: {deployment: {id: aws-dev-small-database}}}
    capabilities:
      host: {value: {get_attribute: [database, capabilities, host]}}
"""

EXTERNAL = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml]
    node_templates:
      store:
        type: cloudify.nodes.Component
        properties:
          resource_config:
            blueprint: {id: minio, external_resource: true}
            deployment: {id: aws-dev-small-storage, external_resource: true}
    capabilities:
      url: {value: {get_attribute: [store, capabilities, bucket_url]}}
"""


@pytest.fixture(scope="module")
def keys(application: User) -> Keys:
    values = (
        application.json("secrets", "get", name, "--reveal")["value"]
        for name in ("aws_access_key_id", "aws_secret_access_key")
    )
    key, secret = values
    return Keys(id=key, secret=secret)


def everything(user: User) -> Mapping[str, Any]:
    """What the store says of the first application: its deployments, what ran in them, what they hold and offer."""
    others = ("second", "sharing", "external")
    deployments = [item for item in user.json("deployments", "list") if item["id"] not in others]
    executions = [item for item in user.json("executions", "list") if item["deployment_id"] not in others]
    return {
        "deployments": [{**item, "dependents": None} for item in deployments],
        "executions": executions,
        "network": user.json("node-instances", "list", "-d", "aws-dev-small-network"),
        "capabilities": user.capabilities("app_dev_small"),
    }


def test_a_second_application_that_asks_for_the_same_children_is_refused(application: User) -> None:
    before = everything(application)
    application.ok("deployments", "create", "second", "-b", "app", "-i", "env_type=dev-small")

    words = application.refused(1, "executions", "start", "install", "-d", "second")
    assert "aws-dev-small-network" in words
    assert "app_dev_small" in words
    assert everything(application) == before

    application.ok("executions", "start", "uninstall", "-d", "second")
    assert everything(application) == before
    application.ok("deployments", "delete", "second")


def test_a_shared_and_an_external_deployment_serve_a_second_application(application: User) -> None:
    before = everything(application)
    for name, text in (("sharing", SHARING), ("external", EXTERNAL)):
        application.upload(name, text)
        application.ok("deployments", "create", name, "-b", name)
        application.install(name)
    assert application.capabilities("sharing")["host"] == before["capabilities"]["db_host"]
    assert application.capabilities("external")["url"] == before["capabilities"]["bucket_url"]

    users = {"aws-dev-small-database": "sharing", "aws-dev-small-storage": "external"}
    for needed, other in users.items():
        for command in (["executions", "start", "uninstall", "-d", needed], ["deployments", "delete", needed]):
            words = application.refused(2, *command)
            assert "app_dev_small" in words
            assert other in words
    assert everything(application) == before

    for name in ("sharing", "external"):
        application.ok("executions", "start", "uninstall", "-d", name)
        application.ok("deployments", "delete", name)
    assert everything(application) == before


def test_uninstall_leaves_no_process_port_instance_bucket_or_object(application: User, keys: Keys) -> None:
    found = application.capabilities("app_dev_small")
    bucket = Bucket(url=found["bucket_url"])
    bucket.carry(keys, "left", b"behind")
    status = application.json("sandbox", "status")
    ports = [(found["db_host"], port) for port in (22, found["db_port"], bucket.address[1], 8443)]
    assert sum(map(listens, ports)) >= 3
    assert descendants(status["pid"])
    assert running_instances(status, keys)

    said = application.ok("executions", "start", "uninstall", "-d", "app_dev_small")

    assert "Nothing is left" in said
    assert [item["id"] for item in application.json("deployments", "list")] == ["app_dev_small"]
    assert set(application.states("app_dev_small").values()) == {"deleted"}
    assert not running_instances(status, keys)
    assert [address for address in ports if listens(address)] == []
    eventually(lambda: not descendants(status["pid"]), what="the end of the machines' processes")
    assert application.json("sandbox", "status")["machines"] == []
    assert vpcs(status, keys) == []


def listens(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(address) == 0


def running_instances(status: Mapping[str, Any], keys: Keys) -> list[str]:
    pages = ec2(status["services"]["aws"], keys).describe_instances()["Reservations"]
    instances = [item for page in pages for item in page["Instances"]]
    return [item["InstanceId"] for item in instances if item["State"]["Name"] != "terminated"]


def vpcs(status: Mapping[str, Any], keys: Keys) -> list[str]:
    found = ec2(status["services"]["aws"], keys).describe_vpcs()["Vpcs"]
    return [item["VpcId"] for item in found if not item["IsDefault"]]
