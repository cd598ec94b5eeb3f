"""Why an execution as a whole is not done: who drives it, what it is queued behind, and where a chain of them ends."""

from collections.abc import Callable

import pytest

from groundplan.diagnostics.trouble import NotFound
from groundplan.model.execution import Change, ExecutionStatus, Outcome, ParentTask, TaskState, Verdict
from groundplan.model.graph import Task, TaskGraph, TaskKind
from groundplan.model.group import PAUSED
from groundplan.model.ids import BlueprintId, DeploymentId, ExecutionId, GroupId
from groundplan.runtime.liveness import driver_name
from groundplan.runtime.policy import Policy
from groundplan.service import blueprints, deployment_groups, deployments, execution_groups, executions
from groundplan.service.assembly import Engine, now
from groundplan.service.composition.endings import ending
from groundplan.service.driving import Unwatched, make_driver
from groundplan.service.execution_groups import NewRun
from groundplan.service.executions import NewExecution
from groundplan.service.explaining import Explanation, explain
from groundplan.service.waiting import Cause
from groundplan.state.store import AttemptEnd, AttemptStart, Batch

from .conftest import Write

SHOP = """
node_templates:
  vm: {type: groundplan.nodes.Nop, properties: {fail: [start]}}
  web: {type: groundplan.nodes.Nop, relationships: [{type: groundplan.relationships.Nop, target: vm}]}
"""
Begin = Callable[..., ExecutionId]


@pytest.fixture
def shops(engine: Engine, write: Write) -> Engine:
    """An engine with two deployments, whose install fails."""
    blueprints.upload(engine.store, engine.home, engine.fetch, write(SHOP), now(), id=BlueprintId("shop"))
    for name in ("one", "other"):
        new = deployments.NewDeployment(id=DeploymentId(name), blueprint=BlueprintId("shop"))
        deployments.create(engine.store, engine.library, new, now())
    return engine


def start(engine: Engine, name: str = "one", **more: object) -> ExecutionId:
    """Record an install."""
    new = NewExecution(deployment=DeploymentId(name), workflow="install", **more)
    return executions.start(engine.store, engine.library, new, now()).id


def why(engine: Engine, id: str, task: str = "", most: int = 20) -> Explanation:
    """Ask why an execution is not done."""
    with engine.store.snapshot() as snapshot:
        return explain(snapshot, engine.library, ExecutionId(id), task, now(), most)


def told(found: Explanation) -> list[tuple[str, Cause]]:
    """The way to the root cause, in short."""
    return [(item.name.rpartition("_")[0] if item.task is not None else item.name, item.cause) for item in found.path]


def test_what_failed_and_what_it_kept_from_beginning_are_told(shops: Engine) -> None:
    id_ = start(shops)
    make_driver(shops, Policy(), Unwatched(), lambda _: None).run(id_)
    found = why(shops, id_)
    assert told(found) == [("install of one", Cause.FAILED), ("vm", Cause.FAILED)]
    assert found.path[-1].fix == f"groundplan executions resume {id_}"
    cut = why(shops, id_, "web.start").path
    assert cut[0].cause is Cause.TASKS
    assert cut[-1].name.endswith(".start")
    assert cut[-1].cause is Cause.FAILED
    assert why(shops, id_, "vm.create").path[0].cause is Cause.ENDED
    with pytest.raises(NotFound) as refused:
        why(shops, id_, "vm.crate")
    assert "vm.create" in refused.value.fix


def test_an_execution_whose_driver_is_gone_says_how_to_go_on(shops: Engine) -> None:
    id_ = start(shops)
    with shops.store.transaction() as transaction:
        transaction.acquire(id_, "elsewhere:1:0", now().replace(year=2020))
    found = why(shops, id_)
    assert told(found) == [("install of one", Cause.DRIVER_LOST)]
    assert "elsewhere, process 1" in found.path[0].words
    assert "groundplan worker" in found.path[0].fix


def test_a_queued_execution_is_behind_another_or_waits_for_room_or_a_worker(shops: Engine) -> None:
    first = start(shops)
    second = start(shops, queue=True)
    behind = why(shops, second)
    assert f"queued behind execution {first}" in behind.path[0].words
    assert behind.path[1].name == "install of one"
    third = start(shops, "other", queue=True, limit=1)
    assert "no more may at once" in why(shops, third, most=1).path[0].words
    assert why(shops, third).path[0].fix == f"groundplan executions resume {third}, or start `groundplan worker`"


def test_an_execution_of_a_group_waits_for_the_group(shops: Engine) -> None:
    group = GroupId("shops")
    members = [DeploymentId("one"), DeploymentId("other")]
    deployment_groups.create(shops.store, group, deployment_groups.Wanted(), now())
    with shops.store.transaction() as transaction:
        transaction.add_members(group, members)
    run = execution_groups.start(
        shops.store, shops.library, NewRun(group=group, workflow="install", concurrency=1), now()
    ).id
    first, second = (item.execution.id for item in execution_groups.get(shops.store, run, now()).executions)
    with shops.store.transaction() as transaction:
        transaction.set_execution(first, status=ExecutionStatus.STARTED, at=now())
    assert "1 of its execution group" in why(shops, second).path[0].words
    execution_groups.set_concurrency(shops.store, run, PAUSED)
    paused = why(shops, second).path[0]
    assert "paused" in paused.words
    assert "set-concurrency" in paused.fix


def cancel_child(engine: Engine) -> tuple[ExecutionId, ExecutionId]:
    """Have an execution that a task of another one waits for be cancelled; return both, what waits first."""
    parent = start(engine)
    with engine.store.transaction() as transaction:
        instance = transaction.instances(DeploymentId("one"))[0].id
        task = Task(number=0, kind=TaskKind.CHILD, instance=instance, operation="lifecycle.start")
        transaction.append_tasks(parent, TaskGraph(tasks=[task], waits=[()]), stage=1)
    child = start(engine, "other", parent=ParentTask(execution=parent, task=0))
    executions.end(engine.store, child, Change.CANCEL, now().replace(year=2100))
    with engine.store.transaction() as transaction:
        ended_child = executions.get_in(transaction, child)
        outcome = ending(transaction, engine.library, ParentTask(execution=parent, task=0), ended_child)
        ended = AttemptEnd(task=0, number=1, at=now(), state=TaskState.FAILED, outcome=outcome)
        lease = transaction.acquire(parent, driver_name(), now())
        begun = Batch(lease=lease, deployment=DeploymentId("one"), started=[AttemptStart(0, 1, now())])
        transaction.record(begun)
        transaction.record(Batch(lease=lease, deployment=DeploymentId("one"), ended=[ended]))
    return parent, child


def test_a_cancelled_child_is_told_as_cancelled_and_not_as_failed(shops: Engine) -> None:
    parent, child = cancel_child(shops)
    with shops.store.transaction() as transaction:
        transaction.set_execution(parent, status=ExecutionStatus.FAILED, at=now())
    found = why(shops, parent)
    assert told(found) == [
        ("install of one", Cause.FAILED),
        ("vm", Cause.STOPPED),
        ("install of other", Cause.STOPPED),
    ]
    assert (found.path[-1].execution, found.path[-1].words) == (child, "was cancelled")
    assert [item.fix for item in found.path][1:] == [f"groundplan executions resume {parent}", ""]


def test_a_child_that_was_cancelled_with_its_parent_names_the_parent(shops: Engine) -> None:
    parent, child = cancel_child(shops)
    with shops.store.transaction() as transaction:
        transaction.set_execution(parent, status=ExecutionStatus.CANCELLED, at=now())
    assert told(why(shops, parent)) == [("install of one", Cause.STOPPED)]
    assert told(why(shops, child)) == [("install of other", Cause.STOPPED), ("install of one", Cause.STOPPED)]
    assert "install of one" in why(shops, child).path[0].words


def test_a_chain_of_executions_is_followed_to_its_end(shops: Engine) -> None:
    parent, child = start(shops), start(shops, "other")
    with shops.store.transaction() as transaction:
        instance = transaction.instances(DeploymentId("one"))[0].id
        task = Task(number=0, kind=TaskKind.CHILD, instance=instance, operation="lifecycle.start")
        transaction.append_tasks(parent, TaskGraph(tasks=[task], waits=[()]), stage=1)
        lease = transaction.acquire(parent, driver_name(), now())
        outcome = Outcome(verdict=Verdict.WAITING, waits_for=child)
        ended = AttemptEnd(task=0, number=1, at=now(), state=TaskState.WAITING, outcome=outcome)
        batch = Batch(lease=lease, deployment=DeploymentId("one"), started=[AttemptStart(0, 1, now())])
        transaction.record(batch)
        transaction.record(Batch(lease=lease, deployment=DeploymentId("one"), ended=[ended]))
        transaction.acquire(child, "elsewhere:1:0", now().replace(year=2020))
    assert told(why(shops, parent)) == [
        ("install of one", Cause.TASKS),
        ("vm", Cause.CHILD),
        ("install of other", Cause.DRIVER_LOST),
    ]
    assert told(why(shops, parent, "0"))[-1] == ("install of other", Cause.DRIVER_LOST)
