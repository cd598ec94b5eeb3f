"""Enables and disables keys of KMS."""

from groundplan.model.values import Data
from groundplan_aws import lifecycle
from groundplan_aws.target import Target, on_target


@on_target
def enable(target: Target) -> Data:
    """Let the key be used."""
    if not target.untouchable:
        target.api.call("enable_key", KeyId=target.id)
    lifecycle.note(target, lifecycle.existing(target))
    return None


@on_target
def disable(target: Target) -> Data:
    """Let the key be used no longer; one that is gone, or is to be deleted, is done."""
    description = None if target.untouchable or target.id is None else target.describe(target.id)
    if description is not None and target.lives(description):
        target.api.call("disable_key", KeyId=target.id)
    return None
