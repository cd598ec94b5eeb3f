"""Why each unfinished task of an execution waits, from its record alone: for tasks, a time, a child, a worker.

Pure. `explaining` reads what it needs, follows child executions and says why an execution as a whole waits.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from groundplan.model.execution import TaskState
from groundplan.model.graph import Task
from groundplan.model.ids import ExecutionId
from groundplan.state.store import TaskRecord

DONE: Final = frozenset({TaskState.SUCCEEDED, TaskState.IGNORED})
_BAD: Final = frozenset({TaskState.FAILED, TaskState.INTERRUPTED})
_MOST_NAMED: Final = 3


class Cause(StrEnum):
    """What something waits for, or why it ended."""

    ENDED = "ended"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    DRIVER_LOST = "driver_lost"
    QUEUED = "queued"
    RETRY = "retry"
    CHILD = "child"
    RUNS = "runs"
    WORKER = "worker"
    STOPPED = "stopped"
    """It will not begin any more."""
    TASKS = "tasks"


ORDER: Final = {cause: place for place, cause in enumerate(Cause)}
"""What needs somebody stands before what passes by itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """Why a task, or an execution as a whole, is not done.

    Attributes:
        task: its number, or None for the execution.
        name: what people call it.
        words: why, as the rest of a sentence that begins with the name.
        fix: what somebody can do about it; empty when it goes on by itself.
        tasks: the unfinished tasks that it waits for.
        child: the execution that it waits for, or that it is queued behind.
        due_at: when it goes on by itself.
        holds_up: how many unfinished tasks wait for it directly.
    """

    execution: ExecutionId
    task: int | None
    name: str
    cause: Cause
    words: str
    fix: str = ""
    tasks: tuple[int, ...] = ()
    child: ExecutionId | None = None
    due_at: datetime | None = None
    holds_up: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Circumstances:
    """What the record of the tasks alone does not tell.

    Attributes:
        driven: whether a living driver has the execution.
        stopping: whether the execution ends, or ended, because somebody asked.
        ended: whether the execution has ended.
        began: when the attempts that have not ended began, by task.
        cancelled: the executions that tasks waited for and somebody cancelled, by the task that failed with that.
        attempts_of: says how many attempts a task gets at most, in words.
        child: says how an execution that is waited for stands.
    """

    execution: ExecutionId
    now: datetime
    driven: bool
    stopping: bool
    ended: bool
    began: Mapping[int, datetime]
    cancelled: Mapping[int, ExecutionId]
    attempts_of: Callable[[Task], str]
    child: Callable[[ExecutionId], str]


class Waiting:
    """The unfinished tasks of one stage, and what each waits for."""

    def __init__(self, records: Sequence[TaskRecord], about: Circumstances) -> None:
        self._about = about
        self.open = {item.task.number: item for item in records if item.state not in DONE}
        self.unmet = {
            number: tuple(each for each in item.waits if each in self.open) for number, item in self.open.items()
        }
        self._followers: dict[int, int] = {}
        for unmet in self.unmet.values():
            for each in unmet:
                self._followers[each] = self._followers.get(each, 0) + 1
        self._running = sum(item.state is TaskState.STARTED for item in self.open.values())

    def reasons(self) -> list[Reason]:
        """Return a reason for each unfinished task: first those that wait for no other, then by what they hold up."""
        found = [self.reason(number) for number in self.open]
        return sorted(found, key=lambda item: (bool(item.tasks), ORDER[item.cause], -item.holds_up, item.task or 0))

    def path(self, number: int) -> list[Reason]:
        """Return the shortest way from a task over those that it waits for to one that waits for no other."""
        came_from: dict[int, int | None] = {number: None}
        waiting = deque([number])
        while waiting:
            at = waiting.popleft()
            if not self.unmet[at]:
                return self._way(at, came_from)
            for each in sorted(self.unmet[at], key=lambda item: self.open[item].state not in _BAD):
                if each not in came_from:
                    came_from[each] = at
                    waiting.append(each)
        return [self.reason(number)]

    def _way(self, last: int, came_from: Mapping[int, int | None]) -> list[Reason]:
        way: list[Reason] = []
        at: int | None = last
        while at is not None:
            way.append(self.reason(at))
            at = came_from[at]
        return way[::-1]

    def reason(self, number: int) -> Reason:
        """Return why an unfinished task is not done."""
        record = self.open[number]
        cause, words, fix = self._why(record)
        child = record.waits_for if cause is Cause.CHILD else self._about.cancelled.get(number)
        return Reason(
            execution=self._about.execution,
            task=number,
            name=record.task.label,
            cause=cause,
            words=words,
            fix=fix,
            tasks=self.unmet[number],
            child=child,
            due_at=record.due_at if cause in (Cause.RETRY, Cause.CHILD) else None,
            holds_up=self._followers.get(number, 0),
        )

    def _why(self, record: TaskRecord) -> tuple[Cause, str, str]:
        resume = f"groundplan executions resume {self._about.execution}"
        attempt = record.attempts - record.earlier
        match record.state:
            case TaskState.FAILED if record.task.number in self._about.cancelled:
                return Cause.STOPPED, f"could not end: {record.error}", resume
            case TaskState.FAILED:
                return Cause.FAILED, f"failed in attempt {attempt or 1}: {record.error}", resume
            case TaskState.INTERRUPTED:
                words = "was cut off, and its operation is not known to be safe to repeat"
                return Cause.INTERRUPTED, words, f"{resume} --reset-operations"
            case TaskState.RESCHEDULED:
                return self._retry(record, attempt)
            case TaskState.WAITING:
                return self._child(record)
            case TaskState.STARTED:
                return self._runs(record, attempt)
        return self._pending(record)

    def _retry(self, record: TaskRecord, attempt: int) -> tuple[Cause, str, str]:
        about = self._about
        error = f"; the last error was: {record.error}" if record.error else ""
        if about.stopping or about.ended:
            return Cause.STOPPED, f"is not tried again: the execution ends{error}", ""
        due = "" if record.due_at is None else f" {_moment(record.due_at, about.now)}"
        which = f"attempt {attempt + 1}{about.attempts_of(record.task)}"
        return Cause.RETRY, f"is tried again{due}: {which}{error}", ""

    def _child(self, record: TaskRecord) -> tuple[Cause, str, str]:
        child = "another execution" if record.waits_for is None else self._about.child(record.waits_for)
        until = "" if record.due_at is None else f", and gives up {_moment(record.due_at, self._about.now)}"
        return Cause.CHILD, f"waits for {child}{until}", ""

    def _runs(self, record: TaskRecord, attempt: int) -> tuple[Cause, str, str]:
        began = self._about.began.get(record.task.number)
        since = "" if began is None else f" for {_length((self._about.now - began).total_seconds())}"
        which = f"attempt {attempt}{self._about.attempts_of(record.task)}"
        if self._about.driven:
            return Cause.RUNS, f"runs{since}: {which}", ""
        if self._about.ended:
            words = f"was in flight ({which}) when the execution ended; a resume repeats it if that is safe"
            return Cause.STOPPED, words, ""
        words = f"was in flight ({which}) when its driver was lost; a resume repeats it if that is safe"
        return Cause.DRIVER_LOST, words, ""

    def _pending(self, record: TaskRecord) -> tuple[Cause, str, str]:
        unmet = self.unmet[record.task.number]
        if unmet:
            bad = any(self.open[each].state in _BAD for each in unmet)
            return Cause.TASKS, f"{'cannot begin: it' if bad else ''} waits for {self._named(unmet)}".strip(), ""
        if self._about.stopping or self._about.ended:
            return Cause.STOPPED, "could begin, but the execution ends", ""
        if not self._about.driven:
            return Cause.DRIVER_LOST, "could begin, but nobody drives the execution", ""
        return Cause.WORKER, f"waits for a free worker: {self._running} attempts of this execution run", ""

    def _named(self, numbers: Sequence[int]) -> str:
        order = sorted(numbers, key=lambda each: (self.open[each].state not in _BAD, each))
        shown = [f"{self.open[each].task.label} ({self._state(each)})" for each in order[:_MOST_NAMED]]
        more = len(numbers) - len(shown)
        return ", ".join(shown) + (f" and {more} more" if more else "")

    def _state(self, number: int) -> str:
        return "cancelled" if number in self._about.cancelled else str(self.open[number].state)


def _moment(at: datetime, now: datetime) -> str:
    left = (at - now).total_seconds()
    return f"at {at:%H:%M:%S} UTC ({f'in {_length(left)}' if left > 0 else 'now'})"


def _length(seconds: float) -> str:
    if seconds < 120:
        return f"{max(seconds, 0):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
