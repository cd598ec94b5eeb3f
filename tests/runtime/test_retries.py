"""When a failed operation is tried again, and how often: no time passes, it is an argument."""

from dataclasses import replace
from datetime import datetime, timedelta

import msgspec
import pytest

from groundplan.model.blueprint import Operation
from groundplan.model.deployment import Deployment
from groundplan.model.execution import Execution, ExecutionStatus, Lease, Outcome, TaskState
from groundplan.model.graph import Task, TaskGraph, TaskKind
from groundplan.model.ids import BlueprintId, DeploymentId, Digest, ExecutionId, InstanceId
from groundplan.planning.stages import Stage
from groundplan.runtime.drive import Drive
from groundplan.runtime.policy import Policy
from groundplan.runtime.world import World
from groundplan.state.store import TaskRecord

from ..planning.builders import blueprint, instances_of, node
from .rehearsal import DONE, NOW, failed

FAILED = failed()
CREATE = "cloudify.interfaces.lifecycle.create"


def drive_of(operation: Operation | None = None, policy: Policy | None = None, **task: object) -> Drive:
    """An execution whose one task creates `db`."""
    plan = blueprint(node("db", operations={CREATE: operation or Operation(plugin="p", operation="run")}))
    deployment = Deployment(
        id=DeploymentId("shop"), blueprint=BlueprintId("shop"), digest=Digest("shop"), created_at=NOW
    )
    execution = Execution(
        id=ExecutionId("e"),
        deployment=deployment.id,
        workflow="install",
        status=ExecutionStatus.STARTED,
        created_at=NOW,
    )
    drive = Drive(
        execution=execution,
        lease=Lease(execution=execution.id, driver="here:1:0", fence=1, heartbeat=NOW),
        world=World(deployment, plan, instances_of(plan)),
        policy=policy or Policy(),
    )
    drive.begin(Stage(graph=TaskGraph(tasks=[the_task(**task)], waits=[()])), NOW)
    return drive


def the_task(**more: object) -> Task:
    """The task that creates `db`."""
    return Task(number=0, kind=TaskKind.OPERATION, instance=InstanceId("db_000001"), operation=CREATE, **more)


def delays(drive: Drive, outcome: Outcome = FAILED) -> list[float]:
    """Fail each attempt at once and start the next when it is due; return the waits in seconds."""
    now, waits = NOW, []
    while drive.start_next(now) is not None:
        drive.settle(0, outcome, now)
        due = drive.next_due()
        if due is None or len(waits) == 20:
            break
        waits.append((due - now).total_seconds())
        now = due
    return waits


def last_state(drive: Drive) -> TaskState:
    """The state that the last attempt gave its task."""
    return drive.take_batch().ended[-1].state


def test_without_a_word_it_is_tried_five_times_more() -> None:
    drive = drive_of()
    assert delays(drive) == [2, 5, 10, 20, 30]
    assert (last_state(drive), drive.is_idle) == (TaskState.FAILED, True)


@pytest.mark.parametrize(("said", "expected"), [({"max_retries": 2}, 2), ({"max_retries": 0}, 0)])
def test_an_operation_says_how_often(said: dict[str, int], expected: int) -> None:
    assert len(delays(drive_of(Operation(plugin="p", operation="run", **said)))) == expected


def test_minus_one_is_without_end() -> None:
    assert len(delays(drive_of(Operation(plugin="p", operation="run", max_retries=-1)))) == 20


def test_a_task_has_the_last_word() -> None:
    assert delays(drive_of(Operation(plugin="p", operation="run", max_retries=9), retries=1)) == [2]


def test_an_operation_says_how_long_to_wait() -> None:
    assert delays(drive_of(Operation(plugin="p", operation="run", max_retries=2, retry_interval=7))) == [7, 7]


def test_an_attempt_says_how_long_to_wait() -> None:
    assert delays(drive_of(policy=Policy(retries=2)), failed(retry_after=1.5)) == [1.5, 1.5]


def test_nothing_is_tried_before_it_is_due() -> None:
    drive = drive_of()
    drive.start_next(NOW)
    drive.settle(0, failed(), NOW)
    assert drive.start_next(NOW + timedelta(seconds=1.9)) is None
    assert drive.start_next(NOW + timedelta(seconds=2)) is not None


def test_an_ignored_failure_ends_well() -> None:
    drive = drive_of(ignore_failure=True)
    assert delays(drive) == []
    assert (last_state(drive), drive.failed) == (TaskState.IGNORED, False)


def test_an_operation_that_asks_for_a_retry_gets_it_even_where_failures_are_ignored() -> None:
    drive = drive_of(policy=Policy(retries=1), ignore_failure=True)
    assert delays(drive, failed(asked_to_retry=True)) == [2]
    assert last_state(drive) is TaskState.FAILED


def test_nothing_is_tried_again_once_it_is_cancelled() -> None:
    drive = drive_of()
    drive.start_next(NOW)
    drive.cancel()
    drive.settle(0, failed(), NOW)
    assert (drive.start_next(NOW + timedelta(days=1)), drive.is_idle) == (None, True)


def test_after_a_resume_attempts_count_anew() -> None:
    drive = resumed(TaskState.PENDING, attempts=6, earlier=6)
    start = drive.start_next(NOW)
    assert (start.number, start.earlier, start.lost) == (7, 6, False)
    drive.settle(0, failed(), NOW)
    assert drive.next_due() == NOW + timedelta(seconds=2)


def test_a_retry_that_was_due_when_the_engine_died_keeps_its_time() -> None:
    drive = resumed(TaskState.RESCHEDULED, attempts=1, due_at=NOW + timedelta(seconds=9))
    assert (drive.start_next(NOW), drive.next_due()) == (None, NOW + timedelta(seconds=9))


def test_a_task_that_waited_when_the_engine_died_waits_on() -> None:
    limit = NOW + timedelta(seconds=60)
    drive = resumed(TaskState.WAITING, attempts=1, waits_for=ExecutionId("child"), due_at=limit)
    assert (drive.waiting, drive.next_due()) == ({0: "child"}, limit)


def test_a_task_that_waited_too_long_fails() -> None:
    drive = resumed(TaskState.WAITING, attempts=1, waits_for=ExecutionId("child"), due_at=NOW)
    drive.give_up_waiting(NOW)
    assert (last_state(drive), drive.waiting) == (TaskState.FAILED, {})


@pytest.mark.parametrize(("kind", "lost"), [(TaskKind.OPERATION, False), (TaskKind.LOCAL, True)])
def test_what_a_pause_cuts_off_is_lost_only_where_its_process_is(kind: TaskKind, lost: bool) -> None:
    drive = drive_of()
    drive = Drive(execution=replace(drive.execution, stage=1), lease=drive.lease, world=drive.world, policy=Policy())
    task = msgspec.structs.replace(the_task(), kind=kind)
    drive.restore([TaskRecord(task=task, waits=(), state=TaskState.STARTED, attempts=1)], [], NOW, flying={})
    start = drive.start_next(NOW) or drive.start_local(NOW)
    assert start is not None
    assert start.lost is lost


def test_a_success_ends_it() -> None:
    drive = drive_of()
    drive.start_next(NOW)
    drive.settle(0, DONE, NOW)
    assert (drive.is_idle, drive.finish(NOW).status) == (True, ExecutionStatus.TERMINATED)


def resumed(state: TaskState, *, due_at: datetime | None = None, **recorded: object) -> Drive:
    """A drive that takes over a record."""
    drive = drive_of()
    drive = Drive(execution=replace(drive.execution, stage=1), lease=drive.lease, world=drive.world, policy=Policy())
    drive.restore([TaskRecord(task=the_task(), waits=(), state=state, due_at=due_at, **recorded)], [], NOW)
    return drive
