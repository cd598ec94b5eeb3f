"""The mark by which an instance finds what it made: an annotation on every object that it applies.

It is how a repeated operation knows a lost attempt's work from somebody else's property, which is never changed or
deleted.
"""

from collections.abc import Mapping
from typing import Any, Final

from groundplan.sdk.context import OperationContext

OWNER: Final = "groundplan.dev/owner"
"""Annotation that names deployment and node instance."""


def mark_of(ctx: OperationContext) -> str:
    """Return the value of the mark: deployment and node instance."""
    return f"{ctx.deployment.id}/{ctx.instance.id}"


def owner_of(item: Mapping[str, Any]) -> str:
    """Return the mark that an object carries; empty without one."""
    return str((item["metadata"].get("annotations") or {}).get(OWNER) or "")


def is_own(ctx: OperationContext, item: Mapping[str, Any]) -> bool:
    return owner_of(item) == mark_of(ctx)


def is_external(ctx: OperationContext) -> bool:
    """Whether the author brought the objects."""
    return bool(ctx.node.properties.get("use_external_resource"))
