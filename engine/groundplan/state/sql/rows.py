"""Nouns from rows: one function per table, used by reads; the writers next door make the rows."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache, lru_cache
from typing import Any, Final

from sqlalchemy import Column, Row, Table

from groundplan.model.deployment import (
    Dependency,
    DependencyKind,
    Deployment,
    GroupMembership,
    InstanceState,
    Modification,
    NodeInstance,
    Owner,
    RelationshipInstance,
    Scaling,
)
from groundplan.model.execution import Event, EventType, Execution, ExecutionStatus, ParentTask, TaskState
from groundplan.model.graph import RelationshipRef, Side, Task, TaskKind
from groundplan.model.ids import BlueprintId, DeploymentId, Digest, ExecutionGroupId, ExecutionId, InstanceId, NodeId
from groundplan.model.plugin import PluginManifest, StandIn
from groundplan.model.schedule import Arguments, Rule, Schedule, ScheduleId, Worker, WorkerState
from groundplan.state.seal import Seal
from groundplan.state.sql import schema
from groundplan.state.sql.codec import (
    from_json,
    open_data,
    seal_data,
    to_json,
    to_moment,
    to_moment_or_none,
    to_seconds,
    waits_from_json,
)
from groundplan.state.store import StageRecord, StoredBlueprint, TaskRecord

# To look a name up costs a third of asking the enumeration, and there are many rows.
_STATES: Final = {str(state): state for state in InstanceState}
_TASK_STATES: Final = {str(state): state for state in TaskState}
_KINDS: Final = {str(kind): kind for kind in TaskKind}


def blueprint(row: Row[Any]) -> StoredBlueprint:
    """Return the blueprint of a row of `blueprints`."""
    return StoredBlueprint(
        id=BlueprintId(row.id),
        digest=Digest(row.digest),
        main_file=row.main_file,
        description=row.description,
        labels=_labels(row.labels),
        created_at=to_moment(row.created_at),
        updated_at=to_moment(row.updated_at),
    )


def deployment(row: Row[Any], seal: Seal) -> Deployment:
    """Return the deployment of a row of `deployments`."""
    owner = None
    if row.owner_deployment is not None:
        owner = Owner(deployment=DeploymentId(row.owner_deployment), instance=InstanceId(row.owner_instance))
    return Deployment(
        id=DeploymentId(row.id),
        blueprint=BlueprintId(row.blueprint_id),
        digest=Digest(row.digest),
        display_name=row.display_name,
        labels=_labels(row.labels),
        inputs=open_data(seal, row.sealed_inputs, f"deployments/{row.id}/inputs"),
        owner=owner,
        scaling=_scaling(from_json(row.scaling)),
        created_at=to_moment(row.created_at),
    )


def scaling_document(scaling: Scaling) -> dict[str, Any]:
    """Return the counts of a deployment as the document that `deployment` reads."""
    document: dict[str, Any] = {"counts": dict(scaling.counts)}
    if scaling.modification is not None:
        document["modification"] = asdict(scaling.modification)
    return document


def _scaling(document: Mapping[str, Any]) -> Scaling:
    begun = document.get("modification")
    return Scaling(counts=document.get("counts", {}), modification=None if begun is None else _modification(begun))


def _modification(document: Mapping[str, Any]) -> Modification:
    return Modification(
        execution=ExecutionId(document["execution"]),
        counts=document["counts"],
        added=tuple(map(InstanceId, document["added"])),
        removed=tuple(map(InstanceId, document["removed"])),
    )


def _without(table: Table, *names: str) -> Sequence[Column[Any]]:
    return [column for column in table.columns if column.name not in names]


INSTANCE_COLUMNS: Final = _without(schema.node_instances, "deployment_id", "ordinal")
"""What `instance` reads; each column that is read in vain costs a resume."""


def instance(row: Sequence[Any], deployment: DeploymentId, seal: Seal) -> NodeInstance:
    """Return the node instance of a row of `INSTANCE_COLUMNS`."""
    # By place: there are many of them, and whoever drives a deployment waits for all.
    id_, node, number, host, state, links, groups, properties, system, version = row
    return NodeInstance(
        id=InstanceId(id_),
        node=NodeId(node),
        index=number,
        host=None if host is None else InstanceId(host),
        state=_STATES[state],
        relationships=()
        if links == "[]"
        else tuple(
            [
                RelationshipInstance(index=index, type=type_, target_node=NodeId(of), target=InstanceId(target))
                for index, type_, of, target in from_json(links)
            ]
        ),
        scaling_groups=_memberships(groups),
        runtime_properties=open_data(seal, properties, instance_owner(deployment, id_)),
        system_properties={} if system == "{}" else from_json(system),
        version=version,
    )


@lru_cache(maxsize=1024)
def _memberships(text: str) -> tuple[GroupMembership, ...]:
    return tuple(GroupMembership(name=name, id=id_) for name, id_ in from_json(text))


def instance_owner(deployment_id: str, id: str) -> str:
    """Return the name that an instance's runtime properties are sealed for."""
    return f"node_instances/{deployment_id}/{id}"


def dependency(row: Row[Any]) -> Dependency:
    """Return the dependency of a row of `dependencies`."""
    return Dependency(
        id=row.id,
        kind=DependencyKind(row.kind),
        source=DeploymentId(row.source),
        target=DeploymentId(row.target),
        node=None if row.node is None else NodeId(row.node),
    )


def execution(row: Row[Any], seal: Seal) -> Execution:
    """Return the execution of a row of `executions`."""
    parent = None
    if row.parent_execution is not None:
        parent = ParentTask(execution=ExecutionId(row.parent_execution), task=row.parent_task)
    return Execution(
        id=ExecutionId(row.id),
        deployment=DeploymentId(row.deployment_id),
        workflow=row.workflow,
        status=ExecutionStatus(row.status),
        parameters=open_data(seal, row.sealed_parameters, f"executions/{row.id}/parameters"),
        created_at=to_moment(row.created_at),
        started_at=to_moment_or_none(row.started_at),
        ended_at=to_moment_or_none(row.ended_at),
        error=row.error,
        parent=parent,
        is_dry_run=row.is_dry_run,
        stage=row.stage,
        wait_after_fail=row.wait_after_fail,
        scheduled_for=to_moment_or_none(row.scheduled_for),
        group=None if row.group_id is None else ExecutionGroupId(row.group_id),
        on_temporal=row.on_temporal,
    )


def schedule(row: Row[Any], seal: Seal) -> Schedule:
    """Return the schedule of a row of `schedules`."""
    rule = from_json(row.rule)
    since, until = to_moment(rule.pop("since")), to_moment_or_none(rule.pop("until"))
    return Schedule(
        id=ScheduleId(row.id),
        deployment=DeploymentId(row.deployment_id),
        workflow=row.workflow,
        parameters=open_data(seal, row.sealed_parameters, schedule_owner(row.deployment_id, row.id)),
        rule=Rule(since=since, until=until, weekdays=tuple(rule.pop("weekdays")), **rule),
        arguments=Arguments(**from_json(row.arguments)),
        slip=row.slip,
        stop_on_fail=row.stop_on_fail,
        enabled=row.enabled,
        created_at=to_moment(row.created_at),
        next_at=to_moment_or_none(row.next_at),
        latest=None if row.latest is None else ExecutionId(row.latest),
    )


def rule_document(rule: Rule) -> dict[str, Any]:
    """Return a rule as the document that `schedule` reads."""
    moments = {"since": to_seconds(rule.since), "until": to_seconds(rule.until)}
    return {**asdict(rule), **moments, "weekdays": list(rule.weekdays)}


def schedule_owner(deployment_id: str, id: str) -> str:
    """Return the name that a schedule's parameters are sealed for."""
    return f"schedules/{deployment_id}/{id}/parameters"


def worker(row: Row[Any], ahead: float) -> Worker:
    """Return the worker of a row of `workers`, given how far its clock is ahead of this host's."""
    return Worker(
        name=row.name,
        started_at=to_moment(row.started_at),
        heartbeat=to_moment(row.heartbeat - ahead),
        state=WorkerState(row.state),
        executions=row.executions,
        limit=row.limit,
    )


TASK_COLUMNS: Final = _without(schema.tasks, "execution_id", "sealed_result")
"""What `tasks` reads, likewise."""
_WAITS: Final = [column.name for column in TASK_COLUMNS].index("waits")


def tasks(found: Sequence[Sequence[Any]], execution: ExecutionId, seal: Seal) -> list[TaskRecord]:
    """Return the tasks of rows of `TASK_COLUMNS`."""
    # By place, and what they wait for read together: there are many of them, and a resume waits for all.
    all_waits = waits_from_json([row[_WAITS] for row in found])
    return [_task(row, waits, execution, seal) for row, waits in zip(found, all_waits, strict=True)]


def _task(row: Sequence[Any], waits: tuple[int, ...], execution: ExecutionId, seal: Seal) -> TaskRecord:
    number, kind, instance, operation, text, _, state, attempts, earlier, due_at, awaited, error = row
    details, sealed = _details(text)
    if sealed:
        details = details | {"arguments": open_data(seal, b64decode(sealed), _arguments_owner(execution, number))}
    return TaskRecord(
        Task(number=number, kind=_KINDS[kind], instance=InstanceId(instance), operation=operation, **details),
        waits,
        _TASK_STATES[state],
        attempts,
        earlier,
        None if due_at is None else to_moment(due_at),
        None if awaited is None else ExecutionId(awaited),
        error,
    )


def left_outcome_owner(execution: str, task: int, number: int) -> str:
    """Return whom the outcome that an attempt left is sealed for."""
    return f"outcomes/{execution}/{task}/{number}"


def result_owner(execution: ExecutionId, number: int) -> str:
    """Return the name that what a task returned is sealed for."""
    return f"tasks/{execution}/{number}"


def stage(row: Row[Any]) -> StageRecord:
    """Return the stage of a row of `stages`."""
    return StageRecord(number=row.number, first=row.first, forgives=row.forgives)


def task_text(execution: ExecutionId, item: Task, seal: Seal) -> str:
    """Return `task_details` as JSON; of most tasks it is one of a few texts."""
    if item.relationship is None and not item.arguments and not item.request and item.deployment is None:
        return _plain_details(item.before, item.after, item.retries, item.ignore_failure)
    return to_json(task_details(execution, item, seal))


@cache
def _plain_details(
    before: InstanceState | None, after: InstanceState | None, retries: int | None, ignore_failure: bool
) -> str:
    details = {"before": before, "after": after, "retries": retries, "ignore_failure": ignore_failure or None}
    return to_json({name: item for name, item in details.items() if item is not None})


def task_details(execution: ExecutionId, item: Task, seal: Seal) -> dict[str, Any]:
    """Return what of a task has no column of its own; `task` reads it back.

    Arguments are sealed: they come from the execution's parameters, which are.
    """
    details: dict[str, Any] = {}
    if item.relationship is not None:
        ref = item.relationship
        details["relationship"] = [ref.index, ref.source, ref.target, ref.side]
    for key in ("before", "after", "retries"):
        if getattr(item, key) is not None:
            details[key] = getattr(item, key)
    if item.ignore_failure:
        details["ignore_failure"] = True
    if item.request:
        details["request"] = item.request
    if item.deployment is not None:
        details["deployment"] = item.deployment
    if item.arguments:
        sealed = seal_data(seal, dict(item.arguments), _arguments_owner(execution, item.number))
        details["sealed_arguments"] = b64encode(sealed).decode()
    return details


def _arguments_owner(execution: ExecutionId, number: int) -> str:
    return f"tasks/{execution}/{number}/arguments"


def event(row: Row[Any]) -> Event:
    """Return the event of a row of `events`."""
    return Event(
        at=to_moment(row.at),
        type=EventType(row.type),
        message=row.message,
        execution=None if row.execution_id is None else ExecutionId(row.execution_id),
        deployment=DeploymentId(row.deployment_id),
        level=row.level,
        instance=None if row.instance is None else InstanceId(row.instance),
        target=None if row.target is None else InstanceId(row.target),
        operation=row.operation,
    )


def manifest(document: Mapping[str, Any]) -> PluginManifest:
    """Return the manifest of a stored document."""
    return PluginManifest(
        name=document["name"],
        version=document["version"],
        package=document["package"],
        text=document["text"],
        stands_for=tuple(StandIn(name=name, version=version) for name, version in document["stands_for"]),
        operations=document["operations"],
    )


def manifest_document(item: PluginManifest) -> dict[str, Any]:
    """Return a manifest as the document that `manifest` reads."""
    return {
        "name": item.name,
        "version": item.version,
        "package": item.package,
        "text": item.text,
        "stands_for": [[stand_in.name, stand_in.version] for stand_in in item.stands_for],
        "operations": dict(item.operations),
    }


def _labels(text: str) -> dict[str, tuple[str, ...]]:
    return {key: tuple(values) for key, values in from_json(text).items()}


def _relationship(ref: list[Any]) -> RelationshipRef:
    index, source, target, side = ref
    return RelationshipRef(index=index, source=InstanceId(source), target=InstanceId(target), side=Side(side))


@lru_cache(maxsize=1024)
def _details(text: str) -> tuple[dict[str, Any], str]:
    """Return the fields of a task that its details give, which are not to be changed, and its sealed arguments."""
    details = from_json(text)
    sealed = details.pop("sealed_arguments", "")
    for name, read in _READERS.items():
        if name in details:
            details[name] = read(details[name])
    return details, sealed


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "relationship": _relationship,
    "before": _STATES.__getitem__,
    "after": _STATES.__getitem__,
}
