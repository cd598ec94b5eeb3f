"""What every driver promises of failures, retries and time."""

import threading
import time

from msgspec import structs

from groundplan.model.execution import EventType, ExecutionStatus, Outcome, TaskState
from groundplan.runtime.attempt import Assignment

from ...planning.builders import blueprint, lifecycle, node
from ...proof.user import eventually
from ...runtime.rehearsal import DONE, Script, failed
from .stages import Stage, drive

ONE = blueprint(node("db", operations=lifecycle("create")))


def test_a_failed_operation_is_tried_again_as_often_as_the_policy_says_and_its_error_tells(stage: Stage) -> None:
    stage.rehearsal.deploy(ONE)
    script = Script(acts={"db create": lambda _: failed()})
    execution = stage.rehearsal.start()
    ended = drive(stage, execution, script, retries=2)
    assert script.ran == ["db create"] * 3
    assert (ended.status, ended.error) == (ExecutionStatus.FAILED, "db_000001 create: it broke [attempt 3]")
    [told] = [event.message for event in stage.rehearsal.events(execution) if event.type is EventType.TASK_FAILED]
    assert told.endswith("it broke [attempt 3]")


def test_an_attempt_knows_its_number(stage: Stage) -> None:
    stage.rehearsal.deploy(ONE)
    numbers: list[int] = []

    def once_more(assignment: Assignment) -> Outcome:
        numbers.append(assignment.number)
        return DONE if assignment.number == 3 else failed()

    assert drive(stage, stage.rehearsal.start(), Script(acts={"db create": once_more})).status == "terminated"
    assert numbers == [1, 2, 3]


def test_an_operation_that_asks_for_it_is_tried_again_later(stage: Stage) -> None:
    stage.rehearsal.deploy(ONE)
    moments: list[float] = []

    def later(assignment: Assignment) -> Outcome:
        moments.append(time.monotonic())
        return DONE if assignment.number == 2 else failed(retry_after=0.4)

    drive(stage, stage.rehearsal.start(), Script(acts={"db create": later}))
    assert moments[1] - moments[0] >= 0.4


def test_what_failed_for_good_is_not_tried_again(stage: Stage) -> None:
    stage.rehearsal.deploy(ONE)
    script = Script(acts={"db create": lambda _: failed(final=True)})
    assert drive(stage, stage.rehearsal.start(), script).status is ExecutionStatus.FAILED
    assert script.ran == ["db create"]


def test_an_independent_branch_goes_on_after_a_failure(stage: Stage) -> None:
    stage.rehearsal.deploy(
        blueprint(node("a", operations=lifecycle("create")), node("b", operations=lifecycle("create")))
    )
    execution = stage.rehearsal.start()
    drive(stage, execution, Script(acts={"a create": lambda _: failed(final=True)}))
    assert stage.rehearsal.states(execution) == {"a create": TaskState.FAILED, "b create": TaskState.SUCCEEDED}


def test_a_workflow_may_ignore_failures(stage: Stage) -> None:
    stage.rehearsal.deploy(blueprint(node("db", operations=lifecycle("create", "stop", "delete"))))
    drive(stage, stage.rehearsal.start())
    execution = stage.rehearsal.start(workflow="uninstall", parameters={"ignore_failure": True})
    ended = drive(stage, execution, Script(acts={"db stop": lambda _: failed(final=True)}))
    assert ended.status is ExecutionStatus.TERMINATED
    assert stage.rehearsal.states(execution)["db stop"] is TaskState.IGNORED


def test_an_attempt_that_takes_too_long_is_given_up_and_its_answer_dropped(stage: Stage) -> None:
    short = {key: structs.replace(it, timeout=0.2) for key, it in lifecycle("create").items()}
    stage.rehearsal.deploy(blueprint(node("db", operations=short)))
    late = threading.Event()

    def linger(assignment: Assignment) -> Outcome:
        if assignment.given_up.wait(20):
            late.set()
        return DONE

    ended = drive(stage, stage.rehearsal.start(), Script(acts={"db create": linger}))
    assert late.wait(20)
    assert ended.error == "db_000001 create: The attempt took longer than 0.2 s and was given up"


def test_a_timeout_may_be_recoverable(stage: Stage) -> None:
    created = lifecycle("create")
    short = {key: structs.replace(it, timeout=0.2, timeout_recoverable=True) for key, it in created.items()}
    stage.rehearsal.deploy(blueprint(node("db", operations=short)))

    def linger_once(assignment: Assignment) -> Outcome:
        if assignment.number == 1:
            assignment.given_up.wait(20)
        return DONE

    script = Script(acts={"db create": linger_once})
    assert drive(stage, stage.rehearsal.start(), script).status is ExecutionStatus.TERMINATED
    assert script.ran == ["db create"] * 2


def test_a_failed_execution_is_resumed_where_it_failed(stage: Stage) -> None:
    stage.rehearsal.deploy(blueprint(node("db", operations=lifecycle("create", "start"))))
    execution = stage.rehearsal.start()
    first = Script(acts={"db start": lambda _: failed(final=True)})
    assert drive(stage, execution, first).status is ExecutionStatus.FAILED
    with stage.rehearsal.store.transaction() as transaction:
        transaction.reset_tasks(execution, [stage.rehearsal.tasks(execution)["db start"].task.number])
    again = Script()
    assert drive(stage, execution, again).status is ExecutionStatus.TERMINATED
    assert again.ran == ["db start"]


def test_what_runs_gets_its_time_after_a_failure_and_no_more(stage: Stage) -> None:
    stage.rehearsal.deploy(blueprint(*(node(name, operations=lifecycle("create")) for name in ("db", "web"))))
    execution, began, go = stage.rehearsal.start(wait_after_fail=0.0), threading.Event(), threading.Event()
    given_up: list[bool] = []

    def linger(assignment: Assignment) -> Outcome:
        began.set()
        go.wait(60)
        given_up.append(assignment.given_up.is_set())
        return DONE

    def fail(_: Assignment) -> Outcome:
        began.wait(60)
        return failed(final=True)

    run = threading.Thread(
        target=drive, args=(stage, execution, Script(acts={"db create": linger, "web create": fail}))
    )
    run.start()
    eventually(lambda: stage.rehearsal.executions()[0].status is ExecutionStatus.FAILED)
    go.set()
    run.join(60)
    assert given_up == [False]
    (ended,) = stage.rehearsal.executions()
    assert "after the first failure" in ended.error
    assert "it broke" in ended.error
