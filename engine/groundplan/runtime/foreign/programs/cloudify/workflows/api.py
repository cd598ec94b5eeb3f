"""Whether somebody asked for the end of the workflow (spec 7.5)."""

import threading
from typing import Any, Callable, List

__all__ = [
    "EXECUTION_CANCELLED_RESULT",
    "ExecutionCancelled",
    "cancel_callbacks",
    "cancel_request",
    "has_cancel_request",
    "has_kill_request",
]

EXECUTION_CANCELLED_RESULT = "execution_cancelled"
"""A workflow that returns it ends cancelled, as one that raises `ExecutionCancelled`."""

cancel_request = False
cancel_callbacks: List[Callable[[], Any]] = []
"""Called, in a thread of their own, when a cancel is asked for."""

_asked = threading.Event()


class ExecutionCancelled(Exception):
    """The workflow ends because it was cancelled."""

    def __init__(self, message: str = "the execution was cancelled") -> None:
        super().__init__(message)


def has_cancel_request() -> bool:
    """Whether a cancel was asked for."""
    return _asked.is_set()


def has_kill_request() -> bool:
    """Whether the process is to be ended at once: it then is, so nobody is asked."""
    return False


def cancel() -> None:
    """Take note of a cancel; the engine's."""
    global cancel_request
    cancel_request = True
    _asked.set()
    for callback in list(cancel_callbacks):
        threading.Thread(target=callback, name="cancel-callback", daemon=True).start()
