"""What a custom workflow has asked for: requests by number, their tasks, what of them is left and what came of them.

Bookkeeping of one workflow: it says nothing to the process and records nothing (`dialogue`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from groundplan.model.execution import Failure, TaskState
from groundplan.model.graph import Task
from groundplan.model.requests import AnyRequest
from groundplan.model.values import Data
from groundplan.state.store import AttemptEnd, TaskRecord

_ENDS: Final = frozenset({TaskState.SUCCEEDED, TaskState.FAILED, TaskState.IGNORED, TaskState.INTERRUPTED})
_BAD: Final = frozenset({TaskState.FAILED, TaskState.INTERRUPTED})


@dataclass(kw_only=True, slots=True)
class Asked:
    """A request that was recorded.

    Attributes:
        tasks: its tasks by number, with what each of them waits for.
        left: numbers of those that have not ended and still may run.
        failures: of those that failed.
        dropped: numbers of those that never start, since what they wait for failed.
        is_met: whether the workflow that runs now has asked for it.
    """

    name: str
    tasks: dict[int, tuple[Task, tuple[int, ...]]] = field(default_factory=dict)
    left: set[int] = field(default_factory=set)
    failures: dict[int, Failure] = field(default_factory=dict)
    dropped: set[int] = field(default_factory=set)
    result: Data = None
    is_met: bool = False

    def end(self, number: int, state: TaskState, failure: Failure | None, result: Data) -> None:
        """Take the end of a task."""
        self.left.discard(number)
        task, _ = self.tasks[number]
        if len(self.tasks) == 1:
            self.result = result
        is_lifecycle = self.name.startswith(("install ", "uninstall "))
        if state in _BAD or (state is TaskState.IGNORED and not (is_lifecycle and task.ignore_failure)):
            self.failures[number] = failure or Failure(type="Failed", message="it failed")
            self._drop(number)

    def _drop(self, failed: int) -> None:
        """Leave out what waits for a task that failed: it never starts."""
        lost = {failed}
        for number, (_, waits) in self.tasks.items():  # in ascending order of what depends on what, or again
            if number in self.left and not lost.isdisjoint(waits):
                lost.add(number)
        while True:
            more = {it for it in self.left - lost if not lost.isdisjoint(self.tasks[it][1])}
            if not more:
                break
            lost |= more
        self.dropped |= lost & self.left
        self.left -= lost

    @property
    def words(self) -> str:
        """What failed, of which instance where there are several."""
        alone = len(self.tasks) == 1
        return "; ".join(
            failure.message if alone else f"{self.tasks[task][0].instance}: {failure.message}"
            for task, failure in self.failures.items()
        )


class Requests:
    """All requests of one workflow, in the order in which they were made."""

    def __init__(self) -> None:
        self._asked: dict[str, Asked] = {}
        self._of: dict[int, str] = {}
        self.count = 0
        """Numbers below it are taken by tasks."""
        self.unmet = 0
        """Requests of an earlier run that the workflow which runs now has not made yet."""

    def __iter__(self) -> Iterator[str]:
        return iter(self._asked)

    def __contains__(self, number: str) -> bool:
        return number in self._asked

    def __getitem__(self, number: str) -> Asked:
        return self._asked[number]

    def get(self, number: str) -> Asked | None:
        """Return a request, or None for one that was not made."""
        return self._asked.get(number)

    def items(self) -> list[tuple[str, Asked]]:
        """Return the requests with their numbers."""
        return list(self._asked.items())

    def number_of(self, task: int) -> str:
        """Return the number of the request that a task belongs to."""
        return self._of[task]

    def add(self, number: str, asked: Asked) -> None:
        """Take a request whose tasks follow."""
        self._asked[number] = asked

    def know(self, number: str, task: Task, waits: tuple[int, ...]) -> None:
        """Take a task of a request."""
        asked = self._asked[number]
        asked.tasks[task.number] = (task, waits)
        asked.left.add(task.number)
        self._of[task.number] = number
        self.count = max(self.count, task.number + 1)

    def remember(self, record: TaskRecord, results: Mapping[int, Data]) -> None:
        """Take a task of an earlier run, with what came of it."""
        number, _, name = record.task.request.partition(" ")
        if number not in self._asked:
            self._asked[number] = Asked(name=name)
            self.unmet += 1
        self.know(number, record.task, record.waits)
        if record.state in _ENDS - {TaskState.INTERRUPTED}:
            failure = Failure(type="Failed", message=record.error or "it failed")
            self._asked[number].end(record.task.number, record.state, failure, results.get(record.task.number))

    def meet(self, number: str) -> None:
        """Take note that the workflow has made a request of an earlier run again."""
        self._asked[number].is_met = True
        self.unmet -= 1

    def first_unmet(self) -> str:
        """Return the name of the first request that was made then, and not now."""
        return next(asked.name for asked in self._asked.values() if not asked.is_met)

    def end(self, ended: AttemptEnd) -> str | None:
        """Take the end of a task, and return the number of its request when that is to be answered now."""
        number = self._of.get(ended.task)
        if number is None or ended.state not in _ENDS:
            return None
        asked = self._asked[number]
        if ended.task not in asked.left:
            return None
        asked.end(ended.task, ended.state, ended.outcome.failure, ended.outcome.result)
        return number if not asked.left and asked.is_met else None

    def done_before(self, request: AnyRequest) -> tuple[int, ...]:
        """Return the tasks that a request says it waited for, without those that hold up what waits for them."""
        found: list[int] = []
        for number in request.after:
            asked = self._asked.get(number)
            if asked is not None and not asked.left and not asked.failures and not asked.dropped:
                found += asked.tasks if len(asked.tasks) == 1 else [max(asked.tasks)]
        return tuple(sorted(set(found)))
