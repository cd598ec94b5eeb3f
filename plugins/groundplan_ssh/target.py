"""Where to log in and with what: the input `fabric_env`, read into a noun.

Connects nowhere (`client` does). What is missing, or not allowed in a sandboxed home, is said before any connection.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError

_PORT: Final = 22
_TIMEOUT_SECONDS: Final = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """What proves who we are.

    Attributes:
        key: text of a private key; its kind is found by trying.
        uses_agent, looks_for_keys: whether the SSH agent and the keys in ~/.ssh may be tried.
    """

    user: str
    password: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    passphrase: str = field(default="", repr=False)
    uses_agent: bool = False
    looks_for_keys: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One SSH server.

    Attributes:
        connect_port: where its server answers; differs from `port` in a sandboxed home.
        host_key: the public key that it must show, as an OpenSSH line, or empty.
        timeout: seconds for a TCP connection and for the handshake.
        gateway: the server through which it is reached.
    """

    host: str
    port: int
    connect_port: int
    login: Login
    host_key: str = ""
    timeout: float = _TIMEOUT_SECONDS
    gateway: "Target | None" = None

    def __str__(self) -> str:
        return f"{self.login.user}@{self.host}" + (f":{self.port}" if self.port != _PORT else "")

    @classmethod
    def read(cls, ctx: OperationContext, environment: Data) -> Self:
        """Read `fabric_env`; the host is by default that of the instance.

        Raises:
            NonRecoverableError: it is not of that form, something is missing, or the home is sandboxed and the host not
                one of its machines.
        """
        if not isinstance(environment or {}, Mapping):
            raise NonRecoverableError("fabric_env is a mapping of host, user, connect_kwargs and so on")
        given = dict(environment or {})
        try:
            return cls._read(ctx, given)
        except (TypeError, ValueError, AttributeError) as error:
            raise NonRecoverableError(f"fabric_env cannot be read: {error}") from error

    @classmethod
    def _read(cls, ctx: OperationContext, given: dict[str, Data]) -> Self:
        kwargs = dict(given.get("connect_kwargs") or {})
        user, host, port = _address(given)
        host = host or ctx.instance.host_ip or ""
        if not host:
            raise NonRecoverableError("fabric_env names no host, and the instance has none: give it the property ip")
        if not user:
            raise NonRecoverableError(f"fabric_env names no user for {host}")
        connect_port, known_key = _reached(ctx, host, port)
        pinned = str(kwargs.get("host_key") or "")
        if pinned and known_key and pinned.split()[:2] != known_key.split()[:2]:
            raise NonRecoverableError(f"connect_kwargs.host_key is not the key of the sandbox's machine {host}")
        return cls(
            host=host,
            port=port,
            connect_port=connect_port,
            login=_login(ctx, user, given, kwargs),
            host_key=pinned or known_key,
            timeout=float(kwargs.get("timeout") or given.get("timeout") or _TIMEOUT_SECONDS),
            gateway=cls._gateway(ctx, given),
        )

    @classmethod
    def _gateway(cls, ctx: OperationContext, given: dict[str, Data]) -> "Target | None":
        """Read the gateway: a mapping as fabric_env, or `user@host:port` that takes the rest from fabric_env."""
        gateway = given.get("gateway")
        if not gateway:
            return None
        if isinstance(gateway, Mapping):
            return cls.read(ctx, gateway)
        shared = {key: value for key, value in given.items() if key not in ("gateway", "host", "port")}
        kwargs = {key: value for key, value in (given.get("connect_kwargs") or {}).items() if key != "host_key"}
        return cls.read(ctx, {**shared, "connect_kwargs": kwargs, "host_string": gateway})


def _address(given: dict[str, Data]) -> tuple[str, str, int]:
    """Return user, host and port; `host_string` may hold all three."""
    text = str(given.get("host_string") or given.get("host") or "")
    user, _, rest = text.rpartition("@")
    host, port = rest, ""
    if rest.count(":") == 1:
        host, _, port = rest.partition(":")
    return str(given.get("user") or user), host, int(given.get("port") or port or _PORT)


def _reached(ctx: OperationContext, host: str, port: int) -> tuple[int, str]:
    """Return the port to connect to and the host's known key."""
    if not ctx.plugin.sandboxed:
        return port, ""
    machine = (ctx.plugin.settings.get("hosts") or {}).get(host)
    if machine is None:
        raise NonRecoverableError(f"{host} is not a machine of the sandbox; this home connects to nothing else")
    return int(machine["port"]), str(machine["host_key"])


def _login(ctx: OperationContext, user: str, given: dict[str, Data], kwargs: dict[str, Data]) -> Login:
    file = kwargs.get("key_filename") or given.get("key_filename")
    login = Login(
        user=user,
        password=str(kwargs.get("password") or given.get("password") or ""),
        key=str(kwargs.get("pkey") or given.get("key") or "") or _key_file(ctx, file),
        passphrase=str(kwargs.get("passphrase") or ""),
        uses_agent=bool(kwargs.get("allow_agent", False)) and not ctx.plugin.sandboxed,
        looks_for_keys=bool(kwargs.get("look_for_keys", False)) and not ctx.plugin.sandboxed,
    )
    if not (login.password or login.key or login.uses_agent or login.looks_for_keys):
        raise NonRecoverableError(f"fabric_env gives {user} neither a key (connect_kwargs.pkey) nor a password")
    for secret in filter(None, (login.password, login.key, login.passphrase)):
        ctx.mask(secret)
    return login


def _key_file(ctx: OperationContext, file: Data) -> str:
    if not file:
        return ""
    if ctx.plugin.sandboxed:
        raise NonRecoverableError(
            "key_filename: a sandboxed home reads no key files; give the key in connect_kwargs.pkey"
        )
    path = Path(str(file[0] if isinstance(file, list) else file)).expanduser()
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise NonRecoverableError(f"key_filename: {error}") from error
