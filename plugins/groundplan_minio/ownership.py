"""The mark by which an instance finds what it made: a tag on a bucket, user metadata on an object.

It is how a repeated operation knows a lost attempt's work from somebody else's property, which is never changed or
deleted.
"""

import re
from typing import Final

from groundplan.sdk.context import OperationContext

MARK: Final = "groundplan-owner"
_NOT_ALLOWED: Final = re.compile(r"[^A-Za-z0-9 +\-=.:/@_]")
"""What S3 does not take in the value of a tag."""


def mark_of(ctx: OperationContext) -> str:
    """The value of the mark: deployment and node instance."""
    return _NOT_ALLOWED.sub("_", f"{ctx.deployment.id}/{ctx.instance.id}")[:256]


def is_external(ctx: OperationContext) -> bool:
    """Whether the author brought the resource."""
    return bool(ctx.node.properties.get("use_external_resource"))
