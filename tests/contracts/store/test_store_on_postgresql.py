"""A store on PostgreSQL: how it is named and reached, and what its locks let happen at the same time."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from groundplan.diagnostics.trouble import UsageError
from groundplan.model.execution import Lease
from groundplan.model.ids import DeploymentId
from groundplan.model.schedule import Worker
from groundplan.model.secret import SecretValue
from groundplan.runtime.liveness import LEASE_SECONDS, is_alive
from groundplan.service.worker import living
from groundplan.state.migrations import upgrade
from groundplan.state.seal import Seal
from groundplan.state.sql.postgresql import Postgresql, parse_url
from groundplan.state.sql.server_clock import ServerClock
from groundplan.state.sql.store import SqlStore
from groundplan.state.store import Batch, StaleLease, StoreFault

from ...proof.postgres import PASSWORD, PostgresServer
from ...proof.user import eventually
from .nouns import DEPLOYMENT, EVENT, EXECUTION, NOW, fill

KEY = b"0123456789abcdef" * 2


@pytest.fixture
def dialect(server: PostgresServer, template: str) -> Iterator[Postgresql]:
    """A database of its own."""
    with server.database(template) as name:
        yield parse_url(server.url(name), "test")


def opened(url: str) -> SqlStore:
    """The store of a URL."""
    return SqlStore(parse_url(url, "GROUNDPLAN_DATABASE_URL"), Seal(KEY), upgrade)


def words_of(error: StoreFault | UsageError) -> str:
    """Everything that is said of a fault."""
    return f"{error.message} {error.fix} {error.__cause__!r}"


# -- named and reached


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:hunter2@h/db",
        "sqlite:///hunter2",
        "hunter2",
        "postgresql://u:hunter2@h:port/db",
        "postgresql://u:hunter2@h",
    ],
)
def test_a_url_that_names_no_database_of_postgresql_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError, match="GROUNDPLAN_DATABASE_URL") as caught:
        opened(url)
    assert "hunter2" not in words_of(caught.value)
    assert "postgresql://USER" in caught.value.fix


def test_a_server_that_is_not_there_is_told_with_its_place(server: PostgresServer) -> None:
    with pytest.raises(StoreFault, match="cannot be reached") as caught:
        opened("postgresql://u:hunter2@127.0.0.1:1/db?sslmode=disable")
    assert "postgresql://u@127.0.0.1:1/db" in caught.value.message
    assert "hunter2" not in words_of(caught.value)
    assert "server runs" in caught.value.fix


def test_a_host_that_is_not_known_is_told() -> None:
    with pytest.raises(StoreFault, match="cannot be reached") as caught:
        opened("postgresql://u:hunter2@nowhere.invalid/db")
    assert "host and port" in caught.value.fix
    assert "hunter2" not in words_of(caught.value)


def test_a_wrong_password_is_told_and_none_is_shown(server: PostgresServer) -> None:
    with pytest.raises(StoreFault, match="password authentication failed") as caught:
        opened(server.url().replace("pass", "hunter2"))
    assert "hunter2" not in words_of(caught.value)
    assert "Check the password" in caught.value.fix


def test_a_database_that_is_not_there_is_told(server: PostgresServer) -> None:
    with pytest.raises(StoreFault, match="does not exist") as caught:
        opened(server.url("nowhere"))
    assert "createdb" in caught.value.fix


def test_the_password_is_in_nothing_that_the_store_shows(dialect: Postgresql) -> None:
    store = SqlStore(dialect, Seal(KEY), upgrade)
    assert PASSWORD not in f"{dialect!r} {dialect.place} {store._engine!r} {vars(store)}"
    store.close()


# -- the form of the tables


def test_of_several_who_open_an_empty_database_at_once_each_finds_it_made(server: PostgresServer) -> None:
    troubles: list[Exception] = []

    def open_it(url: str) -> None:
        try:
            opened(url).close()
        except Exception as error:
            troubles.append(error)

    with server.database() as name:
        threads = [threading.Thread(target=open_it, args=(server.url(name),)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert troubles == []


def test_text_sorts_by_code_points_whatever_the_locale(server: PostgresServer, template: str) -> None:
    with server.connect(template) as connection:
        others = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND data_type IN ('text', 'character varying') AND collation_name IS DISTINCT FROM 'C'"
            " AND table_name <> 'alembic_version'"
        ).fetchall()
    assert others == []


# -- at the same time


def batch(lease: Lease, *, with_event: bool = True) -> Batch:
    """A heartbeat's worth of record, or with an event."""
    events = [structs.replace(EVENT, execution=lease.execution)] if with_event else []
    return Batch(lease=lease, deployment=DeploymentId(DEPLOYMENT.id), events=events)


def test_drivers_of_different_executions_record_beside_each_other(store: SqlStore, leases: list[Lease]) -> None:
    with store.recording() as one:
        one.record(batch(leases[0], with_event=False))
        with store.recording() as other:
            other.record(batch(leases[1]))
        with store.snapshot() as snapshot:
            assert [event.execution for _, event in snapshot.events()] == ["e2"]


def test_events_get_their_numbers_in_the_order_in_which_they_can_be_seen(
    store: SqlStore, leases: list[Lease], server: PostgresServer
) -> None:
    def record_beside() -> None:
        with store.recording() as other:
            other.record(batch(leases[1]))

    def waits() -> bool:
        with server.connect() as connection:
            found = connection.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").fetchone()
        return found is not None

    with store.recording() as one:
        one.record(batch(leases[0]))
        one.heartbeat(leases[0], NOW)
        thread = threading.Thread(target=record_beside)
        thread.start()
        eventually(waits, what="a driver that waits with its events")
        one.record(batch(leases[0]))
    thread.join()
    with store.snapshot() as snapshot:
        # Whoever asks for what follows the last number that they saw misses nothing.
        assert [event.execution for _, event in snapshot.events()] == ["e1", "e1", "e2"]


def test_who_decides_waits_for_those_who_record(store: SqlStore, leases: list[Lease]) -> None:
    order: list[str] = []

    def decide() -> None:
        with store.transaction() as transaction:
            order.append(f"decided on {len(transaction.events())} events")

    with store.recording() as one:
        one.record(batch(leases[0]))
        one.heartbeat(leases[0], NOW)
        thread = threading.Thread(target=decide)
        thread.start()
        thread.join(0.1)
        order.append("recorded")
    thread.join()
    assert order == ["recorded", "decided on 1 events"]


def test_a_batch_that_waited_for_who_took_the_lease_is_refused(store: SqlStore, leases: list[Lease]) -> None:
    refused = list[StaleLease]()

    def record() -> None:
        try:
            with store.recording() as recording:
                recording.record(batch(leases[0]))
        except StaleLease as stale:
            refused.append(stale)

    with store.transaction() as transaction:
        thread = threading.Thread(target=record)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        transaction.acquire(EXECUTION.id, "two:2:0", NOW)
    thread.join()
    assert refused
    with store.snapshot() as snapshot:
        assert snapshot.events() == []


def test_a_store_goes_on_after_its_connections_were_cut(store: SqlStore, server: PostgresServer) -> None:
    with store.transaction() as transaction:
        transaction.put_secret("kept", SecretValue(text="1"), NOW)
    with server.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'groundplan'"
        )
    with store.snapshot() as snapshot:
        assert [item.name for item in snapshot.secrets()] == ["kept"]


def test_a_commit_of_a_client_that_died_lands_before_anybody_decides(
    store: SqlStore, dialect: Postgresql, server: PostgresServer, leases: list[Lease]
) -> None:
    client = server.connect(dialect.url.database)
    client.execute(Postgresql.begin_recording)
    client.execute(
        "INSERT INTO events (execution_id, deployment_id, at, type, level, operation, message)"
        " VALUES ('e1', 'shop1', 0, 'log', 'info', '', 'late')"
    )
    backend = client.info.backend_pid
    seen: list[str] = []

    def decide() -> None:
        with store.transaction() as transaction:
            transaction.acquire(EXECUTION.id, "two:2:0", NOW)
            seen.extend(event.message for _, event in transaction.events())

    thread = threading.Thread(target=decide)
    os.kill(backend, signal.SIGSTOP)
    try:
        client.pgconn.send_query(b"COMMIT")
        client.pgconn.flush()
        client.close()
        thread.start()
        thread.join(0.2)
        assert thread.is_alive(), "it read while a commit was on its way"
    finally:
        os.kill(backend, signal.SIGCONT)
    thread.join(20)
    assert seen == ["late"]


# -- clocks


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
def test_leases_are_told_by_the_servers_clock_whatever_a_hosts_clock_says(dialect: Postgresql, skew: float) -> None:
    def here(seconds: float = 0) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=skew + seconds)

    strange = SqlStore(replace(dialect, clock=ServerClock(lambda: time.time() + skew)), Seal(KEY), upgrade)
    usual = SqlStore(dialect, Seal(KEY), upgrade)
    with usual.transaction() as transaction:
        fill(transaction)
        lease = transaction.acquire(EXECUTION.id, "elsewhere:1:0", datetime.now(UTC))
    with strange.transaction() as transaction:
        assert is_alive(transaction.lease(EXECUTION.id), here())
        assert not is_alive(transaction.lease(EXECUTION.id), here(LEASE_SECONDS + 5))
        transaction.heartbeat(lease, here(-5))
        transaction.put_worker(Worker(name="elsewhere:1:0", started_at=here(), heartbeat=here(), limit=1))
    with usual.snapshot() as snapshot:
        age = datetime.now(UTC) - snapshot.leases()[EXECUTION.id].heartbeat
        assert timedelta(seconds=4) < age < timedelta(seconds=10)
        assert len(living(snapshot, datetime.now(UTC))) == 1
    strange.close()
    usual.close()


def test_a_clock_that_was_set_meanwhile_is_compared_anew() -> None:
    shift = 0.0
    clock = ServerClock(lambda: time.time() + shift)
    assert clock.ahead(time.time) == 0.0
    shift = -7200.0
    assert clock.ahead(time.time) == pytest.approx(7200, abs=1)
