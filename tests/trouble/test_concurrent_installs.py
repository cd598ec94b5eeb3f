"""Two installs at once on one store: of two deployments both succeed, of one the second is told who has it."""

import socket
from pathlib import Path

import pytest

from ..proof.user import User
from .marks import Marks, plant


@pytest.fixture
def planted(tmp_path: Path) -> tuple[User, Marks]:
    user, marks = plant(tmp_path, deployments={"one": "child", "two": "child"})
    marks.hold.touch()
    return user, marks


def test_two_deployments_are_installed_at_once(planted: tuple[User, Marks]) -> None:
    user, marks = planted
    with (
        user.running("executions", "start", "install", "-d", "one") as one,
        user.running("executions", "start", "install", "-d", "two") as two,
    ):
        marks.wait_for_begin(2)
        assert user.latest("one")["status"] == user.latest("two")["status"] == "started"
        marks.hold.unlink()
        for process in (one, two):
            _, errors = process.communicate(timeout=30)
            assert process.returncode == 0, errors
    assert set(user.states("one").values()) == set(user.states("two").values()) == {"started"}
    assert len(marks.lines("end")) == 12
    assert set(marks.lines("end").values()) == {1}


def test_one_deployment_has_one_install(planted: tuple[User, Marks]) -> None:
    user, marks = planted
    with user.running("executions", "start", "install", "-d", "one") as process:
        marks.wait_for_begin()
        running = user.latest("one")["id"]
        commands = (
            ["executions", "start", "install", "-d", "one"],
            ["executions", "start", "uninstall", "-d", "one"],
            ["executions", "resume", running],
        )
        for command in commands:
            words = user.refused(2, *command)
            assert running in words
            assert socket.gethostname() in words
            assert str(process.pid) in words
        assert running in user.refused(2, "deployments", "delete", "one")
        marks.hold.unlink()
        process.communicate(timeout=30)
    assert process.returncode == 0
    assert set(marks.lines("end").values()) == {1}
    assert len(user.json("executions", "list")) == 1
