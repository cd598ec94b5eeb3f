"""Instances: launched with their interfaces, started and stopped. Their end is `lifecycle.delete`.

One node instance is one EC2 instance, so that nothing runs unrecorded: more of them are had by scaling the node.
"""

from typing import Final

from groundplan.model.values import Data
from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws import lifecycle
from groundplan_aws.failures import RefusedError
from groundplan_aws.target import Target, on_target
from groundplan_aws.waiting import wait

_RUNNING: Final = "instance_running"
_STOPPED: Final = "instance_stopped"


@on_target
def create(target: Target) -> Data:
    """Launch the instance with the related interfaces, in order, and wait until it runs."""
    if target.untouchable:
        lifecycle.adopt(target)
        return None
    _refuse_what_is_not_done(target)
    lifecycle.settle(target, lifecycle.obtain(target)[0])
    return None


@on_target
def start(target: Target) -> Data:
    """Start the instance if it is stopped, wait until it runs, and record its addresses."""
    description = lifecycle.existing(target)
    identifier = str(description["InstanceId"])
    if not target.untouchable:
        state = target.state_of(description)
        if state == "stopping":
            wait(target, _STOPPED, identifier)
        if state in ("stopping", "stopped"):
            target.api.call("start_instances", InstanceIds=[identifier])
        wait(target, _RUNNING, identifier)
    lifecycle.note(target, lifecycle.existing(target))
    return None


@on_target
def stop(target: Target) -> Data:
    """Stop the instance and wait until it stands still; one that is gone, or can only be terminated, is done."""
    description = None if target.untouchable or target.id is None else target.describe(target.id)
    if description is None or not target.lives(description):
        return None
    identifier = str(description["InstanceId"])
    try:
        target.api.call("stop_instances", InstanceIds=[identifier])
    except RefusedError as error:
        if error.refusal.code != "UnsupportedOperation":
            raise
        target.ctx.logger.warning(str(error.refusal))
        return None
    wait(target, _STOPPED, identifier)
    return None


def _refuse_what_is_not_done(target: Target) -> None:
    counts = [target.config.get(name, 1) for name in ("MinCount", "MaxCount")]
    if any(int(count) != 1 for count in counts):
        raise NonRecoverableError(
            "MinCount and MaxCount must be 1: one node instance is one EC2 instance, more come by scaling the node"
        )
    if target.ctx.node.properties.get("use_password"):
        raise NonRecoverableError("use_password is not done: reach the instance by its key pair")
