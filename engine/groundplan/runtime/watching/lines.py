"""Logs: each event of an execution as one line of JSON, on standard error or in a file.

Events were masked when they were made, and are the ones in the store; the line adds what finds them again: the attempt
and the ids of trace and span.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO

import structlog

from groundplan.model.execution import Event, EventType, TaskState
from groundplan.model.graph import Task
from groundplan.model.ids import ExecutionId
from groundplan.runtime.observer import Attempted, Committed, Written
from groundplan.runtime.watching import ids

_LEVELS: Final = {
    EventType.TASK_FAILED: "error",
    EventType.WORKFLOW_FAILED: "error",
    EventType.TASK_RESCHEDULED: "warning",
    EventType.WORKFLOW_CANCELLED: "warning",
}
_KNOWN_LEVELS: Final = frozenset({"debug", "info", "warning", "error", "critical"})

_Key = tuple[object, object, str]


@dataclass(kw_only=True, slots=True)
class _Running:
    """The attempts of one execution that were begun last, by where they run."""

    attempts: dict[_Key, tuple[int, int]] = field(default_factory=dict)


class Lines:
    """Writes log lines."""

    def __init__(self, path: Path | None) -> None:
        """Open the log; `path` None is standard error.

        Raises:
            OSError: the file cannot be opened.
        """
        self._own = None if path is None else path.open("a", encoding="utf-8")
        self._running: dict[ExecutionId, _Running] = {}
        self._log = _logger(self._own or sys.stderr)

    def committed(self, told: Committed, trace: int) -> None:
        """Write the events of a batch."""
        execution, batch = told.execution, told.batch
        running = self._running.setdefault(execution.id, _Running())
        for start in batch.started:
            running.attempts[_key(told.tasks[start.task])] = (start.task, start.number)
        for event in batch.events:
            self._write(event, told, running, trace)
        for end in batch.ended:
            if end.state is not TaskState.RESCHEDULED:
                running.attempts.pop(_key(told.tasks[end.task]), None)
        if batch.end is not None:
            self._running.pop(execution.id, None)

    def _write(self, event: Event, told: Committed, running: _Running, trace: int) -> None:
        fields: dict[str, Any] = {"type": str(event.type), "execution": told.execution.id}
        fields |= {"deployment": event.deployment, "workflow": told.execution.workflow}
        task, attempt = running.attempts.get((event.instance, event.target, event.operation), (None, 0))
        place = ids.Place(trace=trace, span=_span(told.execution.id, task, attempt))
        fields |= _present({"instance": event.instance, "target": event.target, "operation": event.operation})
        fields |= _present({"task": task, "attempt": attempt or None})
        fields |= {"trace_id": place.trace_text, "span_id": place.span_text}
        level = event.level if event.level in _KNOWN_LEVELS else _LEVELS.get(event.type, "info")
        self._log.msg(event.message, level=level, timestamp=event.at.isoformat(), **fields)

    def attempted(self, told: Attempted, trace: int) -> None:
        """An attempt's end is an event of the batch that records it."""

    def written(self, told: Written) -> None:
        """Commits are counted, not told."""

    def dropped(self, count: int) -> None:
        """Leave a line where others are missing."""
        self._log.msg("Lines are missing here", level="error", type="dropped", count=count)

    def give_up(self) -> None:
        """A file takes what it is given, or refuses at once."""

    def close(self) -> None:
        """Close the file."""
        if self._own is not None:
            self._own.close()


def _logger(file: TextIO) -> Any:
    return structlog.wrap_logger(
        structlog.WriteLogger(file),
        processors=[structlog.processors.EventRenamer("message"), structlog.processors.JSONRenderer()],
        wrapper_class=structlog.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _key(task: Task) -> _Key:
    target = None if task.relationship is None else task.relationship.target
    return (task.instance or None, target, task.operation)


def _span(execution: ExecutionId, task: int | None, attempt: int) -> int:
    return ids.execution_span(execution) if task is None else ids.attempt_span(execution, task, attempt)


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in fields.items() if item is not None and item != ""}
