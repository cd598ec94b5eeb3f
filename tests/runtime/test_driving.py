"""What only the local driver promises, as plain functions; what every driver does is in `tests/contracts/driver`."""

import threading

import pytest
from msgspec import structs

from groundplan.diagnostics.trouble import Conflict, NotFound
from groundplan.model.execution import EventType, ExecutionStatus, Failure, Outcome, ParentTask, TaskState, Verdict
from groundplan.model.ids import ExecutionId, InstanceId
from groundplan.runtime.attempt import Assignment
from groundplan.state.store import InstanceChange, StaleLease, StoreFault

from ..planning.builders import blueprint, lifecycle, node, relationship
from .rehearsal import DONE, NOW, Rehearsal, Script, failed

ONE = blueprint(node("db", operations=lifecycle("create", "start")))
TWO = blueprint(
    node("db", operations=lifecycle("create")),
    node("web", relationship("depends_on", "db"), operations=lifecycle("create")),
)


def test_outcome_properties_and_events_are_committed_together(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(ONE)
    properties = {InstanceId("db_000001"): {"ip": "10.0.0.1"}}
    make = Script(acts={"db create": lambda _: structs.replace(DONE, runtime_properties=properties)})
    rehearsal.drive(rehearsal.start(), make)
    of_create = [batch for batch in rehearsal.seen.batches for end in batch.ended if end.outcome.runtime_properties]
    (batch,) = of_create
    assert batch.instances[InstanceId("db_000001")].runtime_properties == {"ip": "10.0.0.1"}
    assert EventType.TASK_SUCCEEDED in [event.type for event in batch.events]
    assert rehearsal.instances()["db"].runtime_properties == {"ip": "10.0.0.1"}


def test_every_failure_is_named_in_the_error(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(blueprint(node("a", operations=lifecycle("create")), node("b", operations=lifecycle("create"))))
    acts = {name: (lambda _: failed(final=True)) for name in ("a create", "b create")}
    ended = rehearsal.drive(rehearsal.start(), Script(acts=acts), workers=1)
    assert ended.error.splitlines() == ["2 tasks failed:", "a_000001 create: it broke", "b_000002 create: it broke"]


def test_a_dry_run_changes_no_property_and_is_recorded(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(ONE)
    execution = rehearsal.start(is_dry_run=True)
    assert rehearsal.drive(execution).status is ExecutionStatus.TERMINATED


# -- cancel and abandon


def test_after_a_cancel_what_runs_finishes_and_nothing_more_starts(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(TWO)
    execution = rehearsal.start()
    script = Script()
    driver = rehearsal.driver(script)

    def create(_: Assignment) -> Outcome:
        driver.request_cancel()
        return DONE

    script.acts = {"db create": create}
    assert driver.run(execution).status is ExecutionStatus.CANCELLED
    assert rehearsal.states(execution) == {"db create": TaskState.SUCCEEDED, "web create": TaskState.PENDING}


def test_a_cancelled_execution_goes_on_where_it_was(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(TWO)
    execution = rehearsal.start()
    script = Script()
    driver = rehearsal.driver(script)
    script.acts = {"db create": lambda _: driver.request_cancel() or DONE}
    driver.run(execution)
    again = Script()
    assert rehearsal.drive(execution, again).status is ExecutionStatus.TERMINATED
    assert again.ran == ["web create"]


def test_a_cancel_asked_for_in_the_store_is_obeyed(rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groundplan.runtime.local.HEARTBEAT_SECONDS", 0.01)
    rehearsal.deploy(TWO)
    execution = rehearsal.start()

    def create(_: Assignment) -> Outcome:
        with rehearsal.store.transaction() as transaction:
            transaction.set_execution(execution, status=ExecutionStatus.CANCELLING, at=NOW)
        threading.Event().wait(0.05)
        return DONE

    assert rehearsal.drive(execution, Script(acts={"db create": create})).status is ExecutionStatus.CANCELLED


def test_what_is_abandoned_stays_recorded_as_begun(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(ONE)
    execution = rehearsal.start()
    script = Script()
    driver = rehearsal.driver(script)
    ended = threading.Event()

    def hang(assignment: Assignment) -> Outcome:
        driver.abandon()
        ended.wait(20)
        return DONE

    script.acts = {"db create": hang}
    assert driver.run(execution).status is ExecutionStatus.CANCELLED
    assert rehearsal.states(execution)["db create"] is TaskState.STARTED
    ended.set()


# -- kill and resume


def test_what_had_begun_is_known_as_lost_by_the_next_attempt(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(ONE)
    execution = rehearsal.start()
    die_in(rehearsal, execution, "db create")
    lost: list[tuple[bool, int]] = []

    def look(assignment: Assignment) -> Outcome:
        lost.append((assignment.lost, assignment.number))
        return DONE

    assert rehearsal.drive(execution, Script(acts={"db create": look})).status is ExecutionStatus.TERMINATED
    assert lost == [(True, 2)]


def test_finished_tasks_are_not_run_again_after_a_death(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(TWO)
    execution = rehearsal.start()
    die_in(rehearsal, execution, "web create")
    script = Script()
    rehearsal.drive(execution, script)
    assert script.ran == ["web create"]


def test_an_interrupted_operation_stays_so_when_driven_again(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(ONE)
    execution = rehearsal.start()
    cut_off = Outcome(verdict=Verdict.FAILED, failure=Failure(type="Interrupted", message="?", recoverable=False))
    for _ in range(2):
        ended = rehearsal.drive(execution, Script(acts={"db create": lambda it: cut_off if it.number else DONE}))
        assert ended.status is ExecutionStatus.FAILED
        assert rehearsal.states(execution)["db create"] is TaskState.INTERRUPTED


def test_an_execution_that_is_driven_is_refused_to_others(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(ONE)
    execution = rehearsal.start()
    refusals: list[Exception] = []

    def try_too(_: Assignment) -> Outcome:
        try:
            rehearsal.drive(execution)
        except Conflict as conflict:
            refusals.append(conflict)
        return DONE

    rehearsal.drive(execution, Script(acts={"db create": try_too}))
    assert len(refusals) == 1


def test_a_driver_whose_execution_was_taken_over_writes_nothing_more(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(ONE)
    execution = rehearsal.start()

    def be_overtaken(_: Assignment) -> Outcome:
        with rehearsal.store.transaction() as transaction:
            transaction.acquire(execution, "elsewhere:1:0", NOW)
        return DONE

    with pytest.raises(StaleLease):
        rehearsal.drive(execution, Script(acts={"db create": be_overtaken}))
    assert rehearsal.states(execution)["db create"] is TaskState.STARTED


def test_a_driver_that_fails_gives_its_lease_back(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(ONE)
    execution = rehearsal.start()
    rehearsal.seen.look = _no_room
    with pytest.raises(StoreFault):
        rehearsal.drive(execution)
    with rehearsal.store.snapshot() as snapshot:
        assert snapshot.lease(execution) is None


def test_nothing_is_dispatched_when_the_commit_fails(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(ONE)
    execution = rehearsal.start()
    with rehearsal.store.transaction() as transaction:
        transaction._connection.exec_driver_sql(
            "CREATE TRIGGER full_disk BEFORE INSERT ON attempts BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
    script = Script()
    with pytest.raises(StoreFault):
        rehearsal.drive(execution, script)
    assert (script.ran, rehearsal.states(execution)["db create"]) == ([], TaskState.PENDING)


def test_what_cannot_be_planned_fails_and_can_be_tried_again(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(ONE)
    execution = rehearsal.start(workflow="uninstall", parameters={"ignore_failure": "perhaps"})
    ended = rehearsal.drive(execution)
    assert (ended.status, "ignore_failure" in ended.error) == (ExecutionStatus.FAILED, True)
    assert rehearsal.drive(execution).status is ExecutionStatus.FAILED


def test_an_execution_that_does_not_exist_cannot_be_driven(rehearsal: Rehearsal) -> None:
    with pytest.raises(NotFound):
        rehearsal.drive(ExecutionId("nothing"))


def test_what_is_remembered_goes_with_the_last_instance(rehearsal: Rehearsal) -> None:
    deployment = rehearsal.deploy(ONE)
    rehearsal.drive(rehearsal.start())
    with rehearsal.store.transaction() as transaction:
        transaction.remember(deployment.id, "host key", "abc")
    rehearsal.drive(rehearsal.start(workflow="uninstall"))
    with rehearsal.store.snapshot() as snapshot:
        assert snapshot.remembered(deployment.id) == {}


# -- children


def test_a_task_that_waits_is_finished_by_the_end_of_its_child(rehearsal: Rehearsal) -> None:
    parent = with_child(rehearsal)
    assert rehearsal.drive(parent, starting_child(rehearsal)).status is ExecutionStatus.TERMINATED
    ((task, child),) = rehearsal.children.told
    assert (task.execution, child.deployment) == (parent, "inner")


def test_the_end_of_a_child_and_of_its_waiting_task_are_one_commit(rehearsal: Rehearsal) -> None:
    with_child(rehearsal)
    rehearsal.drive(ExecutionId("execution0"), starting_child(rehearsal))
    order = [(batch.lease.execution, bool(batch.end)) for batch in rehearsal.seen.batches]
    ended = order.index(("execution1", True))
    assert order[ended + 1][0] == "execution0"


def test_a_task_gives_up_a_child_that_takes_too_long_and_the_child_goes_on(rehearsal: Rehearsal) -> None:
    parent = with_child(rehearsal)
    given_up = threading.Event()
    script = starting_child(rehearsal, limit=0.05)

    def wait_for_parent(_: Assignment) -> Outcome:
        assert given_up.wait(20)
        return DONE

    def watch(batch: object) -> None:
        if any(event.type is EventType.TASK_FAILED for event in batch.events):
            given_up.set()

    script.acts = {**script.acts, "inside create": wait_for_parent}
    rehearsal.seen.look = watch
    ended = rehearsal.drive(parent, script)
    assert ended.status is ExecutionStatus.FAILED
    assert [item.status for item in rehearsal.executions()] == [ExecutionStatus.FAILED, ExecutionStatus.TERMINATED]


def test_a_cancel_reaches_a_child_that_only_then_begins(rehearsal: Rehearsal) -> None:
    parent = with_child(rehearsal)
    script = starting_child(rehearsal)
    driver = rehearsal.driver(script)
    start_child = script.acts["db create"]

    def cancel_meanwhile(assignment: Assignment) -> Outcome:
        driver.request_cancel()
        return start_child(assignment)

    script.acts = {"db create": cancel_meanwhile}
    assert driver.run(parent).status is ExecutionStatus.CANCELLED
    assert "inside create" not in script.ran


def with_child(rehearsal: Rehearsal) -> ExecutionId:
    """A deployment whose create step is to start an execution of another one."""
    rehearsal.deploy(ONE)
    rehearsal.deploy(blueprint(node("inside", operations=lifecycle("create"))), "inner")
    return rehearsal.start()


def starting_child(rehearsal: Rehearsal, limit: float | None = None) -> Script:
    """A script whose `db create` starts an install of the inner deployment and waits for it."""

    def create(assignment: Assignment) -> Outcome:
        task = ParentTask(execution=assignment.execution.id, task=assignment.task.number)
        child = rehearsal.start("inner", parent=task)
        return Outcome(verdict=Verdict.WAITING, waits_for=child, wait_limit=limit)

    return Script(acts={"db create": create})


def die_in(rehearsal: Rehearsal, execution: ExecutionId, name: str) -> None:
    """Drive until the named attempt has begun, and end the driver there as a kill does: nothing more is written."""

    def die(assignment: Assignment) -> Outcome:
        with rehearsal.store.transaction() as transaction:
            transaction.release(transaction.acquire(execution, "dead:1:0", NOW))
        return DONE

    with pytest.raises(StaleLease):
        rehearsal.drive(execution, Script(acts={name: die}))


def _no_room(_: object) -> None:
    raise StoreFault("no room")


def test_a_change_of_state_alone_leaves_the_properties(rehearsal: Rehearsal) -> None:
    deployment = rehearsal.deploy(ONE)
    with rehearsal.store.transaction() as transaction:
        change = InstanceChange(runtime_properties={"kept": 1})
        transaction.put_instance(deployment.id, InstanceId("db_000001"), change)
    rehearsal.drive(rehearsal.start())
    assert rehearsal.instances()["db"].runtime_properties == {"kept": 1}
