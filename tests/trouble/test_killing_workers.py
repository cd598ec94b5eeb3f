"""Workers are killed at random while Temporal drives a load on them: the end is the same, nothing runs twice.

What was in flight is made again, as another attempt. Whom and when is chosen by a seed that is printed. Each worker may
keep executions, so keepers are among the victims; one that was killed is followed by another. On PostgreSQL every third
kill is of the database server, which is started again: the workers live on and lose nothing of what they did meanwhile.
"""

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ..proof.temporal import TemporalServer, temporal_server
from ..proof.user import User, eventually
from .marks import plant
from .record import Place

KILLS = int(os.environ.get("GROUNDPLAN_WORKER_KILLS", "10"))
SEED = int(os.environ.get("GROUNDPLAN_TEST_SEED", random.SystemRandom().randrange(10**6)))
WORKERS = 3
LANES = 8
"""Operations at once, so that whoever serves has some in flight."""
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
    """The processes that serve, and how many were killed."""

    user: User
    stack: ExitStack
    living: list["subprocess.Popen[str]"] = field(default_factory=list)

    def add(self) -> None:
        """Start one more."""
        self.living.append(self.stack.enter_context(self.user.running("worker", "--operations", "4")))

    def replace_those_that_met_no_store(self) -> None:
        """Start others for those that wanted to start while the database server was away; no other ends by itself."""
        for worker in [it for it in self.living if it.poll() is not None]:
            said, errors = worker.communicate()
            assert "serves" not in said, errors
            assert "The store postgresql://" in errors, errors
            self.living.remove(worker)
            self.add()

    def kill_one(self, chance: random.Random) -> None:
        """Kill one without a warning, but not the newest, which may not serve yet; and start another."""
        self.replace_those_that_met_no_store()
        victim = self.living.pop(chance.randrange(len(self.living) - 1))
        victim.send_signal(signal.SIGKILL)
        victim.wait(30)
        self.add()


@pytest.fixture(scope="module")
def server() -> Iterator[TemporalServer]:
    """Temporal's development server."""
    with temporal_server() as started:
        yield started


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def place(request: pytest.FixtureRequest, server: TemporalServer, tmp_path: Path) -> Iterator[Place]:
    """A user on each store whose executions are driven by Temporal, with a wide deployment and a composed one."""
    variables = {"GROUNDPLAN_TEMPORAL_ADDRESS": server.target, "GROUNDPLAN_TEMPORAL_SILENCE": "3"}
    with ExitStack() as stack:
        postgres = None
        if request.param == "PostgreSQL":
            postgres = request.getfixturevalue("durable_server")
            variables["GROUNDPLAN_DATABASE_URL"] = postgres.url(stack.enter_context(postgres.database()))
        user, _ = plant(tmp_path, seconds=0.2, **variables)
        nodes = [FIRST.format(name=f"r0_{column}") for column in range(LANES)]
        for row in range(1, 12 + KILLS):
            nodes += [ROW.format(name=f"r{row}_{column}", before=f"r{row - 1}_{column}") for column in range(LANES)]
        user.upload("wide", WIDE + "".join(nodes))
        user.ok("deployments", "create", "wide", "-b", "wide")
        user.ok("deployments", "create", "parent", "-b", "parent")
        yield Place(user=user, server=postgres)


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_workers_change_nothing_of_the_end(place: Place) -> None:
    user, marks = place.user, place.marks
    print(f"seed {SEED}: set GROUNDPLAN_TEST_SEED to repeat")
    chance = random.Random(SEED)
    kills = Counter[str]()
    with ExitStack() as stack:
        workers = Workers(user=user, stack=stack)
        for _ in range(WORKERS):
            workers.add()
        runs = [
            stack.enter_context(user.running("executions", "start", "install", "-d", name))
            for name in ("wide", "parent")
        ]
        eventually(lambda: marks.lines("begin").total() >= 4, patience=60, what="the first operations")
        while kills.total() < KILLS and any(run.poll() is None for run in runs):
            time.sleep(chance.uniform(0.2, 3.0))
            if place.server is not None and kills.total() % 3 == 1:
                place.server.kill()
                time.sleep(chance.uniform(0, 1.0))
                place.server.start()
                kills["server"] += 1
            else:
                workers.kill_one(chance)
                kills["worker"] += 1
        workers.replace_those_that_met_no_store()
        for run in runs:
            out, errors = run.communicate(timeout=300)
            assert run.returncode == 0, out + errors
    second = sum(count > 1 for count in read_attempts(place)[0].values())
    print(f"{dict(kills)}, {second} second attempts")
    assert second, "no kill met an operation in flight"
    assert kills.total() == KILLS, "the load ended before the last kill"
    assert set(user.states("wide").values()) == set(user.states("parent").values()) == {"started"}
    assert wrong(place) == {}


def wrong(place: Place) -> dict[str, object]:
    """Return what of the record does not agree with itself or with what the operations marked."""
    begun, ended = place.marks.lines("begin"), place.marks.lines("end")
    recorded = Counter(_name(*row) for row in place.rows(_SUCCEEDED))
    attempts, after_the_end = read_attempts(place)
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
        "outcomes left behind": place.rows("SELECT count(*) FROM left_outcomes")[0][0],
    }
    return {what: names for what, names in found.items() if names}


_SUCCEEDED = "SELECT instance, operation FROM events WHERE type = 'task_succeeded'"
_ATTEMPTS = """
    SELECT tasks.instance, tasks.operation, attempts.verdict
    FROM attempts JOIN tasks ON tasks.execution_id = attempts.execution_id AND tasks.number = attempts.task
    ORDER BY attempts.execution_id, attempts.task, attempts.number
"""


def read_attempts(place: Place) -> tuple[Counter[str], list[str]]:
    """Return attempts by `INSTANCE.OPERATION`, and tasks with an attempt after one that succeeded."""
    counted: Counter[str] = Counter()
    done: set[str] = set()
    again: list[str] = []
    for instance, operation, verdict in place.rows(_ATTEMPTS):
        name = _name(instance, operation)
        counted[name] += 1
        if name in done:
            again.append(name)
        if verdict == "succeeded":
            done.add(name)
    return counted, again


def _name(instance: str, operation: str) -> str:
    return f"{instance}.{operation.rpartition('.')[2]}"
