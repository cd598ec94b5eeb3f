"""The engine, or the worker that keeps it, is killed in the middle of a custom workflow.

A resume, or another worker, completes it, and nothing that finished runs again.
"""

import os
import random
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from groundplan.model.execution import TaskState
from groundplan.model.ids import ExecutionId

from ...proof.temporal import TemporalServer
from ...proof.user import User, eventually
from .stage import SHOP, Stage

SEED = int(os.environ.get("GROUNDPLAN_TEST_SEED", random.SystemRandom().randrange(10**6)))
MOMENTS = 2

LONG = """
def note(number):
    open(os.path.join(ctx.get_node("db").properties["message"], "pid"), "w").write(str(os.getpid()))
    return number

@workflow
def play(ctx, **_):
    for number in range(3):
        one("db").execute_operation(START, kwargs={"seconds": 0.03}).get()
        assert ctx.local_task(note, kwargs={"number": number}).get() == number
    graph = ctx.graph_mode()
    line = graph.sequence()
    for number in range(3):
        line.add(
            one("web").set_state("starting"),
            forkjoin(one("web").execute_operation(START), one("db").execute_operation(STOP)),
        )
    graph.execute()
"""
OPERATIONS = 9


def finished(stage: Stage, execution: ExecutionId) -> dict[int, int]:
    """The attempts of each task that the record has as done."""
    done = [it for it in stage.records(execution) if it.state is TaskState.SUCCEEDED]
    return {it.task.number: it.attempts for it in done}


def is_gone(pid: int) -> bool:
    """Whether a process is no more, or only waits to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


@pytest.mark.slow
def test_a_killed_workflow_is_completed_by_a_resume(local_stage: Stage, tmp_path: Path) -> None:
    stage = local_stage
    stage.deploy(LONG, body=SHOP.replace("{values: {port: 5432}}", f"{{message: {tmp_path}}}"))
    user = User(home=stage.engine.home.path, folder=tmp_path)
    print(f"seed {SEED}: set GROUNDPLAN_TEST_SEED to repeat")
    chance = random.Random(SEED)
    for _ in range(MOMENTS):
        with user.running("executions", "start", "play", "-d", "shop") as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(2, 16)):
                process.stdout.readline()
            time.sleep(chance.uniform(0, 0.05))
            process.kill()
        execution = ExecutionId(user.latest("shop")["id"])
        before = finished(stage, execution)
        pid = tmp_path / "pid"
        if pid.exists():
            eventually(partial(is_gone, int(pid.read_text())))
        complete(stage, user, execution, before)


@pytest.mark.live
@pytest.mark.slow
def test_another_worker_completes_the_workflow_of_one_that_was_killed(
    local_stage: Stage, server: TemporalServer, tmp_path: Path
) -> None:
    stage = local_stage
    stage.deploy(LONG, body=SHOP.replace("{values: {port: 5432}}", f"{{message: {tmp_path}}}"))
    temporal = {"GROUNDPLAN_TEMPORAL_ADDRESS": server.target, "GROUNDPLAN_TEMPORAL_SILENCE": "3"}
    user = User(home=stage.engine.home.path, folder=tmp_path, variables=temporal)
    print(f"seed {SEED}: set GROUNDPLAN_TEST_SEED to repeat")
    chance = random.Random(SEED)
    for _ in range(MOMENTS):
        with user.running("worker") as victim, user.running("executions", "start", "play", "-d", "shop") as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(4, 16)):
                process.stdout.readline()
            time.sleep(chance.uniform(0, 0.05))
            victim.kill()
            execution = ExecutionId(user.latest("shop")["id"])
            before = finished(stage, execution)
            pid = tmp_path / "pid"
            if pid.exists():
                eventually(partial(is_gone, int(pid.read_text())))
            with user.running("worker"):
                process.communicate(timeout=90)
                complete(stage, user, execution, before)


def complete(stage: Stage, user: User, execution: ExecutionId, before: Mapping[int, int]) -> None:
    """Resume an execution as far as it is needed, and hold its record to what was finished before."""
    resumed = user.run("executions", "resume", execution)
    if "not known to be safe to repeat" in resumed.stdout + resumed.stderr:
        resumed = user.run("executions", "resume", execution, "--reset-operations")
    assert resumed.returncode == 0 or "has succeeded" in resumed.stderr, resumed.stdout + resumed.stderr
    after = finished(stage, execution)
    assert before.items() <= after.items()
    assert len(stage.ran(execution)) == OPERATIONS
    assert len(after) == len(stage.records(execution))
