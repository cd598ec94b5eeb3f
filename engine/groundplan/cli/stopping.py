"""Hears Ctrl-C and SIGTERM while a command drives or serves: the first asks it to end, each further one makes it.

What ending means is the command's own business.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible() -> Iterator[None]:
    """Have SIGTERM end the block as Ctrl-C does: the first process of a container would not hear it at all."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def stoppable(first: Callable[[], None], again: Callable[[], None]) -> Iterator[None]:
    """Call `first` at the first signal and `again` at each further one, while the block runs.

    They are called within whatever the main thread is doing, so they must not enter what cannot be entered twice.
    """
    asked = 0

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            first()
        else:
            again()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
