"""What Temporal adds: histories that continue as new, queues, search attributes, versions; no secret in a history."""

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec import structs

from groundplan.model.execution import ExecutionStatus, Outcome, TaskState
from groundplan.model.ids import ExecutionId, InstanceId
from groundplan.model.values import Sensitive
from groundplan.planning.workflows.table import workflow_stages
from groundplan.runtime.attempt import Assignment
from groundplan.runtime.keeping import Keeping
from groundplan.runtime.policy import Policy
from groundplan.runtime.temporal.address import Address
from groundplan.runtime.temporal.keeper import Keeper
from groundplan.runtime.temporal.worker import QueueWorker

from ...planning.builders import blueprint, lifecycle, node, relationship
from ...proof.temporal import TemporalServer
from ...proof.user import eventually
from ...runtime.rehearsal import DONE, Rehearsal, Script, failed, open_store
from .stages import TIMING, TemporalStage, drive

pytestmark = pytest.mark.live
ONE = blueprint(node("db", operations=lifecycle("create")))
HISTORIES = Path(__file__).parents[2] / "runtime" / "temporal" / "histories"
CANARY = "canary-8d1f6c-hidden"


@pytest.fixture
def stage(server: TemporalServer, tmp_path: Path) -> Iterator[TemporalStage]:
    """Temporal with an empty store."""
    store = open_store(tmp_path / "state.db")
    yield TemporalStage(rehearsal=Rehearsal(store=store), target=server.target)
    store.close()


def chain(length: int, width: int = 2) -> object:
    """A blueprint of rows, each of which waits for the one before."""
    nodes = []
    for row in range(length):
        waits = [relationship("depends_on", f"n{row - 1}x{it}") for it in range(width)] if row else []
        nodes += [node(f"n{row}x{it}", *waits, operations=lifecycle("create")) for it in range(width)]
    return blueprint(*nodes)


def test_a_long_execution_continues_as_new(stage: TemporalStage, server: TemporalServer) -> None:
    stage.timing = replace(TIMING, longest_history=120)
    stage.rehearsal.deploy(chain(30))
    script = Script()
    execution = stage.rehearsal.start(name="shop", suffix="long")
    assert drive(stage, execution, script).status is ExecutionStatus.TERMINATED
    assert sorted(script.ran) == sorted(set(script.ran))
    assert len(script.ran) == 60
    first = server.history(execution)["events"][0]["workflowExecutionStartedEventAttributes"]
    assert first["continuedExecutionRunId"]
    keep_history(server, execution, "continued")


def test_children_are_found_again_after_the_parent_continued_as_new(stage: TemporalStage) -> None:
    from .test_driver_children import starting_child

    stage.timing = replace(TIMING, longest_history=25)
    stage.rehearsal.deploy(ONE)
    stage.rehearsal.deploy(chain(2), "inner")
    script = starting_child(stage)
    assert drive(stage, stage.rehearsal.start(suffix="again"), script).status is ExecutionStatus.TERMINATED


def test_executions_are_found_by_what_they_are(stage: TemporalStage, server: TemporalServer) -> None:
    stage.rehearsal.deploy(ONE, "found")
    execution = stage.rehearsal.start("found")
    drive(stage, execution)
    query = (
        "GroundplanDeployment = 'found' AND GroundplanBlueprint = 'found' AND GroundplanWorkflow = 'install' "
        "AND GroundplanStatus = 'terminated'"
    )

    def listed() -> bool:
        found = json.loads(server.cli("workflow", "list", "--query", query, "--output", "json"))
        return [it["execution"]["workflowId"] for it in found] == [execution]

    eventually(listed, what="the execution in Temporal's list")


def test_a_queue_is_served_by_its_workers_only(stage: TemporalStage) -> None:
    stage.rehearsal.deploy(
        blueprint(
            node("db", operations=lifecycle("create"), groundplan_queue="eu"),
            node("web", operations=lifecycle("create")),
        )
    )
    execution = stage.rehearsal.start()
    here, there = Script(), Script()
    site = replace(stage, queues=("eu",))
    ends: list[object] = []
    driver = stage.driver(here)
    with stage.working(here):
        run = threading.Thread(target=lambda: ends.append(driver.run(execution)))
        run.start()
        eventually(lambda: stage.rehearsal.states(execution).get("web create") is TaskState.SUCCEEDED)
        assert stage.rehearsal.states(execution)["db create"] is TaskState.STARTED
        with site.working(there):
            run.join(60)
    assert (here.ran, there.ran) == (["web create"], ["db create"])
    assert ends[0].status is ExecutionStatus.TERMINATED


def test_no_value_stands_in_a_history(stage: TemporalStage, server: TemporalServer) -> None:
    stage.rehearsal.deploy(chain(2, 1), "vault", token=Sensitive(CANARY))
    db = InstanceId("n0x0_000001")

    def leak(assignment: Assignment) -> Outcome:
        if assignment.number == 1:
            return failed(f"it broke: {CANARY}")
        return structs.replace(DONE, result={"token": CANARY}, runtime_properties={db: {"token": CANARY}})

    execution = stage.rehearsal.start("vault", parameters={"secret": CANARY})
    ended = drive(stage, execution, Script(acts={"n0x0 create": leak}))
    assert ended.status is ExecutionStatus.TERMINATED
    history = server.cli("workflow", "show", "--workflow-id", execution, "--output", "json")
    assert execution in history
    assert "groundplan-attempt" in history
    assert CANARY not in history
    assert CANARY not in decoded(json.loads(history))
    keep_history(server, execution, "retried")


def test_trouble_of_a_worker_is_told_without_its_words(
    stage: TemporalStage, server: TemporalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.rehearsal.deploy(ONE)
    attempts = iter(range(9))

    def break_once(*_: object) -> object:
        if next(attempts) == 0:
            raise RuntimeError(CANARY)
        return original(*_)

    from groundplan.runtime.temporal.hands import Hands

    original = Hands.read
    monkeypatch.setattr(Hands, "read", lambda self, *more: break_once(self, *more))
    execution = stage.rehearsal.start(suffix="broken")
    assert drive(stage, execution).status is ExecutionStatus.TERMINATED
    history = server.history(execution)
    assert CANARY not in decoded(history)
    assert "the worker's log says why" in json.dumps(history)


class Empty:
    """A source of no work. `broken`: what is wrong with it."""

    def __init__(self, broken: str = "") -> None:
        self._broken = broken

    def seek(self, _: object) -> list[ExecutionId]:
        if self._broken:
            raise RuntimeError(self._broken)
        return []

    def beat(self, *_: object, **__: object) -> None:
        """Nobody asks."""


@pytest.mark.parametrize("what", ["the search for work", "the renewal of leases"])
def test_a_worker_that_breaks_beside_its_work_ends_with_a_word(
    stage: TemporalStage, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    if "leases" in what:
        monkeypatch.setattr(Keeper, "stopping", lambda keeper: Empty(what).seek(keeper))
    rehearsal, clock = stage.rehearsal, lambda: datetime.now(UTC)
    worker = QueueWorker(
        address=Address(target=stage.target),
        store=rehearsal.store,
        library=rehearsal.library,
        attempts=Script(),
        keeping=Keeping(
            library=rehearsal.library,
            children=rehearsal.children,
            policy=Policy(),
            new_id=str,
            stages_of=workflow_stages,
            clock=clock,
        ),
        workflows=rehearsal.workflows,
        queues=stage.queues,
        slots=1,
        build="",
        promote=False,
        source=Empty(what if "work" in what else ""),
        timing=TIMING,
        retries=0,
        clock=clock,
    )
    with pytest.raises(RuntimeError, match=what):
        worker.run(lambda: None)


def test_versions_of_workers_are_told_apart(stage: TemporalStage, server: TemporalServer) -> None:
    stage.rehearsal.deploy(chain(3))
    held, release = threading.Event(), threading.Event()

    def hold(_: Assignment) -> Outcome:
        held.set()
        release.wait(60)
        return DONE

    execution = stage.rehearsal.start(suffix="versioned")
    first, second = replace(stage, build="1"), replace(stage, build="2", promote=True)
    old, new = Script(acts={"n0x0 create": hold}), Script()
    ends: list[object] = []
    run = threading.Thread(target=lambda: ends.append(stage.driver(old).run(execution)))
    with first.working(old):
        run.start()
        assert held.wait(60)
        with second.working(new):
            release.set()
            run.join(60)
    assert ends[0].status is ExecutionStatus.TERMINATED
    assert new.ran != []
    described = json.loads(server.cli("workflow", "describe", "--workflow-id", execution, "--output", "json"))
    versioning = described["workflowExecutionInfo"]["versioningInfo"]
    assert versioning["behavior"] == "VERSIONING_BEHAVIOR_AUTO_UPGRADE"
    assert versioning["deploymentVersion"]["buildId"] == "2"


def decoded(history: object) -> str:
    """Return the text of a history with its payloads decoded, as the tools of operators show it."""
    import base64

    def walk(item: object) -> object:
        if isinstance(item, dict):
            data = item.get("data")
            if isinstance(data, str):
                try:
                    return base64.b64decode(data).decode(errors="replace")
                except ValueError:
                    return data
            return {key: walk(value) for key, value in item.items()}
        return [walk(value) for value in item] if isinstance(item, list) else item

    return json.dumps(walk(history))


def keep_history(server: TemporalServer, execution: str, name: str) -> None:
    """Write a history beside the replay tests, when asked to: GROUNDPLAN_RECORD_HISTORIES=1."""
    if os.environ.get("GROUNDPLAN_RECORD_HISTORIES"):
        text = json.dumps(server.history(execution), indent=1)
        (HISTORIES / f"{name}.json").write_text(text.replace(os.uname().nodename, "worker-host") + "\n")
