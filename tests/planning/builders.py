"""Small blueprints made of the model's nouns, for tests of planning."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count

from groundplan.model.blueprint import Blueprint, NodeTemplate, Operation, Relationship, Scalable, ScalingGroup
from groundplan.model.deployment import Deployment, NodeInstance
from groundplan.model.execution import Verdict
from groundplan.model.graph import TaskGraph
from groundplan.model.ids import BlueprintId, DeploymentId, Digest, ExecutionId, NodeId
from groundplan.model.types import Schema
from groundplan.model.values import Value, from_data
from groundplan.planning.advance import Progress
from groundplan.planning.instances import make_instances
from groundplan.planning.stages import Facts

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
R = "cloudify.relationships"
RUN = Operation(plugin="nop", operation="nop.tasks.run")


def lifecycle(*names: str, plugin: str = "nop", operation: str = "nop.tasks.run") -> dict[str, Operation]:
    """Lifecycle operations that do something; a dotted name is taken below `cloudify.interfaces`."""
    full = (name if "." in name else f"lifecycle.{name}" for name in names)
    return {f"cloudify.interfaces.{name}": Operation(plugin=plugin, operation=operation) for name in full}


def relationship(kind: str, target: str, source: str = "", of_target: str = "", **properties: Value) -> Relationship:
    """A relationship of a standard type; `source` and `of_target` name the operations of each side."""
    hierarchy = tuple(dict.fromkeys((f"{R}.depends_on", f"{R}.{kind}")))
    return Relationship(
        type=hierarchy[-1],
        target=NodeId(target),
        type_hierarchy=hierarchy,
        properties=properties,
        source_operations=lifecycle(*(f"relationship_lifecycle.{name}" for name in source.split())),
        target_operations=lifecycle(*(f"relationship_lifecycle.{name}" for name in of_target.split())),
    )


def node(
    name: str,
    *relationships: Relationship,
    operations: Mapping[str, Operation] | None = None,
    instances: Value = 1,
    host: bool = False,
    **properties: object,
) -> NodeTemplate:
    """A node template; its properties are plain data in which functions are recognised."""
    hierarchy = ("cloudify.nodes.Root", "cloudify.nodes.Compute") if host else ("cloudify.nodes.Root",)
    return NodeTemplate(
        name=NodeId(name),
        type=hierarchy[-1],
        type_hierarchy=hierarchy,
        properties={key: from_data(value) for key, value in properties.items()},
        operations=operations or {},
        relationships=relationships,
        instances=Scalable(default_instances=instances),
    )


def blueprint(
    *nodes: NodeTemplate,
    groups: Mapping[str, ScalingGroup] | None = None,
    inputs: Mapping[str, Schema] | None = None,
) -> Blueprint:
    """A blueprint of these nodes."""
    return Blueprint(
        version="cloudify_dsl_1_5",
        nodes={item.name: item for item in nodes},
        scaling_groups=groups or {},
        inputs=inputs or {},
    )


def numbered() -> Iterator[str]:
    """Endings of ids, in order."""
    return (f"{number:06}" for number in count(1))


def instances_of(plan: Blueprint, **counts: int) -> tuple[NodeInstance, ...]:
    """The instances of a blueprint, with ids like `web_000001`."""
    endings = numbered()
    return make_instances(plan, counts, lambda name: f"{name}_{next(endings)}")


def facts_of(plan: Blueprint, instances: Sequence[NodeInstance] | None = None, **more: object) -> Facts:
    """The facts of a workflow's first stage; new ids are like `web_new1`."""
    numbers = count(1)
    given = {
        "deployment": Deployment(id=DeploymentId("d1"), blueprint=BlueprintId("b"), digest=Digest("b"), created_at=NOW),
        "execution": ExecutionId("e1"),
        "now": NOW,
        "new_id": lambda name: f"{name}_new{next(numbers)}",
        **more,
    }
    return Facts(blueprint=plan, instances=instances_of(plan) if instances is None else instances, **given)


def walk(graph: TaskGraph) -> list[list[str]]:
    """The names of tasks (`db create`), in waves: each wave is what the ones before allow."""
    progress, waves = Progress(graph), []
    step = progress.advance()
    while step.ready:
        tasks = [graph.tasks[number - graph.first] for number in step.ready]
        waves.append(sorted(f"{task.instance.rpartition('_')[0]} {task.name}" for task in tasks))
        step = progress.advance((number, Verdict.SUCCEEDED) for number in step.ready)
    return waves
