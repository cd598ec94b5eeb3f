"""What uninstall plans (spec 5.4)."""

import pytest
from msgspec import structs

from groundplan.model.blueprint import Blueprint
from groundplan.model.deployment import InstanceState, NodeInstance
from groundplan.planning.workflows.uninstall import uninstall

from .builders import blueprint, instances_of, lifecycle, node, relationship, walk

ALL_STEPS = lifecycle(
    "validation.delete", "monitoring.stop", "prestop", "stop", "delete", "postdelete", "create", "start"
)


def started(plan: Blueprint, **states: InstanceState) -> tuple[NodeInstance, ...]:
    return tuple(
        structs.replace(item, state=states.get(item.node, InstanceState.STARTED)) for item in instances_of(plan)
    )


def steps_from(state: InstanceState) -> list[str]:
    plan = blueprint(node("db"), node("web", relationship("connected_to", "db", source="unlink"), operations=ALL_STEPS))
    instances = started(plan, web=state)
    web = {item.id for item in instances if item.node == "web"}
    return [task.name for task in uninstall(plan, instances, selection=web).tasks]


def test_the_steps_of_a_started_instance() -> None:
    assert steps_from(InstanceState.STARTED) == [
        *("delete", "stop", "prestop", "stop", "unlink", "delete", "postdelete", "deleted"),
    ]


@pytest.mark.parametrize(
    ("state", "steps"),
    [
        (InstanceState.CREATING, "delete stop prestop stop unlink delete postdelete deleted"),
        (InstanceState.STOPPED, "unlink delete postdelete deleted"),
        (InstanceState.CONFIGURED, "unlink delete postdelete deleted"),
        (InstanceState.DELETING, "unlink delete postdelete deleted"),
        (InstanceState.UNINITIALIZED, "deleted"),
        (InstanceState.DELETED, ""),
    ],
)
def test_what_is_not_there_is_not_removed(state: InstanceState, steps: str) -> None:
    assert steps_from(state) == steps.split()


def test_states_ride_on_the_operations() -> None:
    plan = blueprint(node("web", operations=lifecycle("prestop", "stop", "delete")))
    tasks = uninstall(plan, started(plan)).tasks
    assert [(task.name, task.before, task.after) for task in tasks] == [
        ("prestop", "stopping", None),
        ("stop", None, "stopped"),
        ("delete", "deleting", None),
        ("deleted", None, "deleted"),
    ]


def test_an_instance_goes_after_what_relates_to_it() -> None:
    plan = blueprint(node("db"), node("web", relationship("connected_to", "db")), node("idle"))
    assert walk(uninstall(plan, started(plan))) == [["idle deleted", "web deleted"], ["db deleted"]]


def test_the_order_holds_across_an_instance_that_is_gone() -> None:
    plan = blueprint(node("a"), node("b", relationship("depends_on", "a")), node("c", relationship("depends_on", "b")))
    assert walk(uninstall(plan, started(plan, b=InstanceState.DELETED))) == [["c deleted"], ["a deleted"]]


def test_relationships_are_unlinked_in_reverse_order() -> None:
    plan = blueprint(
        node("db"),
        node("cache"),
        node(
            "web",
            relationship("connected_to", "db", source="unlink"),
            relationship("connected_to", "cache", source="unlink"),
        ),
    )
    tasks = uninstall(plan, started(plan)).tasks
    assert [task.relationship.index for task in tasks if task.relationship] == [1, 0]


def test_ignoring_failures_marks_every_task() -> None:
    plan = blueprint(node("db"), node("web", relationship("connected_to", "db", source="unlink"), operations=ALL_STEPS))
    assert all(task.ignore_failure for task in uninstall(plan, started(plan), ignore_failure=True).tasks)


def test_neighbours_unlink_before_their_target_goes() -> None:
    link = relationship("connected_to", "db", source="unlink")
    plan = blueprint(node("db", operations=lifecycle("stop")), node("web", link), node("never", link))
    instances = started(plan, never=InstanceState.UNINITIALIZED)
    db = {item.id for item in instances if item.node == "db"}
    assert walk(uninstall(plan, instances, selection=db)) == [["web unlink"], ["db stop"], ["db deleted"]]


def test_a_partial_order_of_install_is_none_of_uninstall() -> None:
    plan = blueprint(node("db"), node("web", relationship("depends_on_lifecycle_operation", "db", operation="create")))
    assert walk(uninstall(plan, started(plan))) == [["db deleted", "web deleted"]]
