"""An execution has one driver: one that was taken over notices, says so, and writes nothing more."""

import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from ..proof.user import User, eventually
from .marks import Marks, plant
from .record import Key, Place, Recorded

BEHIND = """
import datetime, sys
import groundplan.service.assembly as assembly
true = assembly.now
assembly.now = lambda: true() - datetime.timedelta(seconds=60)
from groundplan.cli.main import main
main()
"""


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A home with the composed deployment, on each store."""
    with ExitStack() as stack:
        server, url = None, {}
        if request.param == "PostgreSQL":
            server = request.getfixturevalue("durable_server")
            url["GROUNDPLAN_DATABASE_URL"] = server.url(stack.enter_context(server.database()))
        user, _ = plant(tmp_path, seconds=0.1, deployments={"parent": "parent"}, **url)
        yield Place(user=user, server=server)


def hold_in_the_children(marks: Marks) -> Counter[str]:
    """Let the ground end, and hold the first operation of each child; return those that are in flight then."""
    marks.wait_for_begin(3)
    marks.hold.touch()
    marks.wait_for_begin(4)
    return marks.lines("begin") - marks.lines("end")


def beats(place: Place) -> Mapping[str, float]:
    """Return the last heartbeat of each execution that has a driver."""
    return dict(place.rows("SELECT id, heartbeat FROM executions WHERE heartbeat IS NOT NULL"))


def run_of_parent(place: Place) -> str:
    return next(id_ for id_, deployment, _, _ in place.executions() if deployment == "parent")


def record(place: Place) -> tuple[object, ...]:
    """Return all that drivers write."""
    tables = ("executions", "tasks", "attempts", "events", "node_instances")
    return tuple(sorted(map(repr, place.rows(f"SELECT * FROM {table}"))) for table in tables)


def check_the_end(place: Place, cut_off: Counter[str]) -> None:
    """Everything is installed; what was in flight has a second attempt, and nothing else."""
    assert {status for _, _, _, status in place.executions()} == {"terminated"}
    tasks: Mapping[Key, Recorded] = place.tasks()
    for task in tasks.values():
        if task.verdicts and task.verdicts[0] != "waiting":
            assert task.verdicts == [*[None] * cut_off[task.name], "succeeded"], task.name


def test_a_driver_that_stood_still_finds_itself_fenced_off(place: Place) -> None:
    user, marks = place.user, place.marks
    with user.running("executions", "start", "install", "-d", "parent") as old:
        flying = hold_in_the_children(marks)
        before = beats(place)
        assert len(before) == 3
        # The long operation does not keep its driver from renewing its leases.
        eventually(lambda: all(beats(place)[it] > beat for it, beat in before.items()), what="a heartbeat of each")
        old.send_signal(signal.SIGSTOP)
        marks.hold.unlink()
        run = run_of_parent(place)
        assert "--force" in user.refused(2, "executions", "resume", run)
        user.ok("executions", "resume", run, "--force")
        ended = record(place)
        old.send_signal(signal.SIGCONT)
        _, errors = old.communicate(timeout=60)
    assert old.returncode == 1, errors
    assert "took over" in errors
    assert record(place) == ended
    check_the_end(place, flying)
    assert marks.lines("begin") - flying == Counter(set(marks.lines("begin"))), "something else ran twice"


def test_a_driver_whose_clock_is_behind_is_fenced_off_as_well(place: Place) -> None:
    user, marks = place.user, place.marks
    late: User = replace(user, program=(sys.executable, "-c", BEHIND))
    with late.running("executions", "start", "install", "-d", "parent") as old:
        flying = hold_in_the_children(marks)
        # To others its leases seem to have ended; they take over, and it notices within a heartbeat.
        with user.running("executions", "resume", run_of_parent(place)) as new:
            _, errors = old.communicate(timeout=60)
            assert old.returncode == 1, errors
            assert "took over" in errors
            marks.hold.unlink()
            _, errors = new.communicate(timeout=60)
            assert new.returncode == 0, errors
    check_the_end(place, flying)
