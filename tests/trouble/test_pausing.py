"""The store fails in mid-install: the execution pauses with a word, and goes on by itself when the store is back."""

import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ..proof.postgres import PostgresServer, postgres_server
from ..proof.temporal import temporal_server
from ..proof.user import User
from .disks import fill_up, small_disk
from .marks import Marks, plant

PARENT = {"parent": "parent"}
Install = subprocess.Popen[str]


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[tuple[User, Marks, Path]]:
    """A user whose home is on a small disk, and that disk."""
    user, marks = plant(tmp_path, deployments=PARENT)
    with small_disk(tmp_path / "disk", kilobytes=3000) as disk:
        shutil.copytree(user.home, disk / "home")
        yield replace(user, home=disk / "home"), marks, disk


@contextmanager
def installing(user: User, marks: Marks) -> Iterator[Install]:
    """Have an install stand in its first operation while the block begins."""
    marks.hold.touch()
    with user.running("executions", "start", "install", "-d", "parent") as process:
        marks.wait_for_begin()
        yield process


def wait_for(process: Install, *words: str) -> str:
    """Read what a command prints up to the line that has one of these words."""
    assert process.stdout is not None
    for line in process.stdout:
        if any(word in line for word in words):
            return line
    raise AssertionError(f"it ended without {words}: {process.stderr and process.stderr.read()}")


def leave(process: Install) -> list[str]:
    """Press Ctrl-C in a command that is paused; return the arguments with which it says to go on."""
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1, errors
    assert "Traceback" not in errors
    return errors.rpartition("Then: groundplan ")[2].split()


def check_the_end(user: User, marks: Marks) -> None:
    """Everything is installed, and no operation ran twice."""
    for deployment in ("parent", "left", "right"):
        assert set(user.states(deployment).values()) == {"started"}
    assert set(marks.lines("begin").values()) == {1}
    assert marks.lines("begin") == marks.lines("end")
    ends = Counter((event["node_instance_id"], event["operation"]) for event in succeeded(user))
    assert set(ends.values()) == {1}


def succeeded(user: User) -> list[dict[str, str]]:
    return [event for event in user.events("left") if event["event_type"] == "task_succeeded"]


def test_a_full_disk_is_waited_for(on_disk: tuple[User, Marks, Path]) -> None:
    user, marks, disk = on_disk
    with installing(user, marks) as process:
        fill_up(disk / "fill")
        marks.hold.unlink()
        line = wait_for(process, "Paused since")
        assert "full" in line
        assert "Free some space" in line
        (disk / "fill").unlink()
        wait_for(process, "The store is back")
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    check_the_end(user, marks)


def test_who_leaves_while_the_disk_is_full_resumes_later(on_disk: tuple[User, Marks, Path]) -> None:
    user, marks, disk = on_disk
    with installing(user, marks) as process:
        fill_up(disk / "fill")
        marks.hold.unlink()
        wait_for(process, "Paused since")
        again = leave(process)
    (disk / "fill").unlink()
    user.ok(*again)
    assert set(user.states("parent").values()) == {"started"}


def planted_in(server: PostgresServer, folder: Path, **variables: str) -> tuple[User, Marks]:
    """A user whose store is a database of its own."""
    with server.connect() as connection:
        connection.execute("DROP DATABASE IF EXISTS home WITH (FORCE)")
        connection.execute("CREATE DATABASE home")
    return plant(folder, deployments=PARENT, GROUNDPLAN_DATABASE_URL=server.url("home"), **variables)


@pytest.fixture(params=["local", pytest.param("temporal", marks=pytest.mark.live)])
def on_server(
    request: pytest.FixtureRequest, durable_server: PostgresServer, tmp_path: Path
) -> Iterator[tuple[User, Marks]]:
    """A user whose store is on a server, and whose executions a command drives, or a worker of Temporal."""
    if request.param == "local":
        yield planted_in(durable_server, tmp_path)
        return
    with temporal_server() as temporal:
        user, marks = planted_in(durable_server, tmp_path, GROUNDPLAN_TEMPORAL_ADDRESS=temporal.target)
        with user.running("worker") as worker:
            yield user, marks
            worker.send_signal(signal.SIGTERM)
            said, _ = worker.communicate(timeout=60)
        assert (worker.returncode, "serves default" in said) == (0, True)


def test_a_full_disk_of_the_server_is_waited_for(tmp_path: Path) -> None:
    with ExitStack() as stack:
        # The server runs as somebody else, who may not look into the folders of tests.
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="groundplan-disk-")))
        place.chmod(0o755)
        disk = stack.enter_context(small_disk(place / "disk", kilobytes=160_000))
        server = stack.enter_context(postgres_server(disk, fsync="on", shared_buffers="32MB"))
        user, marks = planted_in(server, tmp_path)
        with installing(user, marks) as process:
            fill_up(disk / "fill")
            marks.hold.unlink()
            # Where a commit needs a page more, the driver pauses; the steps of components try again.
            wait_for(process, "Paused since", "No space left")
            (disk / "fill").unlink()
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
        check_the_end(user, marks)


def test_a_server_that_broke_down_is_waited_for(durable_server: PostgresServer, on_server: tuple[User, Marks]) -> None:
    server, (user, marks) = durable_server, on_server
    with installing(user, marks) as process:
        server.kill()
        marks.hold.unlink()
        line = wait_for(process, "Paused since")
        server.start()
        wait_for(process, "The store is back")
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert f"127.0.0.1:{server.port}" in line
    check_the_end(user, marks)


def test_who_follows_events_waits_for_a_server_that_broke_down(durable_server: PostgresServer, tmp_path: Path) -> None:
    server = durable_server
    user, marks = planted_in(server, tmp_path)
    with installing(user, marks) as process:
        execution = user.latest("parent")["id"]
        with user.running("events", "list", execution, "--tail") as tail:
            assert tail.stdout is not None
            assert tail.stderr is not None
            begun = tail.stdout.readline()
            server.kill()
            paused = tail.stderr.readline()
            server.start()
            back = tail.stderr.readline()
            marks.hold.unlink()
            process.communicate(timeout=60)
            # Not by `communicate`, which passes over what was read ahead with the first line.
            rest, errors = tail.stdout.read(), tail.stderr.read()
            tail.wait(timeout=60)
    assert "Paused since" in paused
    assert "The store is back" in back
    assert (tail.returncode, errors) == (0, "")
    assert begun + rest == user.ok("events", "list", execution)


def test_who_leaves_while_the_server_is_away_goes_on_later(
    durable_server: PostgresServer, on_server: tuple[User, Marks]
) -> None:
    server, (user, marks) = durable_server, on_server
    with installing(user, marks) as process:
        server.kill()
        try:
            marks.hold.unlink()
            wait_for(process, "Paused since")
            again = leave(process)
        finally:
            server.start()
    user.ok(*again)
    assert set(user.states("parent").values()) == {"started"}


def test_a_group_waits_for_a_server_that_broke_down(
    durable_server: PostgresServer, on_server: tuple[User, Marks]
) -> None:
    server, (user, marks) = durable_server, on_server
    user.ok("deployments", "groups", "create", "all")
    user.ok("deployments", "groups", "extend", "all", "-d", "parent")
    marks.hold.touch()
    with user.running("executions", "groups", "start", "install", "-g", "all") as process:
        marks.wait_for_begin()
        server.kill()
        marks.hold.unlink()
        wait_for(process, "Paused since")
        server.start()
        wait_for(process, "The store is back")
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    check_the_end(user, marks)


@contextmanager
def started_too_early(server: PostgresServer, folder: Path) -> Iterator[tuple[User, Install]]:
    """Start a worker before its server, and wait until it says so; the server is there afterwards."""
    user, _ = planted_in(server, folder)
    server.kill()
    try:
        with user.running("worker") as worker:
            line = wait_for(worker, "Paused since")
            assert f"127.0.0.1:{server.port}" in line
            yield user, worker
    finally:
        if server.process is None:
            server.start()


def test_a_worker_may_be_started_before_its_server(durable_server: PostgresServer, tmp_path: Path) -> None:
    with started_too_early(durable_server, tmp_path) as (user, worker):
        durable_server.start()
        wait_for(worker, "The store is back")
        wait_for(worker, "serves as")
        assert len(user.json("worker", "status")["workers"]) == 1
        worker.send_signal(signal.SIGTERM)
        _, errors = worker.communicate(timeout=60)
    assert (worker.returncode, errors) == (0, "")


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM])
def test_a_worker_that_waits_for_its_server_can_be_ended(
    durable_server: PostgresServer, tmp_path: Path, way: signal.Signals
) -> None:
    with started_too_early(durable_server, tmp_path) as (_, worker):
        worker.send_signal(way)
        _, errors = worker.communicate(timeout=60)
    assert (worker.returncode, errors.strip()) == (1, "Stopped.")


def test_a_worker_with_a_wrong_password_or_database_ends(durable_server: PostgresServer, tmp_path: Path) -> None:
    user, _ = planted_in(durable_server, tmp_path)
    for url, word in (
        (durable_server.url("nowhere"), "createdb"),
        (durable_server.url("home").replace("pass", "hunter2"), "Check the password"),
    ):
        wrong = replace(user, variables={**user.variables, "GROUNDPLAN_DATABASE_URL": url})
        assert word in wrong.refused(1, "worker")
