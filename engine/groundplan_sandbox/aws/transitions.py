"""States that take time: what was asked for comes true later, in one place for every emulated service.

It knows nothing of any service. Slow work (a machine, a server) runs without the guard; what requests can see changes
under it.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

log = logging.getLogger(__name__)

POLL = 0.05
"""Seconds between looks at something that is not ready, where a delay of zero would spin."""

Item = TypeVar("Item")


class Transitions:
    """`delay`: seconds that each transition takes at least."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self.guard = threading.RLock()
        """Held by whoever reads or changes moto's models: requests, and transitions when they come true."""
        self._closed = False
        self._jobs = ThreadPoolExecutor(max_workers=8, thread_name_prefix="aws")

    def later(self, change: Callable[[], None], *, at_least: float = 0) -> None:
        """Call `change`, with the guard held, after the delay of a transition and `at_least` so many seconds."""
        self.schedule(self._under_guard, change, at_least=at_least)

    def perform(
        self, work: Callable[[], Item], then: Callable[[Item], None], failed: Callable[[Exception], None]
    ) -> None:
        """After the delay do `work` without the guard; then call `then` or `failed` with the guard held."""

        def job() -> None:
            try:
                done = work()
            except Exception as error:
                log.exception("a resource does not come up")
                self._under_guard(partial(failed, error))
            else:
                self._under_guard(partial(then, done))

        self.schedule(job)

    def schedule(self, job: Callable[..., None], *arguments: Any, at_least: float = 0) -> None:
        """Do `job` after the delay of a transition; not at all if everything ends before."""

        def fire() -> None:
            with self.guard:
                if not self._closed:
                    self._jobs.submit(job, *arguments)

        # A timer each, so that a long delay keeps no worker from the work of others.
        timer = threading.Timer(max(self._delay, at_least), fire)
        timer.daemon = True
        timer.start()

    def submit(self, job: Callable[..., None], *arguments: Any) -> None:
        """Do `job` now, on another thread."""
        self._jobs.submit(job, *arguments)

    def each(self, job: Callable[[Item], None], items: Iterable[Item]) -> None:
        """Do `job` for every item, several at a time; returns when all are done."""
        list(self._jobs.map(job, items))

    def close(self) -> None:
        """No transition begins from here on."""
        with self.guard:
            self._closed = True

    def join(self) -> None:
        """Wait for what is under way. Call it without the guard."""
        self._jobs.shutdown(cancel_futures=True)

    def _under_guard(self, change: Callable[[], None]) -> None:
        try:
            with self.guard:
                change()
        except Exception:
            log.exception("a transition failed")
