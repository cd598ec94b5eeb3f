"""What install plans: steps of one instance, states on the way, order between instances (spec 5.3)."""

import pytest
from msgspec import structs

from groundplan.model.deployment import InstanceState, NodeInstance
from groundplan.model.graph import Side, TaskKind
from groundplan.planning.faults import PlanningError
from groundplan.planning.workflows.install import install

from .builders import blueprint, instances_of, lifecycle, node, relationship, walk

ALL_STEPS = lifecycle(
    "validation.create", "precreate", "create", "configure", "start", "poststart", "monitoring.start", "delete", "stop"
)


def in_state(instances: tuple[NodeInstance, ...], **states: InstanceState) -> tuple[NodeInstance, ...]:
    return tuple(structs.replace(item, state=states.get(item.node, item.state)) for item in instances)


def steps_from(state: InstanceState) -> list[str]:
    link = relationship("connected_to", "db", source="preconfigure postconfigure establish unlink")
    plan = blueprint(node("db"), node("web", link, operations=ALL_STEPS))
    instances = in_state(instances_of(plan), web=state)
    web = {item.id for item in instances if item.node == "web"}
    return [task.name for task in install(plan, instances, selection=web).tasks]


def test_the_steps_of_a_new_instance() -> None:
    assert steps_from(InstanceState.UNINITIALIZED) == [
        *("create", "precreate", "create", "preconfigure", "configure", "postconfigure"),
        *("start", "poststart", "start", "establish", "started"),
    ]


@pytest.mark.parametrize(
    ("state", "first"),
    [
        (InstanceState.INITIALIZING, "create precreate create preconfigure"),
        (InstanceState.DELETED, "create precreate create preconfigure"),
        (InstanceState.CREATING, "create preconfigure"),
        (InstanceState.CREATED, "preconfigure configure"),
        (InstanceState.CONFIGURING, "preconfigure configure"),
        (InstanceState.CONFIGURED, "postconfigure start"),
        (InstanceState.STARTING, "postconfigure start"),
        (InstanceState.STARTED, "started"),
    ],
)
def test_what_an_earlier_run_completed_is_left_out(state: InstanceState, first: str) -> None:
    names = first.split()
    assert steps_from(state)[: len(names)] == names


def test_states_ride_on_the_operations() -> None:
    plan = blueprint(node("web", operations=lifecycle("precreate", "create", "configure", "start")))
    tasks = install(plan, instances_of(plan)).tasks
    assert [(task.name, task.before, task.after) for task in tasks] == [
        ("precreate", "initializing", None),
        ("create", "creating", "created"),
        ("configure", "configuring", "configured"),
        ("start", "starting", None),
        ("started", None, "started"),
    ]


@pytest.mark.parametrize("linked", ["", "preconfigure", "establish"])
def test_an_install_begins_with_its_first_task_whatever_that_is(linked: str) -> None:
    plan = blueprint(
        node("db"), node("web", relationship("connected_to", "db", source=linked), operations=lifecycle("poststart"))
    )
    web = [task for task in install(plan, instances_of(plan)).tasks if task.instance.startswith("web")]
    assert [task.before for task in web] == ["initializing", *[None] * (len(web) - 1)]


def test_a_state_once_reached_is_not_set_back() -> None:
    plan = blueprint(node("db"), node("web", relationship("connected_to", "db", source="preconfigure")))
    instances = in_state(instances_of(plan), web=InstanceState.CREATED)
    assert [task.before for task in install(plan, instances).tasks if task.name == "preconfigure"] == [None]


def test_a_node_without_operations_is_marked_started() -> None:
    plan = blueprint(node("idea"))
    graph = install(plan, instances_of(plan))
    assert [(task.kind, task.after) for task in graph.tasks] == [(TaskKind.STATE, InstanceState.STARTED)]


def test_an_instance_waits_for_all_its_targets() -> None:
    plan = blueprint(
        node("network", operations=lifecycle("create")),
        node("db", relationship("depends_on", "network"), operations=lifecycle("create")),
        node("store", relationship("depends_on", "network"), operations=lifecycle("create")),
        node("app", relationship("connected_to", "db"), relationship("connected_to", "store")),
    )
    assert walk(install(plan, instances_of(plan))) == [
        ["network create"],
        ["network started"],
        ["db create", "store create"],
        ["db started", "store started"],
        ["app started"],
    ]


def test_unrelated_instances_run_side_by_side() -> None:
    plan = blueprint(node("a", operations=lifecycle("create")), node("b", operations=lifecycle("create"), instances=2))
    assert walk(install(plan, instances_of(plan)))[0] == ["a create", "b create", "b create"]


def test_both_sides_of_relationships_to_one_node_run_together_and_batches_one_by_one() -> None:
    both = {"source": "establish", "of_target": "establish"}
    plan = blueprint(
        node("db", instances=2),
        node("cache"),
        node("web", relationship("connected_to", "db", **both), relationship("connected_to", "cache", **both)),
    )
    graph = install(plan, instances_of(plan))
    waves = [wave for wave in walk(graph) if "web establish" in wave]
    assert waves == [["web establish"] * 4, ["web establish"] * 2]
    sides = {(task.relationship.side, task.relationship.index) for task in graph.tasks if task.relationship}
    assert sides == {(Side.SOURCE, 0), (Side.TARGET, 0), (Side.SOURCE, 1), (Side.TARGET, 1)}


def test_two_relationships_to_one_target_both_run() -> None:
    plan = blueprint(
        node("db"),
        node(
            "web",
            relationship("connected_to", "db", source="establish"),
            relationship("depends_on", "db", source="establish"),
        ),
    )
    tasks = install(plan, instances_of(plan)).tasks
    assert [task.relationship.index for task in tasks if task.relationship] == [0, 1]


def test_waiting_for_one_operation_of_the_target_only() -> None:
    plan = blueprint(
        node("db", operations=lifecycle("create", "start")),
        node("web", relationship("depends_on_lifecycle_operation", "db", operation="create"), operations=ALL_STEPS),
    )
    waves = walk(install(plan, instances_of(plan)))
    assert waves[:2] == [["db create"], ["db start", "web create"]]


def test_waiting_for_an_operation_that_does_nothing_is_no_order() -> None:
    plan = blueprint(
        node("db", operations=lifecycle("start")),
        node("web", relationship("depends_on_lifecycle_operation", "db", operation="create")),
    )
    assert walk(install(plan, instances_of(plan)))[0] == ["db start", "web started"]


def test_operations_on_child_deployments_are_the_engines_own() -> None:
    operations = lifecycle("create", plugin="cfy_extensions", operation="cloudify_types.component.upload_blueprint")
    plan = blueprint(node("child", operations=operations))
    assert install(plan, instances_of(plan)).tasks[0].kind is TaskKind.CHILD


def test_a_selection_is_installed_alone_and_its_running_neighbours_establish_anew() -> None:
    link = relationship("connected_to", "db", source="establish")
    plan = blueprint(node("db", operations=lifecycle("create")), node("web", link), node("idle", link))
    instances = in_state(instances_of(plan), web=InstanceState.STARTED)
    db = {item.id for item in instances if item.node == "db"}
    assert walk(install(plan, instances, selection=db)) == [["db create"], ["db started"], ["web establish"]]


def test_the_order_holds_across_an_instance_that_is_not_selected() -> None:
    plan = blueprint(node("a"), node("b", relationship("depends_on", "a")), node("c", relationship("depends_on", "b")))
    instances = instances_of(plan)
    selection = {item.id for item in instances if item.node != "b"}
    assert walk(install(plan, instances, selection=selection)) == [["a started"], ["c started"]]


def test_numbers_go_on_from_the_first() -> None:
    plan = blueprint(node("a"), node("b", relationship("depends_on", "a")))
    graph = install(plan, instances_of(plan), first=10)
    assert [task.number for task in graph.tasks] == [10, 11]
    assert graph.waits == ((), (10,))


def test_instances_that_wait_for_each_other_are_named() -> None:
    plan = blueprint(node("a", relationship("depends_on", "b")), node("b", relationship("depends_on", "a")))
    with pytest.raises(PlanningError, match=r"a_\d+ waits for b_\d+ waits for a_\d+") as refused:
        install(plan, instances_of(plan))
    assert refused.value.code == "dependency-cycle"
