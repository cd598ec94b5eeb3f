"""Writes drivers' batches to PostgreSQL: one statement, whose parts take their rows as arrays, in one round trip.

A statement that is sent without a transaction is one: it takes the locks, writes, and has committed when it answers.

Arrays go in binary form (`postgresql_arrays`): as text they would be quoted by the client and read again by the server.
A statement must not change a row twice, which is why a batch has each row once (`batches`); a task that ended and
begins again takes two.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from groundplan.model.ids import DeploymentId, ExecutionId
from groundplan.state.sql.batches import Columns, GraphRow
from groundplan.state.sql.postgresql_arrays import Packed, pack

# Who takes the lease waits for the row.
_HELD: Final = (
    "SELECT 1 FROM {behind}executions WHERE id = %(execution)s AND fence = %(fence)s FOR NO KEY UPDATE OF executions"
)
_REFUSES: Final = "SELECT 1 / (SELECT count(*) FROM held)"
"""Fails where the lease is not held, so that the whole statement is undone."""
_REFUSED: Final = "22012"
"""What it fails with: a division by zero. https://www.postgresql.org/docs/current/errcodes-appendix.html"""
_TOGETHER: Final = 5_000
"""Tasks that one statement adds."""
_LARGE: Final = 1_000
"""Tasks of a graph that makes the server's idea of its tables wrong at once, so that it is told."""

# Each part with the arrays that it takes: (name, type).
_PARTS: Final = {
    "ends": (
        # They are all there. By their key: joined, they would be looked for among all attempts, of which the server
        # knows too late how many they have become.
        "INSERT INTO attempts (execution_id, task, number, started_at, ended_at, verdict, error) "
        "SELECT %(execution)s, it.task, it.number, it.at, it.at, it.verdict, it.error FROM {rows} "
        "ON CONFLICT (execution_id, task, number) "
        "DO UPDATE SET ended_at = excluded.ended_at, verdict = excluded.verdict, error = excluded.error",
        (("task", "int"), ("number", "int"), ("at", "float8"), ("verdict", "text"), ("error", "text")),
    ),
    "tasks": (
        "UPDATE tasks SET state = it.state, due_at = it.due, waits_for = it.awaited, "
        "error = it.error, sealed_result = it.result FROM {rows} "
        "WHERE tasks.execution_id = %(execution)s AND tasks.number = it.task",
        (
            ("task", "int"),
            ("state", "text"),
            ("due", "float8"),
            ("awaited", "text"),
            ("error", "text"),
            ("result", "bytea"),
        ),
    ),
    "attempts": (
        "INSERT INTO attempts (execution_id, task, number, started_at) "
        "SELECT %(execution)s, it.task, it.number, it.at FROM {rows}",
        (("task", "int"), ("number", "int"), ("at", "float8")),
    ),
    "starts": (
        "UPDATE tasks SET state = 'started', attempts = it.number, due_at = NULL FROM {rows} "
        "WHERE tasks.execution_id = %(execution)s AND tasks.number = it.task",
        (("task", "int"), ("number", "int")),
    ),
    "instances": (
        "UPDATE node_instances SET version = version + 1, "
        "state = COALESCE(it.state, node_instances.state), "
        "sealed_runtime_properties = COALESCE(it.properties, node_instances.sealed_runtime_properties), "
        "system_properties = COALESCE(it.system, node_instances.system_properties) FROM {rows} "
        "WHERE node_instances.deployment_id = %(deployment)s AND node_instances.id = it.id",
        (("id", "text"), ("state", "text"), ("properties", "bytea"), ("system", "text")),
    ),
    "graph": (
        "INSERT INTO tasks "
        "(execution_id, number, kind, instance, operation, details, waits, state, attempts, earlier, error) "
        "SELECT %(execution)s, it.number, it.kind, it.instance, it.operation, it.details, it.waits, "
        "'pending', 0, 0, '' FROM {rows}",
        (
            ("number", "int"),
            ("kind", "text"),
            ("instance", "text"),
            ("operation", "text"),
            ("details", "text"),
            ("waits", "text"),
        ),
    ),
    "events": (
        "INSERT INTO events (execution_id, deployment_id, at, type, level, instance, target, operation, message) "
        "SELECT it.execution, it.deployment, it.at, it.type, it.level, it.instance, it.target, it.operation, "
        "it.message FROM {order}{rows} ORDER BY it.place",
        (
            ("execution", "text"),
            ("deployment", "text"),
            ("at", "float8"),
            ("type", "text"),
            ("level", "text"),
            ("instance", "text"),
            ("target", "text"),
            ("operation", "text"),
            ("message", "text"),
        ),
    ),
}


class PostgresqlWriter:
    """Implements `batches.Writer`."""

    def __init__(self, writer_lock: str, event_lock: str) -> None:
        """Get ready to write.

        Args:
            writer_lock: takes the lock with which a driver's transaction begins.
            event_lock: takes the lock behind which events get their numbers, so that they become visible in that order.
        """
        self._writer_lock = writer_lock
        self._event_lock = event_lock

    def write(
        self,
        connection: Connection,
        execution: ExecutionId,
        deployment: DeploymentId,
        columns: Columns,
        *,
        fence: int | None = None,
        beside: bool = False,
    ) -> bool:
        if not self.is_whole(columns):
            earlier = Columns(ends=columns.ends, tasks=columns.tasks)
            if not self._write(connection, execution, deployment, earlier, fence):
                return False
            columns, fence = columns._replace(ends=(), tasks=()), None
        return self._write(connection, execution, deployment, columns, fence, self._event_lock if beside else "")

    def is_whole(self, columns: Columns) -> bool:
        """Whether no task ended and begins again: its row would change twice."""
        return {it[0] for it in columns.starts}.isdisjoint(it[0] for it in columns.tasks)

    def write_whole(
        self, connection: Connection, execution: ExecutionId, deployment: DeploymentId, columns: Columns, *, fence: int
    ) -> bool:
        try:
            self._write(connection, execution, deployment, columns, fence, self._event_lock, behind=self._writer_lock)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", "") != _REFUSED:
                raise
            return False
        return True

    def append(self, connection: Connection, execution: ExecutionId, graph: Iterable[GraphRow]) -> None:
        rows, count = iter(graph), 0
        while some := list(islice(rows, _TOGETHER)):
            count += len(some)
            connection.exec_driver_sql(_statement(("graph",)), {"execution": execution, **_arrays("graph", some)})
        if count >= _LARGE:
            connection.exec_driver_sql("ANALYZE tasks, node_instances")

    @staticmethod
    def _write(
        connection: Connection,
        execution: ExecutionId,
        deployment: DeploymentId,
        columns: Columns,
        fence: int | None,
        lock: str = "",
        behind: str = "",
    ) -> bool:
        parts: dict[str, Sequence[tuple[Any, ...]]] = {
            "ends": columns.ends,
            "tasks": columns.tasks,
            "attempts": columns.starts,
            "starts": [it[:2] for it in columns.starts],
            "instances": columns.instances,
            "events": columns.events,
        }
        used = tuple(part for part, rows in parts.items() if rows)
        arrays: dict[str, Any] = {"execution": execution, "deployment": deployment}
        for part in used:
            arrays.update(_arrays(part, parts[part]))
        if fence is not None:
            arrays["fence"] = fence
        elif not used:
            return True
        statement = _statement(used, lock=lock if columns.events else "", is_fenced=fence is not None, behind=behind)
        return bool(connection.exec_driver_sql(statement, arrays).scalar())


def _arrays(part: str, rows: Iterable[tuple[Any, ...]]) -> dict[str, Packed]:
    named = zip(_PARTS[part][1], zip(*rows, strict=True), strict=True)
    return {f"{part}_{name}": pack(kind, column) for (name, kind), column in named}


@cache
def _statement(parts: tuple[str, ...], *, lock: str = "", is_fenced: bool = False, behind: str = "") -> str:
    """Return the statement that writes these parts and tells whether the lease is held.

    The server keeps it prepared. Events are numbered after they are sorted, and so after the lock is had. Once the lock
    `behind` is had, the row of the lease is looked at as it is then; what is told comes before any part is written.
    """
    written = []
    if behind:
        written.append(f"behind AS MATERIALIZED (SELECT {behind})")
    if is_fenced:
        written.append(f"held AS MATERIALIZED ({_HELD.format(behind='behind, ' if behind else '')})")
    if lock:
        written.append(f"locked AS MATERIALIZED (SELECT {lock})")
    for part in parts:
        text, columns = _PARTS[part]
        arrays = ", ".join(f"%({part}_{name})b::{kind}[]" for name, kind in columns)
        names = ", ".join(name for name, _ in columns)
        rows = f"unnest({arrays}) WITH ORDINALITY AS it ({names}, place)"
        written.append(f"{part}_part AS ({text.format(rows=rows, order='locked, ' if lock else '')})")
    told = _REFUSES if behind else "SELECT EXISTS (SELECT FROM held)" if is_fenced else "SELECT true"
    return " ".join(("WITH", ", ".join(written), told))
