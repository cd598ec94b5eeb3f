"""Reads a whole store and says what is wrong with it: it repairs nothing, and stops at nothing that it can pass by."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, Table, func, select

from groundplan.state.seal import Seal
from groundplan.state.sql import schema
from groundplan.state.sql.dialect import Dialect
from groundplan.state.sql.sealed import Row, is_sealed, open_row, pages
from groundplan.state.store import Examination, StoreFault

_MOST: Final = 20
_PLANNED: Final = (schema.blueprints, schema.deployments)
_OF_EXECUTIONS: Final = (schema.attempts, schema.events)


def examine(connection: Connection, seal: Seal, dialect: Dialect, revision: str) -> Examination:
    """Return what a store holds and what is wrong with it, at most twenty faults."""
    faults = list(_own_faults(connection, dialect))
    rows = sealed = 0
    for table in schema.metadata.sorted_tables:
        names = [column.name for column in table.columns if is_sealed(table, column.name)]
        for page in pages(connection, table):
            rows += len(page)
            for row in page if names else ():
                sealed += sum(row[name] is not None for name in names)
                faults += _unopened(table, row, seal)
    faults += _without_plan(connection)
    faults += _without_execution(connection)
    return Examination(place=dialect.place, revision=revision, rows=rows, sealed=sealed, faults=tuple(faults[:_MOST]))


def _own_faults(connection: Connection, dialect: Dialect) -> Iterator[str]:
    for query in dialect.examine:
        for row in connection.exec_driver_sql(query):
            if row[0] != "ok":
                yield " ".join(str(cell) for cell in row)


def _unopened(table: Table, row: Row, seal: Seal) -> list[str]:
    try:
        open_row(table, row, seal)
    except StoreFault as error:
        return [error.message]
    return []


def _without_plan(connection: Connection) -> Iterator[str]:
    plans = select(schema.plans.c.digest)
    for table in _PLANNED:
        for row in connection.execute(select(table.c.id, table.c.digest).where(table.c.digest.not_in(plans))):
            yield f"{table.name}/{row.id} has no plan ({row.digest[:12]})"


def _without_execution(connection: Connection) -> Iterator[str]:
    known = select(schema.executions.c.id)
    for table in _OF_EXECUTIONS:
        own = table.c.execution_id
        for row in connection.execute(select(own, func.count()).where(own.not_in(known)).group_by(own)):
            yield f"{table.name} has {row[1]} rows of execution {row[0]}, which is gone"
