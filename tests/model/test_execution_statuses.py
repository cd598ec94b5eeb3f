"""The legal changes of an execution's status: those of the specification (5.8), and no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.model.execution import FINAL, STOPPING, TRANSITIONS, Change, ExecutionStatus, after

ASKED = (Change.CANCEL, Change.FORCE_CANCEL, Change.KILL)


def sources(change: Change) -> set[str]:
    return {str(status) for status in TRANSITIONS[change]}


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        (Change.CANCEL, {"pending", "started", "scheduled", "queued"}),
        (Change.FORCE_CANCEL, {"pending", "started", "scheduled", "queued", "cancelling"}),
        (Change.KILL, {str(status) for status in ExecutionStatus if status not in FINAL}),
        (Change.RESUME, {"cancelled", "failed", "started", "pending"}),
        (Change.REQUEUE, {"cancelled", "failed"}),
    ],
)
def test_each_request_is_allowed_from_where_the_specification_says(change: Change, allowed: set[str]) -> None:
    assert sources(change) == allowed


def test_what_waits_to_begin_is_cancelled_at_once() -> None:
    for change in ASKED:
        assert {after(change, status) for status in (ExecutionStatus.QUEUED, ExecutionStatus.SCHEDULED)} == {
            ExecutionStatus.CANCELLED
        }


@given(st.lists(st.sampled_from(Change), max_size=30))
def test_an_end_changes_only_by_resume_and_a_request_only_grows_stricter(changes: list[Change]) -> None:
    strictness = [ExecutionStatus.STARTED, *(status for status in ExecutionStatus if status in STOPPING)]
    status = ExecutionStatus.PENDING
    for change in changes:
        moved = after(change, status)
        if moved is None:
            continue
        if status in FINAL:
            assert change in (Change.RESUME, Change.REQUEUE)
        if status in STOPPING and moved in STOPPING:
            assert strictness.index(moved) >= strictness.index(status)
        status = moved


@given(st.sampled_from([status for status in ExecutionStatus if status not in FINAL]))
def test_every_execution_can_be_ended(status: ExecutionStatus) -> None:
    asked = after(Change.KILL, status)
    assert asked is not None
    assert asked is ExecutionStatus.CANCELLED or after(Change.STOP, asked) is ExecutionStatus.CANCELLED
