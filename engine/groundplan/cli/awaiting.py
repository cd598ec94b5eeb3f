"""Waits for a store that is away for a moment, for commands that only read or have not begun yet, as drivers do.

A driver has attempts in flight meanwhile; what it does with them is its own (`runtime.local`).
"""

import time
from collections.abc import Callable
from typing import TypeVar

from groundplan.runtime.pausing import RETRY_SECONDS, paused_words, resumed_words
from groundplan.service.assembly import now
from groundplan.state.store import StoreFault

T = TypeVar("T")


def await_store(
    act: Callable[[], T],
    say: Callable[[str], None],
    leaving: str,
    *,
    pause: Callable[[float], object] = time.sleep,
    leaves: Callable[[], bool] = lambda: False,
) -> T:
    """Return what `act` gives, tried again until the store can be used; say once that it cannot, and when it can again.

    Args:
        leaving: how people may leave, and what follows then.
        pause: waits for so many seconds, or less.
        leaves: whether somebody wants to leave.

    Raises:
        StoreFault: it does not pass by itself, or somebody wants to leave.
    """
    began, paused = time.monotonic(), False
    while True:
        try:
            found = act()
            break
        except StoreFault as fault:
            if not fault.passes or leaves():
                raise
            if not paused:
                say(paused_words(fault, now(), leaving))
        paused = True
        pause(RETRY_SECONDS)
    if paused:
        say(resumed_words(time.monotonic() - began))
    return found
