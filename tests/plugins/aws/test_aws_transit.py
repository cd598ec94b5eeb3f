"""Transit gateways: attached to VPCs once, and their route tables associated with the attachments."""

from typing import Any

import pytest
from tests.plugins.aws.conftest import between

from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws import lifecycle, transit

KEPT = "TransitGatewayVpcAttachments"


@pytest.fixture
def nodes(bench: Any) -> Any:
    """A gateway, a subnet of a VPC, and a route table of the gateway; no two related but as rows need it."""
    vpc = bench.node("Vpc", {"CidrBlock": "10.0.0.0/16"}, name="vpc")
    lifecycle.create(vpc)
    place = {"CidrBlock": "10.0.1.0/24", "AvailabilityZone": "us-west-1b"}
    subnet = bench.node("Subnet", place, neighbours=[bench.related(vpc)], name="subnet")
    gateway = bench.node("TransitGateway", {"Description": "hub"}, name="gateway")
    for ctx in (subnet, gateway):
        lifecycle.create(ctx)
    table = bench.node("TransitGatewayRouteTable", neighbours=[bench.related(gateway)], name="table")
    lifecycle.create(table)
    return gateway, subnet, table


def attachments(ec2: Any) -> list[str]:
    found = ec2.describe_transit_gateway_vpc_attachments()["TransitGatewayVpcAttachments"]
    return [one["TransitGatewayAttachmentId"] for one in found if one["State"] == "available"]


def test_a_gateway_is_attached_once_and_found_again_without_a_record(bench: Any, ec2: Any, nodes: Any) -> None:
    gateway, subnet, _ = nodes
    relation = between(bench, gateway, subnet)
    transit.attach(relation)
    first = gateway.instance.runtime_properties.pop(KEPT)
    transit.attach(relation)
    kept = gateway.instance.runtime_properties[KEPT]
    assert [one["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"] for one in kept.values()] == attachments(
        ec2
    )
    assert list(first) == list(kept)
    transit.detach(relation)
    assert attachments(ec2) == []
    transit.detach(relation)
    assert gateway.instance.runtime_properties[KEPT] == {}


def test_a_vpc_s_related_subnets_are_attached(bench: Any, ec2: Any, nodes: Any) -> None:
    gateway, subnet, _ = nodes
    (known,) = ec2.describe_subnets(SubnetIds=[subnet.instance.runtime_properties["aws_resource_id"]])["Subnets"]
    made: Any = {"aws_resource_id": known["VpcId"]}
    vpc = bench.node("Vpc", name="vpc")
    vpc.instance.runtime_properties.update(made)
    with pytest.raises(NonRecoverableError, match="has no subnets"):
        transit.attach(between(bench, gateway, vpc))
    for _ in range(2):
        transit.note_subnet(between(bench, subnet, vpc))
        transit.attach(between(bench, gateway, vpc))
    (found,) = ec2.describe_transit_gateway_vpc_attachments()["TransitGatewayVpcAttachments"]
    assert (found["VpcId"], found["SubnetIds"]) == (known["VpcId"], [known["SubnetId"]])
    transit.detach(between(bench, gateway, vpc))
    for _ in range(2):
        transit.forget_subnet(between(bench, subnet, vpc))
    assert vpc.instance.runtime_properties["subnets"] == []
    assert attachments(ec2) == []


def test_a_route_table_is_associated_with_its_gateway_s_attachments(bench: Any, ec2: Any, nodes: Any) -> None:
    gateway, subnet, table = nodes
    transit.attach(between(bench, gateway, subnet))
    known = table.instance.runtime_properties["aws_resource_id"]

    def associated() -> list[str]:
        found = ec2.get_transit_gateway_route_table_associations(TransitGatewayRouteTableId=known)["Associations"]
        return [one["TransitGatewayAttachmentId"] for one in found if one["State"] == "associated"]

    for _ in range(2):
        transit.associate(table)
    assert associated() == attachments(ec2) == table.instance.runtime_properties["attachment_ids"]
    for _ in range(2):
        transit.dissociate(table)
    assert associated() == []


def test_a_gateway_that_does_not_exist_is_not_attached(bench: Any, nodes: Any) -> None:
    with pytest.raises(NonRecoverableError, match="was not made"):
        transit.attach(between(bench, bench.node("TransitGateway", name="nothing"), nodes[1]))
