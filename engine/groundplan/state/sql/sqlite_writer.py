"""Writes drivers' batches to SQLite: prepared statements with tuples, handed to the driver's cursor as they are.

By way of SQLAlchemy each statement would cost as much as half a dozen rows. What the rows mean is `batches`'.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import chain, islice
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from groundplan.model.ids import DeploymentId, ExecutionId
from groundplan.state.sql.batches import Columns, GraphRow, InstanceRow

_TOGETHER: Final = 25
"""Rows that one statement adds: each statement costs as much as a third of a row."""
_BEGIN_ATTEMPT: Final = "INSERT INTO attempts (execution_id, task, number, started_at) VALUES", "(?, ?, ?, ?)"
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
    "INSERT INTO events (execution_id, deployment_id, at, type, level, instance, target, operation, message) VALUES",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?)",
)
_TASK: Final = (
    "INSERT INTO tasks "
    "(execution_id, number, kind, instance, operation, details, waits, state, attempts, earlier, error) VALUES",
    "(?, ?, ?, ?, ?, ?, ?, 'pending', 0, 0, '')",
)
_CHANGE, _OF_INSTANCE = "UPDATE node_instances SET", "WHERE deployment_id = ? AND id = ?"
_HELD: Final = "SELECT 1 FROM executions WHERE id = ? AND fence = ?"
_CHANGED: Final = ("state", "sealed_runtime_properties", "system_properties")


class SqliteWriter:
    """Implements `batches.Writer`."""

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
        with _cursor(connection) as cursor:
            # Nobody else writes until this transaction ends, so that to look is enough.
            if fence is not None and cursor.execute(_HELD, (execution, fence)).fetchone() is None:
                return False
            self._write(cursor, execution, deployment, columns)
        return True

    def _write(
        self, cursor: sqlite3.Cursor, execution: ExecutionId, deployment: DeploymentId, columns: Columns
    ) -> None:
        run = cursor.executemany
        if columns.ends:
            run(
                _END_ATTEMPT,
                [
                    (at, verdict, failure, execution, task, number)
                    for task, number, at, verdict, failure in columns.ends
                ],
            )
        if columns.tasks:
            run(_END_TASK, [(*it[1:], execution, it[0]) for it in columns.tasks])
        if columns.starts:
            _insert(cursor, _BEGIN_ATTEMPT, [(execution, *it) for it in columns.starts])
            run(_BEGIN_TASK, [(number, execution, task) for task, number, _ in columns.starts])
        alike: dict[tuple[bool, ...], list[InstanceRow]] = {}
        for row in columns.instances:
            alike.setdefault((row.state is not None, row.properties is not None, row.system is not None), []).append(
                row
            )
        for names, changed in alike.items():
            self._change(cursor, deployment, names, changed)
        if columns.events:
            _insert(cursor, _EVENT, columns.events)

    def append(self, connection: Connection, execution: ExecutionId, graph: Iterable[GraphRow]) -> None:
        with _cursor(connection) as cursor:
            _insert(cursor, _TASK, ((execution, *row) for row in graph))

    @staticmethod
    def _change(
        cursor: sqlite3.Cursor, deployment: DeploymentId, names: tuple[bool, ...], changed: Iterable[InstanceRow]
    ) -> None:
        new = [f"{name} = ?" for name, is_new in zip(_CHANGED, names, strict=True) if is_new]
        cursor.executemany(
            " ".join((_CHANGE, ", ".join(("version = version + 1", *new)), _OF_INSTANCE)),
            [(*[value for value in row[1:] if value is not None], deployment, row[0]) for row in changed],
        )


def _insert(cursor: sqlite3.Cursor, table: tuple[str, str], rows: Iterable[tuple[Any, ...]]) -> None:
    into, row = table
    many, left = _insertion(into, row, _TOGETHER), iter(rows)
    while len(some := list(islice(left, _TOGETHER))) == _TOGETHER:
        cursor.execute(many, list(chain.from_iterable(some)))
    cursor.executemany(_insertion(into, row, 1), some)


@cache
def _insertion(into: str, row: str, count: int) -> str:
    return f"{into} {', '.join([row] * count)}"


@contextmanager
def _cursor(connection: Connection) -> Iterator[sqlite3.Cursor]:
    """Give the driver's own cursor; its errors come as SQLAlchemy's."""
    cursor = connection.connection.cursor()
    assert isinstance(cursor, sqlite3.Cursor)
    try:
        yield cursor
    except sqlite3.Error as error:
        raise DBAPIError.instance(None, None, error, sqlite3.Error, dialect=connection.dialect) from error
    finally:
        cursor.close()
