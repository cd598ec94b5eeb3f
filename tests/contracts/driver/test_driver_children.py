"""What every driver promises of child executions: driven as well, and their end finishes the task that waits."""

import sqlite3
from contextlib import closing
from pathlib import Path

from groundplan.model.execution import ExecutionStatus, Outcome, ParentTask, TaskState, Verdict
from groundplan.model.ids import ExecutionId
from groundplan.runtime.attempt import Assignment

from ...planning.builders import blueprint, lifecycle, node
from ...runtime.rehearsal import Script, failed
from .stages import Stage, drive

ONE = blueprint(node("db", operations=lifecycle("create", "start")))


def test_a_child_is_driven_and_its_end_finishes_the_task(stage: Stage) -> None:
    parent = with_child(stage)
    script = starting_child(stage)
    assert drive(stage, parent, script).status is ExecutionStatus.TERMINATED
    assert script.ran == ["db create", "inside create", "db start"]
    assert [item.status for item in stage.rehearsal.executions()] == [ExecutionStatus.TERMINATED] * 2
    assert set(stage.rehearsal.states(parent).values()) == {TaskState.SUCCEEDED}


def test_a_failed_child_fails_the_task_that_waits(stage: Stage) -> None:
    parent = with_child(stage)
    script = starting_child(stage)
    script.acts = {**script.acts, "inside create": lambda _: failed(final=True)}
    ended = drive(stage, parent, script)
    assert (ended.status, ended.error) == (ExecutionStatus.FAILED, "db_000001 create: child failed")


def test_a_child_without_the_plan_of_its_blueprint_fails_the_task_that_waits(stage: Stage, tmp_path: Path) -> None:
    parent = with_child(stage)
    with closing(sqlite3.connect(tmp_path / "state.db")) as store, store:
        store.execute("DELETE FROM plans WHERE digest = 'inner'")
    ended = drive(stage, parent, starting_child(stage))
    assert (ended.status, ended.error) == (ExecutionStatus.FAILED, "db_000001 create: child failed")
    child = stage.rehearsal.executions()[-1]
    assert child.error.startswith("The store has no plan")


def test_a_task_gives_up_a_child_that_takes_too_long(stage: Stage) -> None:
    parent = with_child(stage)
    script = starting_child(stage, limit=0.3)

    def wait_for_parent(assignment: Assignment) -> Outcome:
        for _ in range(400):
            if stage.rehearsal.states(parent)["db create"] is TaskState.FAILED:
                break
            assignment.given_up.wait(0.05)
        return Outcome(verdict=Verdict.SUCCEEDED)

    script.acts = {**script.acts, "inside create": wait_for_parent}
    assert drive(stage, parent, script).status is ExecutionStatus.FAILED


def with_child(stage: Stage) -> ExecutionId:
    """A deployment whose create step is to start an execution of another one."""
    stage.rehearsal.deploy(ONE)
    stage.rehearsal.deploy(blueprint(node("inside", operations=lifecycle("create"))), "inner")
    return stage.rehearsal.start()


def starting_child(stage: Stage, limit: float | None = None) -> Script:
    """A script whose `db create` starts an install of the inner deployment and waits for it."""

    def create(assignment: Assignment) -> Outcome:
        task = ParentTask(execution=assignment.execution.id, task=assignment.task.number)
        child = stage.rehearsal.start("inner", parent=task)
        return Outcome(verdict=Verdict.WAITING, waits_for=child, wait_limit=limit)

    return Script(acts={"db create": create})
