"""Blueprints of cloudify-aws-plugin before 2.0: what their nodes make, and that nothing of it stays."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from groundplan.cli import main
from groundplan.sdk.context import Neighbour
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.testing import BenchContext, run_twice
from groundplan_aws import addresses, instances, lifecycle, routes, rules
from groundplan_aws.newer import client_config, properties_of
from groundplan_aws.rows.older import OLDER as ROWS

from .conftest import between

IMAGE = "ami-08d2d8b00f270d03b"
OLDER = "cloudify.aws.nodes."
TIES = "cloudify.aws.relationships."
BLUEPRINT = """
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml, plugin:cloudify-aws-plugin]
inputs:
  aws_config: {}
node_templates:
  vpc:
    type: cloudify.aws.nodes.VPC
    properties: {aws_config: {get_input: aws_config}, cidr_block: 10.0.0.0/16, tags: {team: blue}}
  subnet:
    type: cloudify.aws.nodes.Subnet
    properties: {aws_config: {get_input: aws_config}, cidr_block: 10.0.0.0/24, availability_zone: us-west-1a}
    relationships: [{type: cloudify.aws.relationships.subnet_contained_in_vpc, target: vpc}]
  gateway:
    type: cloudify.aws.nodes.InternetGateway
    properties: {aws_config: {get_input: aws_config}}
    relationships: [{type: cloudify.aws.relationships.gateway_connected_to_vpc, target: vpc}]
  vpn:
    type: cloudify.aws.nodes.VPNGateway
    properties: {aws_config: {get_input: aws_config}}
    relationships: [{type: cloudify.aws.relationships.gateway_connected_to_vpc, target: vpc}]
  customer:
    type: cloudify.aws.nodes.CustomerGateway
    properties: {aws_config: {get_input: aws_config}, ip_address: 192.0.2.1, bgp_asn: 65534}
  table:
    type: cloudify.aws.nodes.RouteTable
    properties: {aws_config: {get_input: aws_config}}
    relationships:
      - {type: cloudify.aws.relationships.routetable_contained_in_vpc, target: vpc}
      - {type: cloudify.aws.relationships.routetable_associated_with_subnet, target: subnet}
      - {type: cloudify.aws.relationships.route_table_to_gateway, target: gateway}
  acl:
    type: cloudify.aws.nodes.ACL
    properties:
      aws_config: {get_input: aws_config}
      acl_network_entries:
        - rule_number: 101
          protocol: 6
          rule_action: ALLOW
          cidr_block: 0.0.0.0/0
          egress: ''
          icmp_code: ''
          icmp_type: ''
          port_range_from: 0
          port_range_to: 65535
    relationships:
      - {type: cloudify.aws.relationships.network_acl_contained_in_vpc, target: vpc}
      - {type: cloudify.aws.relationships.network_acl_associated_with_subnet, target: subnet}
  dhcp:
    type: cloudify.aws.nodes.DHCPOptions
    properties:
      aws_config: {get_input: aws_config}
      domain_name: ec2.internal
      domain_name_servers: [AmazonProvidedDNS]
    relationships: [{type: cloudify.aws.relationships.dhcp_options_associated_with_vpc, target: vpc}]
  group:
    type: cloudify.aws.nodes.SecurityGroup
    properties:
      aws_config: {get_input: aws_config}
      description: Reached by SSH.
      rules: [{ip_protocol: tcp, from_port: 22, to_port: 22, cidr_ip: 0.0.0.0/0}]
    relationships: [{type: cloudify.aws.relationships.security_group_contained_in_vpc, target: vpc}]
  key:
    type: cloudify.aws.nodes.KeyPair
    properties: {aws_config: {get_input: aws_config}, resource_id: old-key, private_key_path: ~/.ssh/old.pem}
  address:
    type: cloudify.aws.nodes.ElasticIP
    properties: {aws_config: {get_input: aws_config}, domain: vpc}
    relationships: [{type: cloudify.relationships.depends_on, target: gateway}]
  balancer:
    type: cloudify.aws.nodes.ElasticLoadBalancer
    properties:
      aws_config: {get_input: aws_config}
      elb_name: old-balancer
      zones: [us-west-1a]
      listeners: [[80, 8080, http]]
      health_checks: [{target: 'HTTP:8080/health'}]
  nic:
    type: cloudify.aws.nodes.Interface
    properties: {aws_config: {get_input: aws_config}, parameters: {description: second}}
    relationships:
      - {type: cloudify.aws.relationships.eni_contained_in_subnet, target: subnet}
      - {type: cloudify.aws.relationships.eni_connected_to_instance, target: vm}
  vm:
    type: cloudify.aws.nodes.Instance
    properties:
      aws_config: {get_input: aws_config}
      image_id: ami-08d2d8b00f270d03b
      instance_type: t3.micro
      name: old-machine
      install_agent: false
      parameters: {placement: {get_property: [subnet, availability_zone]}}
    relationships:
      - {type: cloudify.aws.relationships.instance_contained_in_subnet, target: subnet}
      - {type: cloudify.aws.relationships.instance_connected_to_security_group, target: group}
      - {type: cloudify.aws.relationships.instance_connected_to_keypair, target: key}
      - {type: cloudify.aws.relationships.instance_connected_to_elastic_ip, target: address}
      - {type: cloudify.aws.relationships.instance_connected_to_load_balancer, target: balancer}
  volume:
    type: cloudify.aws.nodes.Volume
    properties: {aws_config: {get_input: aws_config}, size: '1', zone: us-west-1a, device: /dev/sdf}
    relationships: [{type: cloudify.aws.relationships.volume_connected_to_instance, target: vm}]
outputs:
  vm: {value: {get_attribute: [vm, aws_resource_id]}}
  private: {value: {get_attribute: [vm, ip]}}
  public: {value: {get_attribute: [vm, public_ip_address]}}
  zone: {value: {get_attribute: [vm, placement]}}
  vpc_of_vm: {value: {get_attribute: [vm, vpc_id]}}
  vpc: {value: {get_attribute: [vpc, aws_resource_id]}}
  options: {value: {get_attribute: [vpc, default_dhcp_options_id]}}
  address: {value: {get_attribute: [address, aws_resource_id]}}
  holder: {value: {get_attribute: [address, instance_id]}}
  volume: {value: {get_attribute: [volume, aws_resource_id]}}
  table: {value: {get_attribute: [table, aws_resource_id]}}
  group: {value: {get_attribute: [group, aws_resource_id]}}
  acl: {value: {get_attribute: [acl, aws_resource_id]}}
  gateway: {value: {get_attribute: [gateway, aws_resource_id]}}
  nic: {value: {get_attribute: [nic, aws_resource_id]}}
"""


def everything(ec2: Any) -> dict[str, Any]:
    """Ids of all that the blueprint makes, as the account's owner sees them; terminated instances are over."""
    asked = {
        "vpcs": "VpcId",
        "subnets": "SubnetId",
        "internet_gateways": "InternetGatewayId",
        "route_tables": "RouteTableId",
        "network_acls": "NetworkAclId",
        "security_groups": "GroupId",
        "key_pairs": "KeyName",
        "addresses": "PublicIp",
        "volumes": "VolumeId",
        "network_interfaces": "NetworkInterfaceId",
        "vpn_gateways": "VpnGatewayId",
        "customer_gateways": "CustomerGatewayId",
    }
    found = {}
    for name, field in asked.items():
        (items,) = (value for value in getattr(ec2, f"describe_{name}")().values() if isinstance(value, list))
        found[name] = sorted(item[field] for item in items if item.get("State") != "deleted" and not of_aws(item))
    running = [one for group in ec2.describe_instances()["Reservations"] for one in group["Instances"]]
    found["instances"] = [one["InstanceId"] for one in running if one["State"]["Name"] != "terminated"]
    return found


def of_aws(item: dict[str, Any]) -> bool:
    """Whether AWS made it by itself: a VPC's first ACL, which moto leaves behind, and the group of load balancers."""
    return bool(item.get("IsDefault")) or str(item.get("GroupName", "")).startswith("default_elb_")


def test_an_older_blueprint_is_installed_and_leaves_nothing(
    account: Any, bench: Any, ec2: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("GROUNDPLAN_HOME", str(tmp_path / "home"))
    (tmp_path / "blueprint.yaml").write_text(BLUEPRINT)
    keys = {name: account.client_config[name] for name in ("aws_access_key_id", "aws_secret_access_key")}
    config = {**keys, "ec2_region_name": "us-west-1", "ec2_region_endpoint": account.endpoint}
    (tmp_path / "inputs.json").write_text(json.dumps({"aws_config": config}))

    def run(*words: str) -> str:
        code = main.run([*words])
        told = capsys.readouterr()
        assert code == 0, told.out + told.err
        return str(told.out)

    before = everything(ec2)
    run("install", str(tmp_path / "blueprint.yaml"), "-b", "old", "-d", "old", "-i", str(tmp_path / "inputs.json"))
    told = json.loads(run("deployments", "outputs", "old", "--json"))
    told = {name: found["value"] if isinstance(found, dict) else found for name, found in told.items()}
    assert told["public"] == told["address"]
    assert (told["holder"], told["zone"], told["vpc_of_vm"]) == (told["vm"], "us-west-1a", told["vpc"])
    assert told["options"] == "default"
    (vm,) = ec2.describe_instances(InstanceIds=[told["vm"]])["Reservations"][0]["Instances"]
    assert (vm["KeyName"], vm["PrivateIpAddress"]) == ("old-key", told["private"])
    assert [found["GroupId"] for found in vm["SecurityGroups"]] == [told["group"]]
    assert {"Key": "Name", "Value": "old-machine"} in vm["Tags"]
    assert told["nic"] in [nic["NetworkInterfaceId"] for nic in vm["NetworkInterfaces"]]
    (volume,) = ec2.describe_volumes(VolumeIds=[told["volume"]])["Volumes"]
    assert [(held["InstanceId"], held["Device"]) for held in volume["Attachments"]] == [(told["vm"], "/dev/sdf")]
    (table,) = ec2.describe_route_tables(RouteTableIds=[told["table"]])["RouteTables"]
    assert [r["GatewayId"] for r in table["Routes"] if r["DestinationCidrBlock"] == "0.0.0.0/0"] == [told["gateway"]]
    (acl,) = ec2.describe_network_acls(NetworkAclIds=[told["acl"]])["NetworkAcls"]
    assert [(e["Protocol"], e["RuleAction"], e["Egress"]) for e in acl["Entries"] if e["RuleNumber"] == 101] == [
        ("6", "allow", False)
    ]
    assert len(acl["Associations"]) == 1
    (vpc,) = ec2.describe_vpcs(VpcIds=[told["vpc"]])["Vpcs"]
    assert {"Key": "team", "Value": "blue"} in vpc["Tags"]
    assert vpc["DhcpOptionsId"] != told["options"]
    run("uninstall", "old")
    assert everything(ec2) == before


def test_the_blueprint_has_a_node_of_each_type() -> None:
    assert {node["type"] for node in yaml.safe_load(BLUEPRINT)["node_templates"].values()} == set(ROWS)


def older(bench: Any, kind: str, **properties: Any) -> BenchContext:
    """A node of an older type, with its own words alone."""
    config = properties.pop("resource_config", {})
    ctx: BenchContext = bench.node(OLDER + kind, config, **properties)
    ctx.node = replace(ctx.node, type_hierarchy=(*ctx.node.type_hierarchy, ROWS[OLDER + kind].newer))
    return ctx


def test_parameters_may_be_written_as_either_boto_has_them(bench: Any) -> None:
    given = {
        "placement": "us-west-1a",
        "tenancy": "default",
        "block_device_map": {"/dev/sda1": {"size": "10", "delete_on_termination": True}},
        "EbsOptimized": True,
    }
    ctx = older(bench, "Instance", image_id=IMAGE, instance_type="t3.micro", parameters=given)
    assert properties_of(ctx.node)["resource_config"] == {
        "ImageId": IMAGE,
        "InstanceType": "t3.micro",
        "Placement": {"AvailabilityZone": "us-west-1a", "Tenancy": "default"},
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 10, "DeleteOnTermination": True}}],
        "EbsOptimized": True,
    }


def test_a_parameter_that_nobody_knows_is_refused(bench: Any) -> None:
    ctx = older(bench, "Instance", image_id=IMAGE, instance_type="t3.micro", parameters={"plaecment": "us-west-1a"})
    with pytest.raises(NonRecoverableError, match="plaecment is none of"):
        instances.create(ctx)


def test_args_are_refused(bench: Any) -> None:
    with pytest.raises(NonRecoverableError, match="args are not done"):
        lifecycle.create(older(bench, "VPC", cidr_block="10.0.0.0/16"), args={"dry_run": True})


@pytest.mark.parametrize("rule", [{"ip_protocol": "tcp"}, {"cidr_ip": "0.0.0.0/0", "src_group_id": "sg-1"}])
def test_a_rule_names_a_range_or_a_group(bench: Any, rule: dict[str, str]) -> None:
    ctx = older(bench, "SecurityGroup", description="d", rules=[rule])
    with pytest.raises(NonRecoverableError, match="either cidr_ip or src_group_id"):
        rules.create_group(ctx)


@pytest.mark.parametrize(
    ("host", "endpoint"), [("ec2.cloud.example", "https://ec2.cloud.example"), ("ec2.eu-west-1.amazonaws.com", None)]
)
def test_a_host_becomes_an_endpoint_unless_it_is_amazons(host: str, endpoint: str | None) -> None:
    said = client_config({"region": "eu-west-1", "ec2_region_endpoint": host})
    assert (said["region_name"], said.get("endpoint_url")) == ("eu-west-1", endpoint)


def test_two_groups_let_each_other_in(bench: Any, ec2: Any) -> None:
    ids = [ec2.create_security_group(GroupName=name, Description=name)["GroupId"] for name in ("one", "two")]
    neighbours = []
    for group, tie in zip(ids, ("rule_contained_in_security_group", "rule_depends_on_security_group"), strict=True):
        other = bench.node("SecurityGroup")
        other.instance.runtime_properties["aws_resource_id"] = group
        told = bench.related(other)
        neighbours.append(
            Neighbour(type=TIES + tie, type_hierarchy=(TIES + tie,), node=told.node, instance=told.instance)
        )
    rule = [{"ip_protocol": "tcp", "from_port": 80, "to_port": 80}]
    ctx = bench.node(f"{OLDER}SecurityGroupRule.Multi", neighbours=neighbours, rule=rule)
    run_twice(rules.create_between, ctx)
    (found,) = ec2.describe_security_groups(GroupIds=ids[:1])["SecurityGroups"]
    assert [pair["GroupId"] for opened in found["IpPermissions"] for pair in opened["UserIdGroupPairs"]] == ids[1:]
    run_twice(rules.delete_between, ctx)
    (found,) = ec2.describe_security_groups(GroupIds=ids[:1])["SecurityGroups"]
    assert found["IpPermissions"] == []


def test_a_route_to_a_gateway_may_be_put_in_again(bench: Any, ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    gateway = older(bench, "InternetGateway", cidr_block="0.0.0.0/0")
    made = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=made, VpcId=vpc)
    gateway.instance.runtime_properties["aws_resource_id"] = made
    table = older(bench, "RouteTable", resource_config={"VpcId": vpc})
    run_twice(routes.create_table, table, routes=[{"destination_cidr_block": "192.0.2.0/24", "gateway_id": made}])
    tie = between(bench, table, gateway)
    run_twice(routes.create_related, tie)
    identifier = str(table.instance.runtime_properties["aws_resource_id"])

    def ways() -> set[str]:
        (found,) = ec2.describe_route_tables(RouteTableIds=[identifier])["RouteTables"]
        return {way["DestinationCidrBlock"] for way in found["Routes"] if way["GatewayId"] == made}

    assert ways() == {"192.0.2.0/24", "0.0.0.0/0"}
    run_twice(routes.delete_related, tie)
    assert ways() == {"192.0.2.0/24"}


def test_an_address_may_be_given_and_taken_again(bench: Any, ec2: Any) -> None:
    made = ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[made], WaiterConfig={"Delay": 0.1})
    vm = older(bench, "Instance", image_id=IMAGE, instance_type="t3.micro")
    vm.instance.runtime_properties["aws_resource_id"] = made
    address = older(bench, "ElasticIP", domain="vpc")
    run_twice(addresses.create, address)
    tie = between(bench, vm, address)
    run_twice(addresses.attach_related, tie)
    assert [found["InstanceId"] for found in ec2.describe_addresses()["Addresses"]] == [made]
    run_twice(addresses.detach_related, tie)
    (found,) = ec2.describe_addresses()["Addresses"]
    assert not found.get("AssociationId")
