"""The mark by which an instance finds what it made: the comment on a database or a role.

It is how a repeated operation knows a lost attempt's work from somebody else's property, which is never changed or
dropped.
"""

from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError

NAME_BYTES = 63
"""PostgreSQL cuts longer names off without a word (NAMEDATALEN)."""


def mark_of(ctx: OperationContext) -> str:
    return f"groundplan-owner: {ctx.deployment.id}/{ctx.instance.id}"


def is_external(ctx: OperationContext) -> bool:
    """Whether the author brought the resource."""
    return bool(ctx.node.properties.get("use_external_resource"))


def name_of(ctx: OperationContext) -> str:
    """The database's or role's name; the one it was made with counts, whatever the node says since.

    Raises:
        NonRecoverableError: there is none, or it is one that PostgreSQL would not keep as it is.
    """
    name = str(ctx.instance.runtime_properties.get("name") or ctx.node.properties.get("name") or "")
    if not name or "\0" in name or len(name.encode()) > NAME_BYTES:
        raise NonRecoverableError(f"the property name must have 1 to {NAME_BYTES} bytes")
    return name
