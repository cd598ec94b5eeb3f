"""Marks of functions (spec 7.2): operations get `ctx` and their inputs as keywords, workflows `ctx` and parameters.

A function that is marked may also be called by other code with keywords of its own; those then win.
"""

import functools
from typing import Any, Callable, Optional

from . import ctx
from .state import ctx_parameters, workflow_ctx

__all__ = ["operation", "serial_operation", "task", "workflow"]


def operation(function: Optional[Callable[..., Any]] = None, resumable: bool = False, **_: Any) -> Any:
    """Mark an operation, as `@operation` or `@operation(resumable=True)`: one that may be run again when cut off."""
    if function is None:
        return functools.partial(operation, resumable=resumable)
    marked = function

    @functools.wraps(marked)
    def call(*args: Any, **kwargs: Any) -> Any:
        given = dict(ctx_parameters)
        given.update(kwargs)
        given.setdefault("ctx", ctx)
        return marked(*args, **given)

    # Marks on the function by which the host knows what it may call, and what a resume may repeat.
    call.resumable = resumable  # type: ignore[attr-defined]
    call.__operation__ = True  # type: ignore[attr-defined]
    return call


task = operation


def workflow(
    function: Optional[Callable[..., Any]] = None, system_wide: bool = False, resumable: bool = False, **_: Any
) -> Any:
    """Mark a workflow, as `@workflow` or `@workflow(resumable=True)`. All of them can be resumed."""
    if function is None:
        return functools.partial(workflow, system_wide=system_wide, resumable=resumable)
    marked = function

    @functools.wraps(marked)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not args:
            kwargs.setdefault("ctx", workflow_ctx)
        return marked(*args, **kwargs)

    # A mark by which the host knows what it may call.
    call.__workflow__ = True  # type: ignore[attr-defined]
    return call


def serial_operation(threshold: int = 0, workflows: Any = None, states: Any = None, **marks: Any) -> Any:
    """Mark an operation that the instances of a node run one after another, by index.

    Args:
        threshold: how many of them; those after them wait for these, and then run side by side. 0: all of them.
        workflows: names of those in which it is so, without any `install`.
        states: the states in which an instance lets the next one begin, without any `started`.
    """

    def mark(function: Callable[..., Any]) -> Any:
        marked = operation(function, **marks)

        # The marks of the operation go with it.
        @functools.wraps(marked)
        def call(*args: Any, **kwargs: Any) -> Any:
            if ctx.workflow_id in (workflows or ["install"]):
                _take_turn(threshold, states or ["started"])
            return marked(*args, **kwargs)

        return call

    return mark


def _take_turn(threshold: int, states: Any) -> None:
    """End the attempt, to be made again, when it is not the instance's turn."""
    own = ctx.instance.index
    before = [each for each in ctx._call("siblings") if each["index"] < own]
    waited = [each for each in (before[:threshold] if threshold else before) if each["state"] not in states]
    if waited:
        shown = ", ".join("%s (%s)" % (each["id"], each["state"]) for each in waited[:3])
        more = ", ..." if len(waited) > 3 else ""
        # Who has many before it looks less often.
        ctx._call("await_others", "waits for its turn: %s%s go first" % (shown, more), min(len(waited), 30))
