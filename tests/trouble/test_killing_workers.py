"""Workers are killed at random while Temporal drives a load on them: the end is the same, nothing runs twice.

What was in flight is made again, as another attempt. Whom and when is chosen by a seed that is printed. Each worker may
keep executions, so keepers are among the victims; one that was killed is followed by another.
"""

import os
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ..proof.temporal import TemporalServer, temporal_server
from ..proof.user import User, eventually
from .marks import Marks, plant, succeeded

KILLS = int(os.environ.get("GROUNDPLAN_WORKER_KILLS", "10"))
SEED = int(os.environ.get("GROUNDPLAN_TEST_SEED", random.SystemRandom().randrange(10**6)))
WORKERS = 3
WIDE = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml, plugin:groundplan-marks]
    node_templates:
"""
ROW = """
      {name}:
        type: groundplan.nodes.Marked
        properties: {{seconds: 0.2}}
        relationships: [{{type: cloudify.relationships.depends_on, target: {before}}}]
"""
FIRST = """
      {name}:
        type: groundplan.nodes.Marked
        properties: {{seconds: 0.2}}
"""


@dataclass(kw_only=True)
class Workers:
    """The processes that serve, and those that were killed."""

    user: User
    stack: ExitStack
    living: list["subprocess.Popen[str]"] = field(default_factory=list)
    killed: int = 0

    def add(self) -> None:
        """Start one more."""
        self.living.append(self.stack.enter_context(self.user.running("worker", "--operations", "4")))

    def kill_one(self, chance: random.Random) -> None:
        """Kill one without a warning, and start another."""
        victim = self.living.pop(chance.randrange(len(self.living)))
        victim.send_signal(signal.SIGKILL)
        victim.wait(30)
        self.killed += 1
        self.add()


@pytest.fixture
def server() -> Iterator[TemporalServer]:
    """Temporal's development server."""
    with temporal_server() as started:
        yield started


@pytest.fixture
def planted(server: TemporalServer, tmp_path: Path) -> tuple[User, Marks]:
    """A user whose executions are driven by Temporal, with a wide deployment and a composed one."""
    variables = {"GROUNDPLAN_TEMPORAL_ADDRESS": server.target, "GROUNDPLAN_TEMPORAL_SILENCE": "3"}
    user, marks = plant(tmp_path, seconds=0.2, **variables)
    rows = 12 + KILLS
    nodes = [FIRST.format(name=f"r0_{column}") for column in range(4)]
    for row in range(1, rows):
        nodes += [ROW.format(name=f"r{row}_{column}", before=f"r{row - 1}_{column}") for column in range(4)]
    user.upload("wide", WIDE + "".join(nodes))
    user.ok("deployments", "create", "wide", "-b", "wide")
    user.ok("deployments", "create", "parent", "-b", "parent")
    return user, marks


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_workers_change_nothing_of_the_end(planted: tuple[User, Marks]) -> None:
    user, marks = planted
    print(f"seed {SEED}: set GROUNDPLAN_TEST_SEED to repeat")
    chance = random.Random(SEED)
    with ExitStack() as stack:
        workers = Workers(user=user, stack=stack)
        for _ in range(WORKERS):
            workers.add()
        runs = [
            stack.enter_context(user.running("executions", "start", "install", "-d", name))
            for name in ("wide", "parent")
        ]
        eventually(lambda: marks.lines("begin").total() >= 4, patience=60, what="the first operations")
        while workers.killed < KILLS and any(run.poll() is None for run in runs):
            time.sleep(chance.uniform(0.2, 3.0))
            workers.kill_one(chance)
        for run in runs:
            out, errors = run.communicate(timeout=300)
            assert run.returncode == 0, out + errors
    assert workers.killed == KILLS, "the load ended before the last kill"
    assert set(user.states("wide").values()) == set(user.states("parent").values()) == {"started"}
    assert wrong(user, marks) == {}


def wrong(user: User, marks: Marks) -> dict[str, object]:
    """Return what of the record does not agree with itself or with what the operations marked."""
    begun, ended, recorded = marks.lines("begin"), marks.lines("end"), succeeded(user)
    attempts, after_the_end, left = read_attempts(user.home / "state.db")
    found = {
        "recorded as finished, and it was not": [name for name in recorded if name in begun and not ended[name]],
        "recorded twice": [name for name, count in recorded.items() if count > 1],
        "marked, and not recorded": [name for name in ended if not recorded[name]],
        "operations missing": sorted(set(begun) - set(recorded)),
        "ran more often than it was recorded as begun": [name for name in begun if begun[name] > attempts[name]],
        "attempts after the one that succeeded": after_the_end,
        "ran again, and is not marked as another attempt": [
            name for name in begun if begun[name] > 1 and attempts[name] == 1
        ],
        "outcomes left behind": left,
    }
    return {what: names for what, names in found.items() if names}


def read_attempts(path: Path) -> tuple[Counter[str], list[str], int]:
    """Return attempts by `INSTANCE.OPERATION`, tasks with an attempt after one that succeeded, and outcomes left."""
    query = """
        SELECT tasks.instance || '.' || replace(tasks.operation, 'cloudify.interfaces.lifecycle.', ''),
               attempts.number, attempts.verdict
        FROM attempts JOIN tasks ON tasks.execution_id = attempts.execution_id AND tasks.number = attempts.task
        ORDER BY 1, attempts.number
    """
    counted: Counter[str] = Counter()
    done: set[str] = set()
    again: list[str] = []
    with closing(sqlite3.connect(path)) as connection:
        for name, _, verdict in connection.execute(query):
            counted[name] += 1
            if name in done:
                again.append(name)
            if verdict == "succeeded":
                done.add(name)
        left = connection.execute("SELECT count(*) FROM left_outcomes").fetchone()[0]
    return counted, again, left
