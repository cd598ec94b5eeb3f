"""The process of a composed install is killed at random moments: a resume completes, and nothing finished runs again.

The moment is a line of its progress, chosen by a seed that is printed, and some milliseconds more. Each line tells of
something committed, so the moments lie everywhere between the first commit and the last.
"""

import os
import random
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from ..proof.user import User
from .marks import Marks, plant, succeeded

MOMENTS = 20
SEED = int(os.environ.get("GROUNDPLAN_TEST_SEED", random.SystemRandom().randrange(10**6)))
OPERATIONS = 16
"""create and start of two own nodes and of three in each of two children."""


@pytest.fixture
def template(tmp_path: Path) -> User:
    """A home in which the deployment is created; each moment gets a copy of it."""
    user, _ = plant(tmp_path / "template", seconds=0.01)
    user.ok("deployments", "create", "parent", "-b", "parent")
    return user


def copy_of(template: User, folder: Path) -> tuple[User, Marks]:
    """Copy a home; operations mark in the folder that the copy's user stands in."""
    shutil.copytree(template.home, folder / "home")
    (folder / "place").mkdir()
    return replace(template, home=folder / "home", folder=folder / "place"), Marks(folder=folder / "place")


def kill_after(user: User, lines: int, delay: float) -> None:
    """Start the install and kill its process when it has said so much and a little later."""
    with user.running("executions", "start", "install", "-d", "parent") as process:
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        time.sleep(delay)
        process.kill()


def survive(template: User, folder: Path, lines: int, delay: float) -> str:
    """Kill an install, resume it, and return what is wrong then; nothing when nothing is."""
    user, marks = copy_of(template, folder)
    kill_after(user, lines, delay)
    committed, ends = succeeded(user), marks.lines("end")
    unfinished = [name for name, count in committed.items() if name in marks.lines("begin") and not ends[name]]
    done = user.run("executions", "resume", user.latest("parent")["id"])
    if done.returncode and "has succeeded" not in done.stderr:
        return f"the resume ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr}"
    again = [name for name in committed if marks.lines("end")[name] != ends[name]]
    total, recorded = marks.lines("end"), succeeded(user)
    wrong = {
        "recorded as finished, and it was not": unfinished,
        "finished, and ran again": again,
        "recorded twice": [name for name, count in recorded.items() if count > 1],
        "marked, and not recorded": [name for name in total if not recorded[name]],
        "operations missing": OPERATIONS - len(total),
    }
    return "; ".join(f"{what}: {names}" for what, names in wrong.items() if names)


@pytest.mark.slow
def test_an_install_killed_at_any_moment_is_completed_by_a_resume(template: User, tmp_path: Path) -> None:
    reference, marks = copy_of(template, tmp_path / "reference")
    said = reference.install("parent").count("\n")
    assert set(marks.lines("end").values()) == {1}
    assert len(marks.lines("end")) == OPERATIONS

    print(f"seed {SEED}: set GROUNDPLAN_TEST_SEED to repeat")
    chance = random.Random(SEED)
    moments = [(chance.randrange(1, said), chance.uniform(0, 0.03)) for _ in range(MOMENTS)]
    with ThreadPoolExecutor(2) as both:
        found = list(both.map(lambda item: survive(template, tmp_path / str(item[0]), *item[1]), enumerate(moments)))
    assert [(moment, wrong) for moment, wrong in zip(moments, found, strict=True) if wrong] == []
