"""Metrics: how much, how fast, how often in vain, how long the queue. No id of an execution or instance is in them.

Their names and attributes are a promise, written down in docs/howto/watch.md.
"""

from collections.abc import Callable
from typing import Final

from opentelemetry.sdk.metrics import MeterProvider

from groundplan.model.execution import TaskState, Verdict
from groundplan.model.graph import TaskKind
from groundplan.model.ids import ExecutionId
from groundplan.runtime.observer import Attempted, Committed, Written

_COMMITS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_SIZES: Final = (0, 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)
_ATTEMPTS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600)
_EXECUTIONS: Final = (0.1, 1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 21600)


class Metrics:
    """Counts and measures."""

    def __init__(self, provider: MeterProvider, stop: Callable[[], None]) -> None:
        """Make the instruments; `stop` ends a delivery under way."""
        self._stop = stop
        self._provider = provider
        meter = provider.get_meter("groundplan")
        self._executions = meter.create_counter("groundplan.executions", "{execution}", "Executions that ended")
        self._execution_seconds = meter.create_histogram(
            "groundplan.execution.duration",
            "s",
            "From start to end of an execution",
            explicit_bucket_boundaries_advisory=_EXECUTIONS,
        )
        self._attempts = meter.create_counter("groundplan.attempts", "{attempt}", "Attempts whose end was recorded")
        self._attempt_seconds = meter.create_histogram(
            "groundplan.attempt.duration", "s", "Time of an attempt", explicit_bucket_boundaries_advisory=_ATTEMPTS
        )
        self._retries = meter.create_counter("groundplan.retries", "{attempt}", "Attempts that are to be repeated")
        self._call_seconds = meter.create_histogram(
            "groundplan.call.duration",
            "s",
            "Time of a request to a provider, host or database",
            explicit_bucket_boundaries_advisory=_ATTEMPTS,
        )
        self._commit_seconds = meter.create_histogram(
            "groundplan.commit.duration", "s", "Time of a commit", explicit_bucket_boundaries_advisory=_COMMITS
        )
        self._commit_size = meter.create_histogram(
            "groundplan.commit.outcomes",
            "{outcome}",
            "Outcomes in a commit",
            explicit_bucket_boundaries_advisory=_SIZES,
        )
        self._ready = meter.create_gauge("groundplan.tasks.ready", "{task}", "Tasks that wait for a free worker")
        self._in_flight = meter.create_gauge("groundplan.tasks.in_flight", "{task}", "Attempts handed to workers")
        self._active = meter.create_gauge("groundplan.executions.active", "{execution}", "Executions under way here")
        self._taken_over = meter.create_counter("groundplan.leases.taken_over", "{lease}", "Taken from a lost driver")
        self._dropped = meter.create_counter("groundplan.reports.dropped", "{report}", "Never logged, traced, measured")
        self._seen: dict[ExecutionId, int] = {}

    def committed(self, told: Committed, trace: int) -> None:
        """Count what ended."""
        execution, batch = told.execution, told.batch
        if told.taken_over and self._seen.get(execution.id) != batch.lease.fence:
            self._taken_over.add(1)
        self._seen[execution.id] = batch.lease.fence
        for end in batch.ended:
            task = told.tasks[end.task]
            if task.kind is TaskKind.STATE or not end.number:
                continue
            self._attempts.add(
                1, {"groundplan.verdict": str(end.outcome.verdict), "groundplan.operation": task.operation}
            )
            if end.state is TaskState.RESCHEDULED:
                self._retries.add(1, {"groundplan.operation": task.operation})
        if batch.end is not None:
            self._seen.pop(execution.id, None)
            about = {"groundplan.execution.status": str(batch.end.status), "groundplan.workflow": execution.workflow}
            self._executions.add(1, about)
            began = execution.started_at or execution.created_at
            self._execution_seconds.record(max(0.0, (batch.end.at - began).total_seconds()), about)

    def attempted(self, told: Attempted, trace: int) -> None:
        """Measure an attempt and its calls."""
        about = {
            "groundplan.verdict": str(told.outcome.verdict),
            "groundplan.operation": told.task.operation,
            "groundplan.plugin": told.plugin,
        }
        if told.outcome.failure is not None and told.outcome.verdict is not Verdict.WAITING:
            about["error.type"] = told.outcome.failure.type
        self._attempt_seconds.record((told.ended - told.began) / 1e9, about)
        for call in told.calls:
            kind = {"groundplan.call": call.name} | ({"error.type": call.error} if call.error else {})
            self._call_seconds.record((call.ended - call.began) / 1e9, kind)

    def written(self, told: Written) -> None:
        """Measure a commit and how full the queue is."""
        self._commit_seconds.record(told.seconds)
        self._commit_size.record(told.outcomes)
        self._ready.set(told.ready)
        self._in_flight.set(told.in_flight)
        self._active.set(told.executions)

    def dropped(self, count: int) -> None:
        """Count what was told too fast."""
        self._dropped.add(count)

    def close(self) -> None:
        """Hand on the last figures."""
        self._provider.shutdown()

    def give_up(self) -> None:
        """Stop delivering."""
        self._stop()
