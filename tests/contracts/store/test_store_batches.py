"""What a driver's batch means for the record, written by each database's own writer."""

import pytest

from groundplan.model.deployment import InstanceState
from groundplan.model.execution import Failure, Lease, Outcome, TaskState, Verdict
from groundplan.model.graph import Task, TaskGraph, TaskKind
from groundplan.model.secret import SecretValue
from groundplan.model.values import Sensitive
from groundplan.state.sql.store import SqlStore
from groundplan.state.store import AttemptEnd, AttemptStart, Batch, InstanceChange, maker_key

from .nouns import DEPLOYMENT, EVENT, EXECUTION, HOST, INSTANCE, LATER, NOW, PASSWORD, fill

DONE = Outcome(verdict=Verdict.SUCCEEDED, result={"token": Sensitive(PASSWORD)})
BROKEN = Outcome(verdict=Verdict.RETRY, failure=Failure(type="Trouble", message="it broke\x01 'so'", detail="why"))


@pytest.fixture
def lease(store: SqlStore) -> Lease:
    """A lease on the one execution of a filled store."""
    with store.transaction() as transaction:
        fill(transaction)
        return transaction.acquire(EXECUTION.id, "here:1:1", NOW)


def record(store: SqlStore, lease: Lease, **what: object) -> None:
    with store.recording() as transaction:
        transaction.record(Batch(lease=lease, deployment=DEPLOYMENT.id, **what))


def test_an_attempt_is_begun_and_ends(store: SqlStore, lease: Lease) -> None:
    record(store, lease, started=[AttemptStart(0, 1, NOW), AttemptStart(1, 1, NOW)])
    record(
        store,
        lease,
        ended=[
            AttemptEnd(0, 1, LATER, TaskState.SUCCEEDED, DONE),
            AttemptEnd(1, 1, LATER, TaskState.RESCHEDULED, BROKEN, LATER),
        ],
    )
    with store.snapshot() as snapshot:
        done, broken = snapshot.tasks(EXECUTION.id)
    assert (done.state, done.attempts, done.due_at, done.error) == (TaskState.SUCCEEDED, 1, None, "")
    assert (broken.state, broken.due_at, broken.error) == (TaskState.RESCHEDULED, LATER, "it broke\x01 'so'")


def test_a_task_may_end_and_begin_again_in_one_batch(store: SqlStore, lease: Lease) -> None:
    record(store, lease, started=[AttemptStart(1, 1, NOW)])
    again = AttemptEnd(1, 1, NOW, TaskState.RESCHEDULED, BROKEN, NOW)
    record(store, lease, ended=[again], started=[AttemptStart(1, 2, LATER), AttemptStart(0, 1, LATER)])
    with store.snapshot() as snapshot:
        other, task = snapshot.tasks(EXECUTION.id)
    assert (task.state, task.attempts, task.due_at, task.error) == (TaskState.STARTED, 2, None, "it broke\x01 'so'")
    assert other.state is TaskState.STARTED


def test_an_attempt_may_wait_and_end_in_one_batch(store: SqlStore, lease: Lease) -> None:
    record(store, lease, started=[AttemptStart(1, 1, NOW)])
    waits = AttemptEnd(1, 1, NOW, TaskState.WAITING, Outcome(verdict=Verdict.WAITING, waits_for=EXECUTION.id))
    record(store, lease, ended=[waits, AttemptEnd(1, 1, LATER, TaskState.SUCCEEDED, DONE)])
    with store.snapshot() as snapshot:
        task = snapshot.task(EXECUTION.id, 1)
        assert (task.state, task.attempts, task.waits_for) == (TaskState.SUCCEEDED, 1, None)
        assert snapshot.running_since(EXECUTION.id) == {}


def test_what_a_change_leaves_out_stays(store: SqlStore, lease: Lease) -> None:
    changes = {
        INSTANCE.id: InstanceChange(state=InstanceState.STARTED),
        HOST.id: InstanceChange(runtime_properties={"$odd": {"key": Sensitive(PASSWORD)}}),
    }
    record(store, lease, instances=changes)
    record(store, lease, instances={HOST.id: InstanceChange(runtime_properties={}, system_properties={"drift": {}})})
    with store.snapshot() as snapshot:
        host, instance = snapshot.instances(DEPLOYMENT.id)
    assert (instance.state, instance.version) == (InstanceState.STARTED, INSTANCE.version + 1)
    assert instance.runtime_properties == INSTANCE.runtime_properties
    assert instance.system_properties == INSTANCE.system_properties
    assert (host.state, host.runtime_properties, host.system_properties) == (HOST.state, {}, {"drift": {}})


def test_events_keep_their_order_and_their_gaps(store: SqlStore, lease: Lease) -> None:
    events = [EVENT.retold(str(number)) for number in range(300)]
    record(store, lease, events=events)
    with store.snapshot() as snapshot:
        assert [event for _, event in snapshot.events(execution=EXECUTION.id)] == events


def test_a_large_graph_is_stored_whole(store: SqlStore, lease: Lease) -> None:
    count = 12_001
    tasks = [
        Task(number=number, kind=TaskKind.OPERATION, instance=INSTANCE.id, operation="a.b", ignore_failure=number == 7)
        for number in range(2, count)
    ]
    with store.transaction() as transaction:
        transaction.append_tasks(EXECUTION.id, TaskGraph(tasks=tasks, waits=[(0, 1)] * len(tasks), first=2), stage=2)
    with store.snapshot() as snapshot:
        found = snapshot.tasks(EXECUTION.id)
    assert [record.task for record in found[2:]] == tasks
    assert found[-1].waits == (0, 1)


def test_a_secret_is_forgotten_with_the_batch_and_so_is_who_made_it(store: SqlStore, lease: Lease) -> None:
    with store.transaction() as transaction:
        for name in ("drawn", "kept"):
            transaction.put_secret(name, SecretValue(text=PASSWORD), NOW)
            transaction.remember(DEPLOYMENT.id, maker_key(name), INSTANCE.id)
    record(store, lease, forgotten=["drawn", "never there"])
    with store.snapshot() as snapshot:
        assert snapshot.secret("drawn") is None
        assert snapshot.secret("kept") is not None
        assert snapshot.remembered(DEPLOYMENT.id).keys() & {maker_key("drawn"), maker_key("kept")} == {
            maker_key("kept")
        }
