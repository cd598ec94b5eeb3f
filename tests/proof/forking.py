"""Commands without the wait for Python to load the engine: one process has loaded it, and forks one for each command.

A command is a process of its own all the same, with its own environment, folder, standard streams and end. What it is
spared is most of what a short one costs. How the installed program starts by itself is shown by those that tests start
with `User.running`, by the demo, the wheel and tests/house.

This file is both ends: `run` is for tests; run as a program, it is the process that forks.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

_MOST_BYTES = 1 << 17
"""Of an order: arguments, environment and folder."""
_LOADED = (
    "groundplan.cli.running_groups",
    "groundplan.cli.trouble",
    "groundplan.cli.views.progress",
    "groundplan.cli.views.table",
    "groundplan.dsl.compile",
    "groundplan.service.driving",
    "groundplan.service.fetching",
    "groundplan.service.observing",
    "groundplan.service.plugins",
    "groundplan.service.queue",
    "groundplan.service.worker",
    "groundplan.state.migrations",
    "groundplan.state.sql.postgresql",
    "groundplan.state.sql.sqlite",
    "groundplan.state.sql.store",
    "groundplan_sandbox.commands",
    "alembic.operations",
    "packaging.specifiers",
    "psycopg",
    "rich._emoji_codes",
    "sqlalchemy.dialects.postgresql.psycopg",
)
"""Beside the commands: what most of them import when they begin to work."""


def run(
    *commands: Sequence[str], environment: Mapping[str, str], folder: Path, stdin: str = "", timeout: float
) -> "subprocess.CompletedProcess[str]":
    """Run `groundplan` to its end, as `subprocess.run` would: with arguments, and with others in the same process.

    What comes after a command that fails is left out.
    """
    order = json.dumps({"commands": commands, "environment": dict(environment), "folder": str(folder)}).encode()
    assert len(order) < _MOST_BYTES
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, ours:
        given.write(stdin.encode())
        given.seek(0)
        with theirs:
            streams = [given.fileno(), out.fileno(), err.fileno(), theirs.fileno()]
            socket.send_fds(_forker(), [order], streams)
        code = _await(ours, commands, timeout)
        said = [_text_of(stream) for stream in (out, err)]
    return subprocess.CompletedProcess(commands, code, *said)


def _await(answers: socket.socket, commands: Sequence[Sequence[str]], timeout: float) -> int:
    """Return the exit code of the process that answers with its id first; it is killed when its time is up."""
    with answers.makefile() as lines:
        pid = int(lines.readline())
        answers.settimeout(timeout)
        try:
            return int(lines.readline())
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(str(commands), timeout) from None


def _text_of(stream: "tempfile._TemporaryFileWrapper[bytes]") -> str:
    stream.seek(0)
    return stream.read().decode()


@cache
def _forker() -> socket.socket:
    """Start the process that forks; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.defpath}", "LANG": "C.UTF-8"}
    command = [sys.executable, "-P", __file__, str(theirs.fileno())]
    process = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait(30)

    atexit.register(end)
    return ours


def load() -> None:
    """Import what commands import, and nothing of plugins, which only a few of them use."""
    commands = importlib.import_module("groundplan.cli.commands")
    for module in pkgutil.iter_modules(commands.__path__, "groundplan.cli.commands."):
        importlib.import_module(module.name)
    for name in _LOADED:
        importlib.import_module(name)
    gc.freeze()


def serve(orders: socket.socket) -> list[list[str]]:
    """Fork for each order until nobody can give any more. Returns in the forked process, with its commands."""
    selector = selectors.DefaultSelector()
    selector.register(orders, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.data is not None:
                _report(selector, key)
                continue
            order, streams, _, _ = socket.recv_fds(orders, _MOST_BYTES, 4)
            if not order:
                raise SystemExit
            pid = os.fork()
            if pid == 0:
                for other in list(selector.get_map().values()):
                    os.close(other.fd)
                    if other.data is not None:
                        os.close(other.data[1])
                orders.detach()
                selector.close()
                return _become(streams, **json.loads(order))
            for stream in streams[:3]:
                os.close(stream)
            os.write(streams[3], f"{pid}\n".encode())
            selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, streams[3]))


def _report(selector: selectors.BaseSelector, ended: selectors.SelectorKey) -> None:
    pid, answers = ended.data
    selector.unregister(ended.fd)
    os.close(ended.fd)
    _, status = os.waitpid(pid, 0)
    with suppress(BrokenPipeError):  # whoever asked has given it up
        os.write(answers, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os.close(answers)


def _become(
    streams: list[int], *, commands: list[list[str]], environment: dict[str, str], folder: str
) -> list[list[str]]:
    """Be the process that runs commands: with their streams, environment and folder."""
    for number, stream in enumerate(streams[:3]):
        os.dup2(stream, number)
    for stream in streams:
        os.close(stream)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    importlib.invalidate_caches()
    sys.argv[1:] = commands[0]
    return commands


def main() -> None:
    """Be the process that forks, and each of those that it forks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for commands; this process ends with who orders them
    load()
    with socket.socket(fileno=int(sys.argv[1])) as orders:
        commands = serve(orders)
    from groundplan.cli.main import run as run_command

    code = next(filter(None, map(run_command, commands)), 0)
    # The end of a process that `multiprocessing` forks: all but the taking apart of what was loaded once for all.
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
