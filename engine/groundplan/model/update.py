"""Updates of deployments: what differs between two forms of a deployment, and the record of one update (spec 5.10).

What differs is found by `planning.changes`; what an update does, by `planning.workflows.update`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NewType

from groundplan.model.execution import ExecutionStatus
from groundplan.model.ids import BlueprintId, DeploymentId, Digest, ExecutionId, InstanceId
from groundplan.model.values import Data

UpdateId = NewType("UpdateId", str)

UPDATE_WORKFLOW: Final = "csys_new_deployment_update"
UPDATE_WORKFLOWS: Final = frozenset({UPDATE_WORKFLOW, "csys_update_deployment", "update"})
"""Workflow ids that stand for an update of the deployment (spec 4.4)."""


class Action(StrEnum):
    """What a step does, in the order in which steps are listed."""

    REMOVE = "remove"
    ADD = "add"
    MODIFY = "modify"


class Entity(StrEnum):
    """What a step is about."""

    NODE = "node"
    RELATIONSHIP = "relationship"
    OPERATION = "operation"
    PROPERTY = "property"
    WORKFLOW = "workflow"
    OUTPUT = "output"
    CAPABILITY = "capability"
    DESCRIPTION = "description"
    PLUGIN = "plugin"


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One difference between two blueprints with their inputs.

    Attributes:
        path: where it is, for example `("nodes", "db", "properties", "port")`. A relationship stands as `[INDEX]`: its
            place in the new blueprint, or in the old one where it is removed; one that only moved has both.
    """

    action: Action
    entity: Entity
    path: tuple[str, ...]

    @property
    def node(self) -> str:
        """The node template that it is about, or empty."""
        if self.entity is Entity.PLUGIN:
            return self.path[1]
        return self.path[1] if self.path[0] == "nodes" else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A relationship instance that is added or removed: `source`'s relationship at a place in its template's list."""

    source: InstanceId
    index: int
    target: InstanceId


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """What an update changes among the instances of a deployment.

    Attributes:
        added: instances that are made; of nodes that are added.
        removed: instances that are taken away with their nodes.
        extended: relationships that existing instances get.
        reduced: relationships that instances which stay lose.
        modified: instances that stay and whose properties or operations differ.
        unfinished: instances that stay, were left before they were started by an update that failed, and are installed.
    """

    added: tuple[InstanceId, ...] = ()
    removed: tuple[InstanceId, ...] = ()
    extended: tuple[Link, ...] = ()
    reduced: tuple[Link, ...] = ()
    modified: tuple[InstanceId, ...] = ()
    unfinished: tuple[InstanceId, ...] = ()


class UpdateState(StrEnum):
    """Spec 5.10. `finalizing` is never seen here: an update is finalised in the transaction that ends its execution."""

    UPDATING = "updating"
    EXECUTING_WORKFLOW = "executing_workflow"
    FINALIZING = "finalizing"
    SUCCESSFUL = "successful"
    FAILED = "failed"
    PREVIEW = "preview"

    @classmethod
    def of(cls, status: ExecutionStatus) -> "UpdateState":
        """Return the state of an update whose execution has a status."""
        if status is ExecutionStatus.TERMINATED:
            return cls.SUCCESSFUL
        if status.is_final:
            return cls.FAILED
        begun = status not in (ExecutionStatus.PENDING, ExecutionStatus.QUEUED, ExecutionStatus.SCHEDULED)
        return cls.EXECUTING_WORKFLOW if begun else cls.UPDATING


@dataclass(frozen=True, kw_only=True, slots=True)
class Update:
    """The record of one update.

    Attributes:
        by: who asked for it.
        execution: that carries it out; None for a preview.
        digest: content of the new blueprint; while the update is under way, the deployment has that of `transition`.
        transition: content that holds the old and the new parts together (`planning.changes.transition`).
        old_inputs: every input before; new_inputs: every input after.
        options: the flags that it was asked for with.
        difference: of the instances, as it was planned.
        notes: what people should know about it.
    """

    id: UpdateId
    deployment: DeploymentId
    state: UpdateState
    created_at: datetime
    by: str
    execution: ExecutionId | None
    old_blueprint: BlueprintId
    new_blueprint: BlueprintId
    digest: Digest
    transition: Digest
    old_inputs: Mapping[str, Data]
    new_inputs: Mapping[str, Data]
    steps: tuple[Step, ...] = ()
    difference: Difference = field(default_factory=Difference)
    options: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
