"""The store fails in mid-install: the execution pauses with a word, and goes on by itself when the store is back."""

import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ..proof.postgres import PostgresServer, postgres_server
from ..proof.user import User
from .disks import fill_up, small_disk
from .marks import Marks, plant

Install = subprocess.Popen[str]


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[tuple[User, Marks, Path]]:
    """A user whose home is on a small disk, and that disk."""
    user, marks = plant(tmp_path)
    with small_disk(tmp_path / "disk", kilobytes=3000) as disk:
        shutil.copytree(user.home, disk / "home")
        yield replace(user, home=disk / "home"), marks, disk


@contextmanager
def installing(user: User, marks: Marks) -> Iterator[Install]:
    """Have an install stand in its first operation while the block begins."""
    user.ok("deployments", "create", "parent", "-b", "parent")
    marks.hold.touch()
    with user.running("executions", "start", "install", "-d", "parent") as process:
        marks.wait_for_begin()
        yield process


def wait_for(process: Install, word: str) -> str:
    """Read what a command prints up to the line that begins with a word."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(word):
            return line
    raise AssertionError(f"it ended without {word!r}: {process.stderr and process.stderr.read()}")


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
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 1, errors
        assert "resume" in errors
        assert "Traceback" not in errors
    (disk / "fill").unlink()
    user.ok("executions", "resume", user.latest("parent")["id"])
    assert set(user.states("parent").values()) == {"started"}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server that keeps what it committed."""
    with postgres_server(fsync="on", shared_buffers="32MB") as server:
        yield server


def test_a_server_that_broke_down_is_waited_for(server: PostgresServer, tmp_path: Path) -> None:
    with server.connect() as connection:
        connection.execute("CREATE DATABASE home")
    user, marks = plant(tmp_path, GROUNDPLAN_DATABASE_URL=server.url("home"))
    with installing(user, marks) as process:
        server.stop(signal.SIGQUIT)
        marks.hold.unlink()
        line = wait_for(process, "Paused since")
        server.start()
        wait_for(process, "The store is back")
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert f"127.0.0.1:{server.port}" in line
    check_the_end(user, marks)
