"""A bad day: operations of the AWS plugin, attempted again as executions do, come through and make nothing twice."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from groundplan.sdk import testing
from groundplan.sdk.context import Neighbour
from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan.sdk.testing import BenchContext
from groundplan_aws import gateways, instances, keypairs, lifecycle
from groundplan_sandbox.aws.faults import Faults, Kind, Rule

from .conftest import IMAGE, REGION

ATTEMPTS = 20


@pytest.fixture
def faults(aws: Any) -> Iterator[Faults]:
    yield aws.server.faults
    aws.server.faults.clear()


@pytest.fixture
def node(aws: Any) -> Callable[..., BenchContext]:
    keys = aws.credentials
    client_config = {
        "aws_access_key_id": keys.access_key_id,
        "aws_secret_access_key": keys.secret_access_key,
        "region_name": REGION,
    }

    def make(kind: str, config: dict[str, Any], *neighbours: Neighbour, sends: int = 1) -> BenchContext:
        # By default the plugin's own retries are what is looked at, not the SDK's, which sleep.
        options = {"additional_config": {"retries": {"total_max_attempts": sends}}}
        made = testing.context(
            node_type=f"cloudify.nodes.aws.ec2.{kind}",
            properties={"client_config": {**client_config, **options}, "resource_config": config},
            settings={"endpoint_url": aws.url},
            sandboxed=True,
            neighbours=neighbours,
            sleep=lambda seconds: None,
        )
        made.instance.id = f"{kind.lower()}_1"
        return made

    return make


def related(other: BenchContext) -> Neighbour:
    kind = "cloudify.relationships.depends_on"
    return Neighbour(type=kind, type_hierarchy=(kind,), node=other.node, instance=other.instance, outgoing=True)


def through(operation: Callable[[BenchContext], Any], ctx: BenchContext) -> int:
    """Attempt `operation` until it ends well; gives how many attempts failed."""
    for failed in range(ATTEMPTS):
        try:
            operation(ctx)
        except RecoverableError:
            continue
        return failed
    raise AssertionError(f"{ATTEMPTS} attempts failed")


def test_operations_come_through_throttling_and_lost_answers(node: Any, faults: Faults, aws: Any, ec2: Any) -> None:
    before = len(ec2.describe_vpcs()["Vpcs"])
    faults.add(Rule(service="ec2", kind=Kind.THROTTLE, share=0.4, limit=15, seed=3))
    vpc = node("Vpc", {"CidrBlock": "10.0.0.0/16"})
    failed = through(lifecycle.create, vpc)
    subnet = node("Subnet", {"CidrBlock": "10.0.0.0/24"}, related(vpc))
    failed += through(lifecycle.create, subnet)
    faults.add(Rule(service="ec2", operation="RunInstances", kind=Kind.LOSE, share=1, limit=1))
    config = {"ImageId": IMAGE, "InstanceType": "t3.micro", "kwargs": {"KeyName": aws.credentials.keypair_name}}
    machine = node("Instances", config, related(subnet))
    failed += through(instances.create, machine)
    assert failed >= 2
    assert [rule["dealt"] > 0 for rule in faults.listing()] == [True, True]
    faults.clear()
    assert len(ec2.describe_vpcs()["Vpcs"]) == before + 1
    reservations = ec2.describe_instances()["Reservations"]
    assert len([one for group in reservations for one in group["Instances"]]) == 1


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("Subnet", {"CidrBlock": "10.0.0.0/24"}),
        ("SecurityGroup", {"GroupName": "doors", "Description": "doors"}),
    ],
)
def test_what_the_sdk_asked_for_twice_is_found_when_the_second_is_refused(
    node: Any, faults: Faults, kind: str, config: dict[str, Any]
) -> None:
    vpc = node("Vpc", {"CidrBlock": "10.0.0.0/16"})
    lifecycle.create(vpc)
    faults.add(Rule(service="ec2", operation=f"Create{kind}", kind=Kind.LOSE, share=1, limit=1))
    ctx = node(kind, config, related(vpc), sends=2)
    lifecycle.create(ctx)
    assert faults.listing()[0]["dealt"] == 1
    assert lifecycle.check_status(ctx)


def test_a_gateway_that_the_sdk_attached_twice_is_attached(node: Any, faults: Faults) -> None:
    vpc = node("Vpc", {"CidrBlock": "10.0.0.0/16"})
    lifecycle.create(vpc)
    gateway = node("InternetGateway", {}, related(vpc), sends=2)
    lifecycle.create(gateway)
    faults.add(Rule(service="ec2", operation="AttachInternetGateway", kind=Kind.LOSE, share=1, limit=1))
    gateways.attach(gateway)
    assert faults.listing()[0]["dealt"] == 1
    assert gateway.instance.runtime_properties["vpc_id"] == vpc.instance.runtime_properties["aws_resource_id"]


def test_a_key_pair_whose_private_key_was_lost_with_an_answer_is_made_again(node: Any, faults: Faults) -> None:
    faults.add(Rule(service="ec2", operation="CreateKeyPair", kind=Kind.LOSE, share=1, limit=1))
    ctx = node("Keypair", {"KeyName": "ours"}, sends=2)
    ctx.node.properties["store_in_runtime_properties"] = True
    assert through(keypairs.create, ctx) == 1
    assert "PRIVATE KEY" in ctx.instance.runtime_properties["create_response"]["KeyMaterial"]


def test_what_would_be_refused_again_is_not_tried_again(node: Any, faults: Faults) -> None:
    faults.add(
        Rule(
            service="ec2", operation="CreateVpc", kind=Kind.FAIL, share=1, limit=1, code="VpcLimitExceeded", status=400
        )
    )
    with pytest.raises(NonRecoverableError, match="VpcLimitExceeded"):
        lifecycle.create(node("Vpc", {"CidrBlock": "10.0.0.0/16"}))
