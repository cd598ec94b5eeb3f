"""Networks: what exists from the start, and what may not go while something depends on it."""

import ipaddress
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from groundplan_sandbox.aws.catalogue import IMAGES


def code_of(call: Callable[..., Any], **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return str(caught.value.response["Error"]["Code"])


def test_us_west_1_has_the_zone_c_that_blueprints_ask_for(ec2: Any, network: Any) -> None:
    [subnet] = ec2.describe_subnets(SubnetIds=[network.subnet])["Subnets"]
    assert subnet["AvailabilityZone"] == "us-west-1c"


@pytest.mark.parametrize("zone", ["us-west-1x", "us-east-1a"])
def test_a_zone_of_no_or_another_region_is_refused_and_the_regions_own_are_named(
    ec2: Any, network: Any, zone: str
) -> None:
    with pytest.raises(ClientError, match=r"availability zones: us-west-1a, us-west-1b, us-west-1c\.$"):
        ec2.create_subnet(VpcId=network.vpc, CidrBlock="10.0.9.0/24", AvailabilityZone=zone)


@pytest.mark.parametrize("name", ["Bad_Bucket", "127.0.0.1", "two..dots", "xn--bucket"])
def test_a_bucket_s_name_must_be_one_of_a_host(aws: Any, name: str) -> None:
    def create(**parameters: Any) -> Any:
        return aws.client("s3").create_bucket(
            **parameters, CreateBucketConfiguration={"LocationConstraint": "us-west-1"}
        )

    assert code_of(create, Bucket=name) == "InvalidBucketName"


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.ami_id)
def test_the_images_of_published_blueprints_are_found_by_owner_and_name(ec2: Any, image: Any) -> None:
    filters = [{"Name": "name", "Values": [image.name]}, {"Name": "owner-id", "Values": [image.owner_id]}]
    assert [found["ImageId"] for found in ec2.describe_images(Filters=filters)["Images"]] == [image.ami_id]


@pytest.mark.parametrize("region", ["us-west-1", "eu-central-1"])
def test_every_region_knows_the_key_pair(aws: Any, region: str) -> None:
    [pair] = aws.client("ec2", region).describe_key_pairs(IncludePublicKey=True)["KeyPairs"]
    assert (pair["KeyName"], pair["PublicKey"]) == (aws.credentials.keypair_name, aws.credentials.public_key)


def test_interfaces_get_different_host_addresses_of_their_subnet(ec2: Any, network: Any) -> None:
    made = [ec2.create_network_interface(SubnetId=network.subnet)["NetworkInterface"] for _ in range(20)]
    addresses = {ipaddress.ip_address(interface["PrivateIpAddress"]) for interface in made}
    assert len(addresses) == 20
    # AWS keeps the first four and the last: "Subnet CIDR blocks", VPC user guide.
    assert addresses <= set(list(ipaddress.ip_network("10.0.0.0/24"))[4:-1])


def test_a_subnet_with_an_interface_stays(ec2: Any, network: Any, interface: str) -> None:
    assert code_of(ec2.delete_subnet, SubnetId=network.subnet) == "DependencyViolation"
    ec2.delete_network_interface(NetworkInterfaceId=interface)
    ec2.delete_subnet(SubnetId=network.subnet)


def test_a_security_group_on_an_interface_stays(ec2: Any, network: Any, interface: str) -> None:
    assert code_of(ec2.delete_security_group, GroupId=network.group) == "DependencyViolation"
    ec2.delete_network_interface(NetworkInterfaceId=interface)
    ec2.delete_security_group(GroupId=network.group)


def test_a_security_group_named_by_another_s_rule_stays(ec2: Any, network: Any) -> None:
    other = ec2.create_security_group(GroupName="web", Description="web", VpcId=network.vpc)["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId": network.group}]}
    ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[rule])
    assert code_of(ec2.delete_security_group, GroupId=network.group) == "DependencyViolation"
    ec2.revoke_security_group_ingress(GroupId=other, IpPermissions=[rule])
    ec2.delete_security_group(GroupId=network.group)


def test_a_security_group_naming_itself_goes(ec2: Any, network: Any) -> None:
    rule = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": network.group}]}
    ec2.authorize_security_group_ingress(GroupId=network.group, IpPermissions=[rule])
    ec2.delete_security_group(GroupId=network.group)


def test_a_vpc_goes_last(ec2: Any, network: Any) -> None:
    assert code_of(ec2.delete_vpc, VpcId=network.vpc) == "DependencyViolation"
    ec2.delete_subnet(SubnetId=network.subnet)
    assert code_of(ec2.delete_vpc, VpcId=network.vpc) == "DependencyViolation"
    ec2.detach_internet_gateway(InternetGatewayId=network.gateway, VpcId=network.vpc)
    assert code_of(ec2.delete_vpc, VpcId=network.vpc) == "DependencyViolation"
    ec2.delete_security_group(GroupId=network.group)
    ec2.delete_vpc(VpcId=network.vpc)


def test_a_gateway_stays_while_public_addresses_are_mapped(ec2: Any, network: Any, interface: str) -> None:
    elastic = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=elastic["AllocationId"], NetworkInterfaceId=interface)
    detach = {"InternetGatewayId": network.gateway, "VpcId": network.vpc}
    assert code_of(ec2.detach_internet_gateway, **detach) == "DependencyViolation"
    ec2.disassociate_address(PublicIp=elastic["PublicIp"])
    ec2.detach_internet_gateway(**detach)


def test_a_network_without_gateway_has_no_public_side(ec2: Any, network: Any, interface: str) -> None:
    ec2.detach_internet_gateway(InternetGatewayId=network.gateway, VpcId=network.vpc)
    elastic = ec2.allocate_address(Domain="vpc")["AllocationId"]
    assert code_of(ec2.associate_address, AllocationId=elastic, NetworkInterfaceId=interface) == "Gateway.NotAttached"


def test_an_elastic_address_in_use_is_not_released(ec2: Any, interface: str) -> None:
    elastic = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=elastic["AllocationId"], NetworkInterfaceId=interface)
    assert code_of(ec2.release_address, AllocationId=elastic["AllocationId"]) == "InvalidIPAddress.InUse"
    ec2.delete_network_interface(NetworkInterfaceId=interface)
    ec2.release_address(AllocationId=elastic["AllocationId"])


def test_a_route_to_the_internet_stands_in_the_main_table(ec2: Any, network: Any) -> None:
    [table] = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [network.vpc]}])["RouteTables"]
    ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=network.gateway)
    [table] = ec2.describe_route_tables(RouteTableIds=[table["RouteTableId"]])["RouteTables"]
    assert ("0.0.0.0/0", network.gateway) in [
        (route["DestinationCidrBlock"], route["GatewayId"]) for route in table["Routes"]
    ]


def test_the_managed_policies_of_aws_can_be_attached(aws: Any) -> None:
    iam = aws.client("iam")
    iam.create_role(RoleName="cluster", AssumeRolePolicyDocument="{}")
    policy = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
    iam.attach_role_policy(RoleName="cluster", PolicyArn=policy)
    assert len(iam.list_attached_role_policies(RoleName="cluster")["AttachedPolicies"]) == 1
    assert iam.get_policy(PolicyArn=policy)["Policy"]["AttachmentCount"] == 1

    aws.server.reset()
    assert iam.get_policy(PolicyArn=policy)["Policy"]["AttachmentCount"] == 0


def test_a_refused_nat_gateway_leaves_no_interface_and_an_unknown_one_is_not_found(
    ec2: Any, network: Any, interface: str
) -> None:
    asked = {"SubnetId": network.subnet}
    assert code_of(ec2.create_nat_gateway, **asked) == "MissingParameter"
    assert code_of(ec2.create_nat_gateway, **asked, AllocationId="eipalloc-0") == "InvalidAllocationID.NotFound"
    taken = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.associate_address(AllocationId=taken, NetworkInterfaceId=interface)
    assert code_of(ec2.create_nat_gateway, **asked, AllocationId=taken) == "Resource.AlreadyAssociated"
    left = ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert [found["NetworkInterfaceId"] for found in left] == [interface]
    assert code_of(ec2.describe_nat_gateways, NatGatewayIds=["nat-0123456789abcdef0"]) == "NatGatewayNotFound"


def test_an_instance_id_is_malformed_or_not_found(ec2: Any) -> None:
    for call in (ec2.describe_instances, ec2.terminate_instances, ec2.start_instances):
        assert code_of(call, InstanceIds=["nonsense"]) == "InvalidInstanceID.Malformed"
        assert code_of(call, InstanceIds=["i-0123456789abcdef0"]) == "InvalidInstanceID.NotFound"
