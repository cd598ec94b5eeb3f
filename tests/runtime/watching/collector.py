"""An OpenTelemetry collector on loopback: takes OTLP over HTTP and keeps it."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf.message import Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_KINDS: dict[str, type[Message]] = {"/v1/traces": ExportTraceServiceRequest, "/v1/metrics": ExportMetricsServiceRequest}


@dataclass(kw_only=True)
class Collector:
    """What came in."""

    port: int = 0
    bodies: list[bytes] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    metrics: dict[str, Metric] = field(default_factory=dict)

    def environment(self, observe: str = "all") -> dict[str, str]:
        """What a process needs to be watched by it."""
        return {
            "GROUNDPLAN_OBSERVE": observe,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "NO_PROXY": "127.0.0.1",
        }

    def take(self, path: str, body: bytes) -> None:
        """Keep a request."""
        self.bodies.append(body)
        request = _KINDS[path].FromString(body)
        for resource in getattr(request, "resource_spans", ()):
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]
        for resource in getattr(request, "resource_metrics", ()):
            self.metrics |= {metric.name: metric for scope in resource.scope_metrics for metric in scope.metrics}

    def span(self, name: str, **attributes: object) -> Span:
        """The only span of a name with these attributes (`_` for `.` after `groundplan`)."""
        [found] = [it for it in self.spans if it.name == name and attributes.items() <= about(it).items()]
        return found


def about(span: Span) -> dict[str, object]:
    """The attributes of a span, the engine's prefix left out."""
    return {
        item.key.removeprefix("groundplan.").replace(".", "_"): getattr(item.value, item.value.WhichOneof("value"))
        for item in span.attributes
    }


@contextmanager
def collecting() -> Iterator[Collector]:
    """Have a collector listen until the block is left."""
    collector = Collector()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.take(self.path, gzip.decompress(body) if self.headers.get("Content-Encoding") else body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        collector.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
