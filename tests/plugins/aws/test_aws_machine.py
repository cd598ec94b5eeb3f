"""A machine on its own address, in the order of an install and of an uninstall: interface, address, instance."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan.sdk.testing import BenchContext, run_twice
from groundplan_aws import addresses, instances, interfaces, keypairs, lifecycle
from groundplan_aws.target import on_target
from groundplan_aws.waiting import wait

IMAGE = "ami-08d2d8b00f270d03b"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The nodes of a machine."""

    nic: BenchContext
    address: BenchContext
    instance: BenchContext


@pytest.fixture
def subnet(ec2: Any) -> str:
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    return str(ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"])


@pytest.fixture
def machine(bench: Any, subnet: str) -> Machine:
    tags = [{"Key": "Name", "Value": "machine"}]
    nic = bench.node("Interface", {"kwargs": {"SubnetId": subnet}}, name="nic", Tags=tags)
    address = bench.node("ElasticIP", {"Domain": "vpc"}, neighbours=[bench.related(nic)], name="ip", Tags=tags)
    config = {"ImageId": IMAGE, "InstanceType": "t3.micro", "kwargs": {"KeyName": bench.account.keypair}}
    neighbours = [bench.related(address), bench.related(nic)]
    instance = bench.node("Instances", config, neighbours=neighbours, name="vm", Tags=tags)
    return Machine(nic=nic, address=address, instance=instance)


def install(machine: Machine) -> None:
    run_twice(lifecycle.create, machine.nic)
    run_twice(interfaces.attach, machine.nic)
    run_twice(addresses.create, machine.address)
    run_twice(addresses.attach, machine.address)
    run_twice(instances.create, machine.instance)
    run_twice(instances.start, machine.instance)


def uninstall(machine: Machine) -> None:
    run_twice(instances.stop, machine.instance)
    run_twice(lifecycle.delete, machine.instance)
    run_twice(addresses.detach, machine.address)
    run_twice(addresses.delete, machine.address)
    run_twice(interfaces.detach, machine.nic)
    run_twice(lifecycle.delete, machine.nic)


def test_a_machine_is_reached_by_its_address(machine: Machine, ec2: Any) -> None:
    install(machine)
    address = machine.address.instance.runtime_properties["aws_resource_id"]
    record = machine.instance.instance.runtime_properties
    assert record["public_ip_address"] == address
    assert record["ip"] == record["private_ip_address"]
    (found,) = [one for group in ec2.describe_instances()["Reservations"] for one in group["Instances"]]
    nic = machine.nic.instance.runtime_properties["aws_resource_id"]
    assert [held["NetworkInterfaceId"] for held in found["NetworkInterfaces"]] == [nic]


def test_an_uninstall_leaves_nothing(machine: Machine, ec2: Any) -> None:
    install(machine)
    uninstall(machine)
    assert ec2.describe_addresses()["Addresses"] == []
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    (found,) = [one for group in ec2.describe_instances()["Reservations"] for one in group["Instances"]]
    assert found["State"]["Name"] == "terminated"


def test_a_reinstall_does_not_take_the_terminated_instance(machine: Machine) -> None:
    install(machine)
    before = machine.instance.instance.runtime_properties["aws_resource_id"]
    run_twice(lifecycle.delete, machine.instance)
    run_twice(instances.create, machine.instance)
    assert machine.instance.instance.runtime_properties["aws_resource_id"] != before


def test_a_stopped_instance_starts_again(machine: Machine) -> None:
    install(machine)
    run_twice(instances.stop, machine.instance)
    with pytest.raises(NonRecoverableError, match="is stopped"):
        lifecycle.check_status(machine.instance)
    run_twice(instances.start, machine.instance)
    assert lifecycle.check_status(machine.instance) == "running"


def test_a_wait_ends_before_the_attempt_does(machine: Machine) -> None:
    install(machine)
    ctx = machine.instance
    ctx.slept.clear()
    ctx.pause, ctx.operation = None, replace(ctx.operation, timeout=10)
    with pytest.raises(RecoverableError, match="still running after"):
        on_target(lambda target: wait(target, "instance_stopped", str(target.id)))(ctx)
    assert 8 <= sum(ctx.slept) < 10


def test_a_state_that_cannot_be_reached_is_told_with_its_reason(machine: Machine, ec2: Any) -> None:
    install(machine)
    identifier = machine.instance.instance.runtime_properties["aws_resource_id"]
    ec2.terminate_instances(InstanceIds=[identifier])
    with pytest.raises(NonRecoverableError, match=r"terminated|shutting-down"):
        on_target(lambda target: wait(target, "instance_running", identifier))(machine.instance)


def test_an_interface_joins_a_running_instance(bench: Any, machine: Machine, subnet: str) -> None:
    install(machine)
    second = bench.node("Interface", {"SubnetId": subnet}, neighbours=[bench.related(machine.instance)], name="nic2")
    run_twice(lifecycle.create, second)
    run_twice(interfaces.attach, second)
    assert second.instance.runtime_properties["device_index"] == 1
    run_twice(interfaces.detach, second)
    assert lifecycle.check_status(second) == "available"


def test_a_pull_takes_what_changed_meanwhile(machine: Machine, ec2: Any) -> None:
    install(machine)
    ec2.disassociate_address(AssociationId=machine.address.instance.runtime_properties["association_id"])
    lifecycle.pull(machine.instance)
    assert machine.instance.instance.runtime_properties["public_ip_address"] is None


def test_more_than_one_instance_in_a_node_is_refused(bench: Any) -> None:
    with pytest.raises(NonRecoverableError, match="scaling"):
        instances.create(bench.node("Instances", {"ImageId": IMAGE, "MaxCount": 2}))


def test_an_unused_address_is_taken_and_not_released(bench: Any, ec2: Any) -> None:
    there = ec2.allocate_address(Domain="vpc")["PublicIp"]
    ctx = bench.node("ElasticIP", use_unassociated_addresses=True)
    run_twice(addresses.create, ctx)
    assert ctx.instance.runtime_properties["aws_resource_id"] == there
    addresses.delete(ctx)
    assert [address["PublicIp"] for address in ec2.describe_addresses()["Addresses"]] == [there]


def test_an_external_address_is_not_associated_unasked(bench: Any, ec2: Any, machine: Machine) -> None:
    lifecycle.create(machine.nic)
    there = ec2.allocate_address(Domain="vpc")["PublicIp"]
    neighbours = [bench.related(machine.nic)]
    ctx = bench.node("ElasticIP", neighbours=neighbours, use_external_resource=True, resource_id=there)
    addresses.create(ctx)
    addresses.attach(ctx)
    assert "AssociationId" not in ec2.describe_addresses()["Addresses"][0]


def test_a_key_whose_private_half_was_lost_is_made_again(bench: Any, ec2: Any) -> None:
    ctx = bench.node("Keypair", name="key", store_in_runtime_properties=True)
    first, second = run_twice(keypairs.create, ctx)
    assert first["create_response"]["KeyMaterial"] != second["create_response"]["KeyMaterial"]
    assert second["create_response"]["KeyMaterial"] in ctx.masked
    before = [bench.account.keypair]
    assert [pair["KeyName"] for pair in ec2.describe_key_pairs()["KeyPairs"]] == [*before, "key_1"]
    run_twice(lifecycle.delete, ctx)
    assert [pair["KeyName"] for pair in ec2.describe_key_pairs()["KeyPairs"]] == before
