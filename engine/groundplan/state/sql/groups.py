"""Groups of deployments and of executions as rows, and back."""

from typing import Any

from sqlalchemy import Row

from groundplan.model.group import DeploymentGroup, ExecutionGroup
from groundplan.model.ids import BlueprintId, ExecutionGroupId, GroupId
from groundplan.state.seal import Seal
from groundplan.state.sql.codec import open_data, seal_data, to_moment, to_seconds, to_text


def row_of(group: DeploymentGroup, seal: Seal) -> dict[str, Any]:
    """Return the columns of a group of deployments."""
    return {
        "id": group.id,
        "description": to_text(group.description),
        "blueprint_id": group.blueprint,
        "sealed_inputs": seal_data(seal, dict(group.inputs), inputs_owner(group.id)),
        "created_at": to_seconds(group.created_at),
    }


def group_of(row: Row[Any], seal: Seal) -> DeploymentGroup:
    """Return the group of deployments of a row."""
    return DeploymentGroup(
        id=GroupId(row.id),
        created_at=to_moment(row.created_at),
        description=row.description,
        blueprint=None if row.blueprint_id is None else BlueprintId(row.blueprint_id),
        inputs=open_data(seal, row.sealed_inputs, inputs_owner(row.id)),
    )


def execution_row_of(group: ExecutionGroup) -> dict[str, Any]:
    """Return the columns of a group of executions."""
    return {
        "id": group.id,
        "deployment_group": group.group,
        "workflow": group.workflow,
        "concurrency": group.concurrency,
        "is_forced": group.is_forced,
        "success_group": group.success_group,
        "failure_group": group.failure_group,
        "created_at": to_seconds(group.created_at),
    }


def execution_group_of(row: Row[Any]) -> ExecutionGroup:
    """Return the group of executions of a row."""
    return ExecutionGroup(
        id=ExecutionGroupId(row.id),
        group=GroupId(row.deployment_group),
        workflow=row.workflow,
        created_at=to_moment(row.created_at),
        concurrency=row.concurrency,
        is_forced=row.is_forced,
        success_group=None if row.success_group is None else GroupId(row.success_group),
        failure_group=None if row.failure_group is None else GroupId(row.failure_group),
    )


def inputs_owner(id: str) -> str:
    """Return the name that the inputs of a group are sealed for."""
    return f"deployment_groups/{id}/inputs"
