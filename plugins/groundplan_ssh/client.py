"""Connections: logging in, running a program of the shell, forwarding a port back. The only import of paramiko
and of the library that reads keys.

Neither the SSH agent nor ~/.ssh is used unless the login says so. What is run is `remote`'s knowledge.
"""

import io
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan.sdk.spans import span
from groundplan_ssh import hostkeys
from groundplan_ssh.target import Login, Target

_KEEPALIVE_SECONDS: Final = 15
_UNANSWERED_MILLISECONDS: Final = 60_000
_PAUSE_SECONDS: Final = 2.0
_TICK_SECONDS: Final = 0.2
_CHUNK: Final = 32 * 1024

TakeBytes = Callable[[str, bytes], None]
"""Takes output while it comes; the first argument is `out` or `err`."""


class Dropped(Exception):
    """The connection ended before the program did."""


class Connection:
    """A logged-in connection; closes with its block."""

    def __init__(self, transport: paramiko.Transport, below: "Connection | None") -> None:
        self._transport = transport
        self._below = below

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()
        if self._below is not None:
            self._below.__exit__()

    def run(self, program: bytes, take: TakeBytes, cancelled: Callable[[], bool] = lambda: False) -> int | None:
        """Run a program of `sh` and return its exit status; None when `cancelled` said to leave it.

        It travels over standard input: nothing of it is seen in the host's list of processes.

        Raises:
            Dropped: the connection ended first.
        """
        try:
            with span("ssh run"), self._transport.open_session() as channel:
                channel.exec_command("exec sh")
                channel.sendall(program)
                channel.shutdown_write()
                return _read(channel, take, cancelled)
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise Dropped(str(error)) from error

    @contextmanager
    def forwarding(self, port: int, remote_port: int = 0) -> Iterator[int]:
        """Have a port of the host's loopback lead to `port` on ours; gives the host's port.

        Raises:
            NonRecoverableError: the host refuses forwarding.
            Dropped: the connection ended.
        """
        try:
            given = self._transport.request_port_forward("127.0.0.1", remote_port, _bridge_to(port))
        except paramiko.SSHException as error:
            if not self._transport.is_active():
                raise Dropped(str(error)) from error
            raise NonRecoverableError(
                f"the host refuses remote forwarding, which scripts need for ctx ({error}): "
                "allow it there (AllowTcpForwarding yes or remote in sshd_config), "
                "or give process.ctx_proxy_type none to a script that does not use ctx"
            ) from error
        try:
            yield given
        finally:
            with suppress(paramiko.SSHException, EOFError, OSError):
                self._transport.cancel_port_forward("127.0.0.1", given)

    def dial(self, target: Target) -> paramiko.Channel:
        """Open a channel to another host through this one."""
        where = (target.host, target.connect_port)
        return self._transport.open_channel("direct-tcpip", where, ("127.0.0.1", 0), timeout=target.timeout)


def connect(ctx: OperationContext, target: Target, patience: float) -> Connection:
    """Log in, trying again for `patience` seconds while the host does not answer: a new machine is still starting.

    Raises:
        RecoverableError: it did not answer in time, or refused the login (a new machine may not know the user yet).
        NonRecoverableError: its host key is not the expected one, or a key cannot be read.
    """
    deadline = time.monotonic() + patience
    is_told = False
    while True:
        try:
            with span("ssh connect", server_address=target.host):
                return _connect(ctx, target)
        except (OSError, EOFError, paramiko.SSHException) as error:
            if isinstance(error, paramiko.AuthenticationException):
                raise RecoverableError(f"{target}: the host refuses this login: {error}") from error
            if isinstance(error, socket.gaierror):
                raise RecoverableError(f"{target}: the name has no address: {error}") from error
            if time.monotonic() + _PAUSE_SECONDS > deadline:
                raise RecoverableError(f"{target}: no answer in {patience:.0f} seconds: {error}") from error
            if not is_told:
                ctx.logger.info(f"waiting for the SSH server of {target.host}: {error}")
                is_told = True
        ctx.sleep(_PAUSE_SECONDS)


def _connect(ctx: OperationContext, target: Target) -> Connection:
    below = None if target.gateway is None else _connect(ctx, target.gateway)
    try:
        line = _dial(target) if below is None else below.dial(target)
        transport = paramiko.Transport(line)
    except BaseException:
        if below is not None:
            below.__exit__()
        raise
    connection = Connection(transport, below)
    try:
        transport.banner_timeout = transport.auth_timeout = target.timeout
        _prefer(transport, hostkeys.expected(ctx, target))
        transport.start_client(timeout=target.timeout)
        shown = transport.get_remote_server_key()
        hostkeys.check(ctx, target, f"{shown.get_name()} {shown.get_base64()}")
        _log_in(transport, target.login)
        transport.set_keepalive(_KEEPALIVE_SECONDS)
    except BaseException:
        connection.__exit__()
        raise
    return connection


def _dial(target: Target) -> socket.socket:
    line = socket.create_connection((target.host, target.connect_port), timeout=target.timeout)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNANSWERED_MILLISECONDS)
    return line


def _prefer(transport: paramiko.Transport, key: str) -> None:
    """Ask first for the kind of key that is expected: a host has several."""
    kind = key.partition(" ")[0]
    names = ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)
    options = transport.get_security_options()
    first = [name for name in options.key_types if name in names]
    options.key_types = (*first, *(name for name in options.key_types if name not in first))


def _log_in(transport: paramiko.Transport, login: Login) -> None:
    refusals: list[paramiko.AuthenticationException] = []
    for key in _keys(login):
        try:
            transport.auth_publickey(login.user, key)
        except paramiko.AuthenticationException as error:
            refusals.append(error)
        if transport.is_authenticated():
            return
    if login.password:
        transport.auth_password(login.user, login.password)
    if not transport.is_authenticated():
        raise refusals[-1] if refusals else paramiko.AuthenticationException("there is no key to try")


def _keys(login: Login) -> Iterator[paramiko.PKey]:
    if login.key:
        yield read_key(login.key, login.passphrase)
    if login.uses_agent:
        yield from paramiko.Agent().get_keys()
    if login.looks_for_keys:
        yield from _own_keys(login.passphrase)


def _own_keys(passphrase: str) -> Iterator[paramiko.PKey]:
    for path in sorted(Path("~/.ssh").expanduser().glob("id_*")):
        if path.suffix != ".pub":
            with suppress(OSError, UnicodeDecodeError, NonRecoverableError):
                yield read_key(path.read_text(), passphrase)


def read_key(text: str, passphrase: str = "") -> paramiko.PKey:
    """Read a private key in OpenSSH's, OpenSSL's or PKCS 8's form; its kind is found by trying.

    Raises:
        NonRecoverableError: it is not a key, or is locked by another passphrase.
    """
    tidy = "\n".join(line.strip() for line in text.strip().splitlines()) + "\n"
    load = serialization.load_ssh_private_key if "OPENSSH" in tidy[:60] else serialization.load_pem_private_key
    try:
        key = load(tidy.encode(), passphrase.encode() if passphrase else None)
    except TypeError as error:  # how that library says that a passphrase is missing, or not wanted
        raise NonRecoverableError(
            f"the private key cannot be unlocked: check connect_kwargs.passphrase: {error}"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NonRecoverableError(f"the private key cannot be read: {error}") from error
    if isinstance(key, rsa.RSAPrivateKey):
        return paramiko.RSAKey(key=key)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return paramiko.ECDSAKey(vals=(key, key.public_key()))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        plain = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        return paramiko.Ed25519Key.from_private_key(io.StringIO(plain.decode()))
    raise NonRecoverableError("the private key is of a kind that SSH does not use here: give RSA, ECDSA or Ed25519")


def _read(channel: paramiko.Channel, take: TakeBytes, cancelled: Callable[[], bool]) -> int | None:
    """Read both outputs until the program ended."""
    with selectors.DefaultSelector() as waiting:
        waiting.register(channel.fileno(), selectors.EVENT_READ)
        while not cancelled():
            waiting.select(_TICK_SECONDS)
            while channel.recv_ready():
                take("out", channel.recv(_CHUNK))
            while channel.recv_stderr_ready():
                take("err", channel.recv_stderr(_CHUNK))
            is_read = not channel.recv_ready() and not channel.recv_stderr_ready()
            if is_read and channel.exit_status_ready() and (channel.eof_received or channel.closed):
                status = channel.recv_exit_status()
                if status < 0:
                    raise Dropped("the connection ended before the program did")
                return status
    return None


def _bridge_to(port: int) -> Callable[[paramiko.Channel, tuple[str, int], tuple[str, int]], None]:
    def accept(channel: paramiko.Channel, _origin: tuple[str, int], _server: tuple[str, int]) -> None:
        threading.Thread(target=_bridge, args=(channel, port), name="ctx-forward", daemon=True).start()

    return accept


def _bridge(channel: paramiko.Channel, port: int) -> None:
    """Copy between a channel and our port until either side has had enough."""
    with (
        suppress(OSError, EOFError),
        channel,
        socket.create_connection(("127.0.0.1", port), timeout=10) as line,
        selectors.DefaultSelector() as waiting,
    ):
        waiting.register(channel.fileno(), selectors.EVENT_READ, (channel, line))
        waiting.register(line.fileno(), selectors.EVENT_READ, (line, channel))
        while True:
            for key, _ in waiting.select():
                source, sink = key.data
                part = source.recv(_CHUNK)
                if not part:
                    return
                sink.sendall(part)
