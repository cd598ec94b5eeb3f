"""A database without a machine, as a managed service gives one."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from groundplan_sandbox.machines.host import MachineHost
from groundplan_sandbox.postgres.server import PostgresServer

from .conftest import new_address

USER, PASSWORD = "shop-keeper", "p'ss word"


@pytest.fixture
def server(tmp_path: Path, host: MachineHost) -> Iterator[PostgresServer]:
    server = PostgresServer(tmp_path / "db", [new_address()], superuser=USER, password=PASSWORD)
    server.start()
    yield server
    server.delete()
    assert not (tmp_path / "db").exists()


def connect(server: PostgresServer, password: str = PASSWORD) -> psycopg.Connection[tuple[object, ...]]:
    (address,) = server.addresses
    return psycopg.connect(host=address, dbname="postgres", user=USER, password=password, connect_timeout=5)


def test_it_knows_its_superuser_and_no_other_password(server: PostgresServer) -> None:
    with connect(server) as database:
        assert database.execute("select current_user, usesuper from pg_user").fetchone() == (USER, True)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(server, "guess")


def test_data_survives_a_stop(server: PostgresServer) -> None:
    with connect(server) as database:
        database.execute("create table kept as select 42 as answer")
    server.stop()
    with pytest.raises(psycopg.OperationalError, match="refused"):
        connect(server)
    server.start()
    with connect(server) as database:
        assert database.execute("select answer from kept").fetchone() == (42,)


def test_it_serves_unconfined_too(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "db", [new_address()], superuser=USER, password=PASSWORD, confined=False)
    server.start()
    try:
        with connect(server) as database:
            assert database.execute("select 42").fetchone() == (42,)
    finally:
        server.delete()


def test_its_password_is_in_no_file_and_no_command_line(server: PostgresServer, tmp_path: Path) -> None:
    clear = PASSWORD.encode()
    assert [path for path in tmp_path.rglob("*") if path.is_file() and clear in path.read_bytes()] == []
    assert not any(clear in path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists())
