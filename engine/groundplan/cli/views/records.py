"""Nouns as JSON records, for `--json`; the key names are those that `cfy` prints where it has them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from groundplan.model.deployment import NodeInstance
from groundplan.model.execution import Event, Execution, ExecutionStatus
from groundplan.model.group import DeploymentGroup
from groundplan.model.schedule import Schedule, Worker
from groundplan.model.values import Data, conceal, reveal
from groundplan.planning.health import is_available, is_drifted
from groundplan.service.execution_groups import Run
from groundplan.service.executions import Listed
from groundplan.service.rehearsing import Step
from groundplan.service.standing import Below, DeploymentStatus
from groundplan.service.waiting import Reason
from groundplan.state.store import StoredBlueprint, StoredSecret, TaskRecord


def blueprint(item: StoredBlueprint) -> dict[str, Any]:
    """Return the record of a blueprint."""
    return {
        "id": item.id,
        "description": item.description,
        "main_file_name": item.main_file,
        "created_at": moment(item.created_at),
        "updated_at": moment(item.updated_at),
        "digest": item.digest,
    }


def deployment(item: DeploymentStatus) -> dict[str, Any]:
    """Return the record of a deployment."""
    found = item.deployment
    return {
        "id": found.id,
        "display_name": found.display_name,
        "blueprint_id": found.blueprint,
        "created_at": moment(found.created_at),
        "labels": {key: list(values) for key, values in found.labels.items()},
        "installation_status": item.installation,
        "deployment_status": str(item.standing),
        "latest_execution_status": None if item.latest is None else latest_status(item.latest.status),
        "number_of_instances": item.instances,
        "planned_number_of_instances": item.planned,
        "unavailable_instances": item.unavailable,
        "drifted_instances": item.drifted,
        "scaling": _scaling(item),
        **_below("services", item.services),
        **_below("environments", item.environments),
        "owner": None if found.owner is None else {"deployment": found.owner.deployment, "node": found.owner.instance},
        "dependents": [
            {"deployment": user.source, "kind": str(user.kind), "node": user.node} for user in item.dependents
        ],
    }


DEPLOYMENT_COLUMNS: Final = ("id", "blueprint", "installation", "latest execution", "component of")


def deployment_row(item: DeploymentStatus) -> tuple[str, ...]:
    """Return a deployment's row under `DEPLOYMENT_COLUMNS`."""
    latest, owner = item.latest, item.deployment.owner
    return (
        item.deployment.id,
        item.deployment.blueprint,
        item.installation,
        "" if latest is None else f"{latest.workflow} {shown_status(latest.status)}",
        "" if owner is None else owner.deployment,
    )


def deployment_group(item: DeploymentGroup, count: int) -> dict[str, Any]:
    """Return the record of a group with so many deployments."""
    return {
        "id": item.id,
        "deployments": count,
        "description": item.description,
        "default_blueprint_id": item.blueprint,
        "default_inputs": conceal(dict(item.inputs)),
        "created_at": moment(item.created_at),
    }


def execution_group(item: Run) -> dict[str, Any]:
    """Return the record of a group of executions."""
    group = item.group
    return {
        "id": group.id,
        "workflow_id": group.workflow,
        "deployment_group_id": group.group,
        "status": str(item.status),
        "status_display": shown_status(item.status),
        "created_at": moment(group.created_at),
        "concurrency": group.concurrency,
        "success_group_id": group.success_group,
        "failed_group_id": group.failure_group,
        "number_of_executions": len(item.executions),
        "counts": {str(status): count for status, count in item.counts.items()},
    }


def task(item: TaskRecord) -> dict[str, Any]:
    """Return the record of a task."""
    return {
        "id": item.task.number,
        "name": item.task.label,
        "type": str(item.task.kind),
        "state": str(item.state),
        "node_instance_id": item.task.instance or None,
        "operation": item.task.operation,
        "waits_for_tasks": list(item.waits),
        "waits_for_execution": item.waits_for,
        "attempts": item.attempts,
        "due_at": moment(item.due_at),
        "error": item.error,
    }


def reason(item: Reason) -> dict[str, Any]:
    """Return the record of why something is not done."""
    return {
        "execution_id": item.execution,
        "task": item.task,
        "name": item.name,
        "cause": str(item.cause),
        "why": item.words,
        "fix": item.fix,
        "waits_for_tasks": list(item.tasks),
        "waits_for_execution": item.child,
        "due_at": moment(item.due_at),
        "holds_up": item.holds_up,
    }


def shown_counts(item: Run) -> str:
    """Return how many executions of a group have which status, for people."""
    return ", ".join(f"{count} {shown_status(status)}" for status, count in item.counts.items())


def _scaling(item: DeploymentStatus) -> dict[str, Any] | None:
    scaling = item.deployment.scaling
    begun = scaling.modification
    if begun is None:
        return None
    return {
        "execution": begun.execution,
        "counts": {name: count for name, count in begun.counts.items() if scaling.counts.get(name) != count},
        "added": list(begun.added),
        "removed": list(begun.removed),
    }


def _below(kind: str, item: Below) -> dict[str, Any]:
    return {
        f"sub_{kind}_status": None if item.standing is None else str(item.standing),
        f"sub_{kind}_count": item.count,
    }


def execution(item: Execution) -> dict[str, Any]:
    """Return the record of an execution."""
    return {
        "id": item.id,
        "workflow_id": item.workflow,
        "status": str(item.status),
        "status_display": shown_status(item.status),
        "deployment_id": item.deployment,
        "created_at": moment(item.created_at),
        "started_at": moment(item.started_at),
        "ended_at": moment(item.ended_at),
        "scheduled_for": moment(item.scheduled_for),
        "error": item.error,
        "is_dry_run": item.is_dry_run,
        "parent_execution": None if item.parent is None else item.parent.execution,
        "execution_group": item.group,
        "parameters": conceal(dict(item.parameters)),
    }


def listed(item: Listed) -> dict[str, Any]:
    """Return the record of an execution with who drives it."""
    status = shown_status(item.execution.status)
    return {
        **execution(item.execution),
        "status_display": f"{status}, driver lost" if item.is_lost else status,
        "driver": item.driver or None,
        "driver_lost": item.is_lost,
    }


def schedule(item: Schedule) -> dict[str, Any]:
    """Return the record of a schedule."""
    rule = item.rule
    return {
        "id": item.id,
        "deployment_id": item.deployment,
        "workflow_id": item.workflow,
        "created_at": moment(item.created_at),
        "next_occurrence": moment(item.next_at) if item.enabled else None,
        "since": moment(rule.since),
        "until": moment(rule.until),
        "timezone": rule.timezone,
        "recurrence": rule.recurrence,
        "weekdays": list(rule.weekdays),
        "count": rule.count,
        "rrule": rule.rrule,
        "slip": item.slip,
        "stop_on_fail": item.stop_on_fail,
        "enabled": item.enabled,
        "parameters": conceal(dict(item.parameters)),
        "latest_execution": item.latest,
    }


def step(item: Step) -> dict[str, Any]:
    """Return the record of an operation that a dry run walked through."""
    return {
        "task": item.number,
        "node_instance_id": item.instance,
        "target_id": item.target,
        "operation": item.operation,
        "implementation": item.implementation,
    }


def worker(item: Worker) -> dict[str, Any]:
    """Return the record of a worker."""
    return {
        "name": item.name,
        "state": str(item.state),
        "executions": item.executions,
        "limit": item.limit,
        "started_at": moment(item.started_at),
        "heartbeat": moment(item.heartbeat),
    }


def event(number: int, item: Event) -> dict[str, Any]:
    """Return the record of an event."""
    return {
        "number": number,
        "timestamp": moment(item.at),
        "type": "log" if item.level else "event",
        "event_type": str(item.type),
        "level": item.level,
        "message": item.message,
        "execution_id": item.execution,
        "deployment_id": item.deployment,
        "node_instance_id": item.instance,
        "target_id": item.target,
        "operation": item.operation,
    }


def secret(item: StoredSecret) -> dict[str, Any]:
    """Return the record of a secret, without its value."""
    return {"key": item.name, "created_at": moment(item.created_at), "updated_at": moment(item.updated_at)}


def instance(deployment_id: str, item: NodeInstance, *, revealed: bool) -> dict[str, Any]:
    """Return the record of a node instance."""
    properties: Mapping[str, Data] = dict(item.runtime_properties)
    return {
        "id": item.id,
        "deployment_id": deployment_id,
        "node_id": item.node,
        "host_id": item.host,
        "index": item.index,
        "state": str(item.state),
        "runtime_properties": reveal(properties) if revealed else conceal(properties),
        "system_properties": dict(item.system_properties),
        "is_status_check_ok": is_available(item),
        "has_configuration_drift": is_drifted(item),
        "scaling_groups": [{"name": group.name, "id": group.id} for group in item.scaling_groups],
    }


def values(found: Mapping[str, tuple[Data, str | None]], *, revealed: bool) -> dict[str, Any]:
    """Return outputs or capabilities as `cfy` does: name -> value and description."""
    return {
        name: {"value": reveal(value) if revealed else conceal(value), "description": description or ""}
        for name, (value, description) in found.items()
    }


def moment(at: datetime | None) -> str | None:
    """Return a moment in ISO 8601, UTC."""
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def latest_status(status: ExecutionStatus) -> str:
    """Return the status of a latest execution as deployments show it (spec 5.11): over, or in progress."""
    return shown_status(status) if status.is_final else "in_progress"


def shown_status(status: ExecutionStatus) -> str:
    """Return how a status is shown to people (spec 5.8)."""
    return status.shown
