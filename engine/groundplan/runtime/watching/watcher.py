"""Takes what is told and hands it to logs, traces and metrics in a thread of its own.

Whoever tells never waits: the queue is bounded, and what does not fit is dropped and counted. How a signal looks is
`lines`', `traces`' and `metrics`' business.
"""

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from queue import Empty, Full, Queue
from typing import Final

from groundplan.model.execution import Execution
from groundplan.model.ids import ExecutionId
from groundplan.runtime.observer import Attempted, Committed, Written
from groundplan.runtime.watching import ids
from groundplan.runtime.watching.signal import Signal
from groundplan.state.store import StoreFault

QUEUE_LENGTH: Final = 20_000
CLOSE_SECONDS: Final = 2.0
"""How long a process that ends waits for what is not delivered yet."""

_LOOK_SECONDS: Final = 0.05

Told = Committed | Attempted | Written
FindExecution = Callable[[ExecutionId], Execution | None]


class Watcher:
    """Implements `runtime.observer.Observer`."""

    def __init__(
        self,
        signals: Sequence[Signal],
        find: FindExecution,
        say: Callable[[str], None],
        failures: Callable[[], int] = lambda: 0,
        sampled: Callable[[int], bool] = lambda _: False,
        undelivered: Callable[[], tuple[int, int]] = lambda: (0, 0),
    ) -> None:
        """Start to watch.

        Args:
            find: reads an execution from the store.
            say: tells people that something could not be delivered.
            failures: how many deliveries failed so far.
            sampled: whether a trace is recorded.
            undelivered: how many spans nobody took, and of how many.
        """
        self._signals = signals
        self._find = find
        self._say = say
        self._failures = failures
        self._sampled = sampled
        self._undelivered = undelivered
        self._roots: dict[ExecutionId, ExecutionId] = {}
        self._queue: Queue[Told] = Queue(QUEUE_LENGTH)
        self._dropped = 0
        self._troubles: dict[str, int] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="groundplan-watcher", daemon=True)
        self._thread.start()

    def committed(self, told: Committed) -> None:
        """Take a batch."""
        self._put(told)

    def attempted(self, told: Attempted) -> None:
        """Take an attempt."""
        self._put(told)

    def written(self, told: Written) -> None:
        """Take a commit."""
        self._put(told)

    def _put(self, told: Told) -> None:
        try:
            self._queue.put_nowait(told)
        except Full:
            self._dropped += 1

    def traceparent(self, execution: Execution, task: int | None = None, attempt: int = 0, call: int = 0) -> str:
        """Return the W3C trace context; see `Observer`."""
        trace = self._trace(execution)
        if task is None:
            span = ids.execution_span(execution.id)
        elif call:
            span = ids.call_span(execution.id, task, attempt, call)
        else:
            span = ids.attempt_span(execution.id, task, attempt)
        place = ids.Place(trace=trace, span=span)
        return f"00-{place.trace_text}-{place.span_text}-{'01' if self._sampled(trace) else '00'}"

    def close(self) -> None:
        """Hand on what was told, within `CLOSE_SECONDS`; say what could not be."""
        self._closing.set()
        until = time.monotonic() + CLOSE_SECONDS
        while self._thread.is_alive() and time.monotonic() < until and not self._failures():
            self._thread.join(_LOOK_SECONDS)
        if self._thread.is_alive():
            for signal in self._signals:
                signal.give_up()
            self._thread.join(_LOOK_SECONDS)
            self._trouble("not everything was delivered")
        if self._dropped:
            self._trouble(f"{self._dropped} reports were dropped: they came faster than they could be written")
        if self._failures():
            self._trouble("traces or metrics were not taken: is the collector at OTEL_EXPORTER_OTLP_ENDPOINT up?")
        lost, made = self._undelivered()
        if lost:
            # Where the collector is away, that is the reason; else they came faster than they were sent.
            cure = "" if self._failures() else ": a longer queue (OTEL_BSP_MAX_QUEUE_SIZE) or sampling helps"
            self._trouble(f"{lost} of {made} spans were not delivered{cure}")
        for trouble, count in self._troubles.items():
            self._say(f"Watching: {trouble}{f' ({count} times)' if count > 1 else ''}")

    def _trouble(self, words: str) -> None:
        self._troubles[words] = self._troubles.get(words, 0) + 1

    def _work(self) -> None:
        reported = 0
        while not (self._closing.is_set() and self._queue.empty()):
            try:
                told = self._queue.get(timeout=_LOOK_SECONDS)
            except Empty:
                continue
            self._hand_on(told)
            if self._dropped > reported:
                lost, reported = self._dropped - reported, self._dropped
                self._each(partial(_tell_dropped, lost))
        self._each(lambda it: it.close())

    def _hand_on(self, told: Told) -> None:
        if isinstance(told, Written):
            self._each(lambda it: it.written(told))
            return
        trace = self._trace(told.execution)
        if isinstance(told, Committed):
            self._each(lambda it: it.committed(told, trace))
            if told.batch.end is not None:
                self._roots.pop(told.execution.id, None)
        else:
            self._each(lambda it: it.attempted(told, trace))

    def _each(self, act: Callable[[Signal], None]) -> None:
        """Act on every signal. What one of them cannot do is counted and told at the end: no execution hears of it."""
        for signal in self._signals:
            try:
                act(signal)
            # Exporters are of others: any of their faults must end here.
            except Exception as error:
                self._trouble(f"{type(signal).__name__} failed with {type(error).__name__}")

    def _trace(self, execution: Execution) -> int:
        """Return the trace of an execution: that of the one which started it, and so on up."""
        root = self._roots.get(execution.id)
        if root is None:
            above = execution
            while above.parent is not None:
                try:
                    found = self._find(above.parent.execution)
                except StoreFault:  # asked again next time
                    return ids.trace_id(above.parent.execution)
                if found is None:
                    break
                above = found
            root = self._roots[execution.id] = above.id
        return ids.trace_id(root)


def _tell_dropped(count: int, signal: Signal) -> None:
    signal.dropped(count)
