"""A network: subnets, gateways, routes and rules find each other by the types of related nodes."""

from typing import Any

import pytest

from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.testing import BenchContext, run_twice
from groundplan_aws import addresses, gateways, lifecycle, routes, rules

SSH = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


@pytest.fixture
def vpc(bench: Any) -> BenchContext:
    ctx: BenchContext = bench.node("Vpc", {"CidrBlock": "10.0.0.0/16"}, name="vpc")
    lifecycle.create(ctx)
    return ctx


@pytest.fixture
def subnet(bench: Any, vpc: BenchContext) -> BenchContext:
    ctx: BenchContext = bench.node(
        "Subnet", {"CidrBlock": "10.0.0.0/24"}, neighbours=[bench.related(vpc)], name="subnet"
    )
    run_twice(lifecycle.create, ctx)
    return ctx


@pytest.fixture
def gateway(bench: Any, vpc: BenchContext) -> BenchContext:
    ctx: BenchContext = bench.node("InternetGateway", neighbours=[bench.related(vpc)], name="gateway")
    run_twice(lifecycle.create, ctx)
    run_twice(gateways.attach, ctx)
    return ctx


@pytest.fixture
def table(bench: Any, vpc: BenchContext, subnet: BenchContext) -> BenchContext:
    neighbours = [bench.related(vpc), bench.related(subnet)]
    ctx: BenchContext = bench.node("RouteTable", neighbours=neighbours, name="table")
    run_twice(lifecycle.create, ctx)
    first, second = run_twice(routes.attach, ctx)
    assert first["association_ids"] == second["association_ids"]
    return ctx


def id_of(ctx: BenchContext) -> str:
    return str(ctx.instance.runtime_properties["aws_resource_id"])


def test_a_subnet_takes_its_vpc_from_the_related_node(vpc: BenchContext, subnet: BenchContext, ec2: Any) -> None:
    (found,) = ec2.describe_subnets(SubnetIds=[id_of(subnet)])["Subnets"]
    assert found["VpcId"] == id_of(vpc)
    assert len(ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [id_of(vpc)]}])["Subnets"]) == 1


def test_a_subnet_without_a_block_takes_its_vpcs(bench: Any, vpc: BenchContext, ec2: Any) -> None:
    lifecycle.prepare(vpc)
    ctx = bench.node("Subnet", {"CidrBlock": ""}, neighbours=[bench.related(vpc)])
    lifecycle.create(ctx)
    assert ec2.describe_subnets(SubnetIds=[id_of(ctx)])["Subnets"][0]["CidrBlock"] == "10.0.0.0/16"


def test_attributes_of_a_subnet_are_set_by_an_operation_of_its_own(subnet: BenchContext, ec2: Any) -> None:
    run_twice(lifecycle.modify, subnet, resource_config={"MapPublicIpOnLaunch": {"Value": True}})
    assert ec2.describe_subnets(SubnetIds=[id_of(subnet)])["Subnets"][0]["MapPublicIpOnLaunch"]


def test_a_gateway_is_attached_and_detached(vpc: BenchContext, gateway: BenchContext, ec2: Any) -> None:
    there = [{"Name": "attachment.vpc-id", "Values": [id_of(vpc)]}]
    (found,) = ec2.describe_internet_gateways(Filters=there)["InternetGateways"]
    assert found["InternetGatewayId"] == id_of(gateway)
    run_twice(gateways.detach, gateway)
    run_twice(lifecycle.delete, gateway)
    left = ec2.describe_internet_gateways()["InternetGateways"]
    assert found["InternetGatewayId"] not in [gateway["InternetGatewayId"] for gateway in left]


def test_an_external_gateway_stays_attached(bench: Any, vpc: BenchContext, gateway: BenchContext, ec2: Any) -> None:
    neighbours = [bench.related(vpc)]
    ctx = bench.node(
        "InternetGateway", neighbours=neighbours, use_external_resource=True, resource_id=id_of(gateway), name="other"
    )
    for act in (lifecycle.create, gateways.attach, gateways.detach, lifecycle.delete):
        act(ctx)
    (found,) = ec2.describe_internet_gateways(InternetGatewayIds=[id_of(gateway)])["InternetGateways"]
    assert len(found["Attachments"]) == 1


def test_a_route_joins_its_table_and_gateway(bench: Any, table: BenchContext, gateway: BenchContext, ec2: Any) -> None:
    config = {"kwargs": {"DestinationCidrBlock": "0.0.0.0/0"}}
    ctx = bench.node("Route", config, neighbours=[bench.related(table), bench.related(gateway)])
    run_twice(routes.create, ctx)
    assert routes_of(ec2, table)["0.0.0.0/0"] == id_of(gateway)
    run_twice(routes.delete, ctx)
    assert "0.0.0.0/0" not in routes_of(ec2, table)


def test_a_route_to_elsewhere_is_not_taken_for_ours(
    bench: Any, table: BenchContext, gateway: BenchContext, ec2: Any
) -> None:
    config = {"DestinationCidrBlock": "0.0.0.0/0"}
    routes.create(bench.node("Route", config, neighbours=[bench.related(table), bench.related(gateway)]))
    other = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    wrong = bench.node("Route", {**config, "GatewayId": other}, neighbours=[bench.related(table)])
    with pytest.raises(NonRecoverableError, match="RouteAlreadyExists"):
        routes.create(wrong)


def test_a_table_lets_its_subnets_go(table: BenchContext, ec2: Any) -> None:
    run_twice(routes.detach, table)
    run_twice(lifecycle.delete, table)
    assert [found for found in ec2.describe_route_tables()["RouteTables"] if not found["Associations"]] == []


def test_rules_are_authorised_once_and_revoked(bench: Any, vpc: BenchContext, ec2: Any) -> None:
    config = {"GroupName": "agents", "Description": "For agents"}
    group = bench.node("SecurityGroup", config, neighbours=[bench.related(vpc)], name="group")
    run_twice(lifecycle.create, group)
    rule = bench.node("SecurityGroupRuleIngress", {"IpPermissions": [SSH]}, neighbours=[bench.related(group)])
    run_twice(rules.authorize_ingress, rule)
    assert [found["FromPort"] for found in ingress(ec2, group)] == [22]
    run_twice(rules.revoke_ingress, rule)
    assert ingress(ec2, group) == []
    run_twice(lifecycle.delete, group)


def test_rules_that_stand_in_part_are_completed(bench: Any, vpc: BenchContext, ec2: Any) -> None:
    group = bench.node("SecurityGroup", {"GroupName": "g", "Description": "g"}, neighbours=[bench.related(vpc)])
    lifecycle.create(group)
    ec2.authorize_security_group_ingress(GroupId=id_of(group), IpPermissions=[SSH])
    own = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": id_of(group)}]}
    config = {"kwargs": {"IpPermissions": [SSH, own]}}
    rules.authorize_ingress(bench.node("SecurityGroupRuleIngress", config, neighbours=[bench.related(group)]))
    assert {found["IpProtocol"] for found in ingress(ec2, group)} == {"tcp", "-1"}


@pytest.mark.usefixtures("gateway")
def test_a_nat_gateway_takes_the_related_subnet_and_address(bench: Any, subnet: BenchContext, ec2: Any) -> None:
    address = bench.node("ElasticIP", {"kwargs": {"Domain": "vpc"}}, name="address")
    addresses.create(address)
    nat = bench.node("NATGateway", neighbours=[bench.related(subnet), bench.related(address)], name="nat")
    run_twice(lifecycle.create, nat)
    (found,) = ec2.describe_nat_gateways()["NatGateways"]
    allocation = address.instance.runtime_properties["allocation_id"]
    assert (found["SubnetId"], found["NatGatewayAddresses"][0]["AllocationId"]) == (id_of(subnet), allocation)
    run_twice(lifecycle.delete, nat)


@pytest.mark.usefixtures("gateway")
def test_a_nat_gateway_of_somebody_else_is_not_taken(bench: Any, subnet: BenchContext, ec2: Any) -> None:
    there = ec2.create_nat_gateway(SubnetId=id_of(subnet), ConnectivityType="private")["NatGateway"]["NatGatewayId"]
    nat = bench.node("NATGateway", {"ConnectivityType": "private"}, neighbours=[bench.related(subnet)], name="nat")
    lifecycle.create(nat)
    assert id_of(nat) != there
    nat.instance.runtime_properties.clear()
    lifecycle.delete(nat)
    states = {found["NatGatewayId"]: found["State"] for found in ec2.describe_nat_gateways()["NatGateways"]}
    assert states.pop(there) in ("pending", "available")
    assert set(states.values()) == {"deleted"}


def routes_of(ec2: Any, table: BenchContext) -> dict[str, str]:
    (found,) = ec2.describe_route_tables(RouteTableIds=[id_of(table)])["RouteTables"]
    return {route["DestinationCidrBlock"]: route["GatewayId"] for route in found["Routes"]}


def ingress(ec2: Any, group: BenchContext) -> list[dict[str, Any]]:
    (found,) = ec2.describe_security_groups(GroupIds=[id_of(group)])["SecurityGroups"]
    permissions: list[dict[str, Any]] = found["IpPermissions"]
    return permissions
