"""What drivers record: leases, and batches of outcomes with the attempts that they release.

A batch is written in the transaction of its caller; a stale fencing number refuses it. How a batch becomes rows is
`batches`', how those are written in few statements the dialects' writers'.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Update, bindparam, delete, select, update

from groundplan.model.execution import Event, ExecutionStatus, Lease
from groundplan.model.ids import DeploymentId, ExecutionId, InstanceId
from groundplan.state.seal import Seal
from groundplan.state.sql import schema
from groundplan.state.sql.batches import Columns, Writer, end_rows, event_rows, instance_rows, start_rows, task_rows
from groundplan.state.sql.codec import to_seconds, to_text
from groundplan.state.sql.reads import SqlSnapshot
from groundplan.state.store import Batch, ExecutionEnd, InstanceChange, StaleLease, maker_key

_EXECUTIONS = schema.executions


class Journal(SqlSnapshot):
    """The part of `store.Transaction` that drivers use."""

    def __init__(
        self, connection: Connection, seal: Seal, ahead: Callable[[], float], writer: Writer, *, beside: bool = False
    ) -> None:
        """Wrap a connection in a transaction.

        Args:
            ahead: see `reads.SqlSnapshot`.
            beside: other drivers may write beside it.
        """
        super().__init__(connection, seal, ahead)
        self._writer = writer
        self._beside = beside

    def acquire(self, execution: ExecutionId, driver: str, now: datetime) -> Lease:
        fence = self._connection.execute(select(_EXECUTIONS.c.fence).where(_EXECUTIONS.c.id == execution)).scalar_one()
        lease = Lease(execution=execution, driver=driver, fence=fence + 1, heartbeat=now)
        self._connection.execute(
            update(_EXECUTIONS)
            .where(_EXECUTIONS.c.id == execution)
            .values(driver=driver, fence=lease.fence, heartbeat=self._beat_of(now))
        )
        return lease

    def heartbeat(self, lease: Lease, now: datetime) -> ExecutionStatus:
        self._hold(lease, heartbeat=self._beat_of(now))
        status = self._connection.execute(
            select(_EXECUTIONS.c.status).where(_EXECUTIONS.c.id == lease.execution)
        ).scalar_one()
        return ExecutionStatus(status)

    def _beat_of(self, moment: datetime) -> float:
        """Return a moment of this host as the clock of leases tells it."""
        return moment.timestamp() + self._ahead()

    def lost(self, leases: Sequence[Lease]) -> Sequence[ExecutionId]:
        # The rows stay locked where the database locks rows: a record of this transaction cannot be refused.
        query = select(_EXECUTIONS.c.id, _EXECUTIONS.c.fence).where(
            _EXECUTIONS.c.id.in_([it.execution for it in leases])
        )
        fences = {row.id: row.fence for row in self._connection.execute(query.with_for_update())}
        return [lease.execution for lease in leases if fences.get(lease.execution) != lease.fence]

    def release(self, lease: Lease) -> None:
        self._connection.execute(
            update(_EXECUTIONS)
            .where(_EXECUTIONS.c.id == lease.execution, _EXECUTIONS.c.fence == lease.fence)
            .values(driver=None, heartbeat=None)
        )

    def revoke(self, lease: Lease) -> None:
        self._connection.execute(
            update(_EXECUTIONS)
            .where(_EXECUTIONS.c.id == lease.execution, _EXECUTIONS.c.fence == lease.fence)
            .values(driver=None, heartbeat=None, fence=lease.fence + 1)
        )

    def record(self, batch: Batch) -> None:
        self._record(batch, self._columns(batch))

    def _columns(self, batch: Batch) -> Columns:
        seal, execution, deployment = self._seal, batch.lease.execution, batch.deployment
        return Columns(
            starts=start_rows(batch.started),
            ends=end_rows(batch.ended),
            tasks=task_rows(seal, execution, batch.ended),
            instances=instance_rows(seal, deployment, batch.instances),
            events=event_rows(batch.events),
        )

    def _record(self, batch: Batch, columns: Columns) -> None:
        if batch.end is not None:
            self._hold(batch.lease, **_end_of(batch.end))
        is_held = self._writer.write(
            self._connection,
            batch.lease.execution,
            batch.deployment,
            columns,
            fence=batch.lease.fence if batch.end is None else None,
            beside=self._beside,
        )
        if not is_held:
            raise stale(batch.lease)
        if batch.forgotten:
            self._forget(batch.deployment, batch.forgotten)

    def append_event(self, event: Event) -> None:
        columns, execution = Columns(events=event_rows([event])), ExecutionId(event.execution or "")
        if execution and self.execution(execution) is None:
            # What an operation leaves behind that nobody observed any more, of an execution that was deleted since.
            return
        self._writer.write(self._connection, execution, event.deployment, columns, beside=self._beside)

    def _change_instances(self, deployment: DeploymentId, changes: Mapping[InstanceId, InstanceChange]) -> None:
        columns = Columns(instances=instance_rows(self._seal, deployment, changes))
        self._writer.write(self._connection, ExecutionId(""), deployment, columns)

    def _forget(self, deployment: DeploymentId, secrets: Sequence[str]) -> None:
        kept, noted = schema.secrets, schema.remembered
        makers = [maker_key(name) for name in secrets]
        self._connection.execute(delete(kept).where(kept.c.name.in_(secrets)))
        self._connection.execute(delete(noted).where(noted.c.deployment_id == deployment, noted.c.key.in_(makers)))

    def _hold(self, lease: Lease, **values: Any) -> None:
        row = {"of": lease.execution, "held": lease.fence, **{f"new_{name}": value for name, value in values.items()}}
        held = self._connection.execute(_lease_update(*values), row)
        if not held.rowcount:
            raise stale(lease)


def stale(lease: Lease) -> StaleLease:
    """Return the refusal of what was written for a lease that is not the newest."""
    return StaleLease(f"Another driver took over execution {lease.execution}.")


@cache
def _lease_update(*names: str) -> Update:
    """Return the statement that changes these columns of an execution whose lease is held."""
    return (
        update(_EXECUTIONS)
        .where(_EXECUTIONS.c.id == bindparam("of"), _EXECUTIONS.c.fence == bindparam("held"))
        .values(fence=bindparam("held"), **{name: bindparam(f"new_{name}") for name in names})
    )


def _end_of(end: ExecutionEnd) -> Mapping[str, Any]:
    return {
        "status": end.status,
        "ended_at": to_seconds(end.at),
        "error": to_text(end.error),
        "driver": None,
        "heartbeat": None,
    }
