"""The process of an operation of a plugin: finds the function, calls it, tells how it ended."""

import importlib
import inspect
import os
import sys
from typing import Any, Callable

from .. import ctx, exceptions
from ..state import ctx_parameters

_NOT_RESUMABLE = 113
_NOT_THERE = 114


def main() -> None:
    """Run the operation that the environment names, and exit as it ended."""
    function = _find(os.environ.pop("CTX_OPERATION"))
    if os.environ.pop("CTX_LOST", "") and not getattr(function, "resumable", False):
        sys.exit(_NOT_RESUMABLE)
    try:
        result = function() if getattr(function, "__operation__", False) else function(**_given(function))
    except exceptions.OperationRetry:
        raise
    except exceptions.RecoverableError as error:
        ctx._call("fail_operation", str(error), error.retry_after)
        sys.exit(1)
    if result is not None:
        _give_back(result)


def _find(name: str) -> Callable[..., Any]:
    module_name, _, function_name = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError, ValueError) as error:
        print("%s cannot be imported: %s" % (name, error), file=sys.stderr)
        sys.exit(_NOT_THERE)
    function = found  # type: Callable[..., Any]
    return function


def _given(function: Callable[..., Any]) -> Any:
    """Return the keywords of a function that has no mark: the inputs, and `ctx` where it asks for it."""
    given = dict(ctx_parameters)
    if "ctx" in inspect.signature(function).parameters:
        given["ctx"] = ctx
    return given


def _give_back(result: Any) -> None:
    try:
        ctx.returns(result)
    except (TypeError, ValueError) as error:
        raise exceptions.NonRecoverableError("the result is no JSON: %s" % error) from error


if __name__ == "__main__":
    main()
