"""Workers that serve one store: several share it, one that dies is replaced, and nothing finished runs again."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from groundplan.model.execution import ExecutionStatus
from groundplan.model.ids import DeploymentId
from groundplan.service import executions
from groundplan.service.assembly import now, open_engine
from groundplan.service.worker import living

from ..proof.user import User, eventually
from .marks import Marks, lose_plan, plant, queue_paused


@pytest.fixture(params=["sqlite", "postgresql"])
def planted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[User, Marks]]:
    """A user with the composed blueprints uploaded, on each store."""
    with ExitStack() as stack:
        variables = {}
        if request.param == "postgresql":
            server = request.getfixturevalue("durable_server")
            variables["GROUNDPLAN_DATABASE_URL"] = server.url(stack.enter_context(server.database()))
        yield plant(tmp_path, seconds=0.2, deployments={"parent": "parent"}, **variables)


def stop(worker: "subprocess.Popen[str]") -> str:
    """Have a worker drain, and return what it said."""
    worker.send_signal(signal.SIGTERM)
    said, errors = worker.communicate(timeout=30)
    assert worker.returncode == 0, errors
    return said


def latest(user: User, deployment: str) -> executions.Listed:
    """Return the latest execution of a deployment; without a process of its own, for it is asked often."""
    with open_engine(user.environment) as engine:
        return executions.listing(engine.store, now(), DeploymentId(deployment))[-1]


def ended(user: User, deployment: str) -> bool:
    """Whether the latest execution of a deployment ended well."""
    return latest(user, deployment).execution.status is ExecutionStatus.TERMINATED


def workers(user: User) -> int:
    """Count the living workers."""
    with open_engine(user.environment) as engine, engine.store.snapshot() as snapshot:
        return len(living(snapshot, now()))


def process_of(user: User, deployment: str) -> int | None:
    """Return the process that drives the latest execution of a deployment."""
    driver = latest(user, deployment).driver
    return int(driver.split(":")[1]) if driver else None


def test_a_killed_worker_is_replaced_and_nothing_finished_runs_again(planted: tuple[User, Marks]) -> None:
    user, marks = planted
    with user.running("worker") as one, user.running("worker") as two:
        eventually(lambda: workers(user) == 2, what="two workers")
        given = user.run("executions", "start", "install", "-d", "parent", "--timeout", "0")
        assert given.returncode == 1
        assert "A worker goes on with it." in given.stderr
        eventually(lambda: marks.lines("end").total() >= 3, what="the end of some operations")
        marks.hold.touch()
        eventually(lambda: marks.lines("begin") != marks.lines("end"), what="an operation in flight")
        eventually(lambda: process_of(user, "parent") in (one.pid, two.pid), what="a worker that drives")
        victim, heir = (one, two) if process_of(user, "parent") == one.pid else (two, one)
        victim.kill()
        victim.wait()
        eventually(lambda: process_of(user, "parent") == heir.pid, what="a take-over")
        marks.hold.unlink()
        eventually(lambda: ended(user, "parent"), what="the end of the install")
        said = stop(heir)
    assert "goes on with install of parent" in said
    assert set(marks.lines("end").values()) == {1}
    for deployment in ("parent", "left", "right"):
        assert set(user.states(deployment).values()) == {"started"}


def test_what_was_queued_is_begun_by_whoever_drives(tmp_path: Path) -> None:
    user, marks = plant(tmp_path, deployments={"shop": "child"})
    marks.hold.touch()
    with user.running("executions", "start", "install", "-d", "shop") as process:
        marks.wait_for_begin()
        assert "is being driven" in user.refused(2, "executions", "resume", latest(user, "shop").execution.id)
        queued = user.run("executions", "start", "uninstall", "-d", "shop", "--queue")
        assert queued.returncode == 0
        assert "Queued: uninstall of shop" in queued.stdout
        assert "No worker serves this store" in queued.stderr
        assert latest(user, "shop").execution.status is ExecutionStatus.QUEUED
        marks.hold.unlink()
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert ended(user, "shop")
    assert set(user.states("shop").values()) == {"deleted"}


def test_a_blueprint_without_its_plan_fails_its_own_executions_only(tmp_path: Path) -> None:
    user, marks = plant(tmp_path, deployments={"begun": "parent", "shop": "child"})
    user.run("executions", "start", "install", "-d", "begun", "--timeout", "0")
    group = queue_paused(user, "lost", "parent")
    user.run("executions", "start", "install", "-d", "shop", "--timeout", "0")
    lose_plan(user, "parent")
    user.ok("executions", "groups", "set-concurrency", group, "1")
    with user.running("worker") as worker:
        eventually(lambda: ended(user, "shop"), what="the end of the other install")
        eventually(lambda: "The store has no plan for" in latest(user, "begun").execution.error)
        eventually(lambda: "The store has no plan for" in latest(user, "lost").execution.error)
        stop(worker)
    assert set(marks.lines("end").values()) == {1}


def test_what_lost_its_driver_is_shown_so(tmp_path: Path) -> None:
    user, marks = plant(tmp_path, deployments={"shop": "child"})
    marks.hold.touch()
    with user.running("executions", "start", "install", "-d", "shop") as process:
        marks.wait_for_begin()
        process.kill()
        process.wait()
    listed = user.run("executions", "list")
    assert "started, driver lost" in listed.stdout
    assert "No worker serves this store" in listed.stderr
    assert user.run("worker", "status").returncode == 1


def test_a_worker_that_drains_hands_on_what_it_drives(tmp_path: Path) -> None:
    user, marks = plant(tmp_path, deployments={"shop": "child"})
    user.run("executions", "start", "install", "-d", "shop", "--timeout", "0")
    marks.hold.touch()
    with user.running("worker") as first:
        marks.wait_for_begin()
        first.send_signal(signal.SIGTERM)
        assert first.stdout is not None
        assert any("drains" in line for line in first.stdout)
        marks.hold.unlink()
        first.communicate(timeout=30)
    assert first.returncode == 0
    assert marks.lines("begin") == marks.lines("end")
    assert latest(user, "shop").execution.status is ExecutionStatus.STARTED
    with user.running("worker") as second:
        eventually(lambda: ended(user, "shop"), what="the end of the install")
        stop(second)
    assert set(marks.lines("end").values()) == {1}


def test_a_worker_begins_what_is_due(tmp_path: Path) -> None:
    user, marks = plant(tmp_path, deployments={"shop": "child"})
    user.ok("schedules", "create", "shop", "install", "--since", "+0min", "--slip", "5")
    with user.running("worker") as worker:
        eventually(lambda: bool(marks.lines("end")) and ended(user, "shop"), what="the end of the scheduled install")
        said = stop(worker)
    assert "schedule install of shop: starts execution" in said
    assert latest(user, "shop").execution.scheduled_for is not None
