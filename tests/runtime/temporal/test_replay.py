"""Histories that earlier versions of the workflow recorded are replayed by this one: executions under way go on.

They were recorded on the real server: GROUNDPLAN_RECORD_HISTORIES=1 pytest tests/contracts/driver. A change that breaks
one needs `workflow.patched`; a recorded history is never changed, only added to.
"""

import asyncio
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from groundplan.runtime.temporal.messages import EXECUTION, Ticket
from groundplan.runtime.temporal.workflow import ExecutionWorkflow

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


def replay(path: Path, kind: type) -> Exception | None:
    """Replay a history in the workflow's sandbox; return what went wrong."""
    history = WorkflowHistory.from_json("execution", path.read_text())
    found = asyncio.run(Replayer(workflows=[kind]).replay_workflow(history, raise_on_replay_failure=False))
    return found.replay_failure


def test_there_are_histories() -> None:
    assert {path.stem for path in HISTORIES} >= {"continued", "retried"}


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_a_recorded_history_is_replayed(path: Path) -> None:
    assert replay(path, ExecutionWorkflow) is None


@workflow.defn(name=EXECUTION, sandboxed=False)
class Sleeper:
    """A workflow of the same name that does something else."""

    @workflow.run
    async def run(self, ticket: Ticket) -> str:
        """Sleep."""
        await asyncio.sleep(1)
        return ticket.execution


def test_a_workflow_that_does_something_else_does_not_replay() -> None:
    assert replay(HISTORIES[0], Sleeper) is not None
