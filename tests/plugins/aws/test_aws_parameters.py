"""Parameters of create calls as older blueprints write them: what AWS is asked for in the end."""

from typing import Any

import pytest

from groundplan.sdk.testing import context
from groundplan_aws.resource import NODES
from groundplan_aws.rows import compute, ec2, storage, traffic
from groundplan_aws.tagging import specifications


class Nobody:
    """No related nodes."""

    instance_id = "node_1"

    def values(self, node_type: str, recorded: str = "") -> list[Any]:
        return []


@pytest.mark.parametrize(
    ("row", "written", "asked"),
    [
        (compute.SCALING_GROUP, {"VPCZoneIdentifier": ["a", "b"]}, {"VPCZoneIdentifier": "a,b"}),
        (compute.SCALING_GROUP, {"VPCZoneIdentifier": "a"}, {"VPCZoneIdentifier": "a"}),
        (
            storage.BUCKET_LIFECYCLE,
            {"LifecycleConfiguration": {"Rules": [{"ID": "x", "Transition": {"Days": 31}}]}},
            {"LifecycleConfiguration": {"Rules": [{"ID": "x", "Transitions": [{"Days": 31}]}]}},
        ),
        (
            ec2.SUBNET,
            {"Ipv6Native": True, "Ipv6CidrBlock": "2600:1f14::/56"},
            {"Ipv6Native": True, "Ipv6CidrBlock": "2600:1f14::/64"},
        ),
        (traffic.SUBSCRIPTION, {"Protocol": "sqs", "Endpoint": "queue"}, {"Protocol": "sqs"}),
        (traffic.SUBSCRIPTION, {"Protocol": "email", "Endpoint": "a@b"}, {"Protocol": "email", "Endpoint": "a@b"}),
    ],
)
def test_what_is_written_becomes_what_aws_takes(row: Any, written: dict[str, Any], asked: dict[str, Any]) -> None:
    row.complete(written, Nobody())
    assert written == asked


def test_a_tag_specification_without_a_type_is_the_resource_s_own() -> None:
    ctx = context(node_type=f"{NODES}ec2.Instances")
    (told,) = specifications(ctx, "instance", [{"Tags": [{"Key": "Name", "Value": "vm"}]}])
    assert told["ResourceType"] == "instance"
    assert {"Key": "Name", "Value": "vm"} in told["Tags"]
