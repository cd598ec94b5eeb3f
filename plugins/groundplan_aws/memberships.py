"""Relationships of IAM: users join groups, and users, groups and roles get managed policies.

IAM takes a repeated attachment for done; one that is gone already is taken for undone here.
"""

from typing import Any, Final

from groundplan.model.values import Data
from groundplan.sdk.context import End, OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.operation import operation
from groundplan_aws.failures import unless_gone
from groundplan_aws.relation import client, ends, id_of, stands
from groundplan_aws.rows.iam import GROUP, POLICY, ROLE, USER

_NAMES: Final = {USER.node_type: "UserName", GROUP.node_type: "GroupName", ROLE.node_type: "RoleName"}
_KINDS: Final = {USER.node_type: "user", GROUP.node_type: "group", ROLE.node_type: "role"}


@operation()
def attach(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Join or attach what the relationship's ends are."""
    method, parameters = _call(ctx, joining=True)
    client(ctx, "iam").call(method, **parameters)
    return None


@operation()
def detach(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Undo it; what is gone already is done."""
    if stands(ctx):
        method, parameters = _call(ctx, joining=False)
        with unless_gone():
            client(ctx, "iam").call(method, **parameters)
    return None


def _call(ctx: OperationContext, *, joining: bool) -> tuple[str, dict[str, Any]]:
    source, target = ends(ctx)
    kinds = {_kind(source): source, _kind(target): target}
    if set(kinds) == {USER.node_type, GROUP.node_type}:
        method = "add_user_to_group" if joining else "remove_user_from_group"
        return method, {_NAMES[kind]: id_of(end) for kind, end in kinds.items()}
    own = _kind(source)
    if own not in _KINDS or _kind(target) != POLICY.node_type:
        raise NonRecoverableError(f"IAM cannot tie {source.node.type} to {target.node.type}")
    verb = "attach" if joining else "detach"
    arn = target.instance.runtime_properties.get("aws_resource_arn")
    return f"{verb}_{_KINDS[own]}_policy", {_NAMES[own]: id_of(source), "PolicyArn": arn}


def _kind(end: End) -> str:
    known = (USER.node_type, GROUP.node_type, ROLE.node_type, POLICY.node_type)
    return next((name for name in known if end.node.is_a(name)), end.node.type)
