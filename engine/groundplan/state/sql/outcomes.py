"""Outcomes that were left by attempts for the driver that will record them: between two processes, sealed.

A driver whose attempts run elsewhere takes them from here; `journal` writes what follows from them.
"""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import and_, delete, insert, or_, select

from groundplan.model.execution import Failure, Outcome, Verdict
from groundplan.model.ids import ExecutionId
from groundplan.model.values import Data
from groundplan.state.sql import schema
from groundplan.state.sql.codec import open_data, seal_data
from groundplan.state.sql.reads import SqlSnapshot
from groundplan.state.sql.rows import left_outcome_owner

_LEFT = schema.left_outcomes
_ATTEMPTS = schema.attempts
_TASKS = schema.tasks


class LeftOutcomes(SqlSnapshot):
    """The part of `store.Transaction` by which attempts hand their outcomes over."""

    def leave_outcome(self, execution: ExecutionId, task: int, number: int, outcome: Outcome) -> None:
        keys: dict[str, str | int] = {"execution_id": execution, "task": task, "number": number}
        if self._one(_LEFT, **keys) is None:
            sealed = seal_data(self._seal, _document(outcome), left_outcome_owner(execution, task, number))
            self._connection.execute(insert(_LEFT).values(**keys, sealed_outcome=sealed))

    def take_outcomes(
        self, execution: ExecutionId, attempts: Collection[tuple[int, int]]
    ) -> Mapping[tuple[int, int], Outcome]:
        if not attempts:
            return {}
        these = and_(
            _LEFT.c.execution_id == execution,
            or_(*(and_(_LEFT.c.task == task, _LEFT.c.number == number) for task, number in attempts)),
        )
        rows = self._connection.execute(select(_LEFT).where(these)).all()
        if rows:
            self._connection.execute(delete(_LEFT).where(these))
        return {(row.task, row.number): self._opened(row) for row in rows}

    def drop_outcomes(self, execution: ExecutionId) -> None:
        self._connection.execute(delete(_LEFT).where(_LEFT.c.execution_id == execution))

    def cut_off(self, execution: ExecutionId) -> Collection[int]:
        query = select(_ATTEMPTS.c.task).where(
            _ATTEMPTS.c.execution_id == execution,
            _TASKS.c.execution_id == execution,
            _TASKS.c.number == _ATTEMPTS.c.task,
            _ATTEMPTS.c.ended_at.is_(None),
            _ATTEMPTS.c.number > _TASKS.c.earlier,
            _ATTEMPTS.c.number < _TASKS.c.attempts,
        )
        return {row.task for row in self._connection.execute(query)}

    def _opened(self, row: Any) -> Outcome:
        return _outcome(
            open_data(self._seal, row.sealed_outcome, left_outcome_owner(row.execution_id, row.task, row.number))
        )


def _document(outcome: Outcome) -> Data:
    failure = outcome.failure
    return {
        "verdict": str(outcome.verdict),
        "result": outcome.result,
        "failure": None
        if failure is None
        else {
            "type": failure.type,
            "message": failure.message,
            "recoverable": failure.recoverable,
            "detail": failure.detail,
        },
        "retry_after": outcome.retry_after,
        "asked_to_retry": outcome.asked_to_retry,
        "runtime_properties": outcome.runtime_properties,
        "waits_for": outcome.waits_for,
        "wait_limit": outcome.wait_limit,
        "forgets": list(outcome.forgets),
    }


def _outcome(document: Any) -> Outcome:
    failure = document["failure"]
    return Outcome(**{**document, "verdict": Verdict(document["verdict"]), "failure": failure and Failure(**failure)})
