"""Stages at the driver: what a workflow looks at and reshapes, how it goes on after failures, and kills between."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from msgspec import structs

from groundplan.model.deployment import NodeInstance
from groundplan.model.execution import EventType, ExecutionStatus, TaskState
from groundplan.model.graph import Task, TaskGraph, TaskKind
from groundplan.model.ids import InstanceId, NodeId
from groundplan.model.reshape import Reshape
from groundplan.model.values import Sensitive
from groundplan.planning.faults import PlanningError
from groundplan.planning.stages import Facts, Stage
from groundplan.state.store import Batch

from ..planning.builders import blueprint, lifecycle, node
from .rehearsal import DONE, Rehearsal, Script, failed

PLAN = blueprint(node("db", operations=lifecycle("create", "start", "stop")))
DB = InstanceId("db_000001")


@dataclass(kw_only=True, slots=True)
class Told:
    """A workflow whose stages stand in the test; it keeps the facts that it was given."""

    stages: Sequence[Callable[[Facts], Stage | None]]
    facts: list[Facts] = field(default_factory=list)

    def next(self, facts: Facts) -> Stage | None:
        """Plan the stage that is due."""
        self.facts.append(facts)
        return self.stages[facts.stage](facts) if facts.stage < len(self.stages) else None


def run(facts: Facts, *names: str, instance: InstanceId = DB, **more: object) -> Stage:
    """A stage of operations one after the other."""
    tasks = [
        Task(
            number=number, kind=TaskKind.OPERATION, instance=instance, operation=f"cloudify.interfaces.lifecycle.{name}"
        )
        for number, name in enumerate(names, facts.first)
    ]
    waits = [() if number == facts.first else (number - 1,) for number in range(facts.first, facts.first + len(names))]
    return Stage(graph=TaskGraph(tasks=tasks, waits=waits, first=facts.first), **more)


def grow(facts: Facts) -> Stage:
    """Add an instance and create it."""
    made = NodeInstance(id=InstanceId(facts.new_id("db")), node=NodeId("db"), index=2)
    return run(facts, "create", instance=made.id, reshape=Reshape(added=(made,)))


def test_a_stage_sees_what_came_of_those_before(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(PLAN, port=1)
    workflow = rehearsal.stages = Told(stages=[lambda facts: run(facts, "create", "start")])
    seen: list[tuple[object, ...]] = []

    def look(facts: Facts) -> None:
        seen.extend((it.stage, it.task.name, it.state, it.result, it.error) for it in facts.ended)

    workflow.stages = [*workflow.stages, look]
    acts = {
        "db create": lambda _: structs.replace(DONE, result=Sensitive("word")),
        "db start": lambda _: failed("no luck", final=True),
    }
    execution = rehearsal.start()
    rehearsal.drive(execution, Script(acts=acts))
    assert seen == [
        (0, "create", TaskState.SUCCEEDED, Sensitive("word"), ""),
        (0, "start", TaskState.FAILED, None, "no luck"),
    ]
    first, second = workflow.facts
    assert (first.failed, second.failed, second.first, second.execution) == (False, True, 2, execution)
    assert (second.deployment.id, second.deployment.inputs) == ("shop", {"port": 1})


def test_what_a_stage_adds_is_there_for_its_tasks(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(PLAN)
    rehearsal.stages = Told(stages=[lambda facts: run(facts, "create"), grow])
    seen: list[bool] = []
    script = Script(acts={"db create": lambda it: seen.append(it.world.instance(it.task.instance) is not None) or DONE})
    assert rehearsal.drive(rehearsal.start(), script).status is ExecutionStatus.TERMINATED
    assert (len(seen), ids_of(rehearsal)) == (2, [DB, "db_new1"])


def ids_of(rehearsal: Rehearsal) -> list[str]:
    """The instances that the store knows."""
    with rehearsal.store.snapshot() as snapshot:
        return [item.id for item in snapshot.instances("shop")]


def test_a_stage_without_tasks_does_not_hold_the_walk_up(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(PLAN)
    gone = Reshape(removed=frozenset({DB}))
    rehearsal.stages = Told(stages=[lambda facts: run(facts, "stop"), lambda facts: run(facts, reshape=gone)])
    assert rehearsal.drive(rehearsal.start()).status is ExecutionStatus.TERMINATED
    assert ids_of(rehearsal) == []


def test_a_dry_run_reshapes_nothing_in_the_store(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(PLAN)
    rehearsal.stages = Told(stages=[grow])
    assert rehearsal.drive(rehearsal.start(is_dry_run=True)).status is ExecutionStatus.TERMINATED
    assert ids_of(rehearsal) == [DB]


def test_a_workflow_takes_back_what_failed_and_the_execution_ends_with_the_first_error(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(PLAN)
    rehearsal.stages = Told(stages=[lambda facts: run(facts, "create", "start"), lambda facts: run(facts, "stop")])
    script = Script(acts={"db create": lambda _: failed("no room", final=True)})
    ended = rehearsal.drive(rehearsal.start(), script)
    assert script.ran == ["db create", "db stop"]
    assert (ended.status, ended.error) == (ExecutionStatus.FAILED, "db_000001 create: no room")


def test_a_stage_that_makes_up_for_failures_forgives_them(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(PLAN)
    second = Told(stages=[lambda it: run(it, "create", "start"), lambda it: run(it, "stop", forgives=it.failed)])
    rehearsal.stages = second
    script = Script(acts={"db create": lambda _: failed(final=True)})
    assert rehearsal.drive(rehearsal.start(), script).status is ExecutionStatus.TERMINATED
    assert [facts.failed for facts in second.facts] == [False, True, False]


def test_a_stage_that_cannot_be_planned_fails_the_execution_with_what_failed_before(rehearsal: Rehearsal) -> None:
    def refuse(_: Facts) -> Stage:
        raise PlanningError("no", "It may not be reinstalled.")

    rehearsal.deploy(PLAN)
    rehearsal.stages = Told(stages=[lambda facts: run(facts, "create"), refuse])
    ended = rehearsal.drive(rehearsal.start(), Script(acts={"db create": lambda _: failed(final=True)}))
    assert ended.error.splitlines() == ["It may not be reinstalled.", "db_000001 create: it broke"]


class Killed(Exception):
    """The process ends here."""


def stop_at(stage: int) -> Callable[[Batch], None]:
    """Die when the beginning of a stage has been committed, before any of its tasks runs."""

    def look(batch: Batch) -> None:
        if any(it.type is EventType.WORKFLOW_STAGE and it.message.startswith(f"Stage {stage}") for it in batch.events):
            raise Killed

    return look


def test_a_resume_between_stages_finds_the_stage_that_was_recorded(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(PLAN)
    rehearsal.stages = Told(stages=[lambda facts: run(facts, "create"), grow])
    rehearsal.seen.look = stop_at(2)
    script, execution = Script(), rehearsal.start()
    with pytest.raises(Killed):
        rehearsal.drive(execution, script)
    assert ids_of(rehearsal) == [DB, "db_new1"]
    rehearsal.seen.look = lambda _: None
    assert rehearsal.drive(execution, script).status is ExecutionStatus.TERMINATED
    assert (script.ran, ids_of(rehearsal)) == (["db create"] * 2, [DB, "db_new1"])


@pytest.mark.parametrize("forgives", [True, False])
def test_a_resume_leaves_what_failed_before_a_later_stage(rehearsal: Rehearsal, forgives: bool) -> None:
    rehearsal.deploy(PLAN)
    second = [lambda it: run(it, "create", "start"), lambda it: run(it, "stop", forgives=forgives)]
    rehearsal.stages = Told(stages=second)
    rehearsal.seen.look = stop_at(2)
    script, execution = Script(acts={"db create": lambda _: failed("no room", final=True)}), rehearsal.start()
    with pytest.raises(Killed):
        rehearsal.drive(execution, script)
    rehearsal.seen.look = lambda _: None
    ended = rehearsal.drive(execution, script)
    assert script.ran == ["db create", "db stop"]
    assert ended.error == ("" if forgives else "db_000001 create: no room")
