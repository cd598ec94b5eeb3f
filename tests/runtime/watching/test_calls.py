"""What attempts ask of the world, and how a trace goes on when another driver does."""

import threading
from contextlib import suppress

import pytest

from groundplan.model.execution import ExecutionStatus
from groundplan.model.ids import ExecutionId
from groundplan.runtime.calls import MOST_CALLS, Calls
from groundplan.runtime.masking import Masker
from groundplan.sdk.spans import span

from ...planning.builders import blueprint, lifecycle, node
from ..rehearsal import NOW, Rehearsal, Script, failed
from .kept import KeptSignal, watcher_of


def test_what_was_told_before_a_secret_was_known_is_masked_all_the_same() -> None:
    calls, masker = Calls(traceparent=lambda number: f"call {number}"), Masker()
    with calls.collecting(), suppress(ValueError), span("outer", url_path="/a/canary1"), span("inner") as inner:
        assert inner.environment == {"TRACEPARENT": "call 2"}
        raise ValueError("Y2FuYXJ5MQ== canary1")
    masker.learn(["canary1"])
    first, second = sorted(calls.masked(masker.mask), key=lambda it: it.number)
    assert first.attributes == {"url.path": "/a/******"}
    assert (second.within, second.error, second.message) == (1, "ValueError", "****** ******")


def test_an_attempt_that_asks_for_ever_fills_no_memory() -> None:
    calls = Calls(traceparent=str)
    with calls.collecting():
        for _ in range(MOST_CALLS + 5):
            with span("again"):
                pass
    assert (len(calls.masked(str)), calls.dropped) == (MOST_CALLS, 5)


def test_nobody_is_told_where_nobody_watches() -> None:
    with span("alone") as alone:
        assert alone.environment == {}


def watched(rehearsal: Rehearsal, kept: KeptSignal, execution: ExecutionId, script: Script) -> list[str]:
    """Drive an execution, or go on with it, as a process of its own would; returns what people are told."""
    said: list[str] = []
    watcher = watcher_of(rehearsal, kept, said.append)
    rehearsal.drive(execution, script)
    watcher.close()
    return said


def test_a_resume_goes_on_with_the_same_trace(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(blueprint(node("web", operations=lifecycle("create"))))
    execution, kept = rehearsal.start(), KeptSignal()
    watched(rehearsal, kept, execution, Script(acts={"web create": lambda _: failed(final=True)}))
    first = list(kept.traces)
    watched(rehearsal, kept, execution, Script())
    assert len(kept.traces) > len(first) > 0
    assert len({trace for _, trace, _ in kept.traces}) == 1
    assert not any(taken for *_, taken in kept.traces)


def test_an_execution_whose_driver_was_lost_is_told_as_taken_over(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(blueprint(node("web")))
    execution, kept = rehearsal.start(), KeptSignal()
    with rehearsal.store.transaction() as transaction:
        transaction.acquire(execution, "elsewhere:4711", NOW)
    watched(rehearsal, kept, execution, Script())
    assert {taken for *_, taken in kept.traces} == {True}


def test_a_signal_that_fails_is_told_at_the_end_and_harms_nobody(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(blueprint(node("web")))
    [words] = watched(rehearsal, KeptSignal(), rehearsal.start(), Script())
    assert words.startswith("Watching: KeptSignal failed with ValueError")
    assert rehearsal.executions()[0].status is ExecutionStatus.TERMINATED


def test_who_tells_never_waits(monkeypatch: pytest.MonkeyPatch, rehearsal: Rehearsal) -> None:
    monkeypatch.setattr("groundplan.runtime.watching.watcher.QUEUE_LENGTH", 2)
    rehearsal.deploy(blueprint(*(node(f"n{number}", operations=lifecycle("create")) for number in range(20))))
    kept = KeptSignal()
    kept.free.clear()
    threading.Timer(0.5, kept.free.set).start()
    words = watched(rehearsal, kept, rehearsal.start(), Script())
    assert rehearsal.executions()[0].status is ExecutionStatus.TERMINATED
    assert any("were dropped" in line for line in words)
    assert kept.lost
