"""The SSH server of a machine: exec, shell, terminal, SFTP, SCP and port forwarding, by public key alone.

It runs in the sandbox's process and listens on the machine's addresses; everything a client asks for happens inside the
machine's cell. Who may log in and where a command starts is told by the `Guest` it serves (`vm.py`).
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import asyncssh

from groundplan_sandbox.cells.cell import Cell, CellError, Process, Terminal
from groundplan_sandbox.cells.relay import Ends, Relay, ends_of, join
from groundplan_sandbox.machines.logins import Logins
from groundplan_sandbox.machines.sftp import FileSpace, MachineFiles

SSH_PORT = 22
_CHUNK = 64 * 1024
# A background process may keep a stream of the session open for ever; OpenSSH would wait for it.
_LINGER_SECONDS = 0.3
_LOCAL_NAMES = frozenset({"", "localhost", "127.0.0.1", "0.0.0.0", "*", "::1", "::"})  # noqa: S104 - names compared


class Guest(Protocol):
    """What the SSH server asks of the machine that it serves."""

    @property
    def cell(self) -> Cell: ...
    @property
    def addresses(self) -> tuple[str, ...]: ...
    @property
    def authorized_keys(self) -> frozenset[bytes]: ...
    def admits(self, user: str) -> bool: ...
    @property
    def logins(self) -> Logins: ...
    def files(self, user: str) -> FileSpace: ...


class SecureShell:
    """One machine's SSH listeners, one for each address."""

    def __init__(self, guest: Guest, host_key: asyncssh.SSHKey) -> None:
        self._guest = guest
        self._host_key = host_key
        self._listeners: dict[str, asyncssh.SSHAcceptor] = {}
        self._connections: set[asyncssh.SSHServerConnection] = set()

    async def listen(self, address: str) -> None:
        """Serve on port 22 of the address, or on a free port where 22 cannot be had."""
        try:
            self._listeners[address] = await self._serve(address, SSH_PORT)
        except OSError:
            self._listeners[address] = await self._serve(address, 0)

    def port(self, address: str) -> int:
        """The TCP port of the SSH server on this address. Raises KeyError for an address it does not serve."""
        return int(self._listeners[address].get_port())

    def forget(self, address: str) -> None:
        """Stop listening on the address."""
        listener = self._listeners.pop(address, None)
        if listener is not None:
            listener.close()

    async def close(self) -> None:
        """Stop listening and hang up on everybody."""
        for address in list(self._listeners):
            self.forget(address)
        for connection in list(self._connections):
            connection.abort()
            with contextlib.suppress(OSError, asyncssh.Error):
                await connection.wait_closed()

    async def _serve(self, address: str, port: int) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            address,
            port,
            server_factory=lambda: _Login(self._guest, self._connections),
            server_host_keys=[self._host_key],
            process_factory=self._run,
            sftp_factory=lambda channel: MachineFiles(channel, self._guest.files),
            allow_scp=True,
            encoding=None,
            line_editor=False,
            gss_host=None,
            login_timeout=30,
        )

    async def _run(self, session: Any) -> None:
        try:
            await _Session(self._guest, session).run()
        except CellError as error:
            session.stderr.write(f"the sandbox's machine cannot run this: {error}\n".encode())
            session.exit(255)


class _Login(asyncssh.SSHServer):  # type: ignore[misc] # read as untyped, see pyproject.toml
    """One connection: who it is, and what it may forward."""

    def __init__(self, guest: Guest, connections: set[asyncssh.SSHServerConnection]) -> None:
        self._guest = guest
        self._connections = connections
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        if not self._guest.admits(username) or key.public_data not in self._guest.authorized_keys:
            return False
        try:
            await self._guest.logins.admit(username)
        except CellError:
            return False
        return True

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> Callable[[Any, Any], Awaitable[None]] | bool:
        if dest_host not in _LOCAL_NAMES and dest_host not in self._guest.addresses:
            return False

        async def forward(reader: Any, writer: Any) -> None:
            try:
                server = await ends_of(await self._guest.cell.dial(dest_port))
            except CellError:
                writer.close()
            else:
                await join((reader, writer), server)

        return forward

    async def server_requested(self, listen_host: str, listen_port: int) -> asyncssh.SSHListener | bool:
        try:
            listener = await self._guest.cell.listen(listen_port, "127.0.0.1")
        except CellError:
            return False
        port: int = listener.getsockname()[1]
        relay = Relay(lambda: self._dial_client(listen_host, port))
        await relay.adopt(listen_host, listener)
        return _Forwarding(relay, port)

    async def _dial_client(self, host: str, port: int) -> Ends:
        assert self._connection is not None
        try:
            ends: Ends = await self._connection.open_connection(host, port)
        except asyncssh.Error as error:
            raise OSError(str(error)) from error
        return ends


class _Forwarding(asyncssh.SSHListener):  # type: ignore[misc] # as above
    """A port of the machine that leads back through the connection to its client."""

    def __init__(self, relay: Relay, port: int) -> None:
        super().__init__()
        self._relay = relay
        self._port = port
        self._closing: asyncio.Future[None] | None = None

    def get_port(self) -> int:
        return self._port

    def close(self) -> None:
        self._closing = asyncio.ensure_future(self._relay.close())

    async def wait_closed(self) -> None:
        if self._closing is not None:
            await self._closing


class _Session:
    """One command or shell."""

    def __init__(self, guest: Guest, session: Any) -> None:
        self._guest = guest
        self._session = session
        self._outputs: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        if self._session.subsystem:
            self._session.exit(127)
            return
        terminal = self._session.term_type is not None
        process = await (self._start_on_terminal() if terminal else self._start_on_pipes())
        code = await process.wait()
        _, open_streams = await asyncio.wait(self._outputs, timeout=_LINGER_SECONDS)
        for task in open_streams:
            task.cancel()
        with contextlib.suppress(OSError, asyncssh.Error):
            await self._session.stdout.drain()
        self._finish(code)

    def _finish(self, code: int) -> None:
        with contextlib.suppress(OSError, asyncssh.Error):
            if code >= 0:
                self._session.exit(code)
            else:
                self._session.exit_with_signal(signal.Signals(-code).name.removeprefix("SIG"))

    async def _spawn(self, *, streams: tuple[int, int, int] | None = None, terminal: Terminal | None = None) -> Process:
        login = self._guest.logins.find(self._session.get_extra_info("username"))
        given = {_text(name): _text(value) for name, value in self._session.env.items()}
        env = {**given, **login.env}
        if self._session.term_type:
            env["TERM"] = self._session.term_type
        command = self._session.command
        argv = [login.shell, "-l"] if command is None else [login.shell, "-c", command]
        return await self._guest.cell.spawn(
            argv, env=env, cwd=login.home, streams=streams, terminal=terminal, user=login.uid, group=login.gid
        )

    async def _start_on_pipes(self) -> Process:
        stdin, stdout, stderr = os.pipe(), os.pipe(), os.pipe()
        try:
            process = await self._spawn(streams=(stdin[0], stdout[1], stderr[1]))
        finally:
            for descriptor in (stdin[0], stdout[1], stderr[1]):
                os.close(descriptor)
        self._send_output(stdout[0], self._session.stdout)
        self._send_output(stderr[0], self._session.stderr)
        feeding = asyncio.create_task(self._feed(stdin[1], process))
        process.on_exit(feeding.cancel)
        return process

    async def _start_on_terminal(self) -> Process:
        columns, rows, _, _ = self._session.term_size
        process = await self._spawn(terminal=Terminal(rows=rows or 24, columns=columns or 80))
        assert process.master is not None
        self._send_output(process.master, self._session.stdout)
        feeding = asyncio.create_task(self._feed(os.dup(process.master), process))
        process.on_exit(feeding.cancel)
        leaving = asyncio.create_task(self._hang_up(feeding))
        process.on_exit(leaving.cancel)
        return process

    async def _hang_up(self, feeding: asyncio.Task[None]) -> None:
        """Close the terminal of a client that went away, which tells the programs on it to end."""
        await self._session.wait_closed()
        for task in (feeding, *self._outputs):
            task.cancel()

    def _send_output(self, descriptor: int, target: Any) -> None:
        self._outputs.append(asyncio.create_task(_copy_out(descriptor, target)))

    async def _feed(self, descriptor: int, process: Process) -> None:
        """Pass the client's input and signals on until it ends them."""
        os.set_blocking(descriptor, False)
        loop = asyncio.get_running_loop()
        pipe = os.fdopen(descriptor, "wb", 0)
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, pipe)
        writer = asyncio.StreamWriter(transport, protocol, None, loop)
        try:
            await self._feed_all(writer, process)
        finally:
            if not transport.is_closing():
                transport.abort()

    async def _feed_all(self, writer: asyncio.StreamWriter, process: Process) -> None:
        while True:
            try:
                chunk = await self._session.stdin.read(_CHUNK)
                if not chunk:
                    break
                writer.write(chunk)
                await writer.drain()
            except asyncssh.SignalReceived as received:
                await process.signal(signal.Signals[f"SIG{received.signal}"])
            except asyncssh.BreakReceived:
                await process.signal(signal.SIGINT)
            except asyncssh.TerminalSizeChanged as changed:
                process.resize(Terminal(rows=changed.height, columns=changed.width))
        if process.master is None:
            writer.close()


async def _copy_out(descriptor: int, target: Any) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    file = os.fdopen(descriptor, "rb", 0)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
    try:
        # A terminal whose last process ended answers EIO where a pipe ends.
        with contextlib.suppress(OSError, asyncssh.Error):
            while chunk := await reader.read(_CHUNK):
                target.write(chunk)
                await target.drain()
    finally:
        transport.close()


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode(errors="replace")
