"""What lies on the disk: sealed values, the form of the tables, and words for a disk that does not play along."""

import os
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from groundplan.diagnostics.trouble import UsageError
from groundplan.model.secret import SecretValue
from groundplan.state.migrations import upgrade
from groundplan.state.seal import Seal, load_key
from groundplan.state.sql import schema
from groundplan.state.sql.store import SqlStore
from groundplan.state.store import StoreFault

from .nouns import DEPLOYMENT, INSTANCE, NOW, PASSWORD, fill

KEY = b"0123456789abcdef" * 2


@pytest.fixture
def filled(store: SqlStore) -> SqlStore:
    """A store with a password in every place that seals."""
    with store.transaction() as transaction:
        fill(transaction)
        transaction.put_secret("db", SecretValue(text=PASSWORD), NOW)
        transaction.remember(DEPLOYMENT.id, "key", PASSWORD)
    return store


def change(path: Path, statement: str, *values: object) -> None:
    """Change the file behind the store's back."""
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement, values)
    connection.close()


# -- sealed


def test_no_file_of_the_store_holds_a_sealed_value_in_clear(filled: SqlStore, path: Path) -> None:
    files = list(path.parent.glob("state.db*"))
    assert {file.name for file in files} >= {"state.db", "state.db-wal"}
    assert not [file for file in files if PASSWORD.encode() in file.read_bytes()]


def test_another_key_opens_nothing(filled: SqlStore, path: Path) -> None:
    other = SqlStore(path, Seal(b"x" * 32), upgrade)
    with pytest.raises(StoreFault, match=r"secrets/db does not open"), other.snapshot() as snapshot:
        snapshot.secret("db")
    other.close()


def test_a_value_that_was_moved_to_another_name_does_not_open(filled: SqlStore, path: Path) -> None:
    change(path, "UPDATE secrets SET name = 'admin'")
    with pytest.raises(StoreFault), filled.snapshot() as snapshot:
        snapshot.secret("admin")


def test_a_value_that_was_changed_does_not_open(filled: SqlStore, path: Path) -> None:
    change(path, "UPDATE node_instances SET sealed_runtime_properties = sealed_runtime_properties || x'00'")
    with pytest.raises(StoreFault), filled.snapshot() as snapshot:
        snapshot.instance(DEPLOYMENT.id, INSTANCE.id)


def test_a_value_that_was_cut_short_does_not_open(filled: SqlStore, path: Path) -> None:
    change(path, "UPDATE secrets SET sealed_value = x'00'")
    with pytest.raises(StoreFault), filled.snapshot() as snapshot:
        snapshot.secret("db")


def test_equal_values_do_not_look_equal() -> None:
    seal = Seal(KEY)
    assert seal.close(b"same", "owner") != seal.close(b"same", "owner")


def test_a_document_that_was_changed_by_hand_is_told(filled: SqlStore, path: Path) -> None:
    change(path, "UPDATE plans SET document = '{'")
    with pytest.raises(StoreFault, match="changed by hand"), filled.snapshot() as snapshot:
        snapshot.plan(DEPLOYMENT.digest)


# -- the key


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    key = load_key(tmp_path, {})
    assert load_key(tmp_path, {}) == key
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_a_key_of_the_environment_wins(tmp_path: Path) -> None:
    assert load_key(tmp_path, {"GROUNDPLAN_KEY": "eHh4" * 10 + "eHg="}) == b"x" * 32
    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize("text", ["short", "not base64 at all!", "eHh4"])
def test_a_malformed_key_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError):
        load_key(tmp_path, {"GROUNDPLAN_KEY": text})


def test_no_new_key_is_made_for_a_store_that_another_one_sealed(tmp_path: Path) -> None:
    (tmp_path / "state.db").touch()
    with pytest.raises(UsageError, match="is missing"):
        load_key(tmp_path, {})


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    load_key(tmp_path, {})
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(UsageError, match="Others than its owner"):
        load_key(tmp_path, {})


def test_a_key_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(UsageError):
        load_key(tmp_path, {})


# -- the form of the tables


def test_the_migrations_make_the_tables_of_the_schema(store: SqlStore) -> None:
    with store._engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []


def test_a_store_of_a_newer_program_is_refused(store: SqlStore, path: Path) -> None:
    change(path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreFault, match="does not know"):
        SqlStore(path, Seal(KEY), upgrade)


def test_a_store_that_is_opened_again_keeps_what_it_has(filled: SqlStore, path: Path) -> None:
    again = SqlStore(path, Seal(KEY), upgrade)
    with again.snapshot() as snapshot:
        assert snapshot.deployment(DEPLOYMENT.id) == DEPLOYMENT
    again.close()


# -- a disk that does not play along


@pytest.mark.parametrize("content", [b"this is no database, but it is long enough to be read as one. " * 20])
def test_a_file_that_is_no_store_is_called_damaged_and_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreFault, match="is damaged"):
        SqlStore(path, Seal(KEY), upgrade)
    assert path.read_bytes() == content


def read_again(path: Path) -> None:
    """Open the store of a file and read its deployments."""
    with SqlStore(path, Seal(KEY), upgrade).snapshot() as snapshot:
        snapshot.deployments()


def test_a_damaged_page_is_told(filled: SqlStore, path: Path) -> None:
    filled.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreFault):
        read_again(path)


def test_a_disk_without_room_is_told_and_loses_nothing(filled: SqlStore) -> None:
    with filled._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreFault, match="could not be written") as caught, filled.transaction() as transaction:
        transaction.put_secret("large", SecretValue(text="x" * 1_000_000), NOW)
    assert "Free some space" in caught.value.fix
    with filled.snapshot() as snapshot:
        assert [item.name for item in snapshot.secrets()] == ["db"]
