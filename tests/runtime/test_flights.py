"""The attempts in flight: an outcome ends the attempt that it is of, and no other."""

import queue
import threading
from types import SimpleNamespace

import pytest

from groundplan.model.execution import Outcome
from groundplan.model.graph import Task, TaskKind
from groundplan.model.ids import ExecutionId, InstanceId
from groundplan.runtime.attempt import Assignment
from groundplan.runtime.drive import Start
from groundplan.runtime.flights import Flights
from groundplan.runtime.turn import Report

from .rehearsal import DONE, NOW, Script

EXECUTION = ExecutionId("e1")


def test_a_late_outcome_of_an_earlier_attempt_ends_none(request: pytest.FixtureRequest) -> None:
    released, posted = threading.Event(), queue.SimpleQueue[Report]()

    def linger(_: Assignment) -> Outcome:
        assert released.wait(20)
        return DONE

    script = Script(acts={"db create": linger})
    flights = Flights(attempts=script, workers=1, post=posted.put, clock=lambda: NOW)
    request.addfinalizer(flights.close)
    task = Task(number=7, kind=TaskKind.OPERATION, instance=InstanceId("db_1"), operation="lifecycle.create")
    drive = SimpleNamespace(execution=SimpleNamespace(id=EXECUTION), world=None)
    flights.launch(drive, Start(task=task, number=2, earlier=0, retries=5, timeout=60, lost=False))

    assert flights.take(Report(EXECUTION, 7, 1, DONE)) is None
    assert len(flights) == 1
    released.set()
    ended = flights.take(posted.get(timeout=20))
    assert ended is not None
    assert ended.start.number == 2
    assert len(flights) == 0
