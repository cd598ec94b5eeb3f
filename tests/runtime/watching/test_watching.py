"""What a user gets who switches watching on: a whole trace, figures, lines of JSON; and what it may never cost."""

import json
import socket
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from ...proof.user import User, user_in
from .collector import Collector, about

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


@pytest.fixture
def user(tmp_path: Path) -> User:
    """A user with a component in their home, not installed yet."""
    user = user_in(tmp_path)
    user.write("child/scripts/once.py", ONCE)
    user.write("child/scripts/say.sh", '#!/bin/sh\necho "I am in $TRACEPARENT"\n')
    user.upload("child", CHILD)
    user.upload("parent", PARENT)
    user.ok("deployments", "create", "parent", "-b", "parent")
    return user


def watched(user: User, collector: Collector, observe: str = "all") -> User:
    """The user with watching switched on, its lines in a file."""
    log = {"GROUNDPLAN_LOG_FILE": str(user.folder / "log")}
    return User(home=user.home, folder=user.folder, variables={**collector.environment(observe), **log})


def lines_of(user: User) -> list[dict[str, object]]:
    return [json.loads(line) for line in (user.folder / "log").read_text().splitlines()]


def chain(collector: Collector, span: Span) -> list[str]:
    """The names of a span and of those above it."""
    by_id, names = {it.span_id: it for it in collector.spans}, [span.name]
    while span.parent_span_id:
        span = by_id[span.parent_span_id]
        names.append(span.name)
    return names


def test_an_execution_and_its_children_are_one_trace(user: User, collector: Collector) -> None:
    watched(user, collector).install("parent")
    assert len({span.trace_id for span in collector.spans}) == 1
    assert len({span.span_id for span in collector.spans}) == len(collector.spans)

    process = [it for it in collector.spans if it.name == "process"][-1]
    assert chain(collector, process) == [
        "process",
        "attempt start",
        "task start",
        "execution install",
        "task start",
        "execution install",
    ]
    said = next(it for it in lines_of(user) if "I am in" in str(it["message"]))
    assert f"00-{process.trace_id.hex()}-{process.span_id.hex()}-01" in said["message"]
    assert said["trace_id"] == process.trace_id.hex()
    assert said["span_id"] == process.parent_span_id.hex()
    assert (said["deployment"], said["attempt"], said["level"]) == ("part", 1, "info")


def test_a_retry_is_linked_to_what_failed(user: User, collector: Collector) -> None:
    watched(user, collector, "traces").install("parent")
    tries = [it for it in collector.spans if about(it).get("deployment_id") == "part" and it.name == "attempt create"]
    first, second = sorted(tries, key=lambda it: it.start_time_unix_nano)
    assert [link.span_id for link in second.links] == [first.span_id]
    assert first.status.code == Status.STATUS_CODE_ERROR
    assert (about(first)["verdict"], about(second)["verdict"]) == ("retry", "succeeded")
    assert about(first)["error_type"]
    [thrown] = first.events
    assert "not yet" in str(thrown)
    assert not (user.folder / "log").exists()
    assert collector.metrics == {}


def test_the_figures_name_no_instance_and_no_execution(user: User, collector: Collector) -> None:
    watched(user, collector, "metrics").install("parent")
    assert collector.spans == []
    ended = {
        next(it.value.string_value for it in point.attributes if it.key == "groundplan.verdict"): point.as_int
        for point in collector.metrics["groundplan.attempts"].sum.data_points
        if any(it.value.string_value.endswith("lifecycle.create") for it in point.attributes)
    }
    assert ended["retry"] == 1
    assert collector.metrics["groundplan.retries"].sum.data_points[0].as_int == 1
    assert {"groundplan.commit.duration", "groundplan.tasks.ready", "groundplan.executions"} <= collector.metrics.keys()
    instances = [item["id"] for item in user.json("node-instances", "list", "-d", "part")]
    told = "\n".join(map(str, collector.metrics.values()))
    assert not any(name in told for name in (*instances, user.latest("parent")["id"]))


def test_a_collector_that_is_down_fails_nothing(user: User, collector: Collector) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        collector.port = free.getsockname()[1]
        done = watched(user, collector).run("executions", "start", "install", "-d", "parent")
    assert done.returncode == 0
    assert "is the collector at OTEL_EXPORTER_OTLP_ENDPOINT up?" in done.stderr


def test_nothing_is_watched_unless_it_is_switched_on(user: User, collector: Collector) -> None:
    away = {name: text for name, text in collector.environment().items() if name != "GROUNDPLAN_OBSERVE"}
    User(home=user.home, folder=user.folder, variables=away).install("parent")
    assert collector.bodies == []


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"GROUNDPLAN_OBSERVE": "tracs"}, "Did you mean 'traces'?"),
        ({"GROUNDPLAN_OBSERVE": "logs", "GROUNDPLAN_LOG_FILE": "/nowhere/log"}, "GROUNDPLAN_LOG_FILE"),
        ({"GROUNDPLAN_OBSERVE": "all", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
    ],
)
def test_a_setting_that_is_not_served_is_refused_at_once(tmp_path: Path, variables: dict[str, str], words: str) -> None:
    assert words in user_in(tmp_path, **variables).refused(2, "deployments", "list")
