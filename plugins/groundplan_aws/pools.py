"""Identity pools of Cognito: the roles that their identities act in, each for the kind that its node is called after.

Cognito sets all roles of a pool at once: those of others are kept here.
"""

from typing import Any

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.operation import operation
from groundplan_aws.failures import unless_gone
from groundplan_aws.relation import client, ends, id_of, stands


@operation()
def give_role(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Have identities of the pool at the target act in the role at the source, whose node is called
    `authenticated` or `unauthenticated`."""
    role, pool = ends(ctx)
    arn = role.instance.runtime_properties.get("aws_resource_arn")
    if not arn:
        raise NonRecoverableError(f"{role.node.name} has no aws_resource_arn: it was not made")
    _set(ctx, id_of(pool), role.node.name, str(arn))
    return None


@operation()
def take_role(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Take it from them; a pool that is gone is done."""
    role, pool = ends(ctx)
    if stands(ctx):
        with unless_gone():
            _set(ctx, id_of(pool), role.node.name, None)
    return None


def _set(ctx: OperationContext, pool: str, kind: str, arn: str | None) -> None:
    api = client(ctx, "cognito-identity")
    there = api.call("get_identity_pool_roles", IdentityPoolId=pool)
    roles = dict(there.get("Roles") or {})
    wanted = {name: value for name, value in roles.items() if name != kind} | ({kind: arn} if arn else {})
    if wanted != roles:
        kept = {"RoleMappings": there["RoleMappings"]} if there.get("RoleMappings") else {}
        api.call("set_identity_pool_roles", IdentityPoolId=pool, Roles=wanted, **kept)
