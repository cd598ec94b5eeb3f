"""What holds for every plan of install and uninstall, whatever the blueprint and the states it starts from."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from groundplan.model.blueprint import Blueprint, NodeTemplate
from groundplan.model.deployment import InstanceState, NodeInstance
from groundplan.model.execution import Verdict
from groundplan.model.graph import TaskGraph, TaskKind
from groundplan.model.ids import InstanceId
from groundplan.planning.advance import Progress, Standing
from groundplan.planning.workflows.install import install
from groundplan.planning.workflows.uninstall import uninstall

from .builders import blueprint, instances_of, lifecycle, node, relationship

STEPS = ("precreate", "create", "configure", "start", "poststart", "prestop", "stop", "delete", "postdelete")
LINKS = ("preconfigure", "postconfigure", "establish", "unlink")


@st.composite
def nodes(draw: st.DrawFn, number: int) -> NodeTemplate:
    """A node that relates to some of those before it."""
    before = draw(st.lists(st.sampled_from(range(number)), max_size=3)) if number else []
    links = [
        relationship(
            draw(st.sampled_from(["depends_on", "connected_to"])),
            f"n{target}",
            source=" ".join(draw(st.sets(st.sampled_from(LINKS)))),
            of_target=" ".join(draw(st.sets(st.sampled_from(LINKS)))),
        )
        for target in before
    ]
    operations = lifecycle(*draw(st.sets(st.sampled_from(STEPS))))
    return node(f"n{number}", *links, operations=operations, instances=draw(st.integers(0, 3)))


@st.composite
def deployments(draw: st.DrawFn) -> tuple[Blueprint, list[NodeInstance]]:
    plan = blueprint(*(draw(nodes(number)) for number in range(draw(st.integers(1, 6)))))
    states = st.sampled_from(list(InstanceState))
    return plan, [structs.replace(item, state=draw(states)) for item in instances_of(plan)]


def walked(graph: TaskGraph) -> list[int]:
    """Numbers of the tasks in the order of a walk; every task must have its turn."""
    progress, order = Progress(graph), []
    step = progress.advance()
    while step.ready:
        order += step.ready
        step = progress.advance([(number, Verdict.SUCCEEDED) for number in step.ready])
    assert step.standing is Standing.SUCCEEDED
    assert len(order) == len(graph.tasks)
    return order


def spans(graph: TaskGraph, order: list[int]) -> dict[InstanceId, tuple[int, int]]:
    """When an instance's first task and its last had their turn."""
    found: dict[InstanceId, tuple[int, int]] = {}
    for turn, number in enumerate(order):
        instance = graph.tasks[number].instance
        found[instance] = (found.get(instance, (turn, turn))[0], turn)
    return found


@given(made=deployments(), data=st.data())
def test_install_takes_targets_first(made: tuple[Blueprint, list[NodeInstance]], data: st.DataObject) -> None:
    plan, instances = made
    selection = {item.id for item in instances if data.draw(st.booleans())}
    graph = install(plan, instances, selection=selection)
    turns = spans(graph, walked(graph))
    for instance in instances:
        for target in {item.target for item in instance.relationships} & selection:
            if instance.id in selection:
                assert turns[target][1] < turns[instance.id][0]
    ends = {task.instance for task in graph.tasks if task.kind is TaskKind.STATE}
    assert ends == selection


@given(made=deployments())
def test_uninstall_takes_targets_last(made: tuple[Blueprint, list[NodeInstance]]) -> None:
    plan, instances = made
    graph = uninstall(plan, instances)
    turns = spans(graph, walked(graph))
    for instance in instances:
        for target in {item.target for item in instance.relationships}:
            if instance.id in turns and target in turns:
                assert turns[instance.id][1] < turns[target][0]
    there = {item.id for item in instances if item.state is not InstanceState.DELETED}
    assert set(turns) == there


@given(made=deployments())
def test_only_what_does_something_becomes_a_task(made: tuple[Blueprint, list[NodeInstance]]) -> None:
    plan, instances = made
    for graph in (install(plan, instances), uninstall(plan, instances)):
        for task in graph.tasks:
            assert task.kind is TaskKind.STATE or task.operation.startswith("cloudify.interfaces.")
        assert [task.number for task in graph.tasks] == list(range(len(graph.tasks)))
