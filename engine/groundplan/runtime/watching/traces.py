"""Traces: one an execution with its children; below it tasks, their attempts, and what these asked of the world.

A span is made when what it stands for has ended, with ids of `ids`: whichever process makes it, it finds its place. How
spans travel is OpenTelemetry's business, bounded in memory and in time.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from groundplan.model.execution import Execution, ExecutionStatus, Failure, TaskState, Verdict
from groundplan.model.graph import Task, TaskKind
from groundplan.model.ids import ExecutionId
from groundplan.runtime.calls import Call
from groundplan.runtime.observer import Attempted, Committed, Written
from groundplan.runtime.watching import ids
from groundplan.state.store import AttemptEnd, ExecutionEnd

_SCOPE: Final = InstrumentationScope("groundplan")
_ENDS: Final = frozenset({TaskState.SUCCEEDED, TaskState.FAILED, TaskState.IGNORED, TaskState.INTERRUPTED})
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
Attributes = dict[str, Any]


class Traces:
    """Makes spans and gives them to a processor."""

    def __init__(
        self,
        *,
        processor: SpanProcessor,
        sampler: Sampler,
        resource: Resource,
        stop: Callable[[], None],
        delivered: Callable[[], int],
    ) -> None:
        """Get ready.

        Args:
            stop: ends a delivery under way.
            delivered: how many of the spans that the processor was given were taken by whom they are for.
        """
        self._stop = stop
        self._delivered = delivered
        self._made = 0
        self._processor = processor
        self._sampler = sampler
        self._resource = resource
        self._begun: dict[ExecutionId, dict[int, datetime]] = {}

    def sampled(self, trace: int) -> bool:
        """Whether a trace is recorded, as OTEL_TRACES_SAMPLER says."""
        return self._sampler.should_sample(None, trace, "execution").decision is Decision.RECORD_AND_SAMPLE

    def committed(self, told: Committed, trace: int) -> None:
        """Make the spans of tasks that ended, and of the execution when it did."""
        if not self.sampled(trace):
            return
        begun = self._begun.setdefault(told.execution.id, {})
        for start in told.batch.started:
            begun.setdefault(start.task, start.at)
        for end in told.batch.ended:
            task = told.tasks[end.task]
            if end.state in _ENDS and task.kind is not TaskKind.STATE:
                self._task(told, task, end, trace, begun.pop(end.task, end.at))
        if told.batch.end is not None:
            self._begun.pop(told.execution.id, None)
            self._execution(told.execution, told.batch.end, trace)

    def attempted(self, told: Attempted, trace: int) -> None:
        """Make the spans of an attempt and of its calls."""
        if not self.sampled(trace):
            return
        id_, number, task = told.execution.id, told.task.number, told.task
        outcome, own = told.outcome, ids.attempt_span(id_, number, told.number)
        attributes = _about(told.execution, task) | {
            "groundplan.attempt.number": told.number,
            "groundplan.attempt.retry": told.retry,
            "groundplan.attempt.id": f"{id_}-{number}-{told.number}",
            "groundplan.plugin": told.plugin,
            "groundplan.verdict": str(outcome.verdict),
        }
        if told.given_up:
            attributes["groundplan.attempt.given_up"] = True
        links = []
        if told.number > 1:
            links.append(Link(_context(trace, ids.attempt_span(id_, number, told.number - 1))))
        self._make(
            f"attempt {task.name}",
            trace=trace,
            span=own,
            parent=ids.task_span(id_, number),
            began=told.began,
            ended=told.ended,
            attributes=attributes | _error_type(outcome.failure),
            failure=outcome.failure,
            links=links,
            failed=outcome.verdict in (Verdict.RETRY, Verdict.FAILED),
        )
        for call in told.calls:
            self._call(told, call, trace, own)

    def written(self, told: Written) -> None:
        """Commits are metrics."""

    def dropped(self, count: int) -> None:
        """What is missing is told by logs and metrics."""

    def close(self) -> None:
        """Have the processor hand on what it holds."""
        self._processor.shutdown()

    def give_up(self) -> None:
        """Stop delivering."""
        self._stop()

    def undelivered(self) -> tuple[int, int]:
        """Return how many spans were taken by nobody so far, and how many were made."""
        return self._made - self._delivered(), self._made

    def _call(self, told: Attempted, call: Call, trace: int, attempt: int) -> None:
        id_, task, number = told.execution.id, told.task.number, told.number
        failure = Failure(type=call.error, message=call.message) if call.error else None
        self._make(
            call.name,
            trace=trace,
            span=ids.call_span(id_, task, number, call.number),
            parent=ids.call_span(id_, task, number, call.within) if call.within else attempt,
            began=call.began,
            ended=call.ended,
            attributes=dict(call.attributes) | _error_type(failure),
            failure=failure,
            kind=SpanKind.CLIENT,
            failed=failure is not None,
        )

    def _task(self, told: Committed, task: Task, end: AttemptEnd, trace: int, began: datetime) -> None:
        failure = end.outcome.failure
        attributes = _about(told.execution, task) | {"groundplan.task.state": str(end.state)}
        self._make(
            f"task {task.name}",
            trace=trace,
            span=ids.task_span(told.execution.id, task.number),
            parent=ids.execution_span(told.execution.id),
            began=_nanoseconds(began),
            ended=_nanoseconds(end.at),
            attributes=attributes | {"groundplan.task.attempts": end.number} | _error_type(failure),
            failure=failure,
            failed=end.state in (TaskState.FAILED, TaskState.INTERRUPTED),
        )

    def _execution(self, execution: Execution, end: ExecutionEnd, trace: int) -> None:
        parent = execution.parent
        failure = Failure(type="ExecutionFailed", message=end.error) if end.error else None
        self._make(
            f"execution {execution.workflow}",
            trace=trace,
            span=ids.execution_span(execution.id),
            parent=None if parent is None else ids.task_span(parent.execution, parent.task),
            began=_nanoseconds(execution.started_at or execution.created_at),
            ended=_nanoseconds(end.at),
            attributes={
                "groundplan.execution.id": execution.id,
                "groundplan.deployment.id": execution.deployment,
                "groundplan.workflow": execution.workflow,
                "groundplan.execution.status": str(end.status),
            },
            failure=failure,
            failed=end.status is ExecutionStatus.FAILED,
        )

    def _make(
        self,
        name: str,
        *,
        trace: int,
        span: int,
        parent: int | None,
        began: int,
        ended: int,
        attributes: Attributes,
        failure: Failure | None,
        failed: bool,
        links: Sequence[Link] = (),
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> None:
        status = Status(StatusCode.ERROR, failure.message if failure else None) if failed else Status(StatusCode.UNSET)
        made = ReadableSpan(
            name=name,
            context=_context(trace, span),
            parent=None if parent is None else _context(trace, parent),
            resource=self._resource,
            attributes=attributes,
            events=[] if failure is None else [_exception(failure, ended)],
            links=links,
            kind=kind,
            status=status,
            start_time=min(began, ended),
            end_time=ended,
            instrumentation_scope=_SCOPE,
        )
        self._made += 1
        self._processor.on_end(made)


def _about(execution: Execution, task: Task) -> Attributes:
    about: Attributes = {
        "groundplan.execution.id": execution.id,
        "groundplan.deployment.id": execution.deployment,
        "groundplan.task.number": task.number,
        "groundplan.operation": task.operation,
        "groundplan.task.kind": str(task.kind),
    }
    if task.instance:
        about["groundplan.instance.id"] = task.instance
    if task.relationship is not None:
        about["groundplan.target.id"] = task.relationship.target
    return about


def _error_type(failure: Failure | None) -> Attributes:
    return {} if failure is None else {"error.type": failure.type}


def _exception(failure: Failure, at: int) -> Event:
    told = {"exception.type": failure.type, "exception.message": failure.message}
    if failure.detail:
        told["exception.stacktrace"] = failure.detail
    return Event("exception", told, at)


def _context(trace: int, span: int) -> SpanContext:
    return SpanContext(trace, span, is_remote=False, trace_flags=_SAMPLED)


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1_000
