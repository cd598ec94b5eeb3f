"""Opens a store, brings its tables up to date, and gives reads and transactions.

What databases differ in is `dialect`'s.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Row, insert, inspect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from groundplan.diagnostics.trouble import UsageError
from groundplan.state.keys import Keys
from groundplan.state.seal import Proof, Seal, opens
from groundplan.state.sql import schema
from groundplan.state.sql.dialect import Dialect
from groundplan.state.sql.examine import examine
from groundplan.state.sql.reads import SqlSnapshot
from groundplan.state.sql.recording import Recording
from groundplan.state.sql.sealed import some_proof
from groundplan.state.sql.transfer import Loader, counted
from groundplan.state.sql.writes import KEY_CHECK, KEY_ROW, SqlTransaction
from groundplan.state.store import Examination, StoreFault

REVISION: Final = "0010"
"""The newest migration, which this program's tables are the form of."""

_KEY_NUMBER: Final = "SELECT number FROM keys"
Upgrade: TypeAlias = Callable[[Connection], None]


class SqlStore:
    """Implements `store.Store` in the database of a dialect."""

    def __init__(self, dialect: Dialect, keys: Keys, upgrade: Upgrade, *, upgrades: bool = False) -> None:
        """Open a store; an empty one gets its tables.

        Args:
            dialect: the database.
            keys: gives what seals its values; a fixed `Seal` does.
            upgrade: runs the migrations in a transaction of the caller's; called only for a store that is not at
                `REVISION`, since Alembic is slow to import.
            upgrades: bring a store of an older form up to date where that is not done unasked.

        Raises:
            StoreFault: it cannot be opened, is damaged, or was written by a newer program.
            UsageError: it has an older form, and is not upgraded unasked; its key is missing or another one.
        """
        self._dialect = dialect
        self._engine = dialect.connect()
        try:
            with self._words():
                self._bring_up_to_date(upgrade, unasked=dialect.upgrades_when_opened or upgrades)
                self._seal, self._key_number = self._choose(keys)
        # Nobody has the store yet who could close it.
        except BaseException:
            self.close()
            raise

    @property
    def revision(self) -> str:
        """Which form the tables have."""
        return REVISION

    @contextmanager
    def snapshot(self) -> Iterator[SqlSnapshot]:
        """Open reads of one moment."""
        with self._words(), self._begun(self._dialect.begin_reading) as connection:
            yield SqlSnapshot(connection, self._seal, partial(self._dialect.ahead, connection))

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        """Open a transaction; nobody else writes beside it, so what it read stays true until it commits."""
        with self._words(), self._begun(self._dialect.begin_writing) as connection:
            if connection.exec_driver_sql(_KEY_NUMBER).scalar() != self._key_number:
                raise StoreFault(
                    f"The key of the store {self._dialect.place} was changed since this process opened it.",
                    fix="Start the command again.",
                )
            ahead = partial(self._dialect.ahead, connection)
            yield SqlTransaction(connection, self._seal, ahead, self._dialect.writer)
            connection.commit()

    @contextmanager
    def recording(self) -> Iterator[SqlTransaction]:
        """Open a transaction of a driver, which writes for its leases only; those of others may run beside it."""
        with self._words(), self._engine.connect() as connection:
            recording = Recording(
                connection,
                self._seal,
                partial(self._dialect.ahead, connection),
                self._dialect.writer,
                partial(_begin, connection, self._dialect.begin_recording),
            )
            yield recording
            recording.commit()

    @contextmanager
    def loading(self) -> Iterator[Loader]:
        """Open a transaction that fills the store from elsewhere."""
        with self._words(), self._begun(self._dialect.begin_writing) as connection:
            yield Loader(connection, self._seal)
            for table in counted() if self._dialect.continue_counting else ():
                connection.exec_driver_sql(self._dialect.continue_counting.format(table=table))
            connection.commit()

    def examine(self) -> Examination:
        """Read the whole store and say what is wrong with it."""
        with self._words(), self._begun(self._dialect.begin_reading) as connection:
            return examine(connection, self._seal, self._dialect, REVISION)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def _bring_up_to_date(self, upgrade: Upgrade, *, unasked: bool) -> None:
        with self._engine.connect() as connection:
            if _revision(connection) == REVISION:
                return
        with self._begun(self._dialect.begin_writing) as connection:
            # Looked at again behind the lock: of two who open an empty store at once, the second finds it made.
            found = _revision(connection)
            if found == REVISION:
                return
            if found is not None and found < REVISION and not unasked:
                raise UsageError(
                    f"The store {self._dialect.place} has the form of an older version of Groundplan ({found}).",
                    fix="Stop what uses it, then: groundplan db upgrade",
                )
            upgrade(connection)
            connection.commit()

    def _choose(self, keys: Keys) -> tuple[Seal, int]:
        """Return the seal of the store's key and how often that was changed; who comes first leaves a check."""
        with self._engine.connect() as connection:
            row = connection.execute(select(schema.keys)).one_or_none()
        if row is not None:
            return _checked(keys, row)
        with self._begun(self._dialect.begin_writing) as connection:
            row = connection.execute(select(schema.keys)).one_or_none()
            if row is not None:
                return _checked(keys, row)
            proof = some_proof(connection)
            seal = Seal(keys.choose(None if proof is None else partial(opens, proof=proof)))
            check = seal.close(b"", KEY_CHECK)
            connection.execute(insert(schema.keys).values(id=KEY_ROW, number=0, check_value=check))
            connection.commit()
            return seal, 0

    @contextmanager
    def _begun(self, statement: str) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            _begin(connection, statement)
            yield connection

    @contextmanager
    def _words(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._dialect.fault(error) from error
        except NoFreeConnection as error:
            place = self._dialect.place
            raise StoreFault(f"The store {place} was busy: no connection was free.", fix="Try again.") from error


def _begin(connection: Connection, statement: str) -> None:
    try:
        connection.exec_driver_sql(statement)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        connection.rollback()
        # A connection that was kept since the server went away and came back; nothing was done on it yet.
        connection.exec_driver_sql(statement)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return revision


def _checked(keys: Keys, row: Row[Any]) -> tuple[Seal, int]:
    proof = Proof(owner=KEY_CHECK, sealed=row.check_value)
    return Seal(keys.choose(partial(opens, proof=proof))), row.number
