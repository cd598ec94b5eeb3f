"""A store of an older form keeps what it holds when it is brought up to date."""

from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from groundplan.state.migrations import upgrade
from groundplan.state.seal import Seal
from groundplan.state.sql.dialect import Dialect
from groundplan.state.sql.postgresql import parse_url
from groundplan.state.sql.sqlite import Sqlite
from groundplan.state.sql.store import SqlStore

from ...proof.postgres import PostgresServer
from .conftest import KEY

SEALED = Seal(KEY).close(b"{}", "deployments/d/inputs")
OLD = (
    "INSERT INTO deployments (id, blueprint_id, digest, display_name, labels, sealed_inputs, created_at)"
    " VALUES ('d', 'b', '0', 'd', '{}', :sealed, 0)",
    "INSERT INTO executions (id, deployment_id, workflow, status, sealed_parameters, created_at, error, is_dry_run,"
    " stage, fence) VALUES ('e', 'd', 'install', 'failed', :sealed, 0, '', false, 1, 1)",
    "INSERT INTO attempts (execution_id, task, number, started_at, ended_at, verdict, error)"
    " VALUES ('e', 0, 1, 5, 6, 'failed', 'told'), ('e', 1, 1, 7, NULL, NULL, NULL)",
    "INSERT INTO events (id, execution_id, deployment_id, at, type, level, operation, message)"
    " VALUES (7, 'e', 'd', 0, 'log', 'info', '', 'first'), (9, NULL, 'd', 0, 'revealed', '', '', 'second')",
)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_attempts_and_events_stay(request: pytest.FixtureRequest, path: Path, kind: str) -> None:
    if kind == "sqlite":
        kept_by(Sqlite(path))
        return
    server: PostgresServer = request.getfixturevalue("server")
    with server.database() as name:
        kept_by(parse_url(server.url(name), "test"))


def kept_by(dialect: Dialect) -> None:
    """Fill a store of revision 0008, and open it anew."""
    engine = dialect.connect()
    with engine.connect() as connection:
        connection.exec_driver_sql(dialect.begin_writing)
        upgrade(connection, "0008")
        for row in OLD:
            connection.execute(text(row), {"sealed": SEALED} if ":sealed" in row else {})
        connection.commit()
    engine.dispose()
    store = SqlStore(dialect, Seal(KEY), upgrade, upgrades=True)
    with store._engine.connect() as connection:
        attempts = connection.exec_driver_sql(
            "SELECT task, number, started_at, ended_at, verdict, error FROM attempts ORDER BY task"
        )
        assert [tuple(row) for row in attempts] == [(0, 1, 5.0, 6.0, "failed", "told"), (1, 1, 7.0, None, None, None)]
        indexed = {tuple(index["column_names"]) for index in inspect(connection).get_indexes("events")}
        assert indexed == {("deployment_id",), ("execution_id",)}
        events = connection.exec_driver_sql("SELECT id, execution_id, message FROM events ORDER BY id")
        assert [tuple(row) for row in events] == [(7, "e", "first"), (9, None, "second")]
        # Somebody deletes an execution past the program: what no foreign key deletes is missed.
        connection.exec_driver_sql("DELETE FROM executions")
        connection.commit()
    faults = " ".join(store.examine().faults)
    assert "attempts has 2 rows of execution e, which is gone" in faults
    assert "events has 1 rows of execution e, which is gone" in faults
    store.close()
