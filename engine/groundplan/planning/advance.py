"""The scheduler: which tasks are ready now, and what follows when none is left. There is no other one.

It does no I/O, knows no time and runs nothing: drivers (`runtime`) hand it outcomes and run what it returns.
Retries are theirs as well: a task is told here once, when it ended for good. One outcome costs the number of the
task's successors, never a scan of the graph.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import accumulate
from typing import Final, NamedTuple

from groundplan.model.execution import TaskState, Verdict
from groundplan.model.graph import TaskGraph


class Standing(StrEnum):
    """Where the walk through a graph stands."""

    RUNNING = "running"
    """Tasks are ready or in flight."""
    SUCCEEDED = "succeeded"
    """Every task ended well, or failed where the workflow goes on."""
    FAILED = "failed"
    """Nothing is left that may start, and a task failed."""
    CANCELLED = "cancelled"
    """Nothing is in flight, and tasks were left because of `cancel`."""


class Advance(NamedTuple):
    """What follows from a batch of outcomes.

    Attributes:
        ready: numbers of the tasks that may start now, in ascending order within one outcome's successors; each
            task is named once.
        standing: where the walk stands after the batch.
    """

    ready: list[int]
    standing: Standing

    @property
    def done(self) -> bool:
        """Whether nothing is ready and nothing in flight."""
        return self.standing is not Standing.RUNNING


_PENDING: Final = 0
_HANDED_OUT: Final = 1
_DONE: Final = 2
_FAILED: Final = 3
_DROPPED: Final = 4


class Progress:
    """How far the walk through one execution's graph has come.

    Never stored: `rebuild` makes it again from the recorded ends of tasks. Task numbers count on from `graph.first`
    through every graph that is appended.
    """

    def __init__(self, graph: TaskGraph) -> None:
        self._first = graph.first
        self._unmet: list[int] = []
        self._successors: list[int] = []
        self._begins = [0]
        self._in_later_stages: dict[int, list[int]] = {}
        self._status = bytearray()
        self._ignores_failure = bytearray()
        self._fresh: list[int] = []
        self._failed: list[int] = []
        self._in_flight = 0
        self._settled = 0
        self._cancelled = False
        self.append(graph)

    def append(self, graph: TaskGraph) -> None:
        """Add a further stage; its tasks may wait for tasks of earlier ones.

        Raises:
            ValueError: when its numbers do not continue the ones before.
        """
        base, old = self._first, len(self._unmet)
        if graph.first != base + old:
            raise ValueError(f"the appended tasks start at {graph.first}, the next number is {base + old}")
        self._unmet.extend([0] * len(graph.tasks))
        self._status.extend(bytes(len(graph.tasks)))
        self._ignores_failure.extend(task.ignore_failure for task in graph.tasks)
        self._connect(graph, old)
        self._fresh.extend(index for index in range(old, len(self._unmet)) if not self._unmet[index])

    def _connect(self, graph: TaskGraph, old: int) -> None:
        """Turn what tasks wait for into who follows them: flat lists, which the garbage collector need not walk."""
        begin = self._first + old
        counts = [0] * len(graph.tasks)
        for index, waits in enumerate(graph.waits, old):
            for number in waits:
                if number >= begin:
                    counts[number - begin] += 1
                elif self._status[number - self._first] != _DONE:
                    self._in_later_stages.setdefault(number - self._first, []).append(index)
                    self._unmet[index] += 1
        ends = list(accumulate(counts, initial=len(self._successors)))
        self._begins[-1:] = ends
        self._successors.extend([0] * sum(counts))
        for index, waits in enumerate(graph.waits, old):
            for number in waits:
                if number >= begin:
                    place = ends[number - begin]
                    self._successors[place] = index
                    ends[number - begin] = place + 1
                    self._unmet[index] += 1

    def close(self, before: int, *, forgive: bool = False) -> None:
        """Drop the tasks with numbers below `before` that have not ended: what they waited for failed.

        Nothing of them may be in flight. A walk with a failure ends as failed, unless it is forgiven.

        Args:
            forgive: the failures of those tasks no longer count.
        """
        end = before - self._first
        if end and self._settled < len(self._status):
            for index in range(end):
                if self._status[index] < _DONE:
                    self._status[index] = _DROPPED
                    self._settled += 1
            self._fresh = [index for index in self._fresh if self._status[index] == _PENDING]
        if forgive:
            self._failed = [index for index in self._failed if index >= end]

    def advance(self, outcomes: Iterable[tuple[int, Verdict | TaskState]] = ()) -> Advance:
        """Take the ends of tasks, each once, and return what may start now.

        A state is the record's word and stands: `failed` blocks what follows, `ignored` does not. A verdict is judged
        here: `failed` blocks unless the task has `ignore_failure`. The first call, without outcomes, gives the tasks
        that wait for nothing; so does the first call after `append`.

        Args:
            outcomes: (task number, how it ended): `succeeded`, `failed` or `ignored`.

        Raises:
            ValueError: when a task was not handed out, has ended before, or the outcome is no end (`retry`,
                `waiting`, `rescheduled`...).
        """
        for number, outcome in outcomes:
            self._end(self._in_flight_index(number), outcome)
            self._in_flight -= 1
        return Advance(ready=self._hand_out(), standing=self.standing)

    def settle(self, number: int, outcome: Verdict | TaskState) -> list[int]:
        """Take the end of one task and return the numbers of those that may start now: `advance` for who takes one.

        Raises:
            ValueError: as `advance`.
        """
        self._end(self._in_flight_index(number), outcome)
        self._in_flight -= 1
        return self._hand_out() if self._fresh else []

    def _hand_out(self) -> list[int]:
        ready: list[int] = []
        if not self._cancelled:
            first, status = self._first, self._status
            for index in self._fresh:
                if status[index] == _PENDING:
                    status[index] = _HANDED_OUT
                    ready.append(first + index)
            self._fresh.clear()
            self._in_flight += len(ready)
        return ready

    def cancel(self) -> None:
        """From now on no task becomes ready; those in flight may still end."""
        self._cancelled = True

    @property
    def standing(self) -> Standing:
        """Where the walk stands; costs nothing."""
        if self._in_flight or (self._fresh and not self._cancelled):
            return Standing.RUNNING
        if self._settled == len(self._status):
            return Standing.FAILED if self._failed else Standing.SUCCEEDED
        return Standing.CANCELLED if self._cancelled else Standing.FAILED

    @property
    def failed(self) -> list[int]:
        """Numbers of the tasks that failed, in the order in which they did."""
        return [self._first + index for index in self._failed]

    @property
    def in_flight(self) -> int:
        """How many tasks were handed out and have not ended."""
        return self._in_flight

    def unfinished(self) -> list[int]:
        """Numbers of the tasks that have not ended, ascending; costs a scan, so ask at the end."""
        return [self._first + index for index, status in enumerate(self._status) if status < _DONE]

    def _restore(self, finished: Mapping[int, TaskState]) -> None:
        for number, state in finished.items():
            self._end(number - self._first, state)
        self._fresh = [index for index in self._fresh if self._status[index] == _PENDING]

    def _in_flight_index(self, number: int) -> int:
        index = number - self._first
        if not 0 <= index < len(self._status):
            raise ValueError(f"there is no task {number}")
        if self._status[index] != _HANDED_OUT:
            raise ValueError(f"task {number} is not in flight")
        return index

    def _end(self, index: int, outcome: Verdict | TaskState) -> None:
        done = _is_done(outcome) or (isinstance(outcome, Verdict) and self._ignores_failure[index])
        self._settled += 1
        if not done:
            self._status[index] = _FAILED
            self._failed.append(index)
            return
        self._status[index] = _DONE
        self._release(self._successors[self._begins[index] : self._begins[index + 1]])
        if self._in_later_stages:
            self._release(self._in_later_stages.pop(index, ()))

    def _release(self, successors: Iterable[int]) -> None:
        unmet = self._unmet
        for successor in successors:
            unmet[successor] -= 1
            if not unmet[successor]:
                self._fresh.append(successor)


def rebuild(graph: TaskGraph, finished: Mapping[int, TaskState]) -> Progress:
    """Return the progress of an execution that another driver began, or an earlier run of this one.

    Args:
        graph: every task planned so far, the stages one after the other.
        finished: how tasks ended: `succeeded`, `ignored` or `failed`. What is not named here (in flight, waiting,
            due for another attempt) becomes ready again when everything it waits for is done.

    Raises:
        ValueError: when a state is not an end.
    """
    progress = Progress(graph)
    progress._restore(finished)
    return progress


def _is_done(outcome: Verdict | TaskState) -> bool:
    # Names are compared by identity: to look a state up in a set costs three times as much.
    if outcome is TaskState.SUCCEEDED or outcome is Verdict.SUCCEEDED or outcome is TaskState.IGNORED:
        return True
    if outcome == TaskState.FAILED:
        return False
    raise ValueError(f"{outcome.value!r} is not how a task ends")
