"""The process between the sandbox and the programs of one control plane: it starts them, and ends them with itself.

It reads what to start as lines of JSON, `{"name": ..., "argv": [...], "log": path}`, from standard input. When the
input ends, or one of the programs does, every program is ended: a sandbox that is killed leaves none behind, and a
control plane that lost a part is not taken for one. Standard library only; `processes` is the other side.
"""

import contextlib
import functools
import json
import os
import selectors
import signal
import subprocess
import sys
from typing import Any

from groundplan_sandbox.cells.inside import syscalls

STORE = "etcd"
"""Ended in peace, for it has data; the others keep none, and wait long for clients when they are asked to end."""

_PATIENCE = 5.0


class Keeper:
    """The programs of one control plane."""

    def __init__(self) -> None:
        self._programs: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, argv: list[str], log: str) -> None:
        # Dies with this process, whatever kills it. Nothing else runs here that a fork could surprise.
        bound = functools.partial(syscalls.prctl, syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        with open(log, "ab") as output:
            self._programs[name] = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, preexec_fn=bound, start_new_session=True
            )

    def ended(self) -> str | None:
        """The name of a program that ended by itself."""
        return next((name for name, program in self._programs.items() if program.poll() is not None), None)

    def end(self) -> None:
        for name, program in reversed(self._programs.items()):
            program.send_signal(signal.SIGTERM if name == STORE else signal.SIGKILL)
        for program in self._programs.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(_PATIENCE)
            program.kill()
            program.wait()


def main() -> int:
    """Exit code 0 when the input ended, 1 when a program did; its name is then told on standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wakened, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.signal(signal.SIGCHLD, _nothing)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    keeper = Keeper()
    try:
        return _serve(keeper, wakened)
    finally:
        keeper.end()


def _serve(keeper: Keeper, wakened: int) -> int:
    orders = b""
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        selector.register(wakened, selectors.EVENT_READ)
        while True:
            ready = {key.fd for key, _ in selector.select()}
            if wakened in ready:
                os.read(wakened, 4096)
            if name := keeper.ended():
                os.write(1, name.encode())
                return 1
            if 0 in ready:
                received = os.read(0, 1 << 16)
                if not received:
                    return 0
                *lines, orders = (orders + received).split(b"\n")
                for line in lines:
                    keeper.start(**json.loads(line))


def _nothing(_number: int, _frame: Any) -> None:
    """A signal must have a handler to wake the loop."""


if __name__ == "__main__":
    sys.exit(main())
