"""Spot instances and fleets: what came of a request ends with it, recorded or not."""

from typing import Any

import pytest
from tests.plugins.aws.trials import TRIALS

from groundplan.sdk import testing
from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws import lifecycle, spot
from groundplan_aws.rows.ec2 import SPOT_FLEET, SPOT_INSTANCES

CONFIG = TRIALS[SPOT_INSTANCES.node_type].config


def running(ec2: Any) -> list[str]:
    found = [one for page in ec2.describe_instances()["Reservations"] for one in page["Instances"]]
    return [one["InstanceId"] for one in found if one["State"]["Name"] not in ("shutting-down", "terminated")]


@pytest.fixture
def request_(bench: Any, ec2: Any) -> Any:
    """A request whose launch is told by its neighbours, fulfilled."""
    subnet = bench.node("Subnet", use_external_resource=True, name="subnet")
    subnet.instance.runtime_properties["aws_resource_id"] = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    ctx = bench.node(SPOT_INSTANCES.node_type, CONFIG, neighbours=[bench.related(subnet)], name="spot")
    for operation in (spot.create, spot.configure):
        testing.run_twice(operation, ctx)
    return ctx


def test_the_instance_is_recorded_as_one_is(request_: Any, ec2: Any) -> None:
    record = request_.instance.runtime_properties
    (made,) = running(ec2)
    (told,) = ec2.describe_instances(InstanceIds=[made])["Reservations"][0]["Instances"]
    assert record["instance_ids"] == [made]
    assert record["ip"] == told["PrivateIpAddress"]
    assert told["SubnetId"] == ec2.describe_subnets()["Subnets"][0]["SubnetId"]


@pytest.mark.parametrize("recorded", [True, False])
def test_the_instance_ends_with_its_request(request_: Any, ec2: Any, recorded: bool) -> None:
    if not recorded:
        request_.instance.runtime_properties.clear()
    spot.stop(request_)
    assert running(ec2) == []
    testing.run_twice(spot.delete, request_)
    (told,) = ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
    assert told["State"] == "cancelled"
    assert request_.instance.runtime_properties == {}


def test_a_request_for_several_is_refused(bench: Any) -> None:
    with pytest.raises(NonRecoverableError, match="InstanceCount must be 1"):
        spot.create(bench.node(SPOT_INSTANCES.node_type, {**CONFIG, "InstanceCount": 2}))


@pytest.mark.parametrize(("inputs", "left"), [({}, 0), ({"terminate_instances": False}, 1)])
def test_the_instances_of_a_fleet_go_unless_they_may_stay(
    bench: Any, ec2: Any, inputs: dict[str, Any], left: int
) -> None:
    ctx = bench.node(SPOT_FLEET.node_type, TRIALS[SPOT_FLEET.node_type].config, name="fleet")
    testing.run_twice(lifecycle.create, ctx)
    assert ctx.instance.runtime_properties["instance_ids"] == running(ec2)
    spot.delete_fleet(ctx, **inputs)
    assert len(running(ec2)) == left
