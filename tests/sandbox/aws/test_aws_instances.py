"""Instances take their time, have a machine each, and leave nothing behind."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import IMAGE


def code_of(call: Callable[..., Any], *arguments: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(*arguments, **parameters)
    return str(caught.value.response["Error"]["Code"])


def state_of(ec2: Any, interface: str) -> str:
    [found] = ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"]
    return str(found["Status"])


def test_an_instance_is_pending_until_its_machine_runs(
    aws: Any, ec2: Any, run: Any, reaches: Any, interface: str, describe: Any
) -> None:
    aws.machines.may_launch.clear()
    instance = run(interface)
    assert describe(instance)["State"]["Name"] == "pending"
    aws.machines.may_launch.set()
    reaches(instance, "running")
    assert aws.machines.launched[instance].authorized_keys == (aws.credentials.public_key,)


def test_a_machine_that_does_not_start_ends_the_instance_and_says_why(
    aws: Any, ec2: Any, run: Any, reaches: Any, interface: str, describe: Any
) -> None:
    aws.machines.fault = OSError("no namespaces here")
    instance = run(interface)
    reaches(instance, "terminated")
    assert describe(instance)["StateReason"]["Message"] == "Server.InternalError: no namespaces here"
    ec2.delete_network_interface(NetworkInterfaceId=interface)


def test_an_address_associated_before_the_instance_exists_is_its_machine_s(
    aws: Any, ec2: Any, run: Any, reaches: Any, interface: str
) -> None:
    elastic = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=elastic["AllocationId"], NetworkInterfaceId=interface)
    instance = run(interface)
    reaches(instance, "running")
    assert aws.machines.launched[instance].addresses == {elastic["PublicIp"]}
    assert aws.instances.hosts()[elastic["PublicIp"]].port == 22
    ec2.disassociate_address(PublicIp=elastic["PublicIp"])
    assert aws.machines.launched[instance].addresses == set()
    assert aws.instances.hosts() == {}


def test_an_address_associated_later_is_served_when_the_call_returns(
    aws: Any, ec2: Any, run: Any, reaches: Any, interface: str, describe: Any
) -> None:
    instance = run(interface)
    reaches(instance, "running")
    elastic = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=elastic["AllocationId"], InstanceId=instance)
    assert aws.machines.launched[instance].addresses == {elastic["PublicIp"]}
    assert describe(instance)["PublicIpAddress"] == elastic["PublicIp"]


def test_an_address_moves_from_machine_to_machine(aws: Any, ec2: Any, run: Any, reaches: Any, network: Any) -> None:
    first, second = (run(SubnetId=network.subnet) for _ in range(2))
    for instance in (first, second):
        reaches(instance, "running")
    elastic = ec2.allocate_address(Domain="vpc")
    for instance in (first, second):
        ec2.associate_address(AllocationId=elastic["AllocationId"], InstanceId=instance, AllowReassociation=True)
    machines = aws.machines.launched
    assert (machines[first].addresses, machines[second].addresses) == (set(), {elastic["PublicIp"]})


def test_an_automatic_address_lives_from_start_to_stop(
    aws: Any, ec2: Any, run: Any, reaches: Any, network: Any, describe: Any
) -> None:
    asked = {"SubnetId": network.subnet, "DeviceIndex": 0, "AssociatePublicIpAddress": True}
    instance = run(NetworkInterfaces=[asked])
    reaches(instance, "running")
    machine = aws.machines.launched[instance]
    assert machine.addresses == {describe(instance)["PublicIpAddress"]}
    ec2.stop_instances(InstanceIds=[instance])
    reaches(instance, "stopped")
    assert (machine.running, machine.addresses) == (False, set())
    ec2.start_instances(InstanceIds=[instance])
    reaches(instance, "running")
    assert (machine.running, len(machine.addresses)) == (True, 1)


def test_a_rebooted_instance_keeps_its_addresses(
    aws: Any, ec2: Any, run: Any, reaches: Any, network: Any, eventually: Any
) -> None:
    asked = {"SubnetId": network.subnet, "DeviceIndex": 0, "AssociatePublicIpAddress": True}
    instance = run(NetworkInterfaces=[asked])
    reaches(instance, "running")
    machine = aws.machines.launched[instance]
    before = set(machine.addresses)
    ec2.reboot_instances(InstanceIds=[instance])
    eventually(lambda: machine.starts == 1 and machine.addresses == before)


def test_a_terminated_instance_frees_the_interface_it_was_given(
    aws: Any, ec2: Any, run: Any, reaches: Any, interface: str, network: Any
) -> None:
    instance = run(interface)
    reaches(instance, "running")
    assert state_of(ec2, interface) == "in-use"
    assert code_of(ec2.delete_network_interface, NetworkInterfaceId=interface) == "InvalidNetworkInterface.InUse"
    ec2.terminate_instances(InstanceIds=[instance])
    reaches(instance, "terminated")
    assert aws.machines.launched[instance].terminated
    assert state_of(ec2, interface) == "available"
    ec2.delete_network_interface(NetworkInterfaceId=interface)
    ec2.delete_subnet(SubnetId=network.subnet)


def test_a_terminated_instance_takes_its_own_interface_along(ec2: Any, run: Any, reaches: Any, network: Any) -> None:
    instance = run(SubnetId=network.subnet)
    ec2.terminate_instances(InstanceIds=[instance])
    reaches(instance, "terminated")
    ec2.delete_subnet(SubnetId=network.subnet)


def test_an_instance_terminated_while_pending_leaves_no_machine(
    aws: Any, ec2: Any, run: Any, reaches: Any, interface: str
) -> None:
    aws.machines.may_launch.clear()
    instance = run(interface)
    ec2.terminate_instances(InstanceIds=[instance])
    aws.machines.may_launch.set()
    reaches(instance, "terminated")
    assert all(machine.terminated for machine in aws.machines.launched.values() if machine.name == instance)


def test_terminating_twice_is_no_error(ec2: Any, run: Any, reaches: Any, interface: str) -> None:
    instance = run(interface)
    for _ in range(2):
        ec2.terminate_instances(InstanceIds=[instance])
    reaches(instance, "terminated")
    ec2.terminate_instances(InstanceIds=[instance])
    assert code_of(ec2.start_instances, InstanceIds=[instance]) == "IncorrectInstanceState"


def test_an_interface_in_use_starts_no_second_instance(run: Any, interface: str) -> None:
    run(interface)
    assert code_of(run, interface) == "InvalidNetworkInterface.InUse"


def test_the_primary_interface_cannot_be_detached(ec2: Any, run: Any, interface: str) -> None:
    run(interface)
    [found] = ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"]
    attachment = found["Attachment"]["AttachmentId"]
    assert code_of(ec2.detach_network_interface, AttachmentId=attachment) == "OperationNotPermitted"


def test_a_repeated_client_token_gives_the_same_instance(run: Any, network: Any) -> None:
    first, second = (run(SubnetId=network.subnet, ClientToken="once") for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"ImageId": "ami-00000000000000000"}, "InvalidAMIID.NotFound"),
        ({"KeyName": "nobody"}, "InvalidKeyPair.NotFound"),
    ],
)
def test_an_unknown_image_or_key_starts_nothing(run: Any, network: Any, wrong: dict[str, str], code: str) -> None:
    assert code_of(run, SubnetId=network.subnet, **wrong) == code


def test_a_repeated_client_token_gives_the_same_spot_request_and_fleet(ec2: Any) -> None:
    launch = {"ImageId": IMAGE, "InstanceType": "t2.micro"}
    fleet = {"IamFleetRole": "arn:aws:iam::123456789012:role/f", "LaunchSpecifications": [launch], "TargetCapacity": 1}
    for _ in range(2):
        ec2.request_spot_instances(ClientToken="once", LaunchSpecification=launch)
        ec2.request_spot_fleet(SpotFleetRequestConfig={"ClientToken": "once too", "SpotPrice": "0.04", **fleet})
    assert len(ec2.describe_spot_fleet_requests()["SpotFleetRequestConfigs"]) == 1
    assert len(ec2.describe_spot_instance_requests()["SpotInstanceRequests"]) == 2


def test_a_cancelled_spot_request_is_told_of_and_an_unknown_one_is_not(ec2: Any) -> None:
    made = ec2.request_spot_instances(LaunchSpecification={"ImageId": IMAGE, "InstanceType": "t2.micro"})
    known = [made["SpotInstanceRequests"][0]["SpotInstanceRequestId"]]
    ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=known)
    (told,) = ec2.describe_spot_instance_requests(SpotInstanceRequestIds=known)["SpotInstanceRequests"]
    assert told["State"] == "cancelled"
    for call in (ec2.cancel_spot_instance_requests, ec2.describe_spot_instance_requests):
        assert code_of(call, SpotInstanceRequestIds=["sir-00000000"]) == "InvalidSpotInstanceRequestID.NotFound"


ROOT = {"DeviceName": "/dev/sda1", "Ebs": {"DeleteOnTermination": True}}


def test_a_root_disk_without_a_size_has_that_of_its_image(aws: Any, ec2: Any, run: Any, network: Any) -> None:
    [image] = ec2.describe_images(ImageIds=[IMAGE])["Images"]
    instance = run(SubnetId=network.subnet, BlockDeviceMappings=[ROOT])
    template = {"ImageId": IMAGE, "BlockDeviceMappings": [ROOT]}
    ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=template)
    of_template = ec2.run_instances(LaunchTemplate={"LaunchTemplateName": "web"}, MinCount=1, MaxCount=1)["Instances"]
    for made in (instance, of_template[0]["InstanceId"]):
        found = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [made]}])["Volumes"]
        assert [disk["SnapshotId"] for disk in found] == [image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]]


def test_another_disk_needs_a_size(ec2: Any, run: Any, network: Any) -> None:
    mapping = {**ROOT, "DeviceName": "/dev/sdf"}
    assert code_of(run, SubnetId=network.subnet, BlockDeviceMappings=[mapping]) == "MissingParameter"
    assert ec2.describe_instances()["Reservations"] == []


def test_reset_ends_machines_and_forgets_resources_but_not_the_key_pair(
    aws: Any, ec2: Any, run: Any, reaches: Any, interface: str, network: Any
) -> None:
    instance = run(interface)
    reaches(instance, "running")
    aws.server.reset()
    assert aws.machines.launched[instance].terminated
    assert ec2.describe_instances()["Reservations"] == []
    assert network.vpc not in [vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]]
    assert len(ec2.describe_key_pairs()["KeyPairs"]) == 1


def test_a_nat_gateway_is_pending_and_then_available(ec2: Any, network: Any, eventually: Any) -> None:
    assert code_of(ec2.create_nat_gateway, SubnetId=network.subnet) == "MissingParameter"
    elastic = ec2.allocate_address(Domain="vpc")["AllocationId"]
    made = ec2.create_nat_gateway(SubnetId=network.subnet, AllocationId=elastic)["NatGateway"]
    assert made["State"] == "pending"

    def state() -> str:
        [found] = ec2.describe_nat_gateways(NatGatewayIds=[made["NatGatewayId"]])["NatGateways"]
        return str(found["State"])

    eventually(lambda: state() == "available")
    assert code_of(ec2.delete_subnet, SubnetId=network.subnet) == "DependencyViolation"
    ec2.delete_nat_gateway(NatGatewayId=made["NatGatewayId"])
    eventually(lambda: state() == "deleted")
    ec2.release_address(AllocationId=elastic)
    ec2.delete_subnet(SubnetId=network.subnet)


def test_a_private_nat_gateway_needs_no_address(ec2: Any, network: Any) -> None:
    made = ec2.create_nat_gateway(SubnetId=network.subnet, ConnectivityType="private")["NatGateway"]
    assert made["ConnectivityType"] == "private"
