"""The attempts in flight: hands them to threads, takes their outcomes, and gives them up when nobody waits any more.

It knows nothing of commits: `local` launches an attempt after its start is recorded, and records what comes back.
Threads touch nothing here but their own `Flight`.
"""

import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from math import inf

from groundplan.model.execution import Event, EventType, ExecutionStatus
from groundplan.model.ids import ExecutionId
from groundplan.runtime.attempt import Assignment, Attempts
from groundplan.runtime.drive import Drive, Start
from groundplan.runtime.policy import timed_out
from groundplan.runtime.turn import Flight, Report
from groundplan.runtime.window import Window
from groundplan.runtime.workers import Workers

Key = tuple[ExecutionId, int]
"""An execution and the number of one of its tasks."""


class Flights:
    """All attempts that were handed to the threads of one driver and have not ended."""

    def __init__(
        self, *, attempts: Attempts, workers: int, post: Callable[[Report], None], clock: Callable[[], datetime]
    ) -> None:
        """Get ready.

        Args:
            workers: threads that run attempts.
            post: takes what comes back, in the thread that it comes back in.
        """
        self.window = Window(workers)
        self.deadline = inf
        """When the next attempt has taken too long (monotonic)."""
        self.dropped: list[Event] = []
        """What became of attempts whose outcomes nobody takes; to be recorded."""
        self._attempts = attempts
        self._workers = Workers(workers)
        self._post = post
        self._clock = clock
        self._flying: dict[Key, Flight] = {}
        self._unobserved: dict[Key, Flight] = {}

    def __len__(self) -> int:
        return len(self._flying)

    @property
    def outlive(self) -> bool:
        """Whether an operation goes on that nobody observes, or what became of it is to be recorded."""
        return bool(self._unobserved or self.dropped)

    @property
    def free(self) -> int:
        """How many more may be launched."""
        return self.window.size - len(self._flying)

    def of(self, execution: ExecutionId) -> Mapping[int, int]:
        """Return the numbers of an execution's attempts by task."""
        return {task: flight.start.number for (of, task), flight in self._flying.items() if of == execution}

    def are_among(self, keys: Collection[Key]) -> bool:
        """Whether no others are in flight."""
        return self._flying.keys() <= set(keys)

    def launch(self, drive: Drive, start: Start) -> None:
        """Hand an attempt to the threads; its start is recorded."""
        flight = Flight(drive, start)
        self._flying[drive.execution.id, start.task.number] = flight
        self.deadline = min(self.deadline, time.monotonic() + start.timeout)
        self._workers.submit(lambda: self._fly(flight))

    def _fly(self, flight: Flight) -> None:
        if not flight.take():
            return
        drive, start = flight.drive, flight.start
        execution = drive.execution
        flight.begun = begun = time.monotonic()
        outcome = self._attempts.run(
            Assignment(
                execution,
                drive.world,
                start.task,
                start.number,
                start.earlier,
                start.retries,
                start.timeout,
                start.lost,
                flight.given_up,
                lambda event: self._post(Report(execution.id, event=event)),
                self._clock,
            )
        )
        took = time.monotonic() - begun
        self._post(Report(execution.id, start.task.number, start.number, outcome, took=took))

    def take(self, report: Report) -> Flight | None:
        """Return the flight that an outcome ends, or None when nobody waits for it."""
        key = report.execution, report.task
        if self._unobserved:
            unobserved = self._unobserved.get(key)
            if unobserved is not None and unobserved.start.number == report.number and report.outcome is not None:
                self._drop(key, f"ended unobserved ({report.outcome.verdict})")
        flight = self._flying.get(key)
        if flight is None or flight.start.number != report.number:
            return None
        del self._flying[key]
        self.window.attempted(report.took)
        return flight

    def put_back(self, taken: Mapping[Key, Flight]) -> None:
        """Have flights count as not ended: what came of them was not recorded."""
        self._flying.update(taken)

    def keep(self, drives: Mapping[ExecutionId, Drive]) -> None:
        """Keep those that these drives wait for, and forget the others."""
        for (execution, task), flight in list(self._flying.items()):
            drive = drives.get(execution)
            if drive is None or not drive.runs(task, flight.start.number):
                del self._flying[execution, task]
            else:
                flight.drive = drive

    def overdue(self) -> list[Report]:
        """Give up the attempts that take too long, and report that."""
        clock, found = time.monotonic(), list[Report]()
        if clock < self.deadline:
            return found
        for key, flight in list(self._unobserved.items()):
            if flight.is_over(clock):
                flight.given_up.set()
                self._drop(key, f"took longer than {flight.start.timeout:g} s and was given up")
        for key, flight in self._flying.items():
            if flight.is_over(clock):
                flight.given_up.set()
                self._workers.give_up_one()
                start = flight.start
                outcome = timed_out(flight.drive.world.operation(start.task), start.timeout)
                found.append(Report(*key, start.number, outcome, took=start.timeout))
        # One that no thread has taken yet has all of its time before it.
        flights = (*self._flying.values(), *self._unobserved.values())
        self.deadline = min(((it.begun or clock) + it.start.timeout for it in flights), default=inf)
        return found

    def cut_off(self, drive: Drive, status: ExecutionStatus) -> None:
        """Take no more outcomes for a drive: killed, its operations end; else they go on, and are seen to their end."""
        for key, flight in list(self._flying.items()):
            if flight.drive is drive:
                del self._flying[key]
                if flight.take():
                    continue
                self._workers.give_up_one()
                if status is ExecutionStatus.KILL_CANCELLING:
                    flight.given_up.set()
                else:
                    self._unobserved[key] = flight

    def leave_unobserved(self) -> None:
        """Wait no longer for operations that nobody observes."""
        self._unobserved.clear()

    def let_go(self) -> None:
        """End all that are in flight, as far as they listen."""
        for flight in (*self._flying.values(), *self._unobserved.values()):
            flight.take()
            flight.given_up.set()

    def close(self) -> None:
        """Send the threads home."""
        self._workers.close()

    def _drop(self, key: Key, how: str) -> None:
        """Take note that the outcome of an unobserved operation was not recorded."""
        flight = self._unobserved.pop(key)
        task, execution = flight.start.task, flight.drive.execution
        path = flight.drive.world.operation(task).operation
        self.dropped.append(
            Event(
                at=self._clock(),
                type=EventType.TASK_FAILED,
                message=f"Task {path!r} {how}; its outcome was dropped",
                execution=execution.id,
                deployment=execution.deployment,
                instance=task.instance,
                target=None if task.relationship is None else task.relationship.target,
                operation=task.operation,
            )
        )
