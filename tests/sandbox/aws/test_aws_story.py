"""One environment from network to instance and back, in the order of an install and its uninstall."""

from typing import Any


def test_an_environment_is_built_and_taken_down_without_a_trace(aws: Any, ec2: Any, reaches: Any) -> None:
    before = inventory(ec2)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for block, zone in (("10.0.0.0/24", "us-west-1a"), ("10.0.1.0/24", "us-west-1c"))
    ]
    group = ec2.create_security_group(GroupName="agents", Description="agents", VpcId=vpc)["GroupId"]
    ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[ssh])
    main = {"Name": "association.main", "Values": ["true"]}
    [table] = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}, main])["RouteTables"]
    everywhere = {"RouteTableId": table["RouteTableId"], "DestinationCidrBlock": "0.0.0.0/0"}
    ec2.create_route(**everywhere, GatewayId=gateway)
    made = ec2.create_network_interface(SubnetId=subnets[0], Groups=[group])
    interface = made["NetworkInterface"]["NetworkInterfaceId"]
    elastic = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=elastic["AllocationId"], NetworkInterfaceId=interface)
    instance = ec2.run_instances(
        ImageId="ami-08d2d8b00f270d03b",
        InstanceType="t2.medium",
        KeyName=aws.credentials.keypair_name,
        MinCount=1,
        MaxCount=1,
        NetworkInterfaces=[{"NetworkInterfaceId": interface, "DeviceIndex": 0}],
    )["Instances"][0]["InstanceId"]
    reaches(instance, "running")
    assert aws.machines.launched[instance].addresses == {elastic["PublicIp"]}

    ec2.terminate_instances(InstanceIds=[instance])
    reaches(instance, "terminated")
    ec2.disassociate_address(PublicIp=elastic["PublicIp"])
    ec2.release_address(AllocationId=elastic["AllocationId"])
    ec2.delete_network_interface(NetworkInterfaceId=interface)
    ec2.delete_route(**everywhere)
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[ssh])
    ec2.delete_security_group(GroupId=group)
    for subnet in subnets:
        ec2.delete_subnet(SubnetId=subnet)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    ec2.delete_vpc(VpcId=vpc)
    assert inventory(ec2) == before
    assert aws.instances.listing() == []


def inventory(ec2: Any) -> dict[str, list[str]]:
    """Ids of everything in the region that costs money or stands in somebody's way."""
    return {
        "vpcs": [vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]],
        "subnets": [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]],
        "groups": [group["GroupId"] for group in ec2.describe_security_groups()["SecurityGroups"]],
        "gateways": [gateway["InternetGatewayId"] for gateway in ec2.describe_internet_gateways()["InternetGateways"]],
        "tables": [table["RouteTableId"] for table in ec2.describe_route_tables()["RouteTables"]],
        "interfaces": [found["NetworkInterfaceId"] for found in ec2.describe_network_interfaces()["NetworkInterfaces"]],
        "addresses": [address["PublicIp"] for address in ec2.describe_addresses()["Addresses"]],
        "volumes": [volume["VolumeId"] for volume in ec2.describe_volumes()["Volumes"]],
    }
