"""Writes drivers' batches to SQLite: prepared statements with tuples, handed to the driver as they are.

Statements that SQLAlchemy compiles cost twice as much, nearly all of it for turning rows into dictionaries and back.
What the rows mean is `batches`'.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection

from groundplan.model.ids import DeploymentId, ExecutionId
from groundplan.state.sql.batches import Columns, GraphRow, InstanceRow

_BEGIN_ATTEMPT: Final = "INSERT INTO attempts (execution_id, task, number, started_at) VALUES (?, ?, ?, ?)"
_END_ATTEMPT: Final = (
    "UPDATE attempts SET ended_at = ?, verdict = ?, error = ? WHERE execution_id = ? AND task = ? AND number = ?"
)
_BEGIN_TASK: Final = (
    "UPDATE tasks SET state = 'started', attempts = ?, due_at = NULL WHERE execution_id = ? AND number = ?"
)
_END_TASK: Final = (
    "UPDATE tasks SET state = ?, due_at = ?, waits_for = ?, error = ?, sealed_result = ? "
    "WHERE execution_id = ? AND number = ?"
)
_EVENT: Final = (
    "INSERT INTO events (execution_id, deployment_id, at, type, level, instance, target, operation, message) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_TASK: Final = (
    "INSERT INTO tasks "
    "(execution_id, number, kind, instance, operation, details, waits, state, attempts, earlier, error) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', 0, 0, '')"
)
_CHANGE, _OF_INSTANCE = "UPDATE node_instances SET", "WHERE deployment_id = ? AND id = ?"
_CHANGED: Final = ("state", "sealed_runtime_properties", "system_properties")


class SqliteWriter:
    """Implements `batches.Writer`."""

    def write(self, connection: Connection, execution: ExecutionId, deployment: DeploymentId, columns: Columns) -> None:
        run = connection.exec_driver_sql
        if columns.ends:
            run(_END_ATTEMPT, [(it.at, it.verdict, it.failure, execution, it.task, it.number) for it in columns.ends])
        if columns.tasks:
            run(_END_TASK, [(*it[1:], execution, it.task) for it in columns.tasks])
        if columns.starts:
            run(_BEGIN_ATTEMPT, [(execution, *it) for it in columns.starts])
            run(_BEGIN_TASK, [(it.number, execution, it.task) for it in columns.starts])
        alike: dict[tuple[bool, ...], list[InstanceRow]] = {}
        for row in columns.instances:
            alike.setdefault((row.state is not None, row.properties is not None, row.system is not None), []).append(
                row
            )
        for names, changed in alike.items():
            self._change(connection, deployment, names, changed)
        if columns.events:
            run(_EVENT, list(columns.events))

    def append(self, connection: Connection, execution: ExecutionId, graph: Iterable[GraphRow]) -> None:
        found = [(execution, *row) for row in graph]
        if found:
            connection.exec_driver_sql(_TASK, found)

    @staticmethod
    def _change(
        connection: Connection, deployment: DeploymentId, names: tuple[bool, ...], changed: Iterable[InstanceRow]
    ) -> None:
        new = [f"{name} = ?" for name, is_new in zip(_CHANGED, names, strict=True) if is_new]
        connection.exec_driver_sql(
            " ".join((_CHANGE, ", ".join(("version = version + 1", *new)), _OF_INSTANCE)),
            [(*(value for value in row[1:] if value is not None), deployment, row.instance) for row in changed],
        )
