"""Spot instances and fleets: requests that AWS fulfils with instances, which outlive them unless they are ended.

A request is made, found and cancelled as every resource is (`lifecycle`); this ends the instances that came of it, and
does so after the request, which launches no others then.
"""

from dataclasses import replace
from typing import Any

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.operation import operation
from groundplan_aws import finding, lifecycle, notes
from groundplan_aws.failures import unless_gone
from groundplan_aws.rows.ec2 import INSTANCES
from groundplan_aws.target import Target, on_target
from groundplan_aws.waiting import wait, wait_until_gone


@on_target
def create(target: Target) -> Data:
    """Request one instance, and wait until the request is fulfilled."""
    if int(target.config.get("InstanceCount", 1)) != 1:
        raise NonRecoverableError(
            "InstanceCount must be 1: one node instance is one request, more come by scaling the node"
        )
    return lifecycle.create(target.ctx, **target.inputs)


@on_target
def configure(target: Target) -> Data:
    """Wait until the instance runs, and record its addresses as those of any instance."""
    description = lifecycle.existing(target)
    lifecycle.note(target, description)
    instance = replace(target, resource=INSTANCES)
    for identifier in _instances(target):
        wait(instance, "instance_running", identifier)
        notes.addresses(target, instance.describe(identifier) or {})
    return None


@on_target
def stop(target: Target) -> Data:
    """Cancel the request and terminate what came of it; spot instances of a cancelled request cannot be started."""
    if not target.untouchable:
        _end(target)
    return None


@on_target
def delete(target: Target) -> Data:
    """Cancel the request, terminate what came of it, and forget both."""
    if not target.untouchable:
        _end(target)
    return lifecycle.delete(target.ctx, **target.inputs)


@operation()
def delete_fleet(ctx: OperationContext, /, terminate_instances: bool = True, **inputs: Any) -> Data:
    """Cancel the fleet's request and wait until it is gone; `terminate_instances` says whether its instances go too."""
    config = {"TerminateInstances": bool(terminate_instances), **(inputs.pop("resource_config", None) or {})}
    return lifecycle.delete(ctx, resource_config=config, **inputs)


def _end(target: Target) -> None:
    identifiers = _instances(target)
    lifecycle.remove(target)
    # One may have come of the request until it was cancelled.
    identifiers = list(dict.fromkeys([*identifiers, *_instances(target)]))
    instance = replace(target, resource=INSTANCES)
    for identifier in identifiers:
        with unless_gone():
            target.api.call("terminate_instances", InstanceIds=[identifier])
    for identifier in identifiers:
        wait_until_gone(instance, "instance_terminated", identifier)


def _instances(target: Target) -> list[str]:
    """Ids of what came of the request, recorded or lost."""
    recorded: Any = target.record.get("instance_ids") or []
    told = [found["InstanceId"] for found in finding.owned(target) if found.get("InstanceId")]
    return [str(found) for found in dict.fromkeys([*recorded, *told])]
