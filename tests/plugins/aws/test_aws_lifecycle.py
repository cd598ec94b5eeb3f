"""What every resource of the table does: made once however often it is tried, removed without a trace."""

from typing import Any

import pytest

from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.testing import run_twice
from groundplan_aws import lifecycle


def own_vpcs(ec2: Any) -> list[str]:
    return [vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]]


def test_a_repeated_create_finds_what_the_lost_attempt_made(bench: Any, ec2: Any) -> None:
    ctx = bench.node("Vpc", {"CidrBlock": "10.0.0.0/16"})
    first, second = run_twice(lifecycle.create, ctx)
    assert first == second
    assert own_vpcs(ec2) == [first["aws_resource_id"]]


def test_a_delete_without_a_record_finds_what_the_lost_attempt_made(bench: Any, ec2: Any) -> None:
    ctx = bench.node("Vpc", {"CidrBlock": "10.0.0.0/16"})
    lifecycle.create(ctx)
    ctx.instance.runtime_properties.clear()
    lifecycle.delete(ctx)
    assert own_vpcs(ec2) == []


def test_what_a_request_sent_twice_made_goes_too(bench: Any, ec2: Any) -> None:
    ctx = bench.node("Vpc", {"CidrBlock": "10.0.0.0/16"})
    lifecycle.create(ctx)
    tags = ctx.instance.runtime_properties["create_response"]["Tags"]
    ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": tags}])
    lifecycle.delete(ctx)
    assert own_vpcs(ec2) == []


def test_a_repeated_delete_is_done(bench: Any, ec2: Any) -> None:
    ctx = bench.node("Vpc", {"CidrBlock": "10.0.0.0/16"})
    lifecycle.create(ctx)
    run_twice(lifecycle.delete, ctx)
    assert own_vpcs(ec2) == []
    assert ctx.instance.runtime_properties == {}


def test_a_field_may_stand_in_kwargs(bench: Any, ec2: Any) -> None:
    ctx = bench.node("Vpc", {"CidrBlock": "", "kwargs": {"CidrBlock": "10.7.0.0/16"}})
    lifecycle.prepare(ctx)
    assert ctx.instance.runtime_properties["resource_config"] == {"CidrBlock": "10.7.0.0/16"}
    lifecycle.create(ctx)
    assert ec2.describe_vpcs(VpcIds=own_vpcs(ec2))["Vpcs"][0]["CidrBlock"] == "10.7.0.0/16"


def test_an_external_resource_is_looked_up_and_left(bench: Any, ec2: Any) -> None:
    there = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ctx = bench.node("Vpc", {"CidrBlock": ""}, use_external_resource=True, resource_id=there)
    run_twice(lifecycle.create, ctx)
    assert ctx.instance.runtime_properties["aws_resource_id"] == there
    assert ctx.instance.runtime_properties["main_route_table_id"].startswith("rtb-")
    lifecycle.delete(ctx)
    assert own_vpcs(ec2) == [there]


def test_an_external_resource_that_is_not_there_is_an_error(bench: Any) -> None:
    ctx = bench.node("Vpc", use_external_resource=True, resource_id="vpc-0123456789abcdef0")
    with pytest.raises(NonRecoverableError, match="VPC vpc-0123456789abcdef0 does not exist"):
        lifecycle.create(ctx)


def test_a_wrong_parameter_is_named(bench: Any) -> None:
    with pytest.raises(NonRecoverableError, match="CidrBlok"):
        lifecycle.create(bench.node("Vpc", {"CidrBlok": "10.0.0.0/16"}))


def test_drift_is_told_by_field(bench: Any, ec2: Any) -> None:
    ctx = bench.node("Vpc", {"CidrBlock": "10.0.0.0/16"})
    lifecycle.create(ctx)
    assert lifecycle.check_drift(ctx) == {}
    assert lifecycle.check_status(ctx) == "available"
    planned = bench.node("Vpc", {"CidrBlock": "10.9.0.0/16"})
    planned.instance.runtime_properties.update(ctx.instance.runtime_properties)
    assert lifecycle.check_drift(planned) == {"CidrBlock": {"expected": "10.9.0.0/16", "actual": "10.0.0.0/16"}}


def test_tags_are_the_authors_and_the_owners(bench: Any, ec2: Any) -> None:
    ctx = bench.node("Vpc", {"CidrBlock": "10.0.0.0/16"}, Tags=[{"Key": "Name", "Value": "net"}])
    lifecycle.create(ctx)
    (found,) = ec2.describe_vpcs(VpcIds=own_vpcs(ec2))["Vpcs"]
    tags = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
    assert tags == {"Name": "net", "groundplan:instance": "bench/node_1"}
