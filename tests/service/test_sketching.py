"""Pictures of task graphs: as close as can be read, coloured by what matters most, and what is left out is said."""

from collections.abc import Sequence

from groundplan.model.execution import TaskState
from groundplan.model.graph import Task, TaskKind
from groundplan.model.ids import InstanceId
from groundplan.service.pictures.drawing import draw
from groundplan.service.pictures.mermaid import to_mermaid
from groundplan.service.pictures.picture import Kind, walk
from groundplan.service.pictures.sketching import By, Sketch, sketch
from groundplan.state.store import TaskRecord


def record(number: int, instance: str, state: str = "succeeded", *waits: int, operation: str = "") -> TaskRecord:
    """A task."""
    operation = operation or f"cloudify.interfaces.lifecycle.op{number}"
    task = Task(number=number, kind=TaskKind.OPERATION, instance=InstanceId(instance), operation=operation)
    return TaskRecord(task=task, waits=waits, state=TaskState(state))


def sketched(records: Sequence[TaskRecord], most: int) -> Sketch:
    """A sketch of tasks whose instances are called `NODE_NUMBER`."""
    return sketch("install", records, lambda instance: instance.rpartition("_")[0], most)


TASKS = [
    record(0, "vm_1"),
    record(1, "vm_2", "failed"),
    record(2, "web_1", "started", 0),
    record(3, "web_1", "pending", 2, 1),
    record(4, "web_1", "pending", 3, 0),
]


def test_tasks_stand_in_the_frames_of_their_instances_and_arrows_say_who_waits() -> None:
    found = sketched(TASKS, 10)
    assert (found.by, found.note) == (By.TASK, "")
    assert [(box.title, box.kind) for box in walk(found.picture.boxes)] == [
        ("vm_1", Kind.DONE),
        ("op0", Kind.DONE),
        ("vm_2", Kind.FAILED),
        ("op1", Kind.FAILED),
        ("web_1", Kind.RUNNING),
        ("op2", Kind.RUNNING),
        ("op3", Kind.PENDING),
        ("op4", Kind.PENDING),
    ]
    assert [(arrow.source, arrow.target) for arrow in found.picture.arrows] == [
        ("task 2", "task 0"),
        ("task 3", "task 2"),
        ("task 3", "task 1"),
        ("task 4", "task 3"),
        ("task 4", "task 0"),
    ]


def test_too_many_tasks_stand_by_instance_then_by_node_and_that_is_said() -> None:
    by_instance = sketched(TASKS, 3)
    assert by_instance.by is By.INSTANCE
    assert "one instance" in by_instance.note
    assert [(it.source, it.target) for it in by_instance.picture.arrows] == [("web_1", "vm_1"), ("web_1", "vm_2")]
    by_node = sketched(TASKS, 2)
    assert [(box.title, box.subtitle) for box in by_node.picture.boxes] == [
        ("vm ×2", "1 of 2 done, 1 failed"),
        ("web", "0 of 3 done, 1 running"),
    ]


def test_what_is_done_is_left_out_first() -> None:
    nodes = [record(i, f"n{i}_1", "succeeded" if i % 2 else "pending") for i in range(10)]
    found = sketched(nodes, 6)
    assert len(found.picture.boxes) == 6
    assert {box.id for box in found.picture.boxes if box.kind is Kind.PENDING} == {"n0", "n2", "n4", "n6", "n8"}
    assert "4 of 10 nodes are left out" in found.note


def test_an_operation_of_another_interface_shows_it() -> None:
    task = record(0, "vm_1", operation="cloudify.interfaces.validation.create").task
    assert task.label == "vm_1.validation.create"


def test_a_sketch_can_be_written_and_drawn() -> None:
    picture = sketched(TASKS, 10).picture
    assert "classDef failed" in to_mermaid(picture)
    assert b"op3" in draw(picture, "svg")
