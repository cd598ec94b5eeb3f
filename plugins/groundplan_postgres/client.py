"""From a node's `client_config` to a server's databases and roles: the plugin's only door to psycopg.

Where to connect and as whom comes from the node alone: no PG* variable, no password file, no client certificate of
HOME. What an error means is said in `failures`; which database is whose, in `databases` and `roles`.
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan.sdk.spans import span
from groundplan_postgres.failures import judge

_CONNECT_SECONDS: Final = 10
_STATEMENT_SECONDS: Final = 300.0
_NO_FILE: Final = "/dev/null/none"
"""A path that never exists: with one that does, libpq takes sslmode `require` for `verify-ca`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseFacts:
    owner: str
    comment: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleFacts:
    login: bool
    comment: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleWishes:
    """What a role is to be; `password` None leaves it without one, and is left out of its repr."""

    login: bool
    create_databases: bool
    create_roles: bool
    password: str | None
    member_of: Sequence[str]

    def __repr__(self) -> str:
        return f"RoleWishes(login={self.login}, member_of={self.member_of})"


class Server:
    """An open session, spoken to in the sdk's errors.

    All methods raise RefusedError (the server will not) and RecoverableError (no answer, or not now).
    """

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection = connection

    @property
    def user(self) -> str:
        return self._connection.info.user

    def database(self, name: str) -> DatabaseFacts | None:
        query = (
            "SELECT pg_get_userbyid(datdba), shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
        )
        row = self._row(f"looking for database {name}", query, name)
        return None if row is None else DatabaseFacts(owner=row[0], comment=row[1])

    def create_database(self, name: str, owner: str, encoding: str) -> None:
        # template0 takes any encoding, and nobody is connected to it.
        statement = sql.SQL("CREATE DATABASE {} OWNER {} ENCODING {} TEMPLATE template0")
        self._do(
            f"creating database {name}",
            statement.format(sql.Identifier(name), sql.Identifier(owner), sql.Literal(encoding)),
        )

    def mark_database(self, name: str, comment: str) -> None:
        statement = sql.SQL("COMMENT ON DATABASE {} IS {}")
        self._do(f"marking database {name}", statement.format(sql.Identifier(name), sql.Literal(comment)))

    def give_database(self, name: str, owner: str) -> None:
        statement = sql.SQL("ALTER DATABASE {} OWNER TO {}")
        self._do(f"giving database {name} to {owner}", statement.format(sql.Identifier(name), sql.Identifier(owner)))

    def drop_database(self, name: str, *, disconnect_users: bool) -> None:
        force = sql.SQL(" WITH (FORCE)") if disconnect_users else sql.SQL("")
        statement = sql.SQL("DROP DATABASE IF EXISTS {}{}")
        self._do(f"dropping database {name}", statement.format(sql.Identifier(name), force))

    def role(self, name: str) -> RoleFacts | None:
        query = "SELECT rolcanlogin, shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = %s"
        row = self._row(f"looking for role {name}", query, name)
        return None if row is None else RoleFacts(login=row[0], comment=row[1])

    def create_role(self, name: str, wishes: RoleWishes, comment: str) -> None:
        """Create a role with its mark, both or neither."""
        with self._judged(f"creating role {name}"), self._connection.transaction():
            self._connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
            statement = sql.SQL("COMMENT ON ROLE {} IS {}")
            self._connection.execute(statement.format(sql.Identifier(name), sql.Literal(comment)))
            self._fulfil(name, wishes)

    def change_role(self, name: str, wishes: RoleWishes) -> None:
        with self._judged(f"changing role {name}"), self._connection.transaction():
            self._fulfil(name, wishes)

    def drop_role(self, name: str) -> None:
        self._do(f"dropping role {name}", sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))

    def _fulfil(self, name: str, wishes: RoleWishes) -> None:
        identifier = sql.Identifier(name)
        options = sql.SQL(" ").join(
            _switch(wanted, option)
            for option, wanted in (
                ("LOGIN", wishes.login),
                ("CREATEDB", wishes.create_databases),
                ("CREATEROLE", wishes.create_roles),
            )
        )
        password = sql.Literal(self._verifier(name, wishes.password))
        statement = sql.SQL("ALTER ROLE {} WITH {} PASSWORD {}")
        self._connection.execute(statement.format(identifier, options, password))
        for group in wishes.member_of:
            self._connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), identifier))

    def _verifier(self, name: str, password: str | None) -> str | None:
        """What the server stores of a password, computed here: the password itself never stands in a statement or its
        log.
        """
        if password is None:
            return None
        encoding = self._connection.info.encoding
        hashed = self._connection.pgconn.encrypt_password(
            password.encode(encoding), name.encode(encoding), b"scram-sha-256"
        )
        return hashed.decode()

    def _row(self, act: str, query: LiteralString, name: str) -> tuple[Any, ...] | None:
        with self._judged(act):
            return self._connection.execute(query, (name,)).fetchone()

    def _do(self, act: str, statement: sql.Composed) -> None:
        with self._judged(act):
            self._connection.execute(statement)

    @contextmanager
    def _judged(self, act: str) -> Iterator[None]:
        try:
            with span("postgresql", groundplan_act=act, server_address=self._connection.info.host):
                yield
        except psycopg.Error as error:
            primary = error.diag.message_primary or str(error)
            raise judge(act, error.sqlstate or "08000", primary, error.diag.message_detail or "") from error


def _switch(wanted: bool, option: LiteralString) -> sql.SQL:
    return sql.SQL(option) if wanted else sql.SQL("NO" + option)


@contextmanager
def connect(ctx: OperationContext) -> Iterator[Server]:
    """A session on the server of a node's `client_config`, closed at the end of the block.

    Raises:
        NonRecoverableError: host or password is missing, the server refuses them, there is no such database, or the
            home is bound to the sandbox and the host is none of its servers.
        RecoverableError: no answer, or the server is not ready yet.
    """
    given = ctx.node.properties.get("client_config")
    config: Mapping[str, Any] = given if isinstance(given, dict) else {}
    for needed in ("host", "password"):
        if not config.get(needed):
            raise NonRecoverableError(f"client_config must give {needed}")
    if ctx.plugin.sandboxed and not _is_loopback(str(config["host"])):
        raise NonRecoverableError(
            f"{config['host']} is not a server of the sandbox; this home connects to nothing else"
        )
    try:
        with span("postgresql", groundplan_act="connecting", server_address=str(config["host"])):
            connection = psycopg.connect(autocommit=True, **_parameters(config, ctx.operation.timeout))
    except psycopg.OperationalError as error:
        raise _no_session(config, error) from error
    except (psycopg.Error, ValueError) as error:
        raise NonRecoverableError(f"client_config: {error}") from error
    with connection:
        yield Server(connection)


def _is_loopback(host: str) -> bool:
    """Whether it is one loopback address: not a list of hosts, nor a folder of sockets, which libpq takes too."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _parameters(config: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    """Everything that libpq would otherwise look for in the environment or in HOME."""
    statement_timeout = int(1000 * min(_STATEMENT_SECONDS, timeout / 2))
    return {
        "host": str(config["host"]),
        "port": int(config.get("port") or 5432),
        "user": str(config.get("user") or "postgres"),
        "password": str(config["password"]),
        "dbname": str(config.get("database") or "postgres"),
        "sslmode": str(config.get("sslmode") or "prefer"),
        "sslrootcert": str(config.get("ca_file") or "system") if _verifies(config) else _NO_FILE,
        "sslcertmode": "disable",
        "passfile": "/dev/null",
        "gssencmode": "disable",
        "connect_timeout": _CONNECT_SECONDS,
        "application_name": "groundplan",
        "options": f"-c statement_timeout={statement_timeout} -c lock_timeout={statement_timeout}",
    }


def _verifies(config: Mapping[str, Any]) -> bool:
    return str(config.get("sslmode") or "").startswith("verify")


def _no_session(config: Mapping[str, Any], error: psycopg.OperationalError) -> Exception:
    said = f"connecting to {config['host']}: {error}"
    # libpq gives no SQLSTATE here. A server that is starting or full says so before it asks for the password.
    if error.pgconn is not None and error.pgconn.used_password:
        return NonRecoverableError(said)
    return RecoverableError(said)
