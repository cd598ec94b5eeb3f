"""Schedules: what is due becomes one queued execution, and what is missed, unfinished or failed does not."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from groundplan.diagnostics.trouble import Conflict, NotFound, UsageError
from groundplan.model.execution import Change, ExecutionStatus
from groundplan.model.ids import DeploymentId
from groundplan.model.schedule import Schedule, ScheduleId
from groundplan.service import blueprints, deployments, executions, queue, schedules
from groundplan.service.assembly import Engine, now
from groundplan.service.scheduling import NewSchedule

from .conftest import Write

SHOP = DeploymentId("shop")
BODY = """
inputs: {chosen: {default: db}}
node_templates:
  db: {type: groundplan.nodes.Nop}
deployment_settings:
  default_schedules:
    nightly:
      workflow: install
      since: +4h
      recurrence: 1 day
      slip: 30
      stop_after_fail: true
      workflow_parameters: {node_ids: [{get_input: chosen}]}
"""


@pytest.fixture
def shop(engine: Engine, write: Write) -> Engine:
    """An engine with a deployment that has a schedule by default."""
    blueprints.upload(engine.store, engine.home, engine.fetch, write(BODY), now())
    new = deployments.NewDeployment(id=SHOP, blueprint="shop")
    deployments.create(engine.store, engine.library, new, now())
    return engine


def nightly(shop: Engine) -> Schedule:
    return schedules.get(shop.store, SHOP, ScheduleId("nightly"))


def fire(shop: Engine, at: datetime) -> list[str]:
    return [fired.words for fired in schedules.fire(shop.store, shop.library, at)]


def due_at(shop: Engine) -> datetime:
    found = nightly(shop).next_at
    assert found is not None
    return found


def test_a_deployment_comes_with_the_schedules_of_its_blueprint(shop: Engine) -> None:
    found = nightly(shop)
    assert (found.workflow, found.slip, found.stop_on_fail) == ("install", 30, True)
    assert found.parameters == {"node_ids": ["db"]}
    assert timedelta(hours=3, minutes=58) < due_at(shop) - now() <= timedelta(hours=4)


def test_an_occurrence_becomes_one_queued_execution_whoever_asks(shop: Engine) -> None:
    at = due_at(shop)
    assert fire(shop, at - timedelta(seconds=1)) == []
    (words,) = fire(shop, at)
    assert fire(shop, at) == []
    found = executions.get(shop.store, nightly(shop).latest)
    assert found.id in words
    assert (found.status, found.scheduled_for) == (ExecutionStatus.QUEUED, at)
    assert due_at(shop) == at + timedelta(days=1)


def test_what_a_schedule_queued_can_begin_at_once(shop: Engine) -> None:
    fire(shop, due_at(shop))
    with shop.store.snapshot() as snapshot:
        assert [item.id for item in queue.read_lines(snapshot, now(), 20).next] == [nightly(shop).latest]


def test_what_was_missed_while_no_worker_ran_is_skipped_and_the_latest_runs(shop: Engine) -> None:
    at = due_at(shop)
    (words,) = fire(shop, at + timedelta(hours=50))
    assert "skipped" in words
    (words,) = fire(shop, due_at(shop) + timedelta(minutes=20))
    assert "starts execution" in words


def test_an_occurrence_is_skipped_while_the_run_before_has_not_ended(shop: Engine) -> None:
    fire(shop, due_at(shop))
    (words,) = fire(shop, due_at(shop))
    assert "has not ended" in words
    assert len(executions.listing(shop.store, now(), SHOP)) == 1


def test_a_failed_run_stops_it(shop: Engine) -> None:
    fire(shop, due_at(shop))
    with shop.store.transaction() as transaction:
        executions.fail_in(transaction, nightly(shop).latest, "it broke", now())
    (words,) = fire(shop, due_at(shop))
    assert "disabled" in words
    assert not nightly(shop).enabled
    assert fire(shop, now() + timedelta(days=9)) == []


def test_what_cannot_start_is_told_and_keeps_the_others_from_nothing(shop: Engine) -> None:
    with shop.store.transaction() as transaction:
        transaction.put_schedule(replace(nightly(shop), parameters={"nonsense": 1}, stop_on_fail=False))
    (words,) = fire(shop, due_at(shop))
    assert "cannot start" in words
    assert nightly(shop).enabled
    with shop.store.snapshot() as snapshot:
        assert any("cannot start" in event.message for _, event in snapshot.events(deployment=SHOP))


def test_what_a_schedule_missed_while_it_was_off_is_not_made_up_for(shop: Engine) -> None:
    name, at = ScheduleId("nightly"), due_at(shop)
    schedules.set_enabled(shop.store, SHOP, name, now(), enabled=False)
    assert fire(shop, at) == []
    later = at + timedelta(hours=1)
    assert schedules.set_enabled(shop.store, SHOP, name, later, enabled=True).next_at == at + timedelta(days=1)


def test_what_cannot_be_a_schedule_is_refused(shop: Engine) -> None:
    def create(**more: object) -> None:
        fields = {"deployment": SHOP, "workflow": "install", "since": "+1h", **more}
        schedules.create(shop.store, shop.library, NewSchedule(**fields), now())

    with pytest.raises(NotFound, match="no workflow"):
        create(workflow="dance")
    with pytest.raises(UsageError, match="would never run"):
        create(since="2001-01-01 10:00")
    with pytest.raises(UsageError, match="no time zone"):
        create(timezone="Mars/Base")
    with pytest.raises(Conflict, match="already"):
        create(id="nightly")


def test_a_queued_execution_that_cannot_begin_any_more_fails(shop: Engine) -> None:
    first = executions.start(
        shop.store, shop.library, executions.NewExecution(deployment=SHOP, workflow="install"), now()
    )
    waits = executions.NewExecution(deployment=SHOP, workflow="uninstall", queue=True)
    queued = executions.start(shop.store, shop.library, waits, now())
    assert queued.status is ExecutionStatus.QUEUED
    assert executions.next_queued(shop.store, shop.library, now(), 20) is None
    executions.end(shop.store, first.id, Change.CANCEL, now())
    assert executions.next_queued(shop.store, shop.library, now(), 20) is None
    failed = executions.get(shop.store, queued.id)
    assert failed.status is ExecutionStatus.FAILED
    assert "not available" in failed.error


def test_no_more_run_than_the_limit_says_and_the_oldest_is_next(shop: Engine) -> None:
    for name in ("a", "b", "c"):
        new = deployments.NewDeployment(id=DeploymentId(name), blueprint="shop")
        deployments.create(shop.store, shop.library, new, now())

    def start(name: str, **more: object) -> executions.Execution:
        new = executions.NewExecution(deployment=DeploymentId(name), workflow="install", limit=1, **more)
        return executions.start(shop.store, shop.library, new, now())

    first = start("a")
    with pytest.raises(Conflict, match="no more may at once"):
        start("b")
    queued = [start(name, queue=True) for name in ("b", "c")]
    assert {item.status for item in queued} == {ExecutionStatus.QUEUED}
    executions.end(shop.store, first.id, Change.CANCEL, now())
    assert executions.next_queued(shop.store, shop.library, now(), 1).id == queued[0].id


def test_ended_executions_are_deleted_but_for_the_latest(shop: Engine) -> None:
    for _ in range(3):
        new = executions.NewExecution(deployment=SHOP, workflow="install")
        executions.end(shop.store, executions.start(shop.store, shop.library, new, now()).id, Change.CANCEL, now())
    assert executions.delete_ended(shop.store, before=now() - timedelta(hours=1)) == 0
    assert executions.delete_ended(shop.store, keep_last=1) == 2
    assert executions.delete_ended(shop.store, before=now()) == 1
    assert executions.listing(shop.store, now()) == []
