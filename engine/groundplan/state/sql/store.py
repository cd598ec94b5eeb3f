"""Opens a store, brings its tables up to date, and gives reads and transactions.

What databases differ in is `dialect`'s.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from groundplan.diagnostics.trouble import UsageError
from groundplan.state.seal import Seal
from groundplan.state.sql.dialect import Dialect
from groundplan.state.sql.reads import SqlSnapshot
from groundplan.state.sql.writes import SqlTransaction

REVISION: Final = "0003"
"""The newest migration, which this program's tables are the form of."""

Upgrade: TypeAlias = Callable[[Connection], None]


class SqlStore:
    """Implements `store.Store` in the database of a dialect."""

    def __init__(self, dialect: Dialect, seal: Seal, upgrade: Upgrade) -> None:
        """Open a store; an empty one gets its tables.

        Args:
            dialect: the database.
            seal: what seals its values.
            upgrade: runs the migrations in a transaction of the caller's; called only for a store that is not at
                `REVISION`, since Alembic is slow to import.

        Raises:
            StoreFault: it cannot be opened, is damaged, or was written by a newer program.
            UsageError: it has an older form, and is not upgraded unasked.
        """
        self._dialect = dialect
        self._seal = seal
        self._engine = dialect.connect()
        try:
            with self._words():
                self._bring_up_to_date(upgrade)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def snapshot(self) -> Iterator[SqlSnapshot]:
        """Open reads of one moment."""
        with self._words(), self._begun(self._dialect.begin_reading) as connection:
            yield SqlSnapshot(connection, self._seal)

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        """Open a transaction; nobody else writes beside it, so what it read stays true until it commits."""
        with self._words(), self._begun(self._dialect.begin_writing) as connection:
            yield SqlTransaction(connection, self._seal, self._dialect.writer)
            connection.commit()

    @contextmanager
    def recording(self) -> Iterator[SqlTransaction]:
        """Open a transaction of a driver, which writes for its leases only; those of others may run beside it."""
        with self._words(), self._begun(self._dialect.begin_recording) as connection:
            yield SqlTransaction(connection, self._seal, self._dialect.writer, order_events=self._dialect.order_events)
            connection.commit()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def _bring_up_to_date(self, upgrade: Upgrade) -> None:
        with self._engine.connect() as connection:
            if _revision(connection) == REVISION:
                return
        with self._begun(self._dialect.begin_writing) as connection:
            # Looked at again behind the lock: of two who open an empty store at once, the second finds it made.
            found = _revision(connection)
            if found == REVISION:
                return
            if found is not None and found < REVISION and not self._dialect.upgrades_when_opened:
                raise UsageError(
                    f"The store {self._dialect.place} has the form of an older version of Groundplan ({found}).",
                    fix="Stop what uses it, then: groundplan db upgrade",
                )
            upgrade(connection)
            connection.commit()

    @contextmanager
    def _begun(self, statement: str) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            try:
                connection.exec_driver_sql(statement)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                connection.rollback()
                # A connection that was kept since the server went away and came back; nothing was done on it yet.
                connection.exec_driver_sql(statement)
            yield connection

    @contextmanager
    def _words(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._dialect.fault(error) from error


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return revision
