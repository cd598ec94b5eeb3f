"""Cascading workflows: what one starts in the deployments of components, as far down as there are any (spec 6.2).

They are queued in the transaction that records the workflow itself, and driven beside it by whoever has it, or by a
worker. What comes of them is theirs.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from groundplan.model.deployment import Deployment
from groundplan.model.execution import Execution
from groundplan.model.ids import DeploymentId, ExecutionId
from groundplan.runtime.library import Library
from groundplan.service import executions, queue
from groundplan.state.store import Snapshot, Store


@dataclass(frozen=True, kw_only=True, slots=True)
class Cascade:
    """What an execution has queued in other deployments, for the driver that has it (`runtime.serving.Offer`)."""

    store: Store
    library: Library
    execution: Execution
    deployments: Collection[DeploymentId]
    clock: Callable[[], datetime]
    most: int

    def seek(self, driving: Collection[ExecutionId]) -> Sequence[ExecutionId]:
        """Return those that may begin now."""
        with self.store.snapshot() as snapshot:
            waiting = [item for item in queue.read_lines(snapshot, self.clock(), self.most).next if self._has(item)]
            barred = {item.id: executions.refusal(snapshot, self.library, item) for item in waiting}
        for id_, why in barred.items():
            if why:
                self.refuse(id_, why)
        return [id_ for id_, why in barred.items() if not why and id_ not in driving]

    def _has(self, item: Execution) -> bool:
        return item.deployment in self.deployments and executions.is_of_cascade(item, self.execution)

    def refuse(self, execution: ExecutionId, why: str) -> None:
        """Record that one of them cannot be driven."""
        with self.store.transaction() as transaction:
            executions.fail_in(transaction, execution, why, self.clock())


def cascade_of(
    store: Store, library: Library, execution: Execution, clock: Callable[[], datetime], most: int
) -> Cascade | None:
    """Return what an execution has queued in the deployments below its own, or None where its workflow is its alone."""
    with store.snapshot() as snapshot:
        deployment = snapshot.deployment(execution.deployment)
        if deployment is None or not _cascades(snapshot, library, deployment, execution.workflow):
            return None
        below = _below(snapshot.deployments(), execution.deployment)
        execution = snapshot.execution(execution.id) or execution
    return Cascade(store=store, library=library, execution=execution, deployments=below, clock=clock, most=most)


def _cascades(snapshot: Snapshot, library: Library, deployment: Deployment, workflow: str) -> bool:
    declared = library.blueprint(snapshot, deployment.digest).workflows.get(workflow)
    return declared is not None and declared.is_cascading


def _below(deployments: Sequence[Deployment], id: DeploymentId) -> Collection[DeploymentId]:
    found = [id]
    for known in found:  # grows while it is walked
        found += [item.id for item in deployments if item.owner is not None and item.owner.deployment == known]
    return found[1:]
