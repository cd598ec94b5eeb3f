"""One PostgreSQL cluster in a cell: initdb, start, stop, and which port it has.

It runs inside the cell, so that what a superuser may do (COPY FROM PROGRAM) happens there and nowhere else. Addresses
are published by whoever owns it. TCP asks for a password (scram-sha-256); the local socket knows the cell's users.
"""

import asyncio
import contextlib
import os
import posixpath
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from groundplan_sandbox.cells.cell import Cell, Process
from groundplan_sandbox.cells.confinement import Owner
from groundplan_sandbox.cells.inside.syscalls import open_in_root
from groundplan_sandbox.postgres.programs import PostgresPrograms

POSTGRES_USER_ID = 26
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.02
_LOG_TAIL_BYTES = 4000
_DATA = "/var/lib/pgsql/data"
_LOG = "/var/lib/pgsql/server.log"
_TMP = "/tmp"  # noqa: S108 - the cell's own
# src/include/utils/pidfile.h of PostgreSQL: the lines of postmaster.pid.
_PID_LINE_PORT = 3
_PID_LINE_STATUS = 7


class PostgresError(Exception):
    """A program of PostgreSQL ended with an error; the text is its own."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a cluster lives: folders as the cell's processes name them; `data` is made by `initialize`.

    `user` is the user id of its processes, `port` a port other than the one its configuration says, `listen` the
    addresses of the cell's network where it answers.
    """

    bin: str
    data: str
    sockets: str
    log: str
    user: int | None
    port: int | None = None
    listen: str = "127.0.0.1"


def place_alone(programs: PostgresPrograms, *, root: Path, confined: bool, owner: Owner) -> Place:
    """Where a cluster lives that nobody but its clients knows, in a cell whose `/` is `root`.

    In a cell without a network of its own it gets a free port, and no socket: those have at most 107 bytes of path.
    """
    if confined:
        return Place(bin=programs.cell_bin, data=_DATA, sockets=_TMP, log=_LOG, user=POSTGRES_USER_ID)
    return Place(
        bin=programs.host_bin, data=f"{root}{_DATA}", sockets="", log=f"{root}{_LOG}", user=owner.uid, port=_free_port()
    )


def place_on_machine(programs: PostgresPrograms, *, root: Path, confined: bool, owner: Owner) -> Place:
    """As `place_alone`, and like Red Hat's package: the machine's other processes find it on every name and socket."""
    place = place_alone(programs, root=root, confined=confined, owner=owner)
    return replace(place, sockets=f"/run/postgresql,{_TMP}", listen="*") if confined else place


def _free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class PostgresCluster:
    """Use on the event loop of its cell."""

    def __init__(self, cell: Cell, place: Place, owner: Owner) -> None:
        self._cell = cell
        self._place = place
        self._owner = owner
        self._process: Process | None = None
        self._port = 0

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.exit_code is None

    @property
    def port(self) -> int:
        """The port in the cell's network, known after `start`."""
        return self._port

    async def initialize(self, options: Sequence[str] = (), *, folder: str = "/") -> None:
        """Run initdb in `folder`. `options` come last and win (`-U NAME`, `--pwfile FILE`). Raises PostgresError."""
        argv = [
            f"{self._place.bin}/initdb", "--pgdata", self._place.data, "--auth-local=peer",
            "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync",
            "--no-instructions", *options,
        ]  # fmt: skip
        process = await self._spawn(argv, folder)
        if await process.wait() != 0:
            raise PostgresError(self._log_tail())

    async def run_alone(self, statement: str) -> None:
        """Run one SQL statement as the superuser while no server runs. Raises PostgresError.

        It comes through a pipe, for command lines are seen by everybody. A line break would end it: ValueError.
        """
        if "\n" in statement or "\0" in statement:
            raise ValueError("a statement must be one line")
        settings = ["-c", "exit_on_error=on", "-c", "log_min_error_statement=panic", "-c", "fsync=off"]
        read_end, write_end = os.pipe()
        with os.fdopen(write_end, "wb") as pipe:
            pipe.write(f"{statement};\n".encode())
        argv = [f"{self._place.bin}/postgres", "--single", "-D", self._place.data, *settings, "postgres"]
        try:
            process = await self._spawn(argv, source=read_end)
        finally:
            os.close(read_end)
        if await process.wait() != 0:
            raise PostgresError(self._log_tail())

    async def start(self) -> None:
        """Start the server and wait until it takes connections. Raises PostgresError with the end of its log."""
        if self.running:
            return
        argv = [f"{self._place.bin}/postgres", "-D", self._place.data, "-c", "logging_collector=off"]
        argv += ["-c", f"unix_socket_directories={self._place.sockets}", "-c", "fsync=off"]
        argv += ["-c", f"listen_addresses={self._place.listen}"]
        if self._place.port is not None:
            argv += ["-p", str(self._place.port)]
        self._process = process = await self._spawn(argv)
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        while not self._is_ready(process.pid):
            if process.exit_code is not None:
                raise PostgresError(self._log_tail())
            if asyncio.get_running_loop().time() > deadline:
                await self.stop()
                raise PostgresError(f"PostgreSQL was not ready within {_START_SECONDS:.0f} s\n{self._log_tail()}")
            await asyncio.sleep(_POLL_SECONDS)

    async def stop(self) -> None:
        """Fast shutdown (SIGINT), after ten seconds immediate (SIGQUIT), then SIGKILL: postgres(1)."""
        process = self._process
        if process is None:
            return
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            await process.signal(number, group=False)
            try:
                await asyncio.wait_for(process.wait(), _STOP_SECONDS)
            except TimeoutError:
                continue
            break
        self._process = None

    async def _spawn(self, argv: Sequence[str], folder: str = "/", source: int | None = None) -> Process:
        env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": posixpath.dirname(self._place.data)}
        log = self._open(self._place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            self._owner.own_descriptor(log)
            streams = (nothing if source is None else source, log, log)
            return await self._cell.spawn(argv, env=env, cwd=folder, streams=streams, user=self._place.user)
        finally:
            os.close(log)
            os.close(nothing)

    def _is_ready(self, pid: int) -> bool:
        try:
            with os.fdopen(self._open(f"{self._place.data}/postmaster.pid", os.O_RDONLY), "r") as file:
                lines = file.read().splitlines()
        except FileNotFoundError:
            return False
        if len(lines) <= _PID_LINE_STATUS or lines[0] != str(pid) or lines[_PID_LINE_STATUS].strip() != "ready":
            return False
        self._port = int(lines[_PID_LINE_PORT])
        return True

    def _log_tail(self) -> str:
        with os.fdopen(self._open(self._place.log, os.O_RDONLY), "rb") as file:
            text = file.read()[-_LOG_TAIL_BYTES:].decode(errors="replace")
        return text.strip()

    def _open(self, path: str, flags: int) -> int:
        return open_in_root(self._cell.root, path.encode(), flags | os.O_NONBLOCK, 0o600)
