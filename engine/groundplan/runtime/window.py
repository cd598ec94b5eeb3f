"""How many attempts may be handed to the threads at once, and how long to wait for another outcome before a commit.

As many as there are threads, and what they get through during a commit.
While the loop commits, threads that finish would find nothing to do, so quick attempts queue ahead of them. Long ones
do not: one that is recorded as begun but waits for a thread would count as cut off if the process were killed.
"""

from typing import Final

_QUICK_SECONDS: Final = 0.01
"""Attempts that take longer are not queued ahead; starting a process alone takes about as long."""
_FURTHEST: Final = 8
"""Attempts that may be handed out for each thread, at most."""
_LULLS: Final = 2
"""Attempts' time without an outcome, after which the others are taken to last longer."""
_WEIGHT: Final = 0.1
"""What the newest measurement counts in the average."""


class Window:
    """Follows how long attempts and commits take."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._attempt = _QUICK_SECONDS
        self._commit = 0.0

    def attempted(self, seconds: float) -> None:
        """Take note of how long an attempt took in its thread."""
        self._attempt += _WEIGHT * (seconds - self._attempt)

    def committed(self, seconds: float) -> None:
        """Take note of how long a commit took."""
        self._commit += _WEIGHT * (seconds - self._commit)

    @property
    def commit(self) -> float:
        """Seconds that a commit takes."""
        return self._commit

    @property
    def lull(self) -> float:
        """Seconds that the next outcome is worth waiting for: it comes sooner than a commit of its own would take."""
        wait = self._attempt * _LULLS
        return wait if wait <= self._commit / 2 else 0.0

    @property
    def size(self) -> int:
        """Attempts that may be in flight."""
        if self._attempt >= _QUICK_SECONDS:
            return self._workers
        ahead = self._workers * self._commit / self._attempt if self._attempt else 0.0
        return self._workers + int(min(ahead, self._workers * (_FURTHEST - 1)))
