"""What lies at rest: sealed values, which key sealed them, and the form of the tables."""

import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from groundplan.diagnostics.trouble import UsageError
from groundplan.model.secret import SecretValue
from groundplan.state.migrations import upgrade
from groundplan.state.seal import Seal
from groundplan.state.sql import schema
from groundplan.state.sql.dialect import Dialect
from groundplan.state.sql.sealed import is_sealed
from groundplan.state.sql.store import SqlStore
from groundplan.state.store import Snapshot, StaleLease, StoreFault, Transaction

from .nouns import DEPLOYMENT, EXECUTION, INSTANCE, NOW, PASSWORD, fill

KEY = b"0123456789abcdef" * 2
OTHER = b"x" * 32


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


def everything(snapshot: Snapshot) -> object:
    """Read whatever is sealed."""
    return (
        snapshot.secret("db"),
        snapshot.deployments(),
        snapshot.instances(DEPLOYMENT.id),
        snapshot.executions(),
        snapshot.tasks(EXECUTION.id),
        snapshot.remembered(DEPLOYMENT.id),
    )


# -- sealed


def test_another_key_is_told_as_the_store_is_opened(filled: SqlStore, dialect: Dialect) -> None:
    with pytest.raises(UsageError, match="not the one that sealed"):
        SqlStore(dialect, Seal(OTHER), upgrade)


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


# -- changing the key


def test_a_change_of_the_key_loses_nothing(filled: SqlStore, dialect: Dialect) -> None:
    with filled.transaction() as transaction:
        before = everything(transaction)
        assert transaction.rekey(OTHER) > 0
        assert everything(transaction) == before
    again = SqlStore(dialect, Seal(OTHER), upgrade)
    with again.snapshot() as snapshot:
        assert everything(snapshot) == before
    again.close()
    with pytest.raises(UsageError):
        SqlStore(dialect, Seal(KEY), upgrade)


def test_who_opened_the_store_with_the_old_key_writes_no_more(filled: SqlStore, dialect: Dialect) -> None:
    with filled.transaction() as transaction:
        lease = transaction.acquire(EXECUTION.id, "one:1:0", NOW)
    other = SqlStore(dialect, Seal(KEY), upgrade)
    with other.transaction() as transaction:
        transaction.rekey(OTHER)
    other.close()
    with pytest.raises(StoreFault, match="was changed"), filled.transaction() as transaction:
        transaction.put_secret("late", SecretValue(text="1"), NOW)
    with pytest.raises(StaleLease), filled.recording() as recording:
        recording.heartbeat(lease, NOW)


def rekey_and_fail(transaction: Transaction) -> None:
    transaction.rekey(OTHER)
    raise RuntimeError


def test_a_change_of_the_key_that_fails_leaves_the_old_one(filled: SqlStore, dialect: Dialect) -> None:
    with pytest.raises(RuntimeError), filled.transaction() as transaction:
        rekey_and_fail(transaction)
    SqlStore(dialect, Seal(KEY), upgrade).close()


def test_every_sealed_column_is_known_to_those_who_seal_again() -> None:
    sealed = [column for table in schema.metadata.tables.values() for column in table.c if "sealed" in column.name]
    assert sealed
    assert [column for column in sealed if not is_sealed(column.table, column.name)] == []


def test_a_store_without_a_check_gets_one_from_the_key_that_fits(filled: SqlStore, dialect: Dialect) -> None:
    change(filled, "DELETE FROM keys")
    with pytest.raises(UsageError):
        SqlStore(dialect, Seal(OTHER), upgrade)
    SqlStore(dialect, Seal(KEY), upgrade).close()


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


FORK = """
import os
from groundplan.state.seal import Seal
seal = Seal(b"k" * 32)
seal.close(b"x", "a")
child = os.fork()
os.write(1, seal.close(b"x", "a")[:12].hex().encode() + b" ")
if child:
    os.waitpid(child, 0)
"""


def test_two_processes_after_a_fork_draw_nonces_of_their_own() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True)
    one, other = done.stdout.split()
    assert one != other
