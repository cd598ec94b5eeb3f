"""Opens logs, traces and metrics as they are wanted; where they go is said by OpenTelemetry's own variables.

See the specification's "OTLP exporter" and "General SDK configuration". Deliveries are batched and bounded by the
exporters; what they complain about is counted, not printed in the middle of an execution.
"""

import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

from groundplan import __version__
from groundplan.runtime.watching.lines import Lines
from groundplan.runtime.watching.metrics import Metrics
from groundplan.runtime.watching.signal import Signal
from groundplan.runtime.watching.traces import Traces
from groundplan.runtime.watching.watcher import FindExecution, Watcher

_SERVICE: Final = "groundplan"
_QUEUE_FULL: Final = "Queue full"


def observe(
    *,
    logs: bool,
    traces: bool,
    metrics: bool,
    log_file: Path | None,
    find: FindExecution,
    say: Callable[[str], None],
    environment: Mapping[str, str] = os.environ,
) -> Watcher:
    """Start to watch.

    Args:
        log_file: where lines are appended; None for standard error.
        find: reads an execution from the store.
        say: tells people that something could not be delivered.

    Raises:
        OSError: the log file cannot be opened.
    """
    failures = _quiet()
    signals: list[Signal] = [Lines(log_file)] if logs else []
    resource = _resource(environment)
    made = _traces(resource) if traces else None
    if made is not None:
        signals.append(made)
    if metrics:
        exporter = OTLPMetricExporter()
        reader = PeriodicExportingMetricReader(exporter)
        provider = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
        signals.append(Metrics(provider, exporter.shutdown))
    if made is None:
        return Watcher(signals, find, say, failures)
    return Watcher(signals, find, say, failures, sampled=made.sampled, undelivered=made.undelivered)


def _traces(resource: Resource) -> Traces:
    # The provider reads the sampler from the environment; the spans are our own.
    sampler = TracerProvider(resource=resource, shutdown_on_exit=False).sampler
    exporter = _SpanExporter()
    return Traces(
        processor=BatchSpanProcessor(exporter),
        sampler=sampler,
        resource=resource,
        stop=exporter.shutdown,
        delivered=lambda: exporter.delivered,
    )


class _SpanExporter(OTLPSpanExporter):
    """Counts what the collector took: the batches before it drop what does not fit into their queue."""

    delivered = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = super().export(spans)
        if result is SpanExportResult.SUCCESS:
            self.delivered += len(spans)
        return result


def _resource(environment: Mapping[str, str]) -> Resource:
    about = {"service.version": __version__, "service.instance.id": f"{socket.gethostname()}:{os.getpid()}"}
    named = environment.get("OTEL_SERVICE_NAME") or "service.name=" in environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return Resource.create(about if named else {**about, "service.name": _SERVICE})


class _Failures(logging.Handler):
    """Counts what OpenTelemetry complains about. Its words may quote addresses and headers: they are not repeated."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        # Of what did not fit into a queue the number is told, and it is no fault of the collector.
        if not str(record.msg).startswith(_QUEUE_FULL):
            self.count += 1


def _quiet() -> Callable[[], int]:
    logger, failures = logging.getLogger("opentelemetry"), _Failures()
    logger.addHandler(failures)
    logger.propagate = False
    return lambda: failures.count
