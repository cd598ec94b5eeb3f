"""What every driver promises when an execution is to end before its time, or loses its driver."""

import threading
from contextlib import suppress
from datetime import UTC, datetime

from groundplan.model.execution import Change, EventType, ExecutionStatus, Outcome, TaskState
from groundplan.runtime.attempt import Assignment
from groundplan.service import executions
from groundplan.state.store import StaleLease

from ...planning.builders import blueprint, lifecycle, node, relationship
from ...runtime.rehearsal import DONE, NOW, Script
from .stages import Stage, drive

TWO = blueprint(
    node("db", operations=lifecycle("create")),
    node("web", relationship("depends_on", "db"), operations=lifecycle("create")),
)


def test_after_a_cancel_what_runs_finishes_and_nothing_more_starts(stage: Stage) -> None:
    stage.rehearsal.deploy(TWO)
    execution = stage.rehearsal.start()
    asked = threading.Event()
    script = Script()
    driver = stage.driver(script)
    stage.rehearsal.seen.look = lambda batch: asked.set() if _tells_of_cancel(batch) else None

    def cancel(_: Assignment) -> Outcome:
        driver.request_cancel()
        _wait_until_cancelling(stage, execution, asked)
        return DONE

    script.acts = {"db create": cancel}
    with stage.working(script):
        ended = driver.run(execution)
    assert ended.status is ExecutionStatus.CANCELLED
    assert stage.rehearsal.states(execution) == {"db create": TaskState.SUCCEEDED, "web create": TaskState.PENDING}


def test_a_cancel_asked_for_in_the_store_is_obeyed(stage: Stage) -> None:
    stage.rehearsal.deploy(TWO)
    execution = stage.rehearsal.start()

    def cancel(_: Assignment) -> Outcome:
        executions.end(stage.rehearsal.store, execution, Change.CANCEL, datetime.now(UTC))
        return DONE

    script = Script(acts={"db create": cancel})
    assert drive(stage, execution, script).status is ExecutionStatus.CANCELLED
    assert script.ran == ["db create"]


def test_a_cancelled_execution_goes_on_where_it_was(stage: Stage) -> None:
    stage.rehearsal.deploy(TWO)
    execution = stage.rehearsal.start()

    def cancel(_: Assignment) -> Outcome:
        executions.end(stage.rehearsal.store, execution, Change.CANCEL, datetime.now(UTC))
        return DONE

    drive(stage, execution, Script(acts={"db create": cancel}))
    again = Script()
    assert drive(stage, execution, again).status is ExecutionStatus.TERMINATED
    assert again.ran == ["web create"]


def test_a_kill_gives_up_what_runs_and_leaves_it_recorded_as_begun(stage: Stage) -> None:
    stage.rehearsal.deploy(TWO)
    execution = stage.rehearsal.start()
    given_up = threading.Event()

    def linger(assignment: Assignment) -> Outcome:
        executions.end(stage.rehearsal.store, execution, Change.KILL, datetime.now(UTC))
        if assignment.given_up.wait(30):
            given_up.set()
        return DONE

    ended = drive(stage, execution, Script(acts={"db create": linger}))
    assert ended.status is ExecutionStatus.CANCELLED
    assert given_up.wait(30)
    assert stage.rehearsal.states(execution)["db create"] is TaskState.STARTED


def test_abandoning_gives_up_what_runs(stage: Stage) -> None:
    stage.rehearsal.deploy(TWO)
    execution = stage.rehearsal.start()
    given_up = threading.Event()
    script = Script()
    driver = stage.driver(script)

    def linger(assignment: Assignment) -> Outcome:
        driver.request_cancel()
        driver.abandon()
        if assignment.given_up.wait(30):
            given_up.set()
        return DONE

    script.acts = {"db create": linger}
    with stage.working(script):
        assert driver.run(execution).status is ExecutionStatus.CANCELLED
    assert given_up.wait(30)


def test_an_attempt_of_a_lost_driver_is_made_again_and_told_so(stage: Stage) -> None:
    stage.rehearsal.deploy(TWO)
    execution = stage.rehearsal.start()
    _begin_and_die(stage, execution)
    seen: list[tuple[int, bool]] = []

    def look(assignment: Assignment) -> Outcome:
        seen.append((assignment.number, assignment.lost))
        return DONE

    assert drive(stage, execution, Script(acts={"db create": look})).status is ExecutionStatus.TERMINATED
    assert seen == [(2, True)]


def test_a_driver_whose_lease_was_taken_writes_nothing_more(stage: Stage) -> None:
    stage.rehearsal.deploy(TWO)
    execution = stage.rehearsal.start()
    steals = iter([True])

    def steal(_: Assignment) -> Outcome:
        if next(steals, False):
            with stage.rehearsal.store.transaction() as transaction:
                transaction.acquire(execution, "dead:1:0", NOW)
        return DONE

    # The local driver ends there, and is to be resumed; Temporal finds the execution another keeper.
    with suppress(StaleLease):
        drive(stage, execution, Script(acts={"db create": steal}))
    if stage.rehearsal.executions()[0].status is not ExecutionStatus.TERMINATED:
        assert stage.rehearsal.states(execution)["db create"] is TaskState.STARTED
        drive(stage, execution, Script())
    with stage.rehearsal.store.snapshot() as snapshot:
        assert snapshot.execution(execution).status is ExecutionStatus.TERMINATED
    assert set(stage.rehearsal.states(execution).values()) == {TaskState.SUCCEEDED}


def _tells_of_cancel(batch: object) -> bool:
    return any(event.type is EventType.WORKFLOW_CANCELLED for event in batch.events)


def _wait_until_cancelling(stage: Stage, execution: str, asked: threading.Event) -> None:
    """Wait until the request reached the record, where the driver writes it there first; at most a moment."""
    for _ in range(50):
        with stage.rehearsal.store.snapshot() as snapshot:
            if snapshot.execution(execution).status is ExecutionStatus.CANCELLING:
                return
        if asked.wait(0.02):
            return


def _begin_and_die(stage: Stage, execution: str) -> None:
    """Have a driver record the first attempt as begun, and nothing more be heard of it."""
    rehearsal = stage.rehearsal

    def die(_: Assignment) -> Outcome:
        with rehearsal.store.transaction() as transaction:
            transaction.release(transaction.acquire(execution, "dead:1:0", NOW))
        return DONE

    with suppress(StaleLease):
        rehearsal.drive(execution, Script(acts={"db create": die}))
