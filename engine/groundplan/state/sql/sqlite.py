"""The store in a file: SQLite with a write-ahead log and every commit synced."""

import os
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError

from groundplan.state.sql.sqlite_writer import SqliteWriter
from groundplan.state.store import StoreFault

_BUSY_SECONDS: Final = 30
_LOG_PAGES: Final = 4000
"""Of the write-ahead log (16 MB), after which it is carried over into the file: that takes two syncs of its own, and a
page that changed several times is carried once."""
_FULL: Final = frozenset(
    {
        "SQLITE_FULL",
        "SQLITE_IOERR_WRITE",
        "SQLITE_IOERR_FSYNC",
        "SQLITE_IOERR_DIR_FSYNC",
        "SQLITE_IOERR_TRUNCATE",
        "SQLITE_IOERR_SHMSIZE",
        "SQLITE_IOERR_SHMMAP",
        "SQLITE_IOERR_SHMOPEN",
    }
)
_READ_ONLY: Final = frozenset({"SQLITE_READONLY", "SQLITE_READONLY_DIRECTORY", "SQLITE_CANTOPEN", "SQLITE_PERM"})
_DAMAGED: Final = frozenset({"SQLITE_CORRUPT", "SQLITE_NOTADB"})


@dataclass(frozen=True)
class Sqlite:
    """Implements `dialect.Dialect` for one file, made when absent.

    SQLite has one writer at a time, so that every transaction takes the write lock as it begins.
    """

    path: Path

    upgrades_when_opened = True
    begin_reading = "BEGIN"
    begin_writing = "BEGIN IMMEDIATE"
    begin_recording = "BEGIN IMMEDIATE"
    continue_counting = ""
    examine = ("PRAGMA integrity_check(20)", "PRAGMA foreign_key_check")
    writer = SqliteWriter()

    @property
    def place(self) -> str:
        return str(self.path)

    def ahead(self, connection: Connection) -> float:
        # All who open a file are on one machine.
        return 0.0

    def connect(self) -> Engine:
        _shut(self.path)
        engine = create_engine(
            make_url("sqlite+pysqlite://").set(database=str(self.path)),
            connect_args={"timeout": _BUSY_SECONDS, "isolation_level": None, "check_same_thread": False},
        )
        event.listen(engine, "connect", _configure)
        return engine

    def fault(self, error: DBAPIError) -> StoreFault:
        name = getattr(error.orig, "sqlite_errorname", "")
        if name in _DAMAGED:
            return StoreFault(
                f"The store {self.place} is damaged: {error.orig}.",
                fix="Put a copy of it back; the file is left as it is.",
            )
        if name in _READ_ONLY:
            return StoreFault(
                f"The store {self.place} cannot be opened for writing.", fix="Check the folder's permissions."
            )
        if name in _FULL:
            return StoreFault(
                f"The store {self.place} could not be written: {error.orig}.",
                fix="Free some space, then resume the execution.",
                passes=True,
                cure="Free some space.",
            )
        if name == "SQLITE_BUSY":
            return StoreFault(f"The store {self.place} was busy for {_BUSY_SECONDS} s.", fix="Try again.", passes=True)
        kind = "answered with an error" if isinstance(error, OperationalError | DatabaseError) else "failed"
        return StoreFault(f"The store {self.place} {kind}: {error.orig}.")


def _configure(connection: sqlite3.Connection, _: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
    connection.execute("PRAGMA foreign_keys=ON")


def _shut(path: Path) -> None:
    """Make the file its owner's alone, whatever the umask: SQLite gives its log and index the same mode."""
    # What cannot be made or changed is told by SQLite, in `fault`'s words.
    with suppress(OSError):
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            if path.stat().st_mode & 0o077:
                path.chmod(0o600)
