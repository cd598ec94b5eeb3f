"""Threads that run attempts. One that is given up is replaced; whatever it returns later is dropped.

Plain threads and simple queues: futures and event loops cost several times as much per operation.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

Job = Callable[[], None]


class Flag(threading.Event):
    """An event that makes what waiting takes when somebody waits: nearly every attempt ends without."""

    def __init__(self) -> None:
        self._is_set = False
        self._waited: threading.Event | None = None

    def is_set(self) -> bool:
        """Whether it was set."""
        return self._is_set

    def set(self) -> None:
        """Set it, and wake those who wait."""
        with _WAITING:
            self._is_set = True
            waited = self._waited
        if waited is not None:
            waited.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set; see `threading.Event.wait`."""
        with _WAITING:
            if self._is_set:
                return True
            waited = self._waited = self._waited or threading.Event()
        return waited.wait(timeout)


_WAITING: Final = threading.Lock()


class Workers:
    """A pool that starts a thread when a job comes and none is idle, up to `size` that are not given up."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0

    def submit(self, job: Job) -> None:
        """Have a job run as soon as a thread is free."""
        with self._lock:
            if not self._idle and self._threads < self._size:
                self._threads += 1
                threading.Thread(target=self._work, name="groundplan-worker", daemon=True).start()
            elif self._idle:
                self._idle -= 1
        self._jobs.put(job)

    def give_up_one(self) -> None:
        """Let another thread take the place of one that does not come back."""
        with self._lock:
            self._size += 1

    def close(self) -> None:
        """Send the idle threads home; those that are busy follow when they are done."""
        for _ in range(self._threads):
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            with self._lock:
                self._idle += 1
