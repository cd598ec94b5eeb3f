"""The stores that the contract is held against, made by their migrations: SQLite on disk and a real PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from groundplan.model.execution import Lease
from groundplan.model.ids import ExecutionId
from groundplan.state.migrations import upgrade
from groundplan.state.seal import Seal
from groundplan.state.sql.dialect import Dialect
from groundplan.state.sql.postgresql import parse_url
from groundplan.state.sql.sqlite import Sqlite
from groundplan.state.sql.store import SqlStore

from ...proof.postgres import PostgresServer, postgres_server
from .nouns import EXECUTION, NOW, fill

KEY = b"0123456789abcdef" * 2


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL server."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def template(server: PostgresServer) -> str:
    """A database that holds an empty store, to copy."""
    with server.connect() as connection:
        connection.execute("CREATE DATABASE template")
    SqlStore(parse_url(server.url("template"), "test"), Seal(KEY), upgrade).close()
    return "template"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store on SQLite is kept."""
    return tmp_path / "state.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest, path: Path) -> Iterator[Dialect]:
    """Where the store is: one database after the other."""
    if request.param == "sqlite":
        yield Sqlite(path)
        return
    server = request.getfixturevalue("server")
    with server.database(request.getfixturevalue("template")) as name:
        yield parse_url(server.url(name), "test")


@pytest.fixture
def store(dialect: Dialect) -> Iterator[SqlStore]:
    """An empty store."""
    opened = SqlStore(dialect, Seal(KEY), upgrade)
    yield opened
    opened.close()


@pytest.fixture
def leases(store: SqlStore) -> list[Lease]:
    """Leases of two executions."""
    other = replace(EXECUTION, id=ExecutionId("e2"))
    with store.transaction() as transaction:
        fill(transaction)
        transaction.add_execution(other)
        return [transaction.acquire(each, "one:1:0", NOW) for each in (EXECUTION.id, other.id)]
