"""Groups: deployments that belong together, and the executions of one workflow on all of them.

How a group of executions stands follows from its executions alone; `status_of` says it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from groundplan.model.execution import FINAL, WAITING_TO_BEGIN, ExecutionStatus
from groundplan.model.ids import BlueprintId, ExecutionGroupId, GroupId
from groundplan.model.values import Data

DEFAULT_CONCURRENCY: Final = 5
PAUSED: Final = 0
"""The concurrency with which nothing more begins."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeploymentGroup:
    """Deployments that belong together; which they are, the store tells (`members`).

    Attributes:
        blueprint: of deployments that are made in the group, or None.
        inputs: what those are made with where nothing else is said, functions as written.
    """

    id: GroupId
    created_at: datetime
    description: str = ""
    blueprint: BlueprintId | None = None
    inputs: Mapping[str, Data] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutionGroup:
    """One workflow run on every deployment that was in a group when it began.

    Attributes:
        group: whose deployments they were.
        concurrency: how many of its executions run at once; `PAUSED` begins no further one.
        is_forced: its executions begin although the workflow is unavailable, or others need the deployment.
        success_group: gets the deployments whose execution succeeded, or None.
        failure_group: gets those whose execution failed, or None.
    """

    id: ExecutionGroupId
    group: GroupId
    workflow: str
    created_at: datetime
    concurrency: int = DEFAULT_CONCURRENCY
    is_forced: bool = False
    success_group: GroupId | None = None
    failure_group: GroupId | None = None


def status_of(statuses: Collection[ExecutionStatus]) -> ExecutionStatus:
    """Return how a group of executions stands as a whole (spec 5.8); one without executions has nothing to do."""
    if FINAL.issuperset(statuses):
        ends = (ExecutionStatus.FAILED, ExecutionStatus.CANCELLED)
        return next((end for end in ends if end in statuses), ExecutionStatus.TERMINATED)
    if all(status is ExecutionStatus.PENDING for status in statuses):
        return ExecutionStatus.PENDING
    if all(status in WAITING_TO_BEGIN or status.is_final for status in statuses):
        return ExecutionStatus.QUEUED
    return ExecutionStatus.STARTED
