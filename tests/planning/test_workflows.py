"""Workflows as blueprints name them: their parameters, stages and filters (spec 4.4, 5.7)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from msgspec import structs

from groundplan.model.blueprint import Blueprint, Workflow
from groundplan.model.deployment import InstanceState, NodeInstance
from groundplan.model.execution import Execution, ExecutionStatus
from groundplan.model.graph import TaskGraph
from groundplan.model.ids import DeploymentId, ExecutionId
from groundplan.model.values import Data, from_data
from groundplan.planning.faults import PlanningError
from groundplan.planning.workflows.contained import run_in_contained
from groundplan.planning.workflows.parameters import names
from groundplan.planning.workflows.table import WORKFLOWS, workflow_stages

from .builders import blueprint, facts_of, instances_of, lifecycle, node, relationship, walk

BOTH = lifecycle("start", "stop", "validation.check_status", "check_drift")


def planned(
    name: str, plan: Blueprint, instances: Sequence[NodeInstance] | None = None, **parameters: Data
) -> list[TaskGraph]:
    """All stages of a workflow, planned on instances that stay as they are."""
    stages = WORKFLOWS[f"cloudify.plugins.workflows.{name}"](parameters)
    facts = facts_of(plan, instances)
    graphs: list[TaskGraph] = []
    while (stage := stages.next(facts)) is not None:
        graphs.append(stage.graph)
        facts = replace(facts, stage=len(graphs), first=facts.first + len(stage.graph.tasks))
    return graphs


def chain_of_three() -> Blueprint:
    return blueprint(
        node("db", operations=BOTH),
        node("cache", relationship("depends_on", "db")),
        node("web", relationship("depends_on", "cache"), operations=BOTH),
    )


def test_reinstall_is_uninstall_and_then_install() -> None:
    plan = blueprint(node("db", operations=lifecycle("create", "delete")))
    instances = [structs.replace(item, state=InstanceState.STARTED) for item in instances_of(plan)]
    uninstalled, installed = planned("reinstall", plan, instances)
    assert [task.name for task in uninstalled.tasks] == ["delete", "deleted"]
    assert (installed.first, installed.tasks[-1].name) == (2, "started")


@pytest.mark.parametrize(
    ("name", "waves"),
    [
        ("start", [[["db start"], ["web start"]]]),
        ("stop", [[["web stop"], ["db stop"]]]),
        ("restart", [[["web stop"], ["db stop"]], [["db start"], ["web start"]]]),
        ("check_status", [[["db check_status", "web check_status"]]]),
        ("check_drift", [[["db check_drift"], ["web check_drift"]]]),
    ],
)
def test_workflows_of_one_operation_pass_over_nodes_without_it_and_keep_their_order(
    name: str, waves: list[list[list[str]]]
) -> None:
    assert [walk(graph) for graph in planned(name, chain_of_three())] == waves


def test_order_by_dependency_is_a_choice() -> None:
    assert walk(planned("start", chain_of_three(), run_by_dependency_order=False)[0]) == [["db start", "web start"]]


def test_states_are_not_touched() -> None:
    assert {(task.before, task.after) for task in planned("start", chain_of_three())[0].tasks} == {(None, None)}


def test_status_is_checked_once() -> None:
    assert {task.retries for task in planned("check_status", chain_of_three())[0].tasks} == {0}


def test_drift_of_relationships_is_checked_too() -> None:
    plan = blueprint(node("db"), node("web", relationship("connected_to", "db", source="check_drift")))
    assert walk(planned("check_drift", plan)[0]) == [["web check_drift"]]


def test_any_operation_with_arguments() -> None:
    (graph,) = planned(
        "execute_operation",
        chain_of_three(),
        operation="cloudify.interfaces.lifecycle.start",
        operation_kwargs={"a": 1},
    )
    assert [(task.name, task.arguments) for task in graph.tasks] == [("start", {"a": 1})] * 2


def test_an_operation_that_no_node_has_does_nothing() -> None:
    assert planned("execute_operation", chain_of_three(), operation="my.interface.nothing")[0].tasks == ()


def test_arguments_may_not_replace_inputs_unless_allowed() -> None:
    start = "cloudify.interfaces.lifecycle.start"
    operations = {start: structs.replace(BOTH[start], inputs={"a": from_data(1)})}
    plan = blueprint(node("db", operations=operations))
    with pytest.raises(PlanningError) as refused:
        planned("execute_operation", plan, operation=start, operation_kwargs={"a": 2})
    assert (refused.value.code, refused.value.path) == ("operation-arguments", "node_templates.db")
    allowed = planned("execute_operation", plan, operation=start, operation_kwargs={"a": 2}, allow_kwargs_override=True)
    assert len(allowed[0].tasks) == 1


@pytest.mark.parametrize(
    ("filters", "chosen"),
    [
        ({"node_ids": ["db"]}, ["db started"]),
        ({"type_names": ["cloudify.nodes.Compute"]}, ["vm started"]),
        ({"type_names": ["cloudify.nodes.Root"], "node_ids": []}, ["db started", "vm started"]),
        ({"type_names": ["cloudify.nodes.Compute"], "node_ids": ["db"]}, []),
        ({"node_instance_ids": ["vm_000002"]}, ["vm started"]),
    ],
)
def test_filters_choose_what_matches_all_of_them(filters: dict[str, Data], chosen: list[str]) -> None:
    plan = blueprint(node("db"), node("vm", host=True))
    assert walk(planned("install", plan, **filters)[0]) == ([chosen] if chosen else [])


ROLLED = lifecycle("create", "start", "prestop", "stop", "delete", "postdelete")


def caught() -> tuple[Blueprint, list[NodeInstance]]:
    """Four instances, each depending on the one before: started, starting, creating and untouched."""
    states = (InstanceState.STARTED, InstanceState.STARTING, InstanceState.CREATING, InstanceState.UNINITIALIZED)
    links = [()] + [(relationship("depends_on", name, source="unlink"),) for name in "abc"]
    plan = blueprint(*(node(name, *link, operations=ROLLED) for name, link in zip("abcd", links, strict=True)))
    return plan, [structs.replace(item, state=state) for item, state in zip(instances_of(plan), states, strict=True)]


def test_rollback_takes_back_what_was_caught_in_the_middle() -> None:
    plan, instances = caught()
    (graph,) = planned("rollback", plan, instances)
    assert walk(graph) == [
        ["c unlink"],
        ["c delete"],
        ["c postdelete"],
        ["c uninitialized"],
        ["b prestop"],
        ["b stop"],
        ["b configured"],
    ]
    assert all(task.ignore_failure for task in graph.tasks)
    changes = [(task.before, task.after) for task in graph.tasks if task.before or task.after]
    assert changes == [("stopping", None), (None, "configured"), ("deleting", None), (None, "uninitialized")]


def test_a_full_rollback_then_uninstalls_everything() -> None:
    plan, instances = caught()
    assert [task.name for task in planned("rollback", plan, instances, full_rollback=True)[1].tasks][-1] == "deleted"


def test_a_full_rollback_of_a_selection_leaves_the_rest() -> None:
    plan, instances = caught()
    chosen = instances[0]
    graphs = planned("rollback", plan, instances, full_rollback=True, node_instance_ids=[chosen.id])
    assert {task.instance for graph in graphs for task in graph.tasks if task.relationship is None} <= {chosen.id}


def test_a_flag_is_true_or_false() -> None:
    with pytest.raises(PlanningError, match="true or false is expected"):
        planned("uninstall", chain_of_three(), ignore_failure="no")


@pytest.mark.parametrize("given", [["a", "b"], '["a", "b"]', "a, b", "[a, b]"])
def test_names_are_a_list_or_text_that_reads_as_one(given: Data) -> None:
    assert names({"include": given}, "include") == ("a", "b")


@pytest.mark.parametrize("given", [1, [1], '["a"', {"a": 1}])
def test_what_is_no_list_of_names_is_told(given: Data) -> None:
    with pytest.raises(PlanningError, match="a list of names"):
        names({"include": given}, "include")


@pytest.mark.parametrize("given", ["many", True, 1.5, [1]])
def test_a_delta_is_a_whole_number(given: Data) -> None:
    with pytest.raises(PlanningError, match="a whole number is expected"):
        planned("scale", chain_of_three(), delta=given)


def test_deployments_are_uninstalled_after_those_that_need_them() -> None:
    graph = run_in_contained({"a": ["b"], "b": [], "c": ["a"]}, "uninstall", {}, first=7)
    assert [task.deployment for task in graph.tasks] == ["b", "a", "c"]
    assert [list(waits) for waits in graph.waits] == [[], [7], [8]]


def test_deployments_that_need_each_other_are_told() -> None:
    with pytest.raises(PlanningError, match="a -> b"):
        run_in_contained({"a": ["b"], "b": ["a"]}, "uninstall", {})


def test_workflows_are_found_by_what_the_blueprint_maps_them_to() -> None:
    names = {
        "install": "cloudify.plugins.workflows.install",
        "later": "cloudify.plugins.workflows.later",
        "mine": "my.module.workflow",
        "script": "script_runner.tasks.execute_workflow",
    }
    workflows = {name: Workflow(name=name, plugin="p", operation=operation) for name, operation in names.items()}
    plan = replace(blueprint(node("db")), workflows=workflows)
    facts = facts_of(plan)
    assert workflow_stages(plan, execution("install")).next(facts) is not None
    for name in ("mine", "script"):
        begun = workflow_stages(plan, execution(name)).next(facts)
        assert begun is not None
        assert list(begun.graph.tasks) == []
    for name, code in (("later", "unsupported-workflow"), ("instal", "unknown-workflow")):
        with pytest.raises(PlanningError) as refused:
            workflow_stages(plan, execution(name))
        assert refused.value.code == code


def execution(workflow: str) -> Execution:
    return Execution(
        id=ExecutionId("e1"),
        deployment=DeploymentId("d1"),
        workflow=workflow,
        status=ExecutionStatus.PENDING,
        created_at=datetime(2024, 1, 1, tzinfo=UTC),
    )
