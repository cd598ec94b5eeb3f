"""A bad day: operations of the AWS plugin, attempted again as executions do, come through and make nothing twice."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from groundplan.sdk import testing
from groundplan.sdk.context import Neighbour
from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan.sdk.testing import BenchContext
from groundplan_aws import instances, lifecycle
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
        # The plugin's own retries are what is looked at, not the SDK's, which sleep.
        "additional_config": {"retries": {"total_max_attempts": 1}},
    }

    def make(kind: str, config: dict[str, Any], *neighbours: Neighbour) -> BenchContext:
        made = testing.context(
            node_type=f"cloudify.nodes.aws.ec2.{kind}",
            properties={"client_config": client_config, "resource_config": config},
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


def test_what_would_be_refused_again_is_not_tried_again(node: Any, faults: Faults) -> None:
    faults.add(
        Rule(
            service="ec2", operation="CreateVpc", kind=Kind.FAIL, share=1, limit=1, code="VpcLimitExceeded", status=400
        )
    )
    with pytest.raises(NonRecoverableError, match="VpcLimitExceeded"):
        lifecycle.create(node("Vpc", {"CidrBlock": "10.0.0.0/16"}))
