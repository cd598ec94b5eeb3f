"""The tasks behind a request of a custom workflow (spec 7.5); what it names is checked against the deployment."""

from collections.abc import Callable, Mapping, Sequence

from groundplan.model.blueprint import Blueprint, Operation, short_operations
from groundplan.model.deployment import InstanceState, NodeInstance
from groundplan.model.graph import RelationshipRef, Side, Task, TaskGraph, TaskKind
from groundplan.model.ids import InstanceId
from groundplan.model.requests import (
    AnyRequest,
    LifecycleRequest,
    LocalRequest,
    OperationRequest,
    StateRequest,
)
from groundplan.model.values import Data, quote
from groundplan.planning.faults import PlanningError
from groundplan.planning.lifecycle import is_child_operation
from groundplan.planning.workflows.install import install
from groundplan.planning.workflows.uninstall import uninstall


def requested(
    blueprint: Blueprint,
    instances: Mapping[InstanceId, NodeInstance],
    request: AnyRequest,
    first: int,
    *,
    name: str,
    mark: Callable[[Data], Data],
) -> TaskGraph:
    """Return the tasks of a request, numbered from `first`; at least one, so that every request is recorded.

    Args:
        name: of the request, secrets masked.
        mark: makes known secrets in arguments `Sensitive`.

    Raises:
        PlanningError: `workflow-request` when it names what is not there, or asks for what is not allowed.
    """
    tasks, waits = _tasks(blueprint, instances, request, first, name, mark)
    if not tasks:
        tasks, waits = [_kept(request, first, name)], [()]
    label = f"{request.number} {name}"
    return TaskGraph(tasks=[task.asked_for_by(label) for task in tasks], waits=list(waits), first=first)


def is_settled_at_once(task: Task) -> bool:
    """Whether a task of a custom workflow holds only what it was shown: nothing is to be run for it."""
    return task.kind is TaskKind.LOCAL and not task.operation.startswith("function ")


def _tasks(
    blueprint: Blueprint,
    instances: Mapping[InstanceId, NodeInstance],
    request: AnyRequest,
    first: int,
    name: str,
    mark: Callable[[Data], Data],
) -> tuple[Sequence[Task], Sequence[Sequence[int]]]:
    if isinstance(request, LifecycleRequest):
        graph = _lifecycle(blueprint, instances, request, first)
        return list(graph.tasks), list(graph.waits)
    if isinstance(request, OperationRequest):
        return [_operation(blueprint, instances, request, first, mark)], [()]
    if isinstance(request, StateRequest):
        instance = _instance(instances, request.instance)
        return [Task(number=first, kind=TaskKind.STATE, instance=instance.id, after=_state(request.state))], [()]
    if isinstance(request, LocalRequest):
        return [_kept(request, first, name)], [()]
    named = getattr(request, "instance", "")
    if named:
        _instance(instances, named)
    return [], []


def _kept(request: AnyRequest, number: int, name: str) -> Task:
    instance = getattr(request, "instance", "")
    ignored = isinstance(request, LocalRequest) and request.handled
    return Task(
        number=number,
        kind=TaskKind.LOCAL,
        instance=InstanceId(instance),
        operation=name,
        ignore_failure=ignored,
    )


def _operation(
    blueprint: Blueprint,
    instances: Mapping[InstanceId, NodeInstance],
    request: OperationRequest,
    number: int,
    mark: Callable[[Data], Data],
) -> Task:
    instance = _instance(instances, request.instance)
    node = blueprint.nodes[instance.node]
    reference: RelationshipRef | None = None
    operations = node.operations
    if request.relationship is not None:
        if request.relationship >= len(instance.relationships):
            raise _refused(f"{instance.id} has no relationship {request.relationship}")
        item = instance.relationships[request.relationship]
        relationship = node.relationships[item.index]
        reference = RelationshipRef(index=item.index, source=instance.id, target=item.target, side=request.side)
        ours = relationship.source_operations, relationship.target_operations
        operations = ours[request.side is Side.TARGET]
    known = dict(operations)
    full = request.operation
    if full not in known:
        short = dict(short_operations(operations))
        full = next((name for name, each in known.items() if each is short.get(request.operation)), "")
    operation = known.get(full)
    if operation is None or operation.is_nop:
        raise _refused(f"{instance.id} has no operation {request.operation!r} that does something")
    _refuse_overrides(instance, operation, request)
    return Task(
        number=number,
        kind=TaskKind.CHILD if is_child_operation(operation) else TaskKind.OPERATION,
        instance=instance.id,
        operation=full,
        relationship=reference,
        ignore_failure=request.handled,
        # What a workflow's process says is data: a mapping that looks like a function is none.
        arguments={name: quote(value) for name, value in mark(request.arguments).items()},
    )


def _refuse_overrides(instance: NodeInstance, operation: Operation, request: OperationRequest) -> None:
    clashing = sorted(request.arguments.keys() & operation.inputs.keys())
    if clashing and not request.allow_override:
        raise _refused(
            f"the blueprint defines {', '.join(clashing)} for {request.operation!r} of {instance.id} already; "
            "leave them out, or say allow_kwargs_override"
        )


def _lifecycle(
    blueprint: Blueprint, instances: Mapping[InstanceId, NodeInstance], request: LifecycleRequest, first: int
) -> TaskGraph:
    chosen = {_instance(instances, each).id for each in request.instances}
    everything = tuple(instances.values())
    if request.workflow == "install":
        return install(blueprint, everything, selection=chosen, first=first)
    return uninstall(blueprint, everything, ignore_failure=request.ignore_failure, selection=chosen, first=first)


def _instance(instances: Mapping[InstanceId, NodeInstance], id: str) -> NodeInstance:
    found = instances.get(InstanceId(id))
    if found is None:
        raise _refused(f"there is no node instance {id!r}")
    return found


def _state(name: str) -> InstanceState:
    try:
        return InstanceState(name)
    except ValueError:
        known = ", ".join(InstanceState)
        raise _refused(f"{name!r} is no state of a node instance; there are {known}") from None


def _refused(message: str) -> PlanningError:
    return PlanningError("workflow-request", message)
