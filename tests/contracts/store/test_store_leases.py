"""Fencing: only the newest holder of an execution's lease writes for it."""

from dataclasses import replace

import pytest

from groundplan.model.deployment import InstanceState
from groundplan.model.execution import ExecutionStatus, Failure, Lease, Outcome, TaskState, Verdict
from groundplan.state.sql.store import SqlStore
from groundplan.state.store import AttemptEnd, AttemptStart, Batch, ExecutionEnd, InstanceChange, StaleLease

from .nouns import DEPLOYMENT, EVENT, EXECUTION, INSTANCE, LATER, NOW, fill


@pytest.fixture
def lease(store: SqlStore) -> Lease:
    """The first lease of an execution."""
    with store.transaction() as transaction:
        fill(transaction)
        return transaction.acquire(EXECUTION.id, "one:1:0", NOW)


def whole(lease: Lease) -> Batch:
    """A batch with something of everything."""
    return Batch(
        lease=lease,
        deployment=DEPLOYMENT.id,
        started=[AttemptStart(task=1, number=1, at=NOW)],
        instances={INSTANCE.id: InstanceChange(state=InstanceState.STARTED)},
        events=[EVENT],
        end=ExecutionEnd(status=ExecutionStatus.FAILED, at=LATER, error="no"),
    )


def test_a_lease_says_who_holds_it(store: SqlStore, lease: Lease) -> None:
    with store.snapshot() as snapshot:
        assert snapshot.lease(EXECUTION.id) == lease
    assert lease == Lease(execution=EXECUTION.id, driver="one:1:0", fence=1, heartbeat=NOW)


def test_a_heartbeat_renews_it_and_tells_the_status(store: SqlStore, lease: Lease) -> None:
    with store.transaction() as transaction:
        transaction.set_execution(EXECUTION.id, status=ExecutionStatus.CANCELLING, at=NOW)
        assert transaction.heartbeat(lease, LATER) is ExecutionStatus.CANCELLING
        assert transaction.lease(EXECUTION.id) == replace(lease, heartbeat=LATER)


def test_a_batch_is_written_whole(store: SqlStore, lease: Lease) -> None:
    with store.transaction() as transaction:
        transaction.record(whole(lease))
    with store.snapshot() as snapshot:
        assert snapshot.task(EXECUTION.id, 1).state is TaskState.STARTED
        assert snapshot.instance(DEPLOYMENT.id, INSTANCE.id).state is InstanceState.STARTED
        assert [event for _, event in snapshot.events()] == [EVENT]
        ended = snapshot.execution(EXECUTION.id)
        assert (ended.status, ended.error, ended.ended_at) == (ExecutionStatus.FAILED, "no", LATER)
        assert snapshot.lease(EXECUTION.id) is None


def test_an_outcome_is_written_with_when_it_is_due(store: SqlStore, lease: Lease) -> None:
    failure = Failure(type="RecoverableError", message="not yet")
    end = AttemptEnd(
        task=1,
        number=1,
        at=NOW,
        state=TaskState.RESCHEDULED,
        outcome=Outcome(verdict=Verdict.RETRY, failure=failure),
        due_at=LATER,
    )
    with store.transaction() as transaction:
        transaction.record(
            Batch(lease=lease, deployment=DEPLOYMENT.id, started=[AttemptStart(task=1, number=1, at=NOW)])
        )
        transaction.record(Batch(lease=lease, deployment=DEPLOYMENT.id, ended=[end]))
        found = transaction.task(EXECUTION.id, 1)
    assert (found.state, found.attempts, found.error, found.due_at) == (TaskState.RESCHEDULED, 1, "not yet", LATER)


def test_a_batch_of_a_stale_lease_is_refused_and_nothing_of_it_written(store: SqlStore, lease: Lease) -> None:
    with store.transaction() as transaction:
        newer = transaction.acquire(EXECUTION.id, "two:2:0", LATER)
    with pytest.raises(StaleLease), store.transaction() as transaction:
        transaction.record(whole(lease))
    with store.snapshot() as snapshot:
        assert snapshot.lease(EXECUTION.id) == newer
        assert snapshot.task(EXECUTION.id, 1).state is TaskState.PENDING
        assert snapshot.events() == []


def test_a_stale_heartbeat_is_refused(store: SqlStore, lease: Lease) -> None:
    with store.transaction() as transaction:
        transaction.acquire(EXECUTION.id, "two:2:0", LATER)
    with pytest.raises(StaleLease), store.transaction() as transaction:
        transaction.heartbeat(lease, LATER)


def test_a_stale_release_changes_nothing(store: SqlStore, lease: Lease) -> None:
    with store.transaction() as transaction:
        newer = transaction.acquire(EXECUTION.id, "two:2:0", LATER)
        transaction.release(lease)
        assert transaction.lease(EXECUTION.id) == newer


def test_a_lease_that_was_given_back_is_stale_to_nobody_until_it_is_taken(store: SqlStore, lease: Lease) -> None:
    with store.transaction() as transaction:
        transaction.release(lease)
        assert transaction.lease(EXECUTION.id) is None
        assert transaction.acquire(EXECUTION.id, "two:2:0", LATER).fence == lease.fence + 1


def test_an_attempt_that_began_is_known_by_its_number(store: SqlStore, lease: Lease) -> None:
    with store.transaction() as transaction:
        for number in (1, 2):
            start = AttemptStart(task=1, number=number, at=NOW)
            transaction.record(Batch(lease=lease, deployment=DEPLOYMENT.id, started=[start]))
        assert transaction.task(EXECUTION.id, 1).attempts == 2
