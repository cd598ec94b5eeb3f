"""A cell: a tree of processes with a file system and a loopback of its own, run for the sandbox by `inside/init.py`.

It starts, spawns, listens and dials; it ends with everything in it. What a machine is, and who may log in, it does not
know: `groundplan_sandbox.machines` and `groundplan_sandbox.postgres` build on it.
"""

import asyncio
import contextlib
import fcntl
import itertools
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundplan_sandbox.cells.inside.init import MAX_DESCRIPTORS, MESSAGE_BYTES
from groundplan_sandbox.cells.inside.plan import CellPlan, encode_plan

_ENGINE = Path(__file__).parents[2]
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from groundplan_sandbox.cells.inside.init import main; main(int(sys.argv[2]))"
)
PYTHON = os.path.realpath(sys.executable)


class CellError(Exception):
    """A cell could not be started, or could not do what it was asked; the words are the kernel's."""


@dataclass(frozen=True, kw_only=True)
class Terminal:
    """The size of a pseudo-terminal, in characters."""

    rows: int
    columns: int


class Process:
    """One process of a cell. `exit_code` is negative for a signal, as in `subprocess`."""

    def __init__(self, cell: "Cell", pid: int, master: int | None) -> None:
        self._cell = cell
        self.pid = pid
        self.master = master
        self._exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def exit_code(self) -> int | None:
        return self._exited.result() if self._exited.done() else None

    async def wait(self) -> int:
        """The exit code, when the process has ended."""
        return await asyncio.shield(self._exited)

    async def signal(self, number: int, *, group: bool = True) -> None:
        """Send a signal to the process, or to its whole group. Nothing happens when it has ended."""
        if self._exited.done():
            return
        with contextlib.suppress(CellError):
            await self._cell.request({"op": "signal", "pid": self.pid, "signal": int(number), "group": group})

    def resize(self, terminal: Terminal) -> None:
        """Tell the process, when it has a terminal, that its size has changed."""
        if self.master is not None and not self._exited.done():
            size = struct.pack("HHHH", terminal.rows, terminal.columns, 0, 0)
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)

    def on_exit(self, act: Callable[[], object]) -> None:
        """Call `act` when the process has ended."""
        self._exited.add_done_callback(lambda _: act())

    def ended(self, status: int) -> None:
        """Record the exit; for the cell alone."""
        if not self._exited.done():
            self._exited.set_result(status)


class Cell:
    """Use on one event loop. `root`: a descriptor of the cell's `/`; `programs`: the listener of its control socket."""

    def __init__(self, plan: CellPlan) -> None:
        self.plan = plan
        self.root = -1
        self.programs: socket.socket | None = None
        self._ids = itertools.count(1)
        self._replies: dict[int, asyncio.Future[tuple[dict[str, Any], list[int]]]] = {}
        self._processes: dict[int, Process] = {}
        self._born: dict[int, Process] = {}
        self._sending = asyncio.Lock()
        self._control: socket.socket | None = None
        self._leader: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start process 1. Raises CellError in the kernel's words when namespaces or mounts are refused."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._leader = subprocess.Popen(
                [PYTHON, "-I", "-S", "-c", _BOOT, str(_ENGINE), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd="/",
                env={"PATH": os.defpath, "LANG": "C.UTF-8"},
                start_new_session=True,
            )
        ours.setblocking(False)
        self._control = ours
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(ours, encode_plan(self.plan))
        await _readable(ours)
        hello, descriptors = _receive(ours)
        if hello is None or "failed" in hello:
            await self.stop()
            raise CellError(hello["failed"] if hello else "process 1 of the cell ended before it was ready")
        self.root = descriptors[0]
        self.programs = socket.socket(fileno=descriptors[1])
        self.programs.setblocking(False)
        loop.add_reader(ours.fileno(), self._on_message)

    @property
    def running(self) -> bool:
        return self._control is not None

    async def stop(self) -> None:
        """End process 1 and with it every process of the cell; return when all are gone."""
        self._disconnect()
        if self.programs is not None:
            self.programs.close()
            self.programs = None
        if self.root >= 0:
            os.close(self.root)
            self.root = -1
        if self._leader is not None:
            await asyncio.to_thread(_reap, self._leader)
            self._leader = None

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        streams: tuple[int, int, int] | None = None,
        terminal: Terminal | None = None,
        user: int | None = None,
        group: int | None = None,
    ) -> Process:
        """Start a process with the caller's three `streams` (it keeps them), or in a new terminal.

        `user` and `group` (else the same number) are the ids that the process sees as its own.
        """
        message: dict[str, Any] = {
            "op": "spawn",
            "argv": list(argv),
            "env": dict(env),
            "cwd": cwd,
            "user": user,
            "group": group,
        }
        message["pty"] = {"rows": terminal.rows, "columns": terminal.columns} if terminal else None
        reply, _ = await self.request(message, list(streams or ()))
        return self._born.pop(reply["pid"])

    async def listen(self, port: int, host: str = "0.0.0.0") -> socket.socket:  # noqa: S104 - the cell's own loopback
        """A listening TCP socket in the cell's network; port 0 takes a free one."""
        _, descriptors = await self.request({"op": "listen", "host": host, "port": port})
        return _received_socket(descriptors)

    async def dial(self, port: int, host: str = "127.0.0.1") -> socket.socket:
        """A TCP connection to a server in the cell's network. Raises CellError when nothing listens there."""
        _, descriptors = await self.request({"op": "dial", "host": host, "port": port})
        return _received_socket(descriptors)

    async def request(
        self, message: dict[str, Any], descriptors: Sequence[int] = ()
    ) -> tuple[dict[str, Any], list[int]]:
        """One request to process 1 and its answer. Raises CellError in its words."""
        if self._control is None:
            raise CellError("the machine is not running")
        number = next(self._ids)
        reply = asyncio.get_running_loop().create_future()
        self._replies[number] = reply
        async with self._sending:
            await _send(self._control, json.dumps({"id": number, **message}).encode(), descriptors)
        answer, received = await reply
        if "error" in answer:
            raise CellError(answer["error"])
        return answer, received

    def _on_message(self) -> None:
        assert self._control is not None
        message, descriptors = _receive(self._control)
        if message is None:
            self._disconnect()
        elif "exited" in message:
            self._record_exit(message["exited"], message["status"])
        else:
            self._answered(message, descriptors)

    def _answered(self, message: dict[str, Any], descriptors: list[int]) -> None:
        reply = self._replies.pop(message.get("id", 0), None)
        if reply is None or reply.done():
            for descriptor in descriptors:
                os.close(descriptor)
            return
        if "pid" in message:
            # Here and not in `spawn`: the news of its exit may be the next message, read before `spawn` goes on.
            process = Process(self, message["pid"], descriptors[0] if descriptors else None)
            self._processes[process.pid] = self._born[process.pid] = process
        reply.set_result((message, descriptors))

    def _record_exit(self, pid: int, status: int) -> None:
        process = self._processes.pop(pid, None)
        if process is not None:
            process.ended(status)

    def _disconnect(self) -> None:
        if self._control is None:
            return
        asyncio.get_running_loop().remove_reader(self._control.fileno())
        self._control.close()
        self._control = None
        for process in self._processes.values():
            process.ended(-signal.SIGKILL)
        self._processes.clear()
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(CellError("the machine is not running"))
        self._replies.clear()


def _received_socket(descriptors: list[int]) -> socket.socket:
    received = socket.socket(fileno=descriptors[0])
    received.setblocking(False)
    return received


def _receive(control: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    try:
        message, descriptors, _, _ = socket.recv_fds(control, MESSAGE_BYTES, MAX_DESCRIPTORS)
    except ConnectionResetError:
        return None, []
    return (json.loads(message) if message else None), descriptors


async def _send(control: socket.socket, message: bytes, descriptors: Sequence[int]) -> None:
    while True:
        try:
            socket.send_fds(control, [message], list(descriptors))
        except BlockingIOError:
            await _writable(control)
        except OSError as error:
            raise CellError(error.strerror or str(error)) from error
        else:
            return


async def _readable(control: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(control.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(control.fileno())


async def _writable(control: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(control.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(control.fileno())


def _reap(leader: subprocess.Popen[bytes]) -> None:
    try:
        leader.wait(timeout=5)
    except subprocess.TimeoutExpired:
        # Process 1 has asked for this signal when its parent dies, so the machine goes with it.
        leader.kill()
        leader.wait()
