"""What drivers and attempts tell whoever watches from outside: commits, attempts, how full the queue is.

Everything in it has been committed or has ended, and its texts are masked. `watching` makes logs, traces and metrics of
it; where nobody watches there is no observer, and nothing is made to be told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from groundplan.model.execution import Execution, Outcome
from groundplan.model.graph import Task
from groundplan.model.ids import ExecutionId
from groundplan.runtime.calls import Call
from groundplan.state.store import Batch


@dataclass(frozen=True, kw_only=True, slots=True)
class Committed:
    """A batch that was committed.

    Attributes:
        tasks: the execution's, by number; grows while it is driven.
        taken_over: the driver took the execution from another one that was lost.
    """

    execution: Execution
    tasks: Mapping[int, Task]
    batch: Batch
    taken_over: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempted:
    """An attempt that ended in its thread; whether its outcome counts is told by a later commit.

    Attributes:
        plugin: that has the function.
        number: of the attempt, from 1.
        retry: attempts before it since the last resume.
        began, ended: nanoseconds since 1970.
        calls: what it asked of the world.
        given_up: nobody waited for it any more.
    """

    execution: Execution
    task: Task
    plugin: str
    number: int
    retry: int
    outcome: Outcome
    began: int
    ended: int
    calls: Sequence[Call]
    given_up: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """One commit of a driver.

    Attributes:
        seconds: that it took.
        outcomes: attempts and tasks whose end it recorded.
        ready: tasks that could start if a worker were free.
        in_flight: attempts handed to workers.
        executions: under way in this driver.
    """

    seconds: float
    outcomes: int
    ready: int
    in_flight: int
    executions: int


class Observer(Protocol):
    """Takes what is told and returns at once, whatever becomes of it. Safe to call from any thread; never raises."""

    def committed(self, told: Committed) -> None: ...

    def attempted(self, told: Attempted) -> None: ...

    def written(self, told: Written) -> None: ...

    def traceparent(self, execution: Execution, task: int | None = None, attempt: int = 0, call: int = 0) -> str:
        """Return the W3C trace context of an execution, one of its attempts, or one of the attempt's calls."""

    def close(self) -> None:
        """Hand on what was told, for a short time at most."""


def tell_commit(
    observer: Observer,
    batches: Sequence[tuple[Execution, Mapping[int, Task], Batch]],
    written: Written,
    taken_over: frozenset[ExecutionId] = frozenset(),
) -> None:
    """Tell of one commit and of every batch in it."""
    for execution, tasks, batch in batches:
        observer.committed(
            Committed(execution=execution, tasks=tasks, batch=batch, taken_over=execution.id in taken_over)
        )
    observer.written(written)
