"""What a script's `from cloudify import ctx` gives: the context of its operation, reached through the ctx proxy.

This package runs in the script's own process, on this machine or on a remote host, with Python 3.6 or later and the
standard library. It holds nothing of the engine and works only while the operation that started the script runs.
"""

import sys
from types import TracebackType
from typing import Optional, Type

from . import exceptions
from .context import Context

__all__ = ["ctx"]

ctx = Context()

_report = sys.excepthook


def _tell_engine(kind: Type[BaseException], error: BaseException, trace: Optional[TracebackType]) -> None:
    """Have an error that ends the script end the operation as its kind says (spec 5.6)."""
    _report(kind, error, trace)
    if isinstance(error, exceptions.OperationRetry):
        ctx._call("retry_operation", str(error), error.retry_after)
    elif isinstance(error, exceptions.NonRecoverableError):
        ctx._call("abort_operation", str(error))


sys.excepthook = _tell_engine
