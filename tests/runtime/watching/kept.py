"""A signal that keeps what it is told, and a watcher that tells it."""

import threading
from collections.abc import Callable

from groundplan.model.execution import Execution
from groundplan.model.ids import ExecutionId
from groundplan.runtime.observer import Attempted, Committed, Written
from groundplan.runtime.watching.watcher import Watcher
from groundplan.state.store import Batch

from ..rehearsal import Rehearsal


class KeptSignal:
    """Keeps batches and the traces that they belong to; it can be held up, and fails at every commit's figures."""

    def __init__(self) -> None:
        self.traces: list[tuple[str, int, bool]] = []
        self.batches: list[Batch] = []
        self.lost = 0
        self.free = threading.Event()
        self.free.set()

    def committed(self, told: Committed, trace: int) -> None:
        """Keep a batch."""
        self.free.wait(10)
        self.batches.append(told.batch)
        self.traces.append((told.execution.id, trace, told.taken_over))

    def attempted(self, told: Attempted, trace: int) -> None:
        """Not reached: the rehearsal's attempts are its own."""
        raise AssertionError(told)

    def written(self, told: Written) -> None:
        """Fail."""
        raise ValueError("a signal that fails harms nobody")

    def dropped(self, count: int) -> None:
        """Count."""
        self.lost += count

    def close(self) -> None:
        """Nothing is left to be done."""

    def give_up(self) -> None:
        """Nothing is under way."""


def watcher_of(rehearsal: Rehearsal, signal: KeptSignal, say: Callable[[str], None]) -> Watcher:
    """Have the rehearsal's drivers watched."""

    def find(id_: ExecutionId) -> Execution | None:
        return next((it for it in rehearsal.executions() if it.id == id_), None)

    rehearsal.observer = watcher = Watcher([signal], find, say)
    return watcher
