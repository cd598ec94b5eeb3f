"""Ctrl-C in mid-install: what runs may finish, a second one gives it up; either way a resume completes."""

import signal
import subprocess
from pathlib import Path

import pytest

from ..proof.user import User, eventually
from .marks import Marks, plant, succeeded


@pytest.fixture
def planted(tmp_path: Path) -> tuple[User, Marks]:
    user, marks = plant(tmp_path)
    user.ok("deployments", "create", "parent", "-b", "parent")
    return user, marks


def resume(user: User) -> None:
    """Resume the parent's install, which must complete."""
    user.ok("executions", "resume", user.latest("parent")["id"])
    for deployment in ("parent", "left", "right"):
        assert set(user.states(deployment).values()) == {"started"}


def interrupt(process: "subprocess.Popen[str]", words: str) -> None:
    """Press Ctrl-C, and wait until the command says that it heard."""
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return
    assert process.stderr is not None
    raise AssertionError(f"it ended without the words {words!r}: {process.stderr.read()}")


@pytest.mark.parametrize("begun", [1, 3], ids=["in the parent", "in the children"])
def test_the_first_lets_operations_finish(planted: tuple[User, Marks], begun: int) -> None:
    user, marks = planted
    if begun == 1:
        marks.hold.touch()
    with user.running("executions", "start", "install", "-d", "parent") as process:
        if begun > 1:
            eventually(lambda: marks.lines("end").total() >= 2, what="the end of the ground")
            marks.hold.touch()
            eventually(lambda: marks.lines("begin") != marks.lines("end"), what="an operation in flight")
        marks.wait_for_begin(begun)
        interrupt(process, "running operations finish first")
        marks.hold.unlink()
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "was cancelled" in errors
    assert user.latest("parent")["status"] == "cancelled"
    assert marks.lines("begin") == marks.lines("end"), "an operation was cut off"

    before = marks.lines("end")
    resume(user)
    assert set(marks.lines("end").values()) == {1}, "an operation ran twice"
    assert before.keys() < marks.lines("end").keys()


def test_the_second_gives_them_up(planted: tuple[User, Marks]) -> None:
    user, marks = planted
    marks.hold.touch()
    with user.running("executions", "start", "install", "-d", "parent") as process:
        marks.wait_for_begin()
        interrupt(process, "running operations finish first")
        interrupt(process, "Giving up")
        process.communicate(timeout=30)
    assert process.returncode == 1
    assert marks.lines("end").total() == 0
    assert user.latest("parent")["status"] == "cancelled"
    assert succeeded(user)["ground"] == 0

    marks.hold.unlink()
    resume(user)
    assert set(marks.lines("end").values()) == {1}


def test_cancelling_from_another_terminal(tmp_path: Path) -> None:
    # A driver looks every few seconds whether somebody else asked; the install takes longer than that.
    user, marks = plant(tmp_path, seconds=0.8)
    user.ok("deployments", "create", "parent", "-b", "parent")
    with user.running("executions", "start", "install", "-d", "parent") as process:
        marks.wait_for_begin()
        user.ok("executions", "cancel", user.latest("parent")["id"])
        process.communicate(timeout=30)
    assert process.returncode == 1
    assert user.latest("parent")["status"] == "cancelled"
    assert marks.lines("begin") == marks.lines("end")
    resume(user)
    # A child that was cancelled is installed anew: what its instances' states tell is done is not done again.
    assert {count for name, count in marks.lines("end").items() if name.endswith(".create")} == {1}
