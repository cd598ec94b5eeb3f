"""A store that fails for a while in mid-execution: no commit may be lost, and none carried out twice."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from groundplan.model.execution import EventType, ExecutionStatus, Failure, Outcome, TaskState, Verdict
from groundplan.runtime.attempt import Assignment
from groundplan.runtime.local import LocalDriver
from groundplan.runtime.policy import Policy
from groundplan.state.store import StoreFault, Transaction

from ..planning.builders import blueprint, lifecycle, node, relationship
from .rehearsal import DONE, Rehearsal, Script

LINE = blueprint(
    node("db", operations=lifecycle("create", "start")),
    node("web", relationship("depends_on", "db"), operations=lifecycle("create", "start")),
)
COMMITS = range(2, 7)
"""Which commit fails: the first takes the execution, the last ends it."""


@dataclass(kw_only=True)
class Failing:
    """A store of which one commit fails, with what it wrote or without, and the next tries as well."""

    store: Any
    at: int
    landed: bool
    passes: bool = True
    tries: int = 2
    _count: int = 0
    _down: int = field(default=0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def transaction(self) -> AbstractContextManager[Transaction]:
        return self._opened(self.store.transaction)

    def recording(self) -> AbstractContextManager[Transaction]:
        return self._opened(self.store.recording)

    @contextmanager
    def _opened(self, opened: Callable[[], AbstractContextManager[Transaction]]) -> Iterator[Transaction]:
        self._count += 1
        if self._down:
            self._down -= 1
            raise StoreFault("The store is away.", passes=True)
        fails = self._count == self.at
        with opened() as transaction:
            yield transaction
            if fails and not self.landed:
                self._down = self.tries
                raise StoreFault("The store went away.", passes=self.passes)
        if fails:
            self._down = self.tries
            raise StoreFault("The store went away as it answered.", passes=True)


def drive(rehearsal: Rehearsal, store: Failing, script: Script, said: list[str]) -> ExecutionStatus:
    """Install, while the store fails once."""
    driver = LocalDriver(
        store=store,
        library=rehearsal.library,
        attempts=script,
        children=rehearsal.children,
        policy=Policy(delays=(0,)),
        watch=rehearsal.seen,
        new_id=str,
        say=said.append,
        retry_seconds=0,
    )
    return driver.run(rehearsal.executions()[0].id).status


@pytest.mark.parametrize("landed", [False, True], ids=["not written", "written all the same"])
@pytest.mark.parametrize("at", COMMITS)
def test_whatever_commit_fails_the_end_is_the_same(rehearsal: Rehearsal, at: int, landed: bool) -> None:
    rehearsal.deploy(LINE)
    execution = rehearsal.start()
    script, said = Script(), list[str]()
    status = drive(rehearsal, Failing(store=rehearsal.store, at=at, landed=landed), script, said)
    assert status is ExecutionStatus.TERMINATED
    assert script.ran == ["db create", "db start", "web create", "web start"]
    types = [event.type for event in rehearsal.events(execution)]
    assert types.count(EventType.TASK_STARTED) == types.count(EventType.TASK_SUCCEEDED) == 4
    assert types.count(EventType.WORKFLOW_SUCCEEDED) == 1
    assert {task.attempts for task in rehearsal.tasks(execution).values() if task.task.operation} == {1}
    assert [line.partition(" ")[0] for line in said] == ["Paused", "The"]


def test_a_store_that_fails_for_good_ends_the_driver(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(LINE)
    rehearsal.start()
    said = list[str]()
    with pytest.raises(StoreFault):
        drive(rehearsal, Failing(store=rehearsal.store, at=3, landed=False, passes=False, tries=0), Script(), said)
    assert said == []


def test_an_operation_that_met_no_store_is_tried_again_however_often(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(LINE)
    execution = rehearsal.start()
    away = Failure(type="StoreFault", message="The store is away.", recoverable=True)
    outcomes = [Outcome(verdict=Verdict.RETRY, failure=away, retry_after=0, asked_to_retry=True)] * 9

    def meet_no_store(_: Assignment) -> Outcome:
        return outcomes.pop() if outcomes else DONE

    rehearsal.drive(execution, Script(acts={"db create": meet_no_store}))
    assert rehearsal.tasks(execution)["db create"].attempts == 10
    assert rehearsal.states(execution)["web start"] is TaskState.SUCCEEDED
