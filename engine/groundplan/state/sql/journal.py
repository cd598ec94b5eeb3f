"""What drivers record: leases, and batches of outcomes with the attempts that they release.

A batch is written by few set-based statements, in the transaction of its caller; a stale fencing number refuses it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Update, bindparam, insert, select, update

from groundplan.model.execution import Event, ExecutionStatus, Failure, Lease
from groundplan.model.ids import DeploymentId, ExecutionId, InstanceId
from groundplan.state.seal import Seal
from groundplan.state.sql import rows, schema
from groundplan.state.sql.codec import seal_data, to_json, to_seconds
from groundplan.state.sql.reads import SqlSnapshot
from groundplan.state.store import AttemptEnd, AttemptStart, Batch, InstanceChange, StaleLease

_TASKS = schema.tasks
_ATTEMPTS = schema.attempts
_INSTANCES = schema.node_instances
_EXECUTIONS = schema.executions

_START_TASK = (
    update(_TASKS)
    .where(_TASKS.c.execution_id == bindparam("of"), _TASKS.c.number == bindparam("at"))
    .values(state="started", attempts=bindparam("attempt"), due_at=None)
)
_END_TASK = (
    update(_TASKS)
    .where(_TASKS.c.execution_id == bindparam("of"), _TASKS.c.number == bindparam("at"))
    .values(
        state=bindparam("now"),
        due_at=bindparam("due"),
        waits_for=bindparam("awaited"),
        error=bindparam("why"),
        sealed_result=bindparam("result"),
    )
)
_END_ATTEMPT = (
    update(_ATTEMPTS)
    .where(
        _ATTEMPTS.c.execution_id == bindparam("of"),
        _ATTEMPTS.c.task == bindparam("at"),
        _ATTEMPTS.c.number == bindparam("attempt"),
    )
    .values(ended_at=bindparam("ended"), verdict=bindparam("found"), error=bindparam("why"))
)


class Journal(SqlSnapshot):
    """The part of `store.Transaction` that drivers use."""

    def __init__(self, connection: Connection, seal: Seal, *, order_events: str = "") -> None:
        """Wrap a connection in a transaction; see `dialect.Dialect.order_events`."""
        super().__init__(connection, seal)
        self._order_events = order_events

    def acquire(self, execution: ExecutionId, driver: str, now: datetime) -> Lease:
        fence = self._connection.execute(select(_EXECUTIONS.c.fence).where(_EXECUTIONS.c.id == execution)).scalar_one()
        lease = Lease(execution=execution, driver=driver, fence=fence + 1, heartbeat=now)
        self._connection.execute(
            update(_EXECUTIONS)
            .where(_EXECUTIONS.c.id == execution)
            .values(driver=driver, fence=lease.fence, heartbeat=to_seconds(now))
        )
        return lease

    def heartbeat(self, lease: Lease, now: datetime) -> ExecutionStatus:
        self._hold(lease, heartbeat=to_seconds(now))
        status = self._connection.execute(
            select(_EXECUTIONS.c.status).where(_EXECUTIONS.c.id == lease.execution)
        ).scalar_one()
        return ExecutionStatus(status)

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
        execution = batch.lease.execution
        self._hold(batch.lease, **_end_of(batch))
        if batch.ended:
            self._end(execution, batch.ended)
        if batch.started:
            self._start(execution, batch.started)
        self._change_instances(batch.deployment, batch.instances)
        if batch.events:
            self._put_events(batch.events)

    def append_event(self, event: Event) -> None:
        self._put_events([event])

    def _put_events(self, events: Sequence[Event]) -> None:
        if self._order_events:
            self._connection.exec_driver_sql(self._order_events)
            self._order_events = ""
        self._connection.execute(insert(schema.events), [_event_row(event) for event in events])

    def _hold(self, lease: Lease, **values: Any) -> None:
        row = {"of": lease.execution, "held": lease.fence, **{f"new_{name}": value for name, value in values.items()}}
        held = self._connection.execute(_lease_update(*values), row)
        if not held.rowcount:
            raise StaleLease(f"Another driver took over execution {lease.execution}.")

    def _start(self, execution: ExecutionId, started: Sequence[AttemptStart]) -> None:
        self._connection.execute(
            insert(_ATTEMPTS),
            [
                {
                    "execution_id": execution,
                    "task": start.task,
                    "number": start.number,
                    "started_at": to_seconds(start.at),
                }
                for start in started
            ],
        )
        self._connection.execute(
            _START_TASK, [{"of": execution, "at": start.task, "attempt": start.number} for start in started]
        )

    def _end(self, execution: ExecutionId, ended: Sequence[AttemptEnd]) -> None:
        attempts = [
            {
                "of": execution,
                "at": end.task,
                "attempt": end.number,
                "ended": to_seconds(end.at),
                "found": end.outcome.verdict,
                "why": _failure_json(end.outcome.failure),
            }
            for end in ended
            if end.number
        ]
        if attempts:
            self._connection.execute(_END_ATTEMPT, attempts)
        self._connection.execute(_END_TASK, [self._task_end(execution, end) for end in ended])

    def _task_end(self, execution: ExecutionId, end: AttemptEnd) -> dict[str, Any]:
        outcome = end.outcome
        owner = rows.result_owner(execution, end.task)
        return {
            "of": execution,
            "at": end.task,
            "now": end.state,
            "due": to_seconds(end.due_at),
            "awaited": outcome.waits_for,
            "why": "" if outcome.failure is None else outcome.failure.message,
            "result": None if outcome.result is None else seal_data(self._seal, outcome.result, owner),
        }

    def _change_instances(self, deployment: DeploymentId, changes: Mapping[InstanceId, InstanceChange]) -> None:
        alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for instance, change in changes.items():
            columns = self._changed_columns(deployment, instance, change)
            row = {"of": deployment, "at": instance, **{f"new_{name}": value for name, value in columns.items()}}
            alike.setdefault(tuple(columns), []).append(row)
        for names, found in alike.items():
            self._connection.execute(_instance_update(*names), found)

    def _changed_columns(
        self, deployment: DeploymentId, instance: InstanceId, change: InstanceChange
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if change.state is not None:
            values["state"] = change.state
        if change.runtime_properties is not None:
            owner = rows.instance_owner(deployment, instance)
            values["sealed_runtime_properties"] = seal_data(self._seal, change.runtime_properties, owner)
        if change.system_properties is not None:
            values["system_properties"] = to_json(change.system_properties)
        return values


@cache
def _instance_update(*names: str) -> Update:
    """Return the statement that changes these columns of an instance; making it costs as much as running it."""
    return (
        update(_INSTANCES)
        .where(_INSTANCES.c.deployment_id == bindparam("of"), _INSTANCES.c.id == bindparam("at"))
        .values(version=_INSTANCES.c.version + 1, **{name: bindparam(f"new_{name}") for name in names})
    )


@cache
def _lease_update(*names: str) -> Update:
    """Return the statement that changes these columns of an execution whose lease is held."""
    return (
        update(_EXECUTIONS)
        .where(_EXECUTIONS.c.id == bindparam("of"), _EXECUTIONS.c.fence == bindparam("held"))
        .values(fence=bindparam("held"), **{name: bindparam(f"new_{name}") for name in names})
    )


def _end_of(batch: Batch) -> Mapping[str, Any]:
    if batch.end is None:
        return {}
    return {
        "status": batch.end.status,
        "ended_at": to_seconds(batch.end.at),
        "error": batch.end.error,
        "driver": None,
        "heartbeat": None,
    }


def _failure_json(failure: Failure | None) -> str | None:
    if failure is None:
        return None
    return to_json({"type": failure.type, "message": failure.message, "detail": failure.detail})


def _event_row(event: Event) -> dict[str, Any]:
    return {
        "execution_id": event.execution,
        "deployment_id": event.deployment,
        "at": to_seconds(event.at),
        "type": event.type,
        "level": event.level,
        "instance": event.instance,
        "target": event.target,
        "operation": event.operation,
        "message": event.message,
    }
