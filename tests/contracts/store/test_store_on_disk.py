"""A store in a file, and a disk that does not play along: what is promised of SQLite alone."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from groundplan.model.secret import SecretValue
from groundplan.state.migrations import upgrade
from groundplan.state.seal import Seal
from groundplan.state.sql.sqlite import Sqlite
from groundplan.state.sql.store import SqlStore
from groundplan.state.store import StoreFault

from .nouns import DEPLOYMENT, NOW, PASSWORD, fill

KEY = b"0123456789abcdef" * 2


@pytest.fixture
def filled(path: Path) -> Iterator[SqlStore]:
    """A store with a password in every place that seals."""
    store = SqlStore(Sqlite(path), Seal(KEY), upgrade)
    with store.transaction() as transaction:
        fill(transaction)
        transaction.put_secret("db", SecretValue(text=PASSWORD), NOW)
        transaction.remember(DEPLOYMENT.id, "key", PASSWORD)
    yield store
    store.close()


def test_no_file_of_the_store_holds_a_sealed_value_in_clear(filled: SqlStore, path: Path) -> None:
    files = list(path.parent.glob("state.db*"))
    assert {file.name for file in files} >= {"state.db", "state.db-wal"}
    assert not [file for file in files if PASSWORD.encode() in file.read_bytes()]


@pytest.mark.parametrize("content", [b"this is no database, but it is long enough to be read as one. " * 20])
def test_a_file_that_is_no_store_is_called_damaged_and_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreFault, match="is damaged"):
        SqlStore(Sqlite(path), Seal(KEY), upgrade)
    assert path.read_bytes() == content


def read_again(path: Path) -> None:
    """Open the store of a file and read its deployments."""
    with SqlStore(Sqlite(path), Seal(KEY), upgrade).snapshot() as snapshot:
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


def test_of_several_who_open_an_empty_home_at_once_each_finds_it_made(path: Path) -> None:
    troubles: list[Exception] = []

    def open_it() -> None:
        try:
            SqlStore(Sqlite(path), Seal(KEY), upgrade).close()
        except Exception as error:
            troubles.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []
