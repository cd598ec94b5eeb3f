"""What every driver promises of order and of the record."""

import threading

from msgspec import structs

from groundplan.model.deployment import InstanceState
from groundplan.model.execution import EventType, ExecutionStatus, Outcome, TaskState
from groundplan.model.ids import InstanceId
from groundplan.runtime.attempt import Assignment

from ...planning.builders import blueprint, lifecycle, node, relationship
from ...runtime.rehearsal import DONE, Script, failed
from .stages import Stage, drive

ONE = blueprint(node("db", operations=lifecycle("create", "start")))
TWO = blueprint(
    node("db", operations=lifecycle("create")),
    node("web", relationship("depends_on", "db"), operations=lifecycle("create")),
)
TOLD = {
    EventType.WORKFLOW_STARTED,
    EventType.TASK_STARTED,
    EventType.TASK_SUCCEEDED,
    EventType.TASK_RESCHEDULED,
    EventType.TASK_FAILED,
    EventType.WORKFLOW_NODE_EVENT,
    EventType.WORKFLOW_SUCCEEDED,
    EventType.WORKFLOW_FAILED,
}


def test_an_install_runs_every_operation_and_starts_the_instances(stage: Stage) -> None:
    stage.rehearsal.deploy(TWO)
    script = Script()
    ended = drive(stage, stage.rehearsal.start(), script)
    assert ended.status is ExecutionStatus.TERMINATED
    assert script.ran == ["db create", "web create"]
    assert {item.state for item in stage.rehearsal.instances().values()} == {InstanceState.STARTED}


def test_the_start_of_an_attempt_is_committed_before_it_runs(stage: Stage) -> None:
    stage.rehearsal.deploy(ONE)
    execution = stage.rehearsal.start()
    seen: list[tuple[TaskState, int]] = []

    def look(_: Assignment) -> Outcome:
        found = stage.rehearsal.tasks(execution)["db create"]
        seen.append((found.state, found.attempts))
        return DONE

    drive(stage, execution, Script(acts={"db create": look}))
    assert seen == [(TaskState.STARTED, 1)]


def test_a_successor_starts_only_after_the_outcome_is_committed(stage: Stage) -> None:
    stage.rehearsal.deploy(TWO)
    execution = stage.rehearsal.start()
    seen: list[TaskState] = []

    def look(_: Assignment) -> Outcome:
        seen.append(stage.rehearsal.states(execution)["db create"])
        return DONE

    drive(stage, execution, Script(acts={"web create": look}))
    assert seen == [TaskState.SUCCEEDED]


def test_runtime_properties_reach_the_next_operation(stage: Stage) -> None:
    stage.rehearsal.deploy(TWO)
    db = InstanceId("db_000001")
    seen: list[object] = []

    def look(assignment: Assignment) -> Outcome:
        seen.append(assignment.world.instance(db).runtime_properties)
        return DONE

    make = structs.replace(DONE, runtime_properties={db: {"ip": "10.0.0.1"}})
    drive(stage, stage.rehearsal.start(), Script(acts={"db create": lambda _: make, "web create": look}))
    assert seen == [{"ip": "10.0.0.1"}]
    assert stage.rehearsal.instances()["db"].runtime_properties == {"ip": "10.0.0.1"}


def test_the_same_is_told(stage: Stage) -> None:
    stage.rehearsal.deploy(ONE)
    execution = stage.rehearsal.start()
    drive(stage, execution, Script(acts={"db create": lambda it: DONE if it.number == 2 else failed()}))
    assert [str(event.type) for event in stage.rehearsal.events(execution) if event.type in TOLD] == [
        "workflow_started",
        "workflow_node_event",
        "task_started",
        "task_rescheduled",
        "workflow_node_event",
        "task_started",
        "task_succeeded",
        "workflow_node_event",
        "workflow_node_event",
        "task_started",
        "task_succeeded",
        "workflow_node_event",
        "workflow_succeeded",
    ]


def test_what_is_committed_is_told_to_the_watch(stage: Stage) -> None:
    stage.rehearsal.deploy(TWO)
    drive(stage, stage.rehearsal.start())
    batches = stage.rehearsal.seen.batches
    told = [event.type for batch in batches for event in batch.events]
    states = {id_: change.state for batch in batches for id_, change in batch.instances.items() if change.state}
    assert told.count(EventType.TASK_SUCCEEDED) == 2
    assert set(states.values()) == {InstanceState.STARTED}
    assert [batch.end.status for batch in batches if batch.end] == [ExecutionStatus.TERMINATED]


def test_a_dry_run_ends_well_and_changes_no_instance(stage: Stage) -> None:
    stage.rehearsal.deploy(ONE)
    assert drive(stage, stage.rehearsal.start(is_dry_run=True)).status is ExecutionStatus.TERMINATED


def test_at_most_as_many_run_at_once_as_there_are_slots(stage: Stage) -> None:
    names = [f"n{number}" for number in range(6)]
    stage.rehearsal.deploy(blueprint(*(node(name, operations=lifecycle("create")) for name in names)))
    lock, running, most = threading.Lock(), [0], [0]
    meet = threading.Barrier(2, timeout=20)

    def run(_: Assignment) -> Outcome:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        meet.wait()
        with lock:
            running[0] -= 1
        return DONE

    drive(stage, stage.rehearsal.start(), Script(acts={f"{name} create": run for name in names}), workers=2)
    assert most == [2]
