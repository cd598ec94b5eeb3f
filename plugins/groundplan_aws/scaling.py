"""Ends the instances of an auto scaling group before the group itself is deleted."""

from groundplan.model.values import Data
from groundplan_aws.resource import dig
from groundplan_aws.target import Target, on_target
from groundplan_aws.waiting import wait_until


@on_target
def stop(target: Target) -> Data:
    """Scale the group to nothing and wait until its instances are gone; a group that is gone is done."""
    if target.untouchable or target.id is None or target.describe(target.id) is None:
        return None
    identifier = target.id
    nothing = {"MinSize": 0, "MaxSize": 0, "DesiredCapacity": 0}
    target.api.call("update_auto_scaling_group", AutoScalingGroupName=identifier, **nothing)
    wait_until(target, identifier, lambda: not dig(target.describe(identifier), ("Instances",)))
    return None
