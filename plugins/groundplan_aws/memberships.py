"""Relationships of IAM: users join groups, and users, groups and roles get managed policies.

IAM takes a repeated attachment for done; one that is gone already is taken for undone here.
"""

from typing import Any, Final

from groundplan.model.values import Data
from groundplan.sdk.context import End, OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.operation import operation
from groundplan_aws.client import Api, account_of, connect
from groundplan_aws.failures import unless_gone
from groundplan_aws.rows.iam import GROUP, POLICY, ROLE, USER

_NAMES: Final = {USER.node_type: "UserName", GROUP.node_type: "GroupName", ROLE.node_type: "RoleName"}
_KINDS: Final = {USER.node_type: "user", GROUP.node_type: "group", ROLE.node_type: "role"}


@operation()
def attach(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Join or attach what the relationship's ends are."""
    method, parameters = _call(ctx, joining=True)
    iam(ctx).call(method, **parameters)
    return None


@operation()
def detach(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Undo it; what is gone already is done."""
    method, parameters = _call(ctx, joining=False)
    with unless_gone():
        iam(ctx).call(method, **parameters)
    return None


def iam(ctx: OperationContext) -> Api:
    """Return a client of IAM by the source's `client_config`, or, as some types have none, the target's."""
    source, target = ends(ctx)
    given = source.node.properties.get("client_config") or target.node.properties.get("client_config")
    return connect("iam", account_of(ctx, given or {}))


def ends(ctx: OperationContext) -> tuple[End, End]:
    """Return both ends of the relationship.

    Raises:
        NonRecoverableError: the operation is mapped on a node.
    """
    if ctx.source is None or ctx.target is None:
        raise NonRecoverableError("this operation belongs to a relationship")
    return ctx.source, ctx.target


def _call(ctx: OperationContext, *, joining: bool) -> tuple[str, dict[str, Any]]:
    source, target = ends(ctx)
    kinds = {_kind(source): source, _kind(target): target}
    if set(kinds) == {USER.node_type, GROUP.node_type}:
        method = "add_user_to_group" if joining else "remove_user_from_group"
        return method, {_NAMES[kind]: _id(end) for kind, end in kinds.items()}
    own = _kind(source)
    if own not in _KINDS or _kind(target) != POLICY.node_type:
        raise NonRecoverableError(f"IAM cannot tie {source.node.type} to {target.node.type}")
    verb = "attach" if joining else "detach"
    arn = target.instance.runtime_properties.get("aws_resource_arn")
    return f"{verb}_{_KINDS[own]}_policy", {_NAMES[own]: _id(source), "PolicyArn": arn}


def _kind(end: End) -> str:
    known = (USER.node_type, GROUP.node_type, ROLE.node_type, POLICY.node_type)
    return next((name for name in known if end.node.is_a(name)), end.node.type)


def _id(end: End) -> Any:
    return end.instance.runtime_properties.get("aws_resource_id")
