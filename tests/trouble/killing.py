"""Kills what drives an install, again and again in one install, has it go on each time, and says what is wrong then.

The record of the store is held against what the operations marked on disk: at each kill, and at the end. A moment is a
number of marks and some milliseconds more, or the next write to the store's log after it; whoever starts anew because
nothing was marked since the last kill is killed while it starts. What moments there are is drawn by the caller.
"""

import os
import random
import signal
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from ..proof.user import User, eventually
from . import city
from .marks import Marks
from .record import Key, Place, Recorded

_PATIENCE: Final = 120.0
_MORE_SECONDS: Final = 0.02


class Victim(StrEnum):
    """Who is killed, and who goes on."""

    PROCESS = "process"
    GROUP = "process group"
    WORKER = "worker"
    """Another worker takes over."""
    SERVER = "database server"
    """Its processes; the driver lives on and waits for it."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """An install that nobody disturbed. `start_seconds`: until the first mark; `marks`: lines of begin and end."""

    found: Mapping[str, Any]
    told: Mapping[tuple[str, str], Sequence[str]]
    operations: int
    marks: int
    start_seconds: float


@dataclass(kw_only=True)
class Tally:
    """What came of kills. `mid_run`: those that met an execution under way; `faults`: in words, empty if none."""

    moments: int = 0
    mid_run: int = 0
    in_flight: int = 0
    second_attempts: int = 0
    again: int = 0
    lost: int = 0
    faults: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Count another install as well."""
        for name in ("moments", "mid_run", "in_flight", "second_attempts", "again", "lost", "faults"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(kw_only=True)
class Rehearsal:
    """One install that is killed again and again."""

    place: Place
    victim: Victim
    reference: Reference
    chance: random.Random
    tally: Tally = field(default_factory=Tally)
    process: "subprocess.Popen[bytes] | None" = None
    committed: dict[Key, tuple[str, int]] = field(default_factory=dict)
    flying: dict[Key, set[int]] = field(default_factory=lambda: defaultdict(set))

    @property
    def user(self) -> User:
        return self.place.user

    @property
    def marks(self) -> Marks:
        return self.place.marks

    def run(self, moments: int) -> Tally:
        """Kill so often, let it end, and compare."""
        try:
            if self.victim is Victim.WORKER:
                self.user.run("executions", "start", "install", "-d", "city", "--timeout", "0")
            for after in sorted(self.chance.randrange(self.reference.marks) for _ in range(moments)):
                self._kill_after(after)
            self._finish()
        finally:
            if self.process is not None and self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self._compare()
        return self.tally

    # -- going on

    def _go_on(self) -> "subprocess.Popen[bytes]":
        if self.process is None or self.process.poll() is not None:
            with (self.user.folder / "said").open("ab") as said:
                self.process = subprocess.Popen(
                    [*self.user.program, *self._command()],
                    env=self.user.environment,
                    cwd=self.user.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    start_new_session=True,
                )
        return self.process

    def _command(self) -> Sequence[str]:
        if self.victim is Victim.WORKER:
            return ["worker"]
        run = self._run_of_the_city()
        return ["executions", "start", "install", "-d", "city"] if run is None else ["executions", "resume", run[0]]

    def _run_of_the_city(self) -> tuple[str, str] | None:
        found = [(id_, status) for id_, of, _, status in self.place.executions() if of == "city"]
        return found[-1] if found else None

    def _has_ended(self) -> bool:
        run = self._run_of_the_city()
        return run is not None and run[1] in ("terminated", "failed", "cancelled")

    def _finish(self) -> None:
        for _ in range(3):
            if self._has_ended():
                break
            process = self._go_on()
            if self.victim is Victim.WORKER:
                eventually(self._has_ended, patience=_PATIENCE, what="the end of the install")
                process.send_signal(signal.SIGTERM)
            code = process.wait(_PATIENCE)
            # One that met the server's absence while it started may say so and leave.
            if code and self.victim is not Victim.SERVER:
                self._blame(f"{self._said()} (exit {code})")
                break
        if not self._has_ended():
            self._blame(f"the install has not ended: {self._said()}")

    def _said(self) -> str:
        return (self.user.folder / "said").read_text()[-2000:]

    def _blame(self, words: str) -> None:
        self.tally.faults.append(f"{self.victim}, kill {self.tally.moments}: {words}")

    # -- a kill

    def _kill_after(self, after: int) -> None:
        if self._has_ended():
            return
        process = self._go_on()
        if self._marked() > after:
            time.sleep(self.chance.uniform(0, self.reference.start_seconds))
        else:
            self._wait_while(lambda: self._marked() <= after)
            if self.chance.random() < 0.5:
                time.sleep(self.chance.uniform(0, _MORE_SECONDS))
            else:
                before = self._log_changed()
                self._wait_while(lambda: self._log_changed() == before)
        lived = process.poll() is None
        with self._killed(process):
            self.tally.moments += 1
            self.tally.mid_run += lived and not self._has_ended()
            self._look()

    def _wait_while(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while holds() and self.process is not None and self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)

    def _marked(self) -> int:
        return self.marks.file.read_bytes().count(b"\n") if self.marks.file.exists() else 0

    def _log_changed(self) -> int:
        """Return when the store's log was last written: just then a commit is on its way."""
        if self.place.server is None:
            logs = [self.user.home / "state.db-wal"]
        else:
            logs = [it for it in (self.place.server.folder / "data/pg_wal").iterdir() if len(it.name) == 24]
        return max((it.stat().st_mtime_ns for it in logs if it.exists()), default=0)

    @contextmanager
    def _killed(self, process: "subprocess.Popen[bytes]") -> Iterator[None]:
        """Have the victim dead, and nobody doing anything, while the block runs."""
        server = self.place.server
        if self.victim is not Victim.SERVER:
            if self.victim is Victim.GROUP:
                with suppress(ProcessLookupError):  # it has ended by itself
                    os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            process.wait()
            self.place.settle()
            yield
            return
        assert server is not None
        server.kill()
        process.send_signal(signal.SIGSTOP)
        try:
            server.start()
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    # -- comparing

    def _look(self) -> None:
        """See at a kill that what ran was recorded to begin, and stood on what was recorded to have ended."""
        tasks, begun, ended = self.place.tasks(), self.marks.lines("begin"), self.marks.lines("end")
        for key, task in tasks.items():
            done = task.state == "succeeded"
            if begun[task.name]:
                low = [tasks[it].name for it in task.waits if tasks[it].state != "succeeded"]
                if low:
                    self._blame(f"{task.name} began before the end of {low} was durable")
                if task.attempts < begun[task.name]:
                    self._blame(f"{task.name} ran {begun[task.name]} times, and {task.attempts} are recorded")
                if done and not ended[task.name]:
                    self._blame(f"{task.name} is recorded as finished, and it was not")
            if done and key not in self.committed:
                self.committed[key] = task.name, begun[task.name]
            # Who was killed while it started has begun no attempt: the one before is cut off still.
            if task.state == "started" and task.attempts not in self.flying[key]:
                self.tally.in_flight += 1
                self.flying[key].add(task.attempts)

    def _compare(self) -> None:
        """See at the end that everything is as if nobody had been killed, but for the second attempts."""
        tasks, begun, ended = self.place.tasks(), self.marks.lines("begin"), self.marks.lines("end")
        for key, task in tasks.items():
            self._compare_task(key, task, begun[task.name])
        marked = {task.name for task in tasks.values() if ended[task.name]}
        again = [name for name, before in self.committed.values() if begun[name] > before]
        lost = self.reference.operations - len(marked)
        self.tally.again += len(again)
        self.tally.lost += lost
        self.tally.second_attempts += sum(task.attempts > 1 for task in tasks.values())
        if again:
            self._blame(f"committed, and ran again: {again}")
        if lost or set(ended) != marked:
            self._blame(f"{lost} operations are missing, unknown ones marked: {set(ended) - marked}")
        runs = Counter((deployment, workflow, status) for _, deployment, workflow, status in self.place.executions())
        if runs != Counter((it, "install", "terminated") for it in city.DEPLOYMENTS):
            self._blame(f"the executions are {runs}")
        self._compare_events(tasks)
        if (told := differences(self.reference.told, self.place.told())) or (
            told := differences(self.reference.found, city.found(self.user))
        ):
            self._blame(f"not as in an install that nobody disturbed: {told}")

    def _compare_task(self, key: Key, task: Recorded, begun: int) -> None:
        if task.state != "succeeded":
            self._blame(f"{task.name} is {task.state}")
        if not task.verdicts:
            return
        if task.attempts != len(task.verdicts) or task.attempts < begun:
            self._blame(f"{task.name} ran {begun} times in {task.attempts} attempts: {task.verdicts}")
        # A step of a component that met no server has said so, and was tried again.
        passing = ("waiting", "retry") if self.victim is Victim.SERVER else ("waiting",)
        *before, last = (it for it in task.verdicts if it not in passing)
        cut_off = set[int]() if self.victim is Victim.SERVER else self.flying[key]
        if last != "succeeded" or any(it is not None for it in before) or {*range(1, len(before) + 1)} != cut_off:
            self._blame(f"attempts {cut_off} of {task.name} were cut off, and they ended with {task.verdicts}")

    def _compare_events(self, tasks: Mapping[Key, Recorded]) -> None:
        told = self.place.first_and_last()
        for (execution, number), task in tasks.items():
            if not task.verdicts:
                continue
            ends = told.get((execution, "task_succeeded", task.name), [])
            starts = told.get((execution, "task_started", task.name), [])
            if len(ends) != 1 or len(starts) != task.attempts:
                self._blame(f"{task.name} is told to have started {starts} and ended {ends}")
            before = [told.get((execution, "task_succeeded", tasks[it].name), [0])[-1] for it in task.waits]
            if starts and max(before, default=-1) > starts[0]:
                self._blame(f"{task.name} ({number}) is told to have started before what it waits for had ended")


def differences(wanted: Any, got: Any, path: str = "") -> list[str]:
    """Return, in words, where two trees of mappings differ."""
    if isinstance(wanted, Mapping) and isinstance(got, Mapping):
        keys = [*wanted, *(it for it in got if it not in wanted)]
        return [word for it in keys for word in differences(wanted.get(it), got.get(it), f"{path}/{it}")]
    return [] if wanted == got else [f"{path}: {wanted!r} became {got!r}"]


def undisturbed(place: Place) -> Reference:
    """Run an install that nobody disturbs."""
    marks = place.marks
    began = time.monotonic()
    with place.user.running("executions", "start", "install", "-d", "city", "--json") as process:
        marks.wait_for_begin()
        started = time.monotonic() - began
        _, errors = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 0, errors
    begun, ended = marks.lines("begin"), marks.lines("end")
    assert set(begun.values()) == set(ended.values()) == {1}
    return Reference(
        found=city.found(place.user),
        told=place.told(),
        operations=len(ended),
        marks=begun.total() + ended.total(),
        start_seconds=started,
    )
