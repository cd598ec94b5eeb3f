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
from groundplan.state.sql.batches import Columns, GraphRow

_TOGETHER: Final = 25
"""Rows that one statement adds: each statement costs as much as a third of a row."""
_BEGIN_ATTEMPT: Final = "INSERT INTO attempts (execution_id, task, number, started_at) VALUES", "(?, ?, ?, ?)"
# Numbered, so that rows go in as they are, with what all of them share behind.
_END_ATTEMPT: Final = (
    "UPDATE attempts SET ended_at = ?3, verdict = ?4, error = ?5 WHERE execution_id = ?6 AND task = ?1 AND number = ?2"
)
_BEGIN_TASK: Final = (
    "UPDATE tasks SET state = 'started', attempts = ?2, due_at = NULL WHERE execution_id = ?4 AND number = ?1"
)
_END_TASK: Final = (
    "UPDATE tasks SET state = ?2, due_at = ?3, waits_for = ?4, error = ?5, sealed_result = ?6 "
    "WHERE execution_id = ?7 AND number = ?1"
)
_CHANGE_INSTANCE: Final = (
    "UPDATE node_instances SET version = version + 1, state = COALESCE(?2, state), "
    "sealed_runtime_properties = COALESCE(?3, sealed_runtime_properties), "
    "system_properties = COALESCE(?4, system_properties) WHERE deployment_id = ?5 AND id = ?1"
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
_HELD: Final = "SELECT 1 FROM executions WHERE id = ? AND fence = ?"


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

    def is_whole(self, columns: Columns) -> bool:
        # No server is asked between the statements, so that one would save nothing.
        return False

    def write_whole(
        self, connection: Connection, execution: ExecutionId, deployment: DeploymentId, columns: Columns, *, fence: int
    ) -> bool:
        raise AssertionError("no batch is one statement here")

    def _write(
        self, cursor: sqlite3.Cursor, execution: ExecutionId, deployment: DeploymentId, columns: Columns
    ) -> None:
        run, of = cursor.executemany, (execution,)
        if columns.ends:
            run(_END_ATTEMPT, [row + of for row in columns.ends])
        if columns.tasks:
            run(_END_TASK, [row + of for row in columns.tasks])
        if columns.starts:
            _insert(cursor, _BEGIN_ATTEMPT, [of + row for row in columns.starts])
            run(_BEGIN_TASK, [row + of for row in columns.starts])
        if columns.instances:
            run(_CHANGE_INSTANCE, [(*row, deployment) for row in columns.instances])
        if columns.events:
            _insert(cursor, _EVENT, columns.events)

    def append(self, connection: Connection, execution: ExecutionId, graph: Iterable[GraphRow]) -> None:
        with _cursor(connection) as cursor:
            _insert(cursor, _TASK, ((execution, *row) for row in graph))


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
