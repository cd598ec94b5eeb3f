"""Outcomes that attempts on other machines leave for the driver of their execution, and who was cut off."""

import pytest

from groundplan.model.execution import Failure, Outcome, TaskState, Verdict
from groundplan.model.ids import ExecutionId
from groundplan.model.values import Sensitive
from groundplan.state.sql.store import SqlStore
from groundplan.state.store import AttemptEnd, AttemptStart, Batch

from .nouns import DEPLOYMENT, EXECUTION, INSTANCE, NOW, PASSWORD, fill

LEFT = Outcome(
    verdict=Verdict.RETRY,
    result={"token": Sensitive(PASSWORD)},
    failure=Failure(type="Trouble", message="it broke", recoverable=True, detail="here"),
    retry_after=1.5,
    asked_to_retry=True,
    runtime_properties={INSTANCE.id: {"ports": [1, 2], "key": Sensitive("k")}},
    waits_for=ExecutionId("e9"),
    wait_limit=60.0,
    forgets=["key"],
)


@pytest.fixture
def filled(store: SqlStore) -> SqlStore:
    """A store with an execution of two tasks."""
    with store.transaction() as transaction:
        fill(transaction)
    return store


def test_an_outcome_that_was_left_is_taken_once(filled: SqlStore) -> None:
    with filled.recording() as transaction:
        transaction.leave_outcome(EXECUTION.id, 1, 2, LEFT)
    with filled.transaction() as transaction:
        assert transaction.take_outcomes(EXECUTION.id, [(1, 2), (0, 1)]) == {(1, 2): LEFT}
        assert transaction.take_outcomes(EXECUTION.id, [(1, 2)]) == {}


def test_the_first_outcome_of_an_attempt_stays(filled: SqlStore) -> None:
    for outcome in (LEFT, Outcome(verdict=Verdict.SUCCEEDED)):
        with filled.recording() as transaction:
            transaction.leave_outcome(EXECUTION.id, 1, 2, outcome)
    with filled.transaction() as transaction:
        assert transaction.take_outcomes(EXECUTION.id, [(1, 2)]) == {(1, 2): LEFT}


def test_outcomes_that_nobody_took_can_be_dropped(filled: SqlStore) -> None:
    with filled.transaction() as transaction:
        transaction.leave_outcome(EXECUTION.id, 1, 2, LEFT)
        transaction.drop_outcomes(EXECUTION.id)
        assert transaction.take_outcomes(EXECUTION.id, [(1, 2)]) == {}


@pytest.mark.parametrize(("ended", "cut_off"), [(True, set()), (False, {1})])
def test_a_task_was_cut_off_when_an_earlier_attempt_never_ended(
    filled: SqlStore, ended: bool, cut_off: set[int]
) -> None:
    failed = Outcome(verdict=Verdict.RETRY, failure=Failure(type="T", message="m"))
    ends = [AttemptEnd(task=1, number=1, at=NOW, state=TaskState.RESCHEDULED, outcome=failed, due_at=NOW)]
    with filled.transaction() as transaction:
        lease = transaction.acquire(EXECUTION.id, "one:1:0", NOW)
        for number in (1, 2):
            start = [AttemptStart(task=1, number=number, at=NOW)]
            transaction.record(Batch(lease=lease, deployment=DEPLOYMENT.id, started=start))
            if ended and number == 1:
                transaction.record(Batch(lease=lease, deployment=DEPLOYMENT.id, ended=ends))
        assert set(transaction.cut_off(EXECUTION.id)) == cut_off
