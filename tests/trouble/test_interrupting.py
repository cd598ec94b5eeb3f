"""Ctrl-C in mid-install: what runs may finish, a second one gives it up; either way a resume completes."""

import signal
import subprocess
from pathlib import Path

import pytest

from ..proof.user import User, eventually
from .marks import Marks, plant, succeeded


@pytest.fixture
def planted(tmp_path: Path) -> tuple[User, Marks]:
    return plant(tmp_path, deployments={"parent": "parent"})


def resume(user: User) -> None:
    """Resume the parent's install, which must complete."""
    user.ok("executions", "resume", user.latest("parent")["id"])
    for deployment in ("parent", "left", "right"):
        assert set(user.states(deployment).values()) == {"started"}


def interrupt(process: "subprocess.Popen[str]", words: str) -> None:
    """Press Ctrl-C, and wait until the command says that it heard."""
    process.send_signal(signal.SIGINT)
    heard(process, words)


def heard(process: "subprocess.Popen[str]", words: str) -> None:
    """Wait until the command says that it heard."""
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


def test_cancelling_from_another_terminal(planted: tuple[User, Marks]) -> None:
    user, marks = planted
    marks.hold.touch()
    with user.running("executions", "start", "install", "-d", "parent") as process:
        marks.wait_for_begin()
        user.ok("executions", "cancel", user.latest("parent")["id"])
        heard(process, "Asked to end: running operations finish first")
        marks.hold.unlink()
        process.communicate(timeout=30)
    assert process.returncode == 1
    assert user.latest("parent")["status"] == "cancelled"
    assert marks.lines("begin") == marks.lines("end")
    assert marks.lines("end").total() == 1
    resume(user)
    assert set(marks.lines("end").values()) == {1}, "an operation ran twice"


def test_killing_from_another_terminal_ends_the_processes_of_operations(user: User) -> None:
    user.write("b/run.sh", "#!/bin/sh\nsleep 600 &\necho $! > $MARK/background\nwait\n")
    user.upload(
        "b",
        """
        tosca_definitions_version: cloudify_dsl_1_4
        imports: [cloudify/types/types.yaml]
        inputs: {mark: {type: string}}
        node_templates:
          job:
            type: cloudify.nodes.Root
            interfaces:
              cloudify.interfaces.lifecycle:
                create:
                  implementation: run.sh
                  inputs: {process: {env: {MARK: {get_input: mark}}}}
        """,
    )
    user.ok("deployments", "create", "b", "-b", "b", "-i", f"mark={user.folder}")
    noted = user.folder / "background"
    with user.running("executions", "start", "install", "-d", "b") as process:
        eventually(lambda: noted.exists() and noted.read_text(), what="the script's background process")
        user.ok("executions", "cancel", user.latest("b")["id"], "--kill")
        process.communicate(timeout=30)
    assert process.returncode == 1
    assert user.latest("b")["status"] == "cancelled"
    eventually(lambda: not alive(int(noted.read_text())), what="the end of the script's process group")


def alive(process: int) -> bool:
    """Whether a process still runs; one that only waits to be reaped does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"
