"""The process between the engine and a child: it ends the child's whole group when the engine says so, or dies.

Runs as a program of its own with the standard library only (see `main`); `process` in the engine starts it and reads
the child's output directly. `confinement` shuts the child in where the plan asks for it.
"""

import json
import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Final, NoReturn

from groundplan.runtime.foreign.confinement import Confinement, Refused, die_with_parent, shut_in

_GRACE_SECONDS: Final = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to run; travels as one line of JSON over the lifeline, not in arguments, which others can read.

    Attributes:
        environment: the whole environment of the child.
        confinement: None to run it unconfined.
        passed: number of a further descriptor that the child gets; -1 for none.
        grace: seconds that an interrupted child has to end by itself; 0: it is terminated instead.
    """

    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    folder: str
    confinement: Confinement | None
    passed: int = -1
    grace: float = 0

    def to_line(self) -> bytes:
        """Return the plan as the line that `from_line` reads."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Plan":
        """Read `to_line`'s line."""
        fields = json.loads(line)
        shut = fields.pop("confinement")
        return cls(**fields, confinement=None if shut is None else Confinement(**shut))


def main() -> NoReturn:
    """Supervise one child; the number of the lifeline's descriptor is the only argument.

    Exits as the child did, by its signal too. Trouble before the child runs is told over the lifeline.
    """
    lifeline = socket.socket(fileno=int(sys.argv[1]))
    lifeline.set_inheritable(False)
    with lifeline.makefile("rb") as lines:
        plan = Plan.from_line(lines.readline())
    waking, wake = socket.socketpair()
    wake.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno())
    # Who may outlive the engine must not end by writing to it.
    relay = Relay() if plan.grace else None
    child = _start(plan, lifeline, relay)
    status = _watch(child, lifeline, waking, plan.grace, relay)
    _exit_as(os.waitstatus_to_exitcode(status))


class Relay:
    """Takes a child's outputs and hands them on for as long as anybody reads them; what nobody reads is dropped."""

    def __init__(self) -> None:
        self._ways: dict[int, int | None] = {}
        self._writing: dict[int, int] = {}
        for target in (1, 2):
            reading, self._writing[target] = os.pipe()
            self._ways[reading] = target

    @property
    def sources(self) -> list[int]:
        """The descriptors that are still open for reading."""
        return list(self._ways)

    def become_outputs(self) -> None:
        """In the child: write there instead."""
        for target, writing in self._writing.items():
            os.dup2(writing, target)

    def close_outputs(self) -> None:
        """In the supervisor: leave writing to the child, so that its end is seen."""
        for writing in self._writing.values():
            os.close(writing)

    def hand_on(self, source: int) -> None:
        """Take what is there and hand it on."""
        part = os.read(source, 65536)
        if not part:
            del self._ways[source]
        target = self._ways.get(source)
        while part and target is not None:
            try:
                part = part[os.write(target, part) :]
            except BrokenPipeError:
                self._ways[source] = target = None

    def drain(self) -> None:
        """Hand on what is left; what a process in the background still holds open is not waited for."""
        while self._ways and (ready := select.select(self.sources, [], [], 0)[0]):
            for source in ready:
                self.hand_on(source)


def _start(plan: Plan, lifeline: socket.socket, relay: Relay | None) -> int:
    child = os.fork()
    if child:
        if relay is not None:
            relay.close_outputs()
        if plan.passed >= 0:
            os.close(plan.passed)  # the engine must see the end when the child closes its own
        return child
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    die_with_parent()
    if relay is not None:
        relay.become_outputs()
        # An interrupt waits for the program (`_become`), or for those who shut it in and hand it on to the program.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        if plan.confinement is None:
            _become(plan)
        shut_in(plan.confinement, lambda: _become(plan))
    except Refused as error:
        lifeline.sendall(json.dumps({"refused": str(error)}).encode())
    except OSError as error:
        lifeline.sendall(json.dumps({"failed": f"{plan.command[0]}: {error.strerror}"}).encode())
    os._exit(127)


def _become(plan: Plan) -> NoReturn:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)  # Python ignores them, and a shell's pipes rely on them
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    os.chdir(plan.folder)
    os.execvpe(plan.command[0], list(plan.command), dict(plan.environment))  # noqa: S606 - no shell is wanted


def _watch(child: int, lifeline: socket.socket, waking: socket.socket, grace: float, relay: Relay | None) -> int:
    """Wait for the child's end and return its status; the end of the lifeline ends the child and its group.

    With a grace, a child whose engine is dead goes on by itself for that long before it is interrupted.
    """
    ending = _Ending(child, grace)
    watched: list[socket.socket] = [waking, lifeline]
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            ending.sweep()
            if relay is not None:
                relay.drain()
            return status
        ready, _, _ = select.select([*watched, *(relay.sources if relay else ())], [], [], ending.left)
        if waking in ready:
            waking.recv(64)
        if lifeline in ready:
            watched.remove(lifeline)
            ending.begin(is_alone=_is_alone(lifeline))
        else:
            ending.go_on()
        for source in ready:
            if isinstance(source, int) and relay is not None:
                relay.hand_on(source)


class _Ending:
    """How a child is ended: asked, in steps that become harder, each after the time of the one before."""

    def __init__(self, child: int, grace: float) -> None:
        self._child = child
        self._grace = grace
        self._deadline: float | None = None
        self._steps: list[tuple[signal.Signals | None, float]] = []

    @property
    def left(self) -> float | None:
        """Seconds until the next step; None while nothing is to end."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def begin(self, *, is_alone: bool) -> None:
        """Begin to end it; `is_alone`: its engine is dead."""
        if self._grace:
            waiting: list[tuple[signal.Signals | None, float]] = [(None, self._grace)] if is_alone else []
            self._steps = [*waiting, (signal.SIGINT, self._grace)]
        else:
            self._steps = [(signal.SIGTERM, _GRACE_SECONDS)]
        self._step()

    def go_on(self) -> None:
        """Take the next step when it is due."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self._step()

    def sweep(self) -> None:
        """Once it has ended: end what it has left behind, if it was to end."""
        if self._deadline is not None:
            _signal(os.killpg, self._child, signal.SIGKILL)

    def _step(self) -> None:
        number, seconds = self._steps.pop(0) if self._steps else (signal.SIGKILL, _GRACE_SECONDS)
        if number is signal.SIGINT:
            # The program alone: it ends what it has started in its own order, and terraform, whose group is interrupted
            # while it starts a provisioner, counts two interrupts and leaves without its state.
            _signal(os.kill, self._child, number)
        elif number is not None:
            _signal(os.killpg, self._child, number)
        self._deadline = time.monotonic() + seconds


def _is_alone(lifeline: socket.socket) -> bool:
    """Whether the engine is gone, not only done with the child: it then holds no end of the lifeline any more."""
    polling = select.poll()
    polling.register(lifeline, 0)
    return any(event & select.POLLHUP for _, event in polling.poll(0))


def _signal(send: Callable[[int, int], None], child: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        send(child, number)


def _exit_as(code: int) -> NoReturn:
    """Exit with a status, or by the signal that a negative one names."""
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError, ValueError):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code & 0xFF)


if __name__ == "__main__":
    main()
