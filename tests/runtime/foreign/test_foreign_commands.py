"""What scripts may say through ctx, without any HTTP."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from groundplan.model.values import Sensitive
from groundplan.runtime.foreign.commands import ContextCommands, ReplyType
from groundplan.sdk.context import ScriptAnswer
from groundplan.sdk.testing import BenchContext, context, end, neighbour

PROPERTIES = {"port": 80, "a": {"b": [1, {"c": "deep"}]}, "key": Sensitive("hunter2")}


def said(ctx: BenchContext, *arguments: Any) -> Any:
    reply = ContextCommands(ctx).run(arguments)
    assert reply.type is ReplyType.RESULT, reply.payload
    return reply.payload


def refused(ctx: BenchContext, *arguments: Any) -> str:
    reply = ContextCommands(ctx).run(arguments)
    assert reply.type is ReplyType.ERROR
    return str(reply.payload)


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (["node", "id"], "node"),
        (["node", "properties", "port"], 80),
        (["node", "properties", "a.b[1].c"], "deep"),
        (["node", "properties", "key"], "hunter2"),
        (["instance", "id"], "node_1"),
        (["instance", "host-ip"], "10.0.0.1"),
        (["instance", "runtime-properties", "ip"], "10.0.0.1"),
        (["deployment", "id"], "bench"),
        (["blueprint", "id"], "bench"),
        (["execution-id"], "execution_bench"),
        (["operation", "retry-number"], 0),
        (["operation", "name"], "cloudify.interfaces.lifecycle.create"),
        (["type"], "node-instance"),
    ],
)
def test_reading(command: list[str], answer: Any) -> None:
    assert said(context(properties=PROPERTIES, runtime_properties={"ip": "10.0.0.1"}), *command) == answer


def test_writing_makes_the_mappings_on_the_way() -> None:
    ctx = context(runtime_properties={"list": [1, 2]})
    said(ctx, "instance", "runtime-properties", "a.b", "x")
    said(ctx, "instance", "runtime-properties", "list[1]", {"y": 3})

    assert ctx.instance.runtime_properties == {"a": {"b": "x"}, "list": [1, {"y": 3}]}


def test_a_mapping_that_looks_like_a_function_stays_data() -> None:
    ctx = context()
    said(ctx, "instance", "runtime-properties", "a", {"get_secret": "root"})

    assert ctx.instance.runtime_properties == {"a": {"get_secret": "root"}}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([], "needs arguments"),
        (["secrets"], "ctx has no secrets"),
        (["node", "__class__"], "ctx has no node __class__"),
        (["plugin", "settings"], "ctx has no plugin settings"),
        (["mask", "x"], "ctx has no mask"),
        (["run", "id"], "ctx has no run"),
        (["source", "node"], "ctx has no source"),
        (["node", "properties", "missing"], "illegal path: missing"),
        (["node", "properties", "a..b"], "illegal path"),
        (["node", "properties", "port", 81], "cannot be written"),
        (["instance", "runtime-properties", "a", 1, 2], "too many arguments"),
        (["logger", "info"], "missing a required argument"),
        (["retry-operation", "again", "soon"], "not a number of seconds"),
    ],
)
def test_what_is_refused(command: list[Any], words: str) -> None:
    assert words in refused(context(properties=PROPERTIES), *command)


def test_both_ends_of_a_relationship_can_be_written() -> None:
    ctx = context(source=end(name="web"), target=end(name="db", properties={"port": 5432}))
    assert said(ctx, "target", "node", "properties", "port") == 5432
    said(ctx, "target", "instance", "runtime-properties", "users", ["web"])
    said(ctx, "source", "instance", "runtime-properties", "db", "up")

    assert ctx.source is not None
    assert ctx.target is not None
    assert ctx.target.instance.runtime_properties == {"users": ["web"]}
    assert ctx.source.instance.runtime_properties == {"db": "up"}
    assert "ctx has no instance" in refused(ctx, "instance", "id")


def test_neighbours_can_be_read() -> None:
    ctx = context(neighbours=[neighbour(node_type="Net", runtime_properties={"id": "vpc-1"})])
    path = "[0].target.instance.runtime_properties.id"

    assert said(ctx, "instance", "relationships", path) == "vpc-1"


def test_logging_and_events_reach_the_deployment() -> None:
    ctx = context()
    said(ctx, "logger", "warning", "low on disk")
    said(ctx, "send-event", "half way")

    assert (ctx.log, ctx.events) == ([("warning", "low on disk")], ["half way"])


def test_the_three_answers() -> None:
    commands = ContextCommands(context())
    commands.run(["returns", {"value": 1}])
    assert commands.answer == ScriptAnswer(returned=True, result={"value": 1})

    commands = ContextCommands(context())
    assert commands.run(["retry-operation", "not yet", "7"]).type is ReplyType.STOP
    assert commands.answer == ScriptAnswer(retry=True, retry_after=7, message="not yet")

    commands = ContextCommands(context())
    assert commands.run(["abort-operation", "no disk"]).payload == "no disk"
    assert commands.answer == ScriptAnswer(abort=True, message="no disk")


def test_a_second_answer_is_fatal() -> None:
    commands = ContextCommands(context())
    commands.run(["returns", 1])

    assert commands.run(["returns", 1]).type is ReplyType.ERROR
    assert commands.answer.abort


def test_resources_come_as_text_or_as_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "b.bin").write_bytes(b"\xff\x00")
    ctx = context(resources=tmp_path)
    file = ContextCommands(ctx).run(["download-resource", "b.bin", "/opt/b"])

    assert said(ctx, "get-resource", "a.txt") == "hello"
    assert "download-resource" in refused(ctx, "get-resource", "b.bin")
    assert (file.type, file.name, file.target, file.content) == (ReplyType.FILE, "b.bin", "/opt/b", b"\xff\x00")
    assert "no resource" in refused(ctx, "get-resource", "../a.txt")


def test_nothing_is_answered_after_the_end() -> None:
    ctx = context()
    commands = ContextCommands(ctx)
    commands.close()
    commands.run(["instance", "runtime-properties", "late", 1])

    assert ctx.instance.runtime_properties == {}


def test_calls_at_once_lose_nothing() -> None:
    ctx = context()
    commands = ContextCommands(ctx)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: commands.run(["instance", "runtime-properties", f"m.k{n}", n]), range(200)))

    assert ctx.instance.runtime_properties == {"m": {f"k{n}": n for n in range(200)}}
