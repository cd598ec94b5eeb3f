"""Threads that run attempts. One that is given up is replaced; whatever it returns later is dropped.

Plain threads and simple queues: futures and event loops cost several times as much per operation.
"""

import threading
from collections import deque
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
    """A pool that starts a thread when a job comes and none is idle, up to `size` that are not given up.

    Threads are woken one at a time, each by the one before that found more to do: woken all at once for jobs that take
    no time, they would only wait for each other.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._jobs: deque[Job] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0
        self._is_waking = False
        self._is_closed = False

    def submit(self, job: Job) -> None:
        """Have a job run as soon as a thread is free."""
        with self._lock:
            self._jobs.append(job)
            self._wake()

    def give_up_one(self) -> None:
        """Let another thread take the place of one that does not come back."""
        with self._lock:
            self._size += 1
            self._wake()

    def close(self) -> None:
        """Send the idle threads home; those that are busy follow when nothing is left to do."""
        with self._lock:
            self._is_closed = True
            for _ in range(self._threads):
                self._bell.put(None)

    def _wake(self) -> None:
        """Have one more thread look for jobs, unless one is about to."""
        if self._is_waking or not self._jobs:
            return
        if self._idle:
            self._idle -= 1
            self._is_waking = True
            self._bell.put(None)
        elif self._threads < self._size:
            self._threads += 1
            self._is_waking = True
            threading.Thread(target=self._work, name="groundplan-worker", daemon=True).start()

    def _work(self) -> None:
        job = self._next(is_awake=True)
        while job is not None:
            job()
            job = self._next(is_awake=False)

    def _next(self, *, is_awake: bool) -> Job | None:
        """Return a job, as soon as there is one, or None when there will be none.

        Args:
            is_awake: the thread was woken just now.
        """
        while True:
            with self._lock:
                if is_awake:
                    self._is_waking = False
                if self._jobs:
                    job = self._jobs.popleft()
                    self._wake()
                    return job
                if self._is_closed:
                    return None
                self._idle += 1
            self._bell.get()
            is_awake = True
