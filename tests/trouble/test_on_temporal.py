"""Executions on Temporal as users meet them: watched, queued, cancelled from elsewhere, made on other machines."""

import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ..proof.postgres import PostgresServer, postgres_server
from ..proof.temporal import TemporalServer, temporal_server
from ..proof.user import User, eventually, user_in
from .marks import Marks, lose_plan, plant, queue_paused

pytestmark = pytest.mark.live
SITE = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml]
    node_templates:
      hello:
        type: cloudify.nodes.Root
        interfaces: {cloudify.interfaces.lifecycle: {create: hello.sh}}
    capabilities:
      home: {value: {get_attribute: [hello, home]}}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[TemporalServer]:
    """Temporal's development server."""
    with temporal_server() as started:
        yield started


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    """A PostgreSQL server."""
    with postgres_server() as started:
        yield started


@pytest.fixture
def planted(server: TemporalServer, tmp_path: Path) -> Iterator[tuple[User, Marks]]:
    """A user with a worker, and a deployment that can be installed."""
    user, marks = plant(tmp_path, GROUNDPLAN_TEMPORAL_ADDRESS=server.target)
    user.ok("deployments", "create", "shop", "-b", "child")
    with user.running("worker") as worker:
        yield user, marks
        worker.send_signal(signal.SIGTERM)
        said, errors = worker.communicate(timeout=60)
    assert (worker.returncode, errors) == (0, ""), said
    assert "serves default" in said


def test_progress_is_told_as_it_happens(planted: tuple[User, Marks]) -> None:
    user, marks = planted
    said = user.install("shop")
    assert said.count("Task succeeded") == 6
    assert "Finished: install of shop" in said
    assert set(marks.lines("end").values()) == {1}


def test_another_terminal_cancels_and_a_resume_goes_on(planted: tuple[User, Marks]) -> None:
    user, marks = planted
    marks.hold.touch()
    with user.running("executions", "start", "install", "-d", "shop") as process:
        eventually(lambda: marks.lines("begin").total() == 1, patience=60)
        elsewhere = replace(user, variables={**user.variables, "GROUNDPLAN_TEMPORAL_ADDRESS": ""})
        elsewhere.ok("executions", "cancel", user.latest("shop")["id"])
        marks.hold.unlink()
        process.communicate(timeout=60)
    assert process.returncode == 1
    assert user.latest("shop")["status"] == "cancelled"
    user.ok("executions", "resume", user.latest("shop")["id"])
    assert set(marks.lines("end").values()) == {1}


def test_an_execution_goes_on_without_its_terminal(planted: tuple[User, Marks]) -> None:
    user, marks = planted
    marks.hold.touch()
    with user.running("executions", "start", "install", "-d", "shop") as process:
        eventually(lambda: marks.lines("begin").total() == 1, patience=60)
        process.kill()
    marks.hold.unlink()
    eventually(lambda: user.latest("shop")["status"] == "terminated", patience=60)


def test_what_is_queued_is_begun_by_the_worker(planted: tuple[User, Marks]) -> None:
    user, marks = planted
    marks.hold.touch()
    with user.running("executions", "start", "install", "-d", "shop") as process:
        eventually(lambda: marks.lines("begin").total() == 1, patience=60)
        user.ok("executions", "start", "uninstall", "-d", "shop", "--queue")
        process.kill()
    marks.hold.unlink()
    eventually(lambda: set(user.states("shop").values()) == {"deleted"}, patience=60)
    assert user.latest("shop")["workflow_id"] == "uninstall"


def test_a_blueprint_without_its_plan_fails_its_own_executions_only(planted: tuple[User, Marks]) -> None:
    user, _ = planted
    group = queue_paused(user, "lost", "parent")
    lose_plan(user, "parent")
    user.ok("executions", "groups", "set-concurrency", group, "1")
    eventually(lambda: "The store has no plan for" in (user.latest("lost")["error"] or ""), patience=60)
    user.install("shop")


def test_what_temporal_drives_is_left_alone_without_it_but_by_force(server: TemporalServer, tmp_path: Path) -> None:
    user, marks = plant(tmp_path, deployments={"shop": "child"}, GROUNDPLAN_TEMPORAL_ADDRESS=server.target)
    without = replace(user, variables={**user.variables, "GROUNDPLAN_TEMPORAL_ADDRESS": ""})
    marks.hold.touch()
    with user.running("executions", "start", "install", "-d", "shop") as process:
        with user.running("worker") as keeper:
            eventually(lambda: marks.lines("begin").total() == 1, patience=60)
            keeper.kill()
        process.kill()
    marks.hold.unlink()
    execution = user.latest("shop")["id"]
    with without.running("worker") as worker:
        assert "is driven on Temporal" in without.refused(2, "executions", "resume", execution)
        without.ok("deployments", "create", "other", "-b", "child")
        without.run("executions", "start", "install", "-d", "other", "--timeout", "0")
        eventually(lambda: without.latest("other")["status"] == "terminated", patience=60)
        worker.kill()
    assert user.latest("shop")["status"] == "started"
    without.ok("executions", "resume", execution, "--force")
    assert set(user.states("shop").values()) == {"started"}


def test_a_group_runs_so_many_at_once_and_goes_on_after_a_cancel(planted: tuple[User, Marks]) -> None:
    user, marks = planted
    user.ok("deployments", "groups", "create", "shops", "-b", "child")
    user.ok("deployments", "groups", "extend", "shops", "--count", "3")
    marks.hold.touch()
    with user.running("executions", "groups", "start", "install", "-g", "shops", "--concurrency", "2") as process:
        eventually(lambda: marks.lines("begin").total() == 2, patience=60)
        assert user.json("executions", "groups", "list")[0]["counts"] == {"queued": 1, "started": 2}
        process.send_signal(signal.SIGINT)
        eventually(lambda: user.json("executions", "groups", "list")[0]["counts"].get("cancelled") == 1)
        marks.hold.unlink()
        process.communicate(timeout=60)
    assert process.returncode == 1
    (group,) = user.json("executions", "groups", "list")
    assert group["counts"] == {"cancelled": 3}
    said = user.ok("executions", "groups", "resume", group["id"])
    assert "install of group shops: 3 completed" in said
    assert set(marks.lines("end").values()) == {1}


def test_an_execution_whose_workflow_was_terminated_is_taken_over(
    server: TemporalServer, planted: tuple[User, Marks]
) -> None:
    user, marks = planted
    marks.hold.touch()
    with user.running("executions", "start", "install", "-d", "shop") as process:
        eventually(lambda: marks.lines("begin").total() == 1, patience=60)
        server.cli("workflow", "terminate", "--workflow-id", user.latest("shop")["id"])
        # Whether the terminal says that the workflow ended depends on who is quicker, it or the worker that goes on.
        process.kill()
    # Let go at once, the first attempt would leave its outcome before anybody takes over, who then needs no second one.
    eventually(lambda: marks.lines("begin").total() == 2, patience=60)
    marks.hold.unlink()
    eventually(lambda: user.latest("shop")["status"] == "terminated", patience=60)
    assert sorted(marks.lines("begin").values()) == [1, 1, 1, 1, 1, 2]


def test_without_a_worker_it_says_what_to_start(server: TemporalServer, tmp_path: Path) -> None:
    user, _ = plant(tmp_path, GROUNDPLAN_TEMPORAL_ADDRESS="127.0.0.1:1")
    user.ok("deployments", "create", "shop", "-b", "child")
    said = user.refused(2, "executions", "start", "install", "-d", "shop")
    assert "Temporal at 127.0.0.1:1, namespace 'default', cannot be used" in said


def test_a_worker_of_another_machine_serves_its_queue(
    server: TemporalServer, database: PostgresServer, tmp_path: Path
) -> None:
    with database.database() as name:
        shared = {"GROUNDPLAN_TEMPORAL_ADDRESS": server.target, "GROUNDPLAN_DATABASE_URL": database.url(name)}
        here, there = (user_in(tmp_path / place, **shared) for place in ("here", "there"))
        here.write("site/hello.sh", '#!/bin/sh\nctx instance runtime-properties home "$PWD"\n').chmod(0o755)
        here.upload("site", SITE)
        there.home.mkdir(mode=0o700)
        shutil.copy(here.home / "key", there.home / "key")
        here.ok("deployments", "create", "eu", "-b", "site", "--labels", "groundplan-queue:eu")
        with here.running("worker"), there.running("worker", "--queues", "eu"):
            here.install("eu")
        assert str(there.home) in here.capabilities("eu")["home"]
        assert not (there.home / "state.db").exists()
