"""A store moves between databases with nothing lost; what is damaged, wrong or too new moves nothing."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, LargeBinary, insert, select

from groundplan.diagnostics.trouble import Conflict, UsageError
from groundplan.model.execution import Failure, Outcome, TaskState, Verdict
from groundplan.model.secret import SecretValue
from groundplan.service import moving
from groundplan.service.assembly import Engine, open_engine
from groundplan.state.sql import schema
from groundplan.state.sql.sealed import close_row, open_row
from groundplan.state.store import AttemptEnd, AttemptStart, Batch, FilePart

from ..contracts.store.nouns import (
    BLUEPRINT,
    DEPENDENCY,
    DEPLOYMENT,
    EVENT,
    EXECUTION,
    INSTANCE,
    MANIFEST,
    NOW,
    PASSWORD,
    SCHEDULE,
    fill,
)
from ..proof.postgres import PostgresServer, postgres_server

PASSPHRASE = "a passphrase of some length"
STAYS = {"keys", "workers"}
Make = Callable[[str], Engine]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL server."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def make(server: PostgresServer, tmp_path: Path) -> Iterator[Make]:
    """Make the engine of an empty home of its own, on a database of a kind."""
    with server.database() as first, server.database() as second:
        databases, opened = iter([first, second]), []

        def make(kind: str) -> Engine:
            environment = {"GROUNDPLAN_HOME": str(tmp_path / f"home{len(opened)}")}
            if kind == "postgresql":
                environment["GROUNDPLAN_DATABASE_URL"] = server.url(next(databases))
            manager = open_engine(environment)
            opened.append(manager)
            return manager.__enter__()

        yield make
        for manager in opened:
            manager.__exit__(None, None, None)


def filled(engine: Engine) -> Engine:
    """Put something into every table, and into a deployment's folder."""
    with engine.store.transaction() as transaction:
        fill(transaction)
        transaction.put_blueprint_files(BLUEPRINT.digest, [FilePart("blueprint.yaml", 0, 0o644, b"\0\xff")])
        transaction.put_dependency(DEPENDENCY)
        transaction.put_secret("db", SecretValue(text=PASSWORD), NOW)
        transaction.remember(DEPLOYMENT.id, "key", PASSWORD)
        transaction.put_manifest("1", MANIFEST)
        transaction.put_schedule(SCHEDULE)
        lease = transaction.acquire(EXECUTION.id, "one:1:0", NOW)
        start = AttemptStart(task=1, number=1, at=NOW)
        failure = Failure(type="Trouble", message="no")
        outcome = Outcome(verdict=Verdict.FAILED, failure=failure, result={"password": PASSWORD, "plain": 1})
        end = AttemptEnd(task=1, number=1, at=NOW, state=TaskState.FAILED, outcome=outcome)
        transaction.record(Batch(lease=lease, deployment=DEPLOYMENT.id, started=[start], events=[EVENT]))
        transaction.record(Batch(lease=lease, deployment=DEPLOYMENT.id, ended=[end]))
        transaction.release(lease)
        transaction.leave_outcome(EXECUTION.id, 1, 2, outcome)
    fill_the_rest(engine)
    folder = engine.home.deployment_folder(DEPLOYMENT.id) / "resources"
    folder.mkdir(parents=True)
    (folder / "motd").write_bytes(b"\0hello")
    return engine


def fill_the_rest(engine: Engine) -> None:
    """Put a made-up row into each table that has none yet, whatever table is added."""
    store: Any = engine.store
    with store._engine.connect() as connection:
        for table in schema.metadata.sorted_tables:
            if table.name not in STAYS and connection.execute(select(table)).first() is None:
                row = {column.name: made_up(column) for column in table.columns}
                connection.execute(insert(table).values(**close_row(table, row, store._seal)))
        connection.commit()


def made_up(column: Column[Any]) -> Any:
    """Return a value that a column takes."""
    for key in column.foreign_keys:
        return {"deployments": DEPLOYMENT.id, "executions": EXECUTION.id}.get(key.column.table.name, "1")
    if isinstance(column.type, LargeBinary):
        return b'{"plain": 1}'
    return column.type.python_type("1") if column.type.python_type is not bool else True


def opened_tables(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Read every table, with its sealed values in clear."""
    store: Any = engine.store
    with store._engine.connect() as connection:
        return {
            table.name: [
                open_row(table, dict(row), store._seal)
                for row in connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()
            ]
            for table in schema.metadata.sorted_tables
            if table.name not in STAYS
        }


def carry(source: Engine, target: Engine, file: Path, passphrase: str | None = PASSPHRASE) -> None:
    """Export one store, and import it into the other."""
    moving.export(source.store, source.home, file, passphrase)
    moving.import_(target.store, target.home, file, lambda: PASSPHRASE)


@pytest.mark.parametrize(
    ("kind", "other"), [("sqlite", "postgresql"), ("postgresql", "sqlite"), ("postgresql", "postgresql")]
)
def test_a_store_moves_with_nothing_lost(make: Make, tmp_path: Path, kind: str, other: str) -> None:
    source, target = filled(make(kind)), make(other)
    before = opened_tables(source)
    assert [name for name, rows in before.items() if not rows] == []
    carry(source, target, tmp_path / "export")
    assert opened_tables(target) == before
    assert PASSWORD.encode() not in (tmp_path / "export").read_bytes()
    assert (tmp_path / "export").stat().st_mode & 0o777 == 0o600
    assert (target.home.deployment_folder(DEPLOYMENT.id) / "resources" / "motd").read_bytes() == b"\0hello"


def test_a_store_that_moved_goes_on(make: Make, tmp_path: Path) -> None:
    source, target = filled(make("sqlite")), make("postgresql")
    carry(source, target, tmp_path / "export")
    with target.store.transaction() as transaction:
        lease = transaction.acquire(EXECUTION.id, "two:1:0", NOW)
        start = AttemptStart(task=1, number=2, at=NOW)
        transaction.record(Batch(lease=lease, deployment=DEPLOYMENT.id, started=[start], events=[EVENT]))
        (first, _), (second, _) = transaction.events()
    assert second > first
    assert target.store.examine().faults == ()


def test_without_secrets_nothing_sensitive_travels(make: Make, tmp_path: Path) -> None:
    source, target = filled(make("sqlite")), make("sqlite")
    carry(source, target, tmp_path / "export", None)
    moved = opened_tables(target)
    assert PASSWORD not in repr(moved)
    assert moved["secrets"] == []
    with target.store.snapshot() as snapshot:
        assert snapshot.deployment(DEPLOYMENT.id).inputs["$odd"] == DEPLOYMENT.inputs["$odd"]
        assert snapshot.results(EXECUTION.id)[1]["plain"] == 1
        assert snapshot.instance(DEPLOYMENT.id, INSTANCE.id).runtime_properties["ports"] == [1, 2]


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The export of a store."""
    folder = tmp_path_factory.mktemp("exported")
    with open_engine({"GROUNDPLAN_HOME": str(folder / "home")}) as source:
        moving.export(filled(source).store, source.home, folder / "export", PASSPHRASE)
    return (folder / "export").read_bytes()


@pytest.fixture
def exported(sealed: bytes, tmp_path: Path) -> Path:
    """A copy of it."""
    (tmp_path / "export").write_bytes(sealed)
    return tmp_path / "export"


def refuse(target: Engine, file: Path, passphrase: str = PASSPHRASE) -> str:
    """Import what must be refused; return the words for it."""
    with pytest.raises(UsageError) as caught:
        moving.import_(target.store, target.home, file, lambda: passphrase)
    assert not any(opened_tables(target).values())
    assert not target.home.deployment_folder(DEPLOYMENT.id).exists()
    return caught.value.message


def test_a_wrong_passphrase_is_told(make: Make, exported: Path) -> None:
    assert "passphrase does not open" in refuse(make("sqlite"), exported, "another passphrase")


def test_a_sealed_file_that_was_changed_is_told(make: Make, exported: Path) -> None:
    exported.write_bytes(exported.read_bytes()[:-1] + b"x")
    assert "changed" in refuse(make("sqlite"), exported)


@pytest.fixture
def plain(make: Make, tmp_path: Path) -> Path:
    """An export that is not sealed, but checked piece by piece as well."""
    source = filled(make("sqlite"))
    moving.export(source.store, source.home, tmp_path / "plain", None)
    return tmp_path / "plain"


def test_a_file_that_was_cut_anywhere_is_told(make: Make, plain: Path) -> None:
    whole, target = plain.read_bytes(), make("sqlite")
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        plain.write_bytes(whole[:length])
        assert refuse(target, plain)


def test_a_file_that_was_changed_is_told(make: Make, plain: Path) -> None:
    whole, target = plain.read_bytes(), make("sqlite")
    plain.write_bytes(whole[:-60] + bytes([whole[-60] ^ 1]) + whole[-59:])
    assert "changed" in refuse(target, plain)
    plain.write_bytes(whole + b"more")
    assert "after its end" in refuse(target, plain)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"groundplan-export 1", b"groundplan-export 2", "has format '2'"),
        (b"groundplan-export", b"something else   ", "is no export"),
        (b'"revision":"0', b'"revision":"9', "another version"),
    ],
)
def test_a_file_of_another_form_is_told(make: Make, exported: Path, old: bytes, new: bytes, words: str) -> None:
    exported.write_bytes(exported.read_bytes().replace(old, new, 1))
    assert words in refuse(make("sqlite"), exported)


def test_a_store_that_has_something_is_not_mixed_with_another(make: Make, exported: Path) -> None:
    target = make("sqlite")
    with target.store.transaction() as transaction:
        transaction.put_blueprint(replace(BLUEPRINT), {})
    with pytest.raises(Conflict, match="not empty"):
        moving.import_(target.store, target.home, exported, lambda: PASSPHRASE)


def test_an_export_does_not_overwrite(make: Make, exported: Path) -> None:
    target, before = make("sqlite"), exported.read_bytes()
    with pytest.raises(UsageError, match="already"):
        moving.export(target.store, target.home, exported, PASSPHRASE)
    assert exported.read_bytes() == before
