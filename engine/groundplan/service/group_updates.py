"""Updates of all deployments of a group: each begins at once or none does, and then they take their turns (spec 5.11).

Each has an execution of an execution group (`execution_groups`), which drives, ends and resumes them like any other.
One update alone is `updates`'.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from groundplan.diagnostics.trouble import Conflict, UsageError
from groundplan.model.execution import Execution
from groundplan.model.group import DEFAULT_CONCURRENCY, ExecutionGroup
from groundplan.model.ids import DeploymentId, GroupId
from groundplan.model.update import UPDATE_WORKFLOW
from groundplan.runtime.library import Library
from groundplan.service import deployment_groups, identifiers, updates
from groundplan.service.home import Home
from groundplan.service.preparing import NewUpdate
from groundplan.state.store import Snapshot, Store


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupUpdate:
    """What the deployments of a group are to become.

    Attributes:
        wanted: for each of them; its `deployment` is not looked at.
    """

    group: GroupId
    wanted: NewUpdate
    concurrency: int = DEFAULT_CONCURRENCY


def start(store: Store, library: Library, home: Home, new: GroupUpdate, now: datetime) -> ExecutionGroup:
    """Begin the updates of all deployments of a group, their executions queued; or none, when one is refused.

    Raises:
        NotFound: there is no such group, blueprint or workflow.
        UsageError: the group is empty, or one of its deployments cannot be updated so: the message names it.
        Conflict: something runs or waits in one of them, or others need it.
    """
    with store.transaction() as transaction:
        members = deployment_groups.inhabited(transaction, new.group)
        group = ExecutionGroup(
            id=identifiers.execution_group_id(),
            group=new.group,
            workflow=new.wanted.workflow or UPDATE_WORKFLOW,
            created_at=now,
            concurrency=new.concurrency,
            is_forced=new.wanted.force,
        )
        transaction.put_execution_group(group)
        for number, member in enumerate(members):
            wanted = replace(new.wanted, deployment=member)
            if not wanted.force:
                _refuse_while_waiting(transaction, member)
            try:
                # Their turns come in the order of the deployments.
                updates.start_in(
                    transaction, library, home, wanted, now + timedelta(microseconds=number), group=group.id
                )
            except UsageError as error:
                error.message = f"Deployment {member!r}: {error.message}"
                raise
        return group


def _refuse_while_waiting(snapshot: Snapshot, deployment: DeploymentId) -> None:
    """What waits for its turn was asked for in a deployment as it is now: it would run in one that is being updated."""
    waiting: list[Execution] = [it for it in snapshot.executions(deployment=deployment) if not it.status.is_final]
    if waiting:
        first = waiting[0]
        raise Conflict(
            f"Deployment {deployment!r} has an execution that has not ended: {first.id} ({first.workflow}).",
            fix=f"Wait for it, or end it: groundplan executions cancel {first.id}",
        )
