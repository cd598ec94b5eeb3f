"""Tells a `Watch` of an execution that is driven elsewhere, as its record in the store grows.

It only reads. Who drives, and whether anybody does, is told by `liveness`.
"""

from datetime import UTC, datetime

from groundplan.model.deployment import InstanceState
from groundplan.model.execution import EventType, Execution, Lease
from groundplan.model.ids import DeploymentId, ExecutionId, InstanceId
from groundplan.runtime.driver import Watch
from groundplan.state.store import Batch, ExecutionEnd, InstanceChange, Snapshot, Store

_PAGE = 1000


class Following:
    """An execution and those that its tasks started, from where `look` last was."""

    def __init__(self, store: Store, root: ExecutionId, watch: Watch) -> None:
        self._store = store
        self._root = root
        self._watch = watch
        self._seen: dict[ExecutionId, int] = {root: _newest(store, root)}
        self._ended: set[ExecutionId] = set()
        self._states: dict[tuple[DeploymentId, InstanceId], InstanceState] = {}

    def look(self) -> Execution | None:
        """Tell what was recorded since the last call; return the execution as it is now, None when it is gone.

        Raises:
            StoreFault: the store cannot be read now; a later call tells what this one could not.
        """
        with self._store.snapshot() as snapshot:
            found = [self._read(snapshot, id_) for id_ in [*self._seen] if id_ not in self._ended]
            root = snapshot.execution(self._root)
        for batch, newest in filter(None, found):
            self._tell(batch, newest)
        return root

    def _read(self, snapshot: Snapshot, id_: ExecutionId) -> tuple[Batch, int] | None:
        """Return what is new of an execution, and the number of its last event; what was told is not touched."""
        execution = snapshot.execution(id_)
        if execution is None:
            return None
        for child in snapshot.executions(parent=id_):
            self._seen.setdefault(child.id, 0)
        batch, newest = Batch(lease=_nobody(id_), deployment=execution.deployment), self._seen[id_]
        while page := snapshot.events(execution=id_, after=newest, limit=_PAGE):
            newest = page[-1][0]
            batch.events.extend(event for _, event in page)
        if any(event.type is EventType.WORKFLOW_NODE_EVENT for event in batch.events):
            batch.instances.update(self._changed(snapshot, execution.deployment))
        if execution.status.is_final:
            batch.end = ExecutionEnd(
                status=execution.status, at=execution.ended_at or execution.created_at, error=execution.error
            )
        return None if batch.is_empty else (batch, newest)

    def _tell(self, batch: Batch, newest: int) -> None:
        self._seen[batch.lease.execution] = newest
        for id_, change in batch.instances.items():
            if change.state is not None:
                self._states[batch.deployment, id_] = change.state
        if batch.end is not None:
            self._ended.add(batch.lease.execution)
        self._watch.committed(batch)

    def _changed(self, snapshot: Snapshot, deployment: DeploymentId) -> dict[InstanceId, InstanceChange]:
        return {
            instance.id: InstanceChange(state=instance.state)
            for instance in snapshot.instances(deployment)
            if self._states.get((deployment, instance.id)) is not instance.state
        }


def _newest(store: Store, id_: ExecutionId) -> int:
    """Return the number of the last event so far: a resumed execution is not told from its beginning."""
    newest = 0
    with store.snapshot() as snapshot:
        while page := snapshot.events(execution=id_, after=newest, limit=_PAGE):
            newest = page[-1][0]
    return newest


def _nobody(id_: ExecutionId) -> Lease:
    return Lease(execution=id_, driver="", fence=0, heartbeat=datetime.fromtimestamp(0, UTC))
