"""Both ends of a relationship: which resources they are, and a client of the account that they are in.

What is tied or untied is each module's own. An end without an id was never made: there is nothing to untie, and nothing
can be tied.
"""

from typing import Any

from groundplan.sdk.context import End, OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws.client import Account, Api, account_of, connect
from groundplan_aws.newer import properties_of


def ends(ctx: OperationContext) -> tuple[End, End]:
    """Return source and target.

    Raises:
        NonRecoverableError: the operation is mapped on a node.
    """
    if ctx.source is None or ctx.target is None:
        raise NonRecoverableError("this operation belongs to a relationship")
    return ctx.source, ctx.target


def id_of(end: End) -> str:
    """Return the id that an end has recorded.

    Raises:
        NonRecoverableError: it has none.
    """
    found = _recorded(end)
    if not found:
        raise NonRecoverableError(f"{end.node.name} has no aws_resource_id: it was not made")
    return str(found)


def stands(ctx: OperationContext) -> bool:
    """Whether both ends have been made. Raises as `ends`."""
    return all(_recorded(end) for end in ends(ctx))


def account(ctx: OperationContext) -> Account:
    """Return the account of the source's `client_config`, or, as some types have none, the target's."""
    source, target = ends(ctx)
    given = properties_of(source.node).get("client_config") or properties_of(target.node).get("client_config")
    return account_of(ctx, given or {})


def client(ctx: OperationContext, service: str) -> Api:
    """Return a client for that account."""
    return connect(service, account(ctx))


def _recorded(end: End) -> Any:
    return end.instance.runtime_properties.get("aws_resource_id")
