"""Why a task waits, from the record alone: pure, with the time as an argument."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from groundplan.model.execution import TaskState
from groundplan.model.graph import Task, TaskKind
from groundplan.model.ids import ExecutionId, InstanceId
from groundplan.service.waiting import Cause, Circumstances, Waiting
from groundplan.state.store import TaskRecord

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ABOUT = Circumstances(
    execution=ExecutionId("e1"),
    now=NOW,
    driven=True,
    stopping=False,
    ended=False,
    began={0: NOW - timedelta(seconds=7)},
    cancelled={},
    attempts_of=lambda _: " of 6",
    child=lambda id_: f"execution {id_} (started)",
)


def record(number: int, state: TaskState, *waits: int, **more: object) -> TaskRecord:
    """A task of the instance `n_NUMBER`."""
    task = Task(
        number=number, kind=TaskKind.OPERATION, instance=InstanceId(f"n_{number}"), operation="lifecycle.create"
    )
    return TaskRecord(task=task, waits=waits, state=state, **more)


@pytest.mark.parametrize(
    ("state", "more", "about", "cause", "words"),
    [
        ("started", {"attempts": 1}, {}, Cause.RUNS, "runs for 7 s: attempt 1 of 6"),
        ("started", {"attempts": 1}, {"driven": False}, Cause.DRIVER_LOST, "was in flight (attempt 1 of 6)"),
        ("started", {"attempts": 1}, {"driven": False, "ended": True}, Cause.STOPPED, "when the execution ended"),
        (
            "rescheduled",
            {"attempts": 2, "earlier": 1, "error": "no", "due_at": NOW + timedelta(seconds=9)},
            {},
            Cause.RETRY,
            "is tried again at 03:04:14 UTC (in 9 s): attempt 2 of 6; the last error was: no",
        ),
        ("rescheduled", {"error": "no"}, {"stopping": True}, Cause.STOPPED, "is not tried again"),
        ("waiting", {"waits_for": ExecutionId("x")}, {}, Cause.CHILD, "waits for execution x (started)"),
        ("failed", {"error": "x"}, {"cancelled": {0: ExecutionId("x")}}, Cause.STOPPED, "could not end: x"),
        ("failed", {"attempts": 6, "error": "no"}, {}, Cause.FAILED, "failed in attempt 6: no"),
        ("interrupted", {}, {}, Cause.INTERRUPTED, "not known to be safe to repeat"),
        ("pending", {}, {}, Cause.WORKER, "waits for a free worker: 0 attempts"),
        ("pending", {}, {"driven": False}, Cause.DRIVER_LOST, "nobody drives"),
        ("pending", {}, {"ended": True}, Cause.STOPPED, "the execution ends"),
    ],
)
def test_each_state_has_its_reason(
    state: str, more: dict[str, object], about: dict[str, object], cause: Cause, words: str
) -> None:
    found = Waiting([record(0, TaskState(state), **more)], replace(ABOUT, **about)).reason(0)
    assert found.cause is cause
    assert words in found.words


def test_what_to_do_stands_with_what_needs_somebody() -> None:
    waiting = Waiting([record(0, TaskState.FAILED), record(1, TaskState.INTERRUPTED)], ABOUT)
    assert waiting.reason(0).fix == "groundplan executions resume e1"
    assert waiting.reason(1).fix == "groundplan executions resume e1 --reset-operations"


def test_a_task_waits_for_those_that_are_not_done_and_what_failed_is_named_first() -> None:
    waiting = Waiting(
        [
            record(0, TaskState.STARTED),
            record(1, TaskState.FAILED),
            record(2, TaskState.SUCCEEDED),
            record(3, TaskState.PENDING, 0, 1, 2),
        ],
        ABOUT,
    )
    assert waiting.reason(3).tasks == (0, 1)
    assert waiting.reason(3).words == "cannot begin: it waits for n_1.create (failed), n_0.create (started)"
    assert [item.task for item in waiting.path(3)] == [3, 1]


def test_the_way_to_the_root_cause_is_the_shortest() -> None:
    waiting = Waiting(
        [
            record(0, TaskState.STARTED),
            record(1, TaskState.PENDING, 0),
            record(2, TaskState.PENDING, 1),
            record(3, TaskState.RESCHEDULED),
            record(4, TaskState.PENDING, 2, 3),
        ],
        ABOUT,
    )
    assert [item.task for item in waiting.path(4)] == [4, 3]
    assert [item.task for item in waiting.reasons()] == [3, 0, 1, 2, 4]


def test_a_chain_as_long_as_a_large_graph_is_followed() -> None:
    chain = [record(0, TaskState.STARTED), *(record(i, TaskState.PENDING, i - 1) for i in range(1, 5000))]
    assert len(Waiting(chain, ABOUT).path(4999)) == 5000
