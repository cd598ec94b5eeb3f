"""What lies at rest: sealed values, the key, and the form of the tables."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from groundplan.diagnostics.trouble import UsageError
from groundplan.model.secret import SecretValue
from groundplan.state.migrations import upgrade
from groundplan.state.seal import Seal, load_key
from groundplan.state.sql import schema
from groundplan.state.sql.dialect import Dialect
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


def change(store: SqlStore, statement: str, **values: object) -> None:
    """Change the database behind the store's back."""
    with store._engine.connect() as connection:
        connection.execute(text(statement), values)
        connection.commit()


# -- sealed


def test_another_key_opens_nothing(filled: SqlStore, dialect: Dialect) -> None:
    other = SqlStore(dialect, Seal(b"x" * 32), upgrade)
    with pytest.raises(StoreFault, match=r"secrets/db does not open"), other.snapshot() as snapshot:
        snapshot.secret("db")
    other.close()


def test_a_value_that_was_moved_to_another_name_does_not_open(filled: SqlStore) -> None:
    change(filled, "UPDATE secrets SET name = 'admin'")
    with pytest.raises(StoreFault), filled.snapshot() as snapshot:
        snapshot.secret("admin")


def test_a_value_that_was_changed_does_not_open(filled: SqlStore) -> None:
    change(
        filled, "UPDATE node_instances SET sealed_runtime_properties = sealed_runtime_properties || :more", more=b"\0"
    )
    with pytest.raises(StoreFault), filled.snapshot() as snapshot:
        snapshot.instance(DEPLOYMENT.id, INSTANCE.id)


def test_a_value_that_was_cut_short_does_not_open(filled: SqlStore) -> None:
    change(filled, "UPDATE secrets SET sealed_value = :short", short=b"\0")
    with pytest.raises(StoreFault), filled.snapshot() as snapshot:
        snapshot.secret("db")


def test_equal_values_do_not_look_equal() -> None:
    seal = Seal(KEY)
    assert seal.close(b"same", "owner") != seal.close(b"same", "owner")


def test_a_document_that_was_changed_by_hand_is_told(filled: SqlStore) -> None:
    change(filled, "UPDATE plans SET document = '{'")
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


def test_a_store_of_a_newer_program_is_refused(store: SqlStore, dialect: Dialect) -> None:
    change(store, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreFault, match="does not know"):
        SqlStore(dialect, Seal(KEY), upgrade)


def test_a_store_that_is_opened_again_keeps_what_it_has(filled: SqlStore, dialect: Dialect) -> None:
    again = SqlStore(dialect, Seal(KEY), upgrade)
    with again.snapshot() as snapshot:
        assert snapshot.deployment(DEPLOYMENT.id) == DEPLOYMENT
    again.close()
