"""What a user gets who switches watching on: a whole trace, figures, lines of JSON; and what it may never cost."""

import json
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from groundplan.diagnostics.trouble import UsageError
from groundplan.service.observing import read_observing

from ...proof.user import User, user_in
from .collector import Collector, about, collecting

CHILD = """
    tosca_definitions_version: cloudify_dsl_1_5
    imports: [cloudify/types/types.yaml]
    node_templates:
      site:
        type: cloudify.nodes.Root
        interfaces:
          cloudify.interfaces.lifecycle:
            create: {implementation: scripts/once.py, retry_interval: 0.1}
            start: {implementation: scripts/say.sh}
"""
PARENT = """
    tosca_definitions_version: cloudify_dsl_1_5
    imports: [cloudify/types/types.yaml]
    node_templates:
      part:
        type: cloudify.nodes.ServiceComponent
        properties:
          resource_config: {blueprint: {id: child, external_resource: true}, deployment: {id: part}}
"""
ONCE = """\
from cloudify import ctx
from cloudify.exceptions import RecoverableError
if ctx.operation.retry_number == 0:
    raise RecoverableError("not yet")
"""


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A user with a component in their home that was installed while everything was watched."""

    user: User
    collector: Collector

    def lines(self) -> list[dict[str, object]]:
        """The log."""
        return [json.loads(line) for line in (self.user.folder / "log").read_text().splitlines()]

    def chain(self, span: Span) -> list[str]:
        """The names of a span and of those above it."""
        by_id, names = {it.span_id: it for it in self.collector.spans}, [span.name]
        while span.parent_span_id:
            span = by_id[span.parent_span_id]
            names.append(span.name)
        return names


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """See `Watched`."""
    user = user_in(tmp_path_factory.mktemp("watched"))
    user.write("child/scripts/once.py", ONCE)
    user.write("child/scripts/say.sh", '#!/bin/sh\necho "I am in $TRACEPARENT"\n')
    user.upload("child", CHILD)
    user.upload("parent", PARENT)
    user.ok("deployments", "create", "parent", "-b", "parent")
    with collecting() as collector:
        log = {"GROUNDPLAN_LOG_FILE": str(user.folder / "log")}
        replace(user, variables={**collector.environment(), **log}).install("parent")
        yield Watched(user=user, collector=collector)


def test_an_execution_and_its_children_are_one_trace(watched: Watched) -> None:
    spans = watched.collector.spans
    assert len({span.trace_id for span in spans}) == 1
    assert len({span.span_id for span in spans}) == len(spans)

    process = [it for it in spans if it.name == "process"][-1]
    above = ["attempt start", "task start", "execution install"]
    assert watched.chain(process) == ["process", *above, "task start", "execution install"]
    said = next(it for it in watched.lines() if "I am in" in str(it["message"]))
    assert f"00-{process.trace_id.hex()}-{process.span_id.hex()}-01" in str(said["message"])
    assert (said["trace_id"], said["span_id"]) == (process.trace_id.hex(), process.parent_span_id.hex())
    assert (said["deployment"], said["attempt"], said["level"]) == ("part", 1, "info")


def test_a_retry_is_linked_to_what_failed(watched: Watched) -> None:
    spans = watched.collector.spans
    tries = [it for it in spans if about(it).get("deployment_id") == "part" and it.name == "attempt create"]
    first, second = sorted(tries, key=lambda it: it.start_time_unix_nano)
    assert [link.span_id for link in second.links] == [first.span_id]
    assert first.status.code == Status.STATUS_CODE_ERROR
    assert (about(first)["verdict"], about(second)["verdict"]) == ("retry", "succeeded")
    assert about(first)["error_type"]
    [thrown] = first.events
    assert "not yet" in str(thrown)


def test_the_figures_name_no_instance_and_no_execution(watched: Watched) -> None:
    metrics = watched.collector.metrics
    ended = {
        next(it.value.string_value for it in point.attributes if it.key == "groundplan.verdict"): point.as_int
        for point in metrics["groundplan.attempts"].sum.data_points
        if any(it.value.string_value == "cloudify.interfaces.lifecycle.create" for it in point.attributes)
    }
    assert ended["retry"] == 1
    assert metrics["groundplan.retries"].sum.data_points[0].as_int == 1
    assert {"groundplan.commit.duration", "groundplan.tasks.ready", "groundplan.executions"} <= metrics.keys()
    instances = [item["id"] for item in watched.user.json("node-instances", "list", "-d", "part")]
    told = "\n".join(map(str, metrics.values()))
    assert not any(name in told for name in (*instances, watched.user.latest("parent")["id"]))


def test_a_collector_that_is_down_fails_nothing(watched: Watched) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        away = Collector(port=free.getsockname()[1])
        user = replace(watched.user, variables=away.environment("traces,metrics"))
        done = user.run("executions", "start", "stop", "-d", "parent")
    assert done.returncode == 0
    assert "is the collector at OTEL_EXPORTER_OTLP_ENDPOINT up?" in done.stderr


def test_nothing_is_watched_unless_it_is_switched_on(watched: Watched) -> None:
    variables = {name: text for name, text in watched.collector.environment().items() if name != "GROUNDPLAN_OBSERVE"}
    before = len(watched.collector.bodies)
    replace(watched.user, variables=variables).ok("executions", "start", "start", "-d", "parent", "--force")
    assert len(watched.collector.bodies) == before


def test_a_slip_in_the_variable_is_told_before_anything_is_done(watched: Watched) -> None:
    user = replace(watched.user, variables={"GROUNDPLAN_OBSERVE": "tracs"})
    assert "Did you mean 'traces'?" in user.refused(2, "executions", "start", "stop", "-d", "parent")


@pytest.mark.parametrize(("text", "signals"), [("logs, metrics", {"logs", "metrics"}), ("ALL", None), ("off", ())])
def test_the_variable_says_what_is_watched(text: str, signals: object) -> None:
    found = read_observing({"GROUNDPLAN_OBSERVE": text})
    expected = {"logs", "traces", "metrics"} if signals is None else set(signals)
    assert (set() if found is None else found.signals) == expected


@pytest.mark.parametrize(
    "variables", [{"GROUNDPLAN_LOG_FILE": "/nowhere/log"}, {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}]
)
def test_a_setting_that_is_not_served_is_refused(variables: Mapping[str, str]) -> None:
    with pytest.raises(UsageError):
        read_observing({"GROUNDPLAN_OBSERVE": "all", **variables})


def test_spans_that_nobody_took_are_counted_and_told_once(watched: Watched) -> None:
    with collecting() as collector:
        # The spans of one commit are made at once, and all but one are too many for the queue.
        small = {
            "OTEL_BSP_MAX_QUEUE_SIZE": "1",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1",
            "OTEL_BSP_SCHEDULE_DELAY": "60000",
        }
        user = replace(watched.user, variables={**collector.environment("traces"), **small})
        done = user.run("executions", "start", "stop", "-d", "parent")
    assert done.returncode == 0
    [(lost, made)] = re.findall(r"(\d+) of (\d+) spans were not delivered", done.stderr)
    assert int(made) - int(lost) == len(collector.spans)
    assert "OTEL_BSP_MAX_QUEUE_SIZE" in done.stderr
    assert "is the collector" not in done.stderr
