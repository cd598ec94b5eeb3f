"""Roles and instance profiles of IAM: made like every resource, then given the policies and the role they are to have.

What is attached comes off again with the resource (the rows' `clears`), recorded or not.
"""

from collections.abc import Iterable
from typing import Any

from groundplan.model.values import Data
from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws import lifecycle
from groundplan_aws.failures import RefusedError
from groundplan_aws.resource import dig
from groundplan_aws.rows.iam import ROLE
from groundplan_aws.target import Target, on_target


@on_target
def create(target: Target) -> Data:
    """Make the role and attach managed policies: those of the property `policy_arns` and of the input
    `modify_role_attribute_args`, each given as `{PolicyArn: ...}`."""
    if target.untouchable:
        lifecycle.adopt(target)
        return None
    lifecycle.settle(target, lifecycle.obtain(target)[0])
    properties = target.ctx.node.properties
    wanted = [
        *_arns(properties.get("policy_arns") or ()),
        *_arns(target.inputs.get("modify_role_attribute_args") or ()),
    ]
    for arn in wanted:
        target.api.call("attach_role_policy", RoleName=target.id, PolicyArn=arn)
    if wanted:
        target.record["policies"] = wanted
    return None


@on_target
def create_profile(target: Target) -> Data:
    """Make the instance profile and put into it the role of the configuration, else the related one."""
    if target.untouchable:
        lifecycle.adopt(target)
        return None
    lifecycle.settle(target, lifecycle.obtain(target)[0])
    role = target.given_or_related("RoleName", ROLE.node_type)
    if role and role not in dig(lifecycle.existing(target), ("Roles", "RoleName")):
        _put_in(target, role)
    if role:
        target.record["RoleName"] = role
    return None


def _put_in(target: Target, role: Any) -> None:
    try:
        target.api.call("add_role_to_instance_profile", InstanceProfileName=target.id, RoleName=role)
    except RefusedError as error:
        # A profile holds one role; another attempt may have been faster.
        if error.refusal.code != "LimitExceeded" or role not in dig(lifecycle.existing(target), ("Roles", "RoleName")):
            raise


def _arns(given: Iterable[Any]) -> list[str]:
    """Read `[{PolicyArn: ...}]`; a bare ARN will do."""
    arns = [item.get("PolicyArn") if isinstance(item, dict) else item for item in given]
    if not all(isinstance(arn, str) and arn for arn in arns):
        raise NonRecoverableError("policies to attach are a list of {PolicyArn: arn:aws:iam::...}")
    return [str(arn) for arn in arns]
