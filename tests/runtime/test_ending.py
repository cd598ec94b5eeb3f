"""Ending an execution that a driver has: what becomes of operations in flight, and of children."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from groundplan.diagnostics.trouble import Conflict, UsageError
from groundplan.model.execution import Change, Execution, ExecutionStatus, Outcome, ParentTask, TaskState, Verdict
from groundplan.model.ids import ExecutionId
from groundplan.runtime.attempt import Assignment
from groundplan.service import executions
from groundplan.state.store import StaleLease

from ..planning.builders import blueprint, lifecycle, node, relationship
from ..proof.user import eventually
from .rehearsal import DONE, NOW, Rehearsal, Script

TWO = blueprint(
    node("db", operations=lifecycle("create")),
    node("web", relationship("depends_on", "db"), operations=lifecycle("create")),
)


class Held:
    """An attempt that began, and how it is let go."""

    def __init__(self) -> None:
        self.began, self.go = threading.Event(), threading.Event()
        self.assignment: Assignment | None = None

    def __call__(self, assignment: Assignment) -> Outcome:
        self.assignment = assignment
        self.began.set()
        assert self.go.wait(20)
        return DONE


@contextmanager
def driven(rehearsal: Rehearsal, execution: ExecutionId, held: Held) -> Iterator[Callable[[], Execution | None]]:
    """Drive an execution beside the block; what is yielded waits for its end."""
    found: list[Execution | None] = []

    def run() -> None:
        try:
            found.append(rehearsal.drive(execution, Script(acts={"db create": held})))
        except StaleLease:
            found.append(None)

    thread = threading.Thread(target=run)
    thread.start()

    def end() -> Execution | None:
        thread.join(20)
        return found[0]

    assert held.began.wait(20)
    try:
        yield end
    finally:
        held.go.set()
        thread.join(20)


def status_of(rehearsal: Rehearsal, execution: ExecutionId) -> ExecutionStatus:
    return executions.get(rehearsal.store, execution).status


def test_cancelling_lets_the_operation_finish_and_starts_no_other(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(TWO)
    execution, held = rehearsal.start(), Held()
    with driven(rehearsal, execution, held) as end:
        assert executions.end(rehearsal.store, execution, Change.CANCEL, NOW).status is ExecutionStatus.CANCELLING
        tick = threading.Event()
        assert not tick.wait(0.7)  # the driver has looked by then
        held.go.set()
        assert end().status is ExecutionStatus.CANCELLED
    assert rehearsal.states(execution) == {"db create": TaskState.SUCCEEDED, "web create": TaskState.PENDING}


def test_by_force_it_ends_while_the_operation_goes_on_and_its_outcome_is_dropped(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(TWO)
    execution, held = rehearsal.start(), Held()
    with driven(rehearsal, execution, held) as end:
        executions.end(rehearsal.store, execution, Change.FORCE_CANCEL, NOW)
        eventually(lambda: status_of(rehearsal, execution) is ExecutionStatus.CANCELLED, patience=10)
        assert not held.assignment.given_up.is_set()
        held.go.set()
        end()
    assert rehearsal.states(execution)["db create"] is TaskState.STARTED
    told = [event.message for event in rehearsal.events(execution)]
    assert any("goes on unobserved" in message for message in told)
    assert told[-1].endswith("ended unobserved (succeeded); its outcome was dropped")


def test_killed_it_has_its_operation_given_up(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(TWO)
    execution, held = rehearsal.start(), Held()
    with driven(rehearsal, execution, held) as end:
        executions.end(rehearsal.store, execution, Change.KILL, NOW)
        assert held.assignment.given_up.wait(5)
        assert end().status is ExecutionStatus.CANCELLED
    assert rehearsal.states(execution)["db create"] is TaskState.STARTED


def test_without_a_driver_it_ends_at_once_with_its_children(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(TWO)
    parent = rehearsal.start()
    child = rehearsal.start(parent=ParentTask(execution=parent, task=0))
    executions.end(rehearsal.store, parent, Change.FORCE_CANCEL, NOW)
    assert {status_of(rehearsal, each) for each in (parent, child)} == {ExecutionStatus.CANCELLED}


def test_a_driven_child_is_ended_with_its_parent(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(TWO)
    rehearsal.deploy(blueprint(node("top", operations=lifecycle("create"))), "parent")
    parent = rehearsal.start("parent")
    child, held = rehearsal.start(parent=ParentTask(execution=parent, task=0)), Held()
    wait = Script(
        acts={
            "top create": lambda _: Outcome(verdict=Verdict.WAITING, waits_for=child),
            "db create": held,
        }
    )
    ended: list[Execution] = []
    thread = threading.Thread(target=lambda: ended.append(rehearsal.drive(parent, wait)))
    thread.start()
    assert held.began.wait(20)
    executions.end(rehearsal.store, parent, Change.KILL, NOW)
    assert held.assignment.given_up.wait(5)
    held.go.set()
    thread.join(20)
    assert ended[0].status is ExecutionStatus.CANCELLED
    assert status_of(rehearsal, child) is ExecutionStatus.CANCELLED


def test_what_has_ended_cannot_be_ended_again(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(TWO)
    execution = rehearsal.start()
    rehearsal.drive(execution)
    with pytest.raises(UsageError, match="has ended already"):
        executions.end(rehearsal.store, execution, Change.KILL, NOW)


def test_a_resume_by_force_makes_the_old_driver_harmless(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(TWO)
    execution, held = rehearsal.start(), Held()
    with driven(rehearsal, execution, held) as end:
        with rehearsal.store.snapshot() as snapshot:
            now = snapshot.lease(execution).heartbeat
        with pytest.raises(Conflict, match="is being driven"):
            executions.prepare_resume(rehearsal.store, execution, now)
        executions.prepare_resume(rehearsal.store, execution, now, force=True)
        assert rehearsal.drive(execution).status is ExecutionStatus.TERMINATED
        held.go.set()
        assert end() is None
    assert status_of(rehearsal, execution) is ExecutionStatus.TERMINATED


def test_a_dry_run_changes_no_state_and_says_so(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(TWO)
    execution = rehearsal.start(is_dry_run=True)
    assert rehearsal.drive(execution).status is ExecutionStatus.TERMINATED
    assert {str(item.state) for item in rehearsal.instances().values()} == {"uninitialized"}
    assert {event.message.endswith(" (dry run)") for event in rehearsal.events(execution)} == {True}


def test_what_a_temporal_workflow_sees_to_is_left_to_it_until_it_is_taken_by_force(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(TWO)
    execution = rehearsal.start()
    with rehearsal.store.transaction() as transaction:
        transaction.set_execution(execution, status=ExecutionStatus.STARTED, at=NOW)
        transaction.set_on_temporal(execution, True)
    with pytest.raises(Conflict, match="is driven on Temporal"):
        rehearsal.drive(execution)
    with pytest.raises(Conflict, match="is driven on Temporal"):
        executions.prepare_resume(rehearsal.store, execution, NOW)
    executions.prepare_resume(rehearsal.store, execution, NOW, force=True)
    assert rehearsal.drive(execution).status is ExecutionStatus.TERMINATED
