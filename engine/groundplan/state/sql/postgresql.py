"""The store in PostgreSQL: one advisory lock orders those who write, and readers wait for nobody.

The lock is taken as a transaction begins: alone by those who decide from what they read, shared by drivers, who write
for their own leases only (docs/decisions/0011). Reads that follow see all that was committed before the lock was had,
a COMMIT of a client that died since included.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from groundplan.diagnostics.trouble import UsageError
from groundplan.state.sql.postgresql_arrays import accept_packed
from groundplan.state.sql.postgresql_writer import PostgresqlWriter
from groundplan.state.sql.server_clock import ServerClock
from groundplan.state.store import StoreFault

SCHEMES: Final = ("postgresql", "postgres")
_DRIVER: Final = "postgresql+psycopg"
_BUSY_SECONDS: Final = 30
_MOST_CONNECTIONS: Final = 32
"""Of one process, beyond the five that it keeps: threads that wait for the lock have one each."""
# Any two numbers that no other program takes: "grnd" in ASCII, and which of our locks.
_LOCK_CLASS: Final = 0x67726E64
_WRITERS, _EVENTS = 1, 2
_SHARED_LOCK: Final = f"pg_advisory_xact_lock_shared({_LOCK_CLASS}, {_WRITERS})"
_NOW: Final = "SELECT extract(epoch FROM clock_timestamp())"
_READ_COMMITTED: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
_SETTINGS: Final = {
    # Of statements that are transactions of their own, whatever the server's default is.
    "default_transaction_isolation": r"read\ committed",
    # Statements that write batches cost as much to plan as to carry out; all others look rows up by their keys.
    "plan_cache_mode": "force_generic_plan",
    "lock_timeout": f"{_BUSY_SECONDS}s",
    # A client that stands still or vanished with its machine must not keep the others waiting for ever.
    "idle_in_transaction_session_timeout": "120s",
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
_CONNECTION: Final = {
    "application_name": "groundplan",
    "connect_timeout": "10",
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
}
_WAIT_FIX: Final = "Wait until the server is there again, then resume what was running."
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_FIXES: Final = {
    "28000": "Check the user in GROUNDPLAN_DATABASE_URL and the server's pg_hba.conf.",
    "28P01": "Check the password: in GROUNDPLAN_DATABASE_URL, PGPASSWORD or ~/.pgpass.",
    "3D000": "Make it: createdb NAME, owned by the user that GROUNDPLAN_DATABASE_URL names.",
    "42501": "Let the user own the database, or grant it CREATE and USAGE on its schema.",
    "53100": "Free some space on the server, then resume the execution.",
    "53300": "Raise the server's max_connections, or run fewer processes.",
    "55P03": "Another process holds it: see pg_stat_activity, application groundplan. Try again.",
    "25P03": "This process stood still in a transaction for too long. Try again.",
    "25006": "The server is a read-only replica: name the primary in GROUNDPLAN_DATABASE_URL.",
    "57P01": _WAIT_FIX,
    "57P02": _WAIT_FIX,
    "57P03": _WAIT_FIX,
}

_AUTHORS: Final = frozenset(_FIXES[state] for state in ("28000", "28P01", "3D000", "42501"))
"""What somebody must do first."""
# Broken connections, a lack of resources, a server that ends or begins, errors of its disk.
_PASSING_CLASSES: Final = frozenset({"08", "53", "57", "58"})
_PASSING: Final = frozenset({"25P03", "40001", "40P01", "55P03"})


@dataclass(frozen=True)
class Postgresql:
    """Implements `dialect.Dialect` for the database of a URL, which exists already and may be empty."""

    url: URL = field(repr=False)
    clock: ServerClock = field(default_factory=ServerClock, repr=False, compare=False)

    upgrades_when_opened = False
    begin_reading = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
    begin_writing = f"{_READ_COMMITTED}; SELECT pg_advisory_xact_lock({_LOCK_CLASS}, {_WRITERS})"
    begin_recording = f"{_READ_COMMITTED}; SELECT {_SHARED_LOCK}"
    continue_counting = (
        "SELECT setval(pg_get_serial_sequence('{table}', 'id'), greatest(max(id), 1), max(id) IS NOT NULL) FROM {table}"
    )
    # What PostgreSQL knows of itself it tells as it is read; constraints that were loaded unchecked are asked for.
    examine = ("SELECT 'constraint ' || conname || ' is not validated' FROM pg_constraint WHERE NOT convalidated",)
    writer = PostgresqlWriter(_SHARED_LOCK, f"pg_advisory_xact_lock({_LOCK_CLASS}, {_EVENTS})")

    @property
    def place(self) -> str:
        url = self.url
        shown = URL.create(url.drivername, url.username, None, url.host, url.port, url.database)
        return shown.render_as_string()

    def ahead(self, connection: Connection) -> float:
        return self.clock.ahead(lambda: float(connection.exec_driver_sql(_NOW).scalar_one()))

    def connect(self) -> Engine:
        settings = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
        given: Any = self.url.query.get("options", "")
        options = f"{settings} {given}".strip()
        try:
            engine = create_engine(
                self.url.set(drivername=_DRIVER).difference_update_query(("options",)),
                connect_args={**_CONNECTION, **self.url.query, "options": options},
                isolation_level="AUTOCOMMIT",
                max_overflow=_MOST_CONNECTIONS,
                pool_timeout=_BUSY_SECONDS,
            )
        except ModuleNotFoundError:
            raise UsageError(
                f"The store {self.place} needs the PostgreSQL client, which is not installed.",
                fix="pip install 'groundplan[postgres]'",
            ) from None
        event.listen(engine, "connect", accept_packed)
        return engine

    def fault(self, error: DBAPIError) -> StoreFault:
        state = getattr(error.orig, "sqlstate", None) or ""
        primary = getattr(getattr(error.orig, "diag", None), "message_primary", None)
        words = (str(primary or error.orig).splitlines() or [""])[0].strip().rstrip(".")
        passes = state[:2] in _PASSING_CLASSES or state in _PASSING
        if state == "55P03":
            return StoreFault(f"The store {self.place} was busy for {_BUSY_SECONDS} s.", fix=_FIXES[state], passes=True)
        if state:
            return StoreFault(
                f"The store {self.place} answered with an error: {words}.",
                fix=_FIXES.get(state, ""),
                passes=passes,
                cure="Free some space on the server." if state == "53100" else "",
            )
        if error.connection_invalidated:
            return StoreFault(f"The store {self.place} broke off: {words}.", fix=_WAIT_FIX, passes=True)
        if words.startswith(("connection", "failed to resolve host")):
            why = words.removeprefix("connection failed: ")
            fix = _fix_of(why)
            return StoreFault(f"The store {self.place} cannot be reached: {why}.", fix=fix, passes=fix not in _AUTHORS)
        return StoreFault(f"The store {self.place} failed: {words}.")


def parse_url(text: str, where: str) -> Postgresql:
    """Return the database that a URL names.

    Args:
        text: `postgresql://user:password@host:port/database?sslmode=...`, as libpq reads it.
        where: what gave it, for people.

    Raises:
        UsageError: it is no such URL. What it said is not repeated, for it may hold a password.
    """
    form = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"
    try:
        url = make_url(text.strip())
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise UsageError(f"{where} is no URL of a database.", fix=f"Its form is {form}") from None
    if url.drivername not in SCHEMES:
        raise UsageError(
            f"{where} names a store of a kind that is not known: {url.drivername}://", fix=f"Its form is {form}"
        )
    if not url.database:
        raise UsageError(f"{where} names no database.", fix=f"Its form is {form}")
    return Postgresql(url)


def _fix_of(words: str) -> str:
    """Return the fix for words with which a connection was refused: libpq hands on no code there."""
    for sign, state in (
        ("password authentication failed", "28P01"),
        ("no password supplied", "28P01"),
        ("no pg_hba.conf entry", "28000"),
        ("does not exist", "3D000"),
        ("too many clients", "53300"),
        ("starting up", "57P03"),
        ("shutting down", "57P03"),
    ):
        if sign in words:
            return _FIXES[state]
    return "Check that the server runs, and host and port in GROUNDPLAN_DATABASE_URL."
