"""Marks of functions in scripts; a marked function gets `ctx` and the operation's inputs as keywords (spec 7.2)."""

import functools
from typing import Any, Callable, Optional

from . import ctx
from .state import ctx_parameters

__all__ = ["operation", "task"]


def operation(function: Optional[Callable[..., Any]] = None, resumable: bool = False, **_: Any) -> Any:
    """Mark an operation, as `@operation` or `@operation(resumable=True)`."""
    if function is None:
        return operation
    marked = function

    @functools.wraps(marked)
    def call(*args: Any, **kwargs: Any) -> Any:
        given = dict(ctx_parameters)
        given.update(kwargs)
        given.setdefault("ctx", ctx)
        return marked(*args, **given)

    return call


task = operation
