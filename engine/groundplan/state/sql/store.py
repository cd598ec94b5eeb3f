"""Opens a store: the database's settings, transactions, and the words for what can go wrong with it."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

from sqlalchemy import Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError

from groundplan.state.seal import Seal
from groundplan.state.sql.reads import SqlSnapshot
from groundplan.state.sql.writes import SqlTransaction
from groundplan.state.store import StoreFault

REVISION: Final = "0001"
"""The newest migration, which this program's tables are the form of."""

Upgrade: TypeAlias = Callable[[Engine], None]
_BUSY_SECONDS: Final = 30
_FULL: Final = frozenset({"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC"})
_READ_ONLY: Final = frozenset({"SQLITE_READONLY", "SQLITE_READONLY_DIRECTORY", "SQLITE_CANTOPEN", "SQLITE_PERM"})
_DAMAGED: Final = frozenset({"SQLITE_CORRUPT", "SQLITE_NOTADB"})


class SqlStore:
    """Implements `store.Store` on SQLite (write-ahead log, every commit synced)."""

    def __init__(self, path: Path, seal: Seal, upgrade: Upgrade) -> None:
        """Open the store of a file, made when absent, and bring it up to date.

        Args:
            path: the database file.
            seal: what seals its values.
            upgrade: runs the migrations; called only for a store that is not at `REVISION`, since Alembic is slow to
                import.

        Raises:
            StoreFault: it cannot be opened, is damaged, or was written by a newer program.
        """
        self._place = str(path)
        self._seal = seal
        _shut(path)
        self._engine = _engine(path)
        with self._words():
            if _revision(self._engine) != REVISION:
                upgrade(self._engine)

    @contextmanager
    def snapshot(self) -> Iterator[SqlSnapshot]:
        """Open reads of one moment."""
        with self._words(), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            yield SqlSnapshot(connection, self._seal)

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        """Open a transaction; the write lock is taken at once, so what it read stays true until it commits."""
        with self._words(), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield SqlTransaction(connection, self._seal)
            connection.commit()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def _words(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise _fault(error, self._place) from error


def _shut(path: Path) -> None:
    """Make the file its owner's alone, whatever the umask: SQLite gives its log and index the same mode."""
    # What cannot be made or changed is told by SQLite, in `_fault`'s words.
    with suppress(OSError):
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            if path.stat().st_mode & 0o077:
                path.chmod(0o600)


def _engine(path: Path) -> Engine:
    engine = create_engine(
        make_url("sqlite+pysqlite://").set(database=str(path)),
        connect_args={"timeout": _BUSY_SECONDS, "isolation_level": None, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        revision: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        return revision


def _fault(error: DBAPIError, place: str) -> StoreFault:
    name = getattr(error.orig, "sqlite_errorname", "")
    if name in _DAMAGED:
        return StoreFault(
            f"The store {place} is damaged: {error.orig}.", fix="Put a copy of it back; the file is left as it is."
        )
    if name in _READ_ONLY:
        return StoreFault(f"The store {place} cannot be opened for writing.", fix="Check the folder's permissions.")
    if name in _FULL:
        return StoreFault(
            f"The store {place} could not be written: {error.orig}.", fix="Free some space, then resume the execution."
        )
    if name == "SQLITE_BUSY":
        return StoreFault(f"The store {place} was busy for {_BUSY_SECONDS} s.", fix="Try again.")
    kind = "answered with an error" if isinstance(error, OperationalError | DatabaseError) else "failed"
    return StoreFault(f"The store {place} {kind}: {error.orig}.")
