"""Runs one child process: its output line by line in bounded memory, its end enforced.

The environment is the caller's affair (`machine` builds it); the supervisor between engine and child ends the child's
process group at the deadline, on cancel, and when the engine itself is killed.
"""

import codecs
import json
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import IO, Final

import groundplan
from groundplan.runtime.foreign.supervisor import Plan
from groundplan.sdk.context import Completed, LineSink
from groundplan.sdk.errors import NonRecoverableError

_ENGINE: Final = str(Path(groundplan.__file__).parent.parent)
_START: Final = (
    f"import sys; sys.path.insert(0, {_ENGINE!r}); from groundplan.runtime.foreign.supervisor import main; main()"
)
_TICK_SECONDS: Final = 0.1
_QUIET_SECONDS: Final = 0.2
_END_SECONDS: Final = 10.0
_KEPT_BYTES: Final = 8 * 2**20
_LINE_CHARACTERS: Final = 16 * 2**10
_TOLD_LINES: Final = 100_000


def run_process(
    plan: Plan,
    *,
    cancelled: Callable[[], bool],
    stdin: str | None = None,
    timeout: float | None = None,
    on_line: LineSink | None = None,
    passed: socket.socket | None = None,
) -> Completed:
    """Run a child to its end and return how it went; of each stream the last 8 MiB are kept.

    `passed` goes to the child, whose plan names its number, and is closed here.

    Of each stream at most about 100 000 lines are told to `on_line`: splitting more would cost the engine its time.

    Raises:
        NonRecoverableError: it cannot be started, or the kernel refuses the confinement.
    """
    ours, theirs = socket.socketpair()
    with ours:
        with theirs, passed or nullcontext():
            supervisor = _start(theirs, plan.passed)
        try:
            pump = _Pump(supervisor, ours, on_line)
            ours.sendall(plan.to_line())
            _feed(supervisor, stdin)
            timed_out = pump.run(cancelled, timeout)
        finally:
            _end(supervisor, ours, plan.grace)
        _raise_trouble(pump.told)
        return Completed(
            code=supervisor.returncode, stdout=pump.out.text(), stderr=pump.err.text(), timed_out=timed_out
        )


def _start(lifeline: socket.socket, passed: int) -> "subprocess.Popen[bytes]":
    number = lifeline.fileno()
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _START, str(number)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": os.defpath},
        cwd="/",
        pass_fds=[number] if passed < 0 else [number, passed],
        start_new_session=True,
    )


def _feed(supervisor: "subprocess.Popen[bytes]", text: str | None) -> None:
    """Give the child its standard input, from a thread of its own: it may not read it, or slowly."""
    pipe = _pipe(supervisor.stdin)
    if not text:
        pipe.close()
        return

    def write() -> None:
        with suppress(BrokenPipeError), pipe:
            pipe.write(text.encode())

    threading.Thread(target=write, name="stdin", daemon=True).start()


def _end(supervisor: "subprocess.Popen[bytes]", lifeline: socket.socket, grace: float) -> None:
    """See to it that the supervisor is gone and collected."""
    with suppress(OSError):
        lifeline.shutdown(socket.SHUT_WR)
    try:
        supervisor.wait(grace + _END_SECONDS)
    except subprocess.TimeoutExpired:
        supervisor.kill()  # the kernel then kills the child
        supervisor.wait()
    for pipe in (supervisor.stdout, supervisor.stderr):
        _pipe(pipe).close()


def _raise_trouble(told: bytes) -> None:
    if not told:
        return
    trouble = json.loads(told)
    if "refused" in trouble:
        raise NonRecoverableError(
            f"this machine cannot shut a script in ({trouble['refused']}); "
            "in a sandboxed home scripts run confined unless it is set to unconfined"
        )
    raise NonRecoverableError(f"the program cannot be started: {trouble['failed']}")


class _Stream:
    """One of the child's outputs: lines go to the sink as they come, the tail is kept."""

    def __init__(self, name: str, sink: LineSink | None) -> None:
        self._name = name
        self._sink = sink
        self._kept = bytearray()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._open = ""
        self._lines = 0

    def take(self, part: bytes) -> None:
        """Take what was read; nothing at all for the end."""
        self._kept += part
        if len(self._kept) > 2 * _KEPT_BYTES:
            del self._kept[:-_KEPT_BYTES]
        if self._sink is None or self._lines > _TOLD_LINES:
            return
        *lines, self._open = (self._open + self._decoder.decode(part, final=not part)).split("\n")
        for line in lines:
            self._tell(line)
        self._lines += len(lines)
        if self._lines > _TOLD_LINES:
            self._sink(self._name, f"... more than {_TOLD_LINES} lines: the rest is not shown")
        elif self._open and (not part or len(self._open) > _LINE_CHARACTERS):
            self._tell(self._open)
            self._open = ""

    def _tell(self, line: str) -> None:
        assert self._sink is not None
        for start in range(0, max(len(line), 1), _LINE_CHARACTERS):
            self._sink(self._name, line[start : start + _LINE_CHARACTERS].rstrip("\r"))

    def text(self) -> str:
        return self._kept[-_KEPT_BYTES:].decode(errors="replace")


class _Pump:
    """Reads a child's outputs until it ended."""

    def __init__(self, supervisor: "subprocess.Popen[bytes]", lifeline: socket.socket, sink: LineSink | None) -> None:
        self.out = _Stream("out", sink)
        self.err = _Stream("err", sink)
        self.told = b""
        self._lifeline = lifeline
        self._ended = False
        self._selector = selectors.DefaultSelector()
        for pipe, stream in ((supervisor.stdout, self.out), (supervisor.stderr, self.err)):
            os.set_blocking(_pipe(pipe).fileno(), False)
            self._selector.register(_pipe(pipe), selectors.EVENT_READ, stream)
        self._selector.register(lifeline, selectors.EVENT_READ)

    def run(self, cancelled: Callable[[], bool], timeout: float | None) -> bool:
        """Pump until the child ended and its outputs are read; return whether its time was up."""
        deadline = None if timeout is None else time.monotonic() + timeout
        timed_out = stopping = False
        with self._selector:
            while not self._ended:
                self._read(_TICK_SECONDS)
                timed_out = timed_out or (deadline is not None and time.monotonic() >= deadline and not stopping)
                if (timed_out or cancelled()) and not stopping:
                    stopping = True
                    self._lifeline.shutdown(socket.SHUT_WR)
            # What a process in the background still holds open is not waited for.
            while self._selector.get_map() and self._read(_QUIET_SECONDS):
                pass
        for stream in (self.out, self.err):
            stream.take(b"")
        return timed_out

    def _read(self, wait: float) -> int:
        """Read what is there and return the number of bytes."""
        count = 0
        for key, _ in self._selector.select(wait):
            if key.data is None:
                part = self._lifeline.recv(65536)
                self.told += part
                self._ended = not part
            else:
                part = os.read(key.fd, 65536)
                key.data.take(part) if part else None
            if not part:
                self._selector.unregister(key.fileobj)
            count += len(part)
        return count


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
