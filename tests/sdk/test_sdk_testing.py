"""The bench gives operations a whole context and shows what they did with it."""

from pathlib import Path
from typing import Any

import pytest

from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan.sdk.testing import context, end, neighbour, run_twice


def test_a_bench_is_an_operation_context() -> None:
    ctx: OperationContext = context(properties={"port": 80}, node_type="shop.Server")

    assert ctx.node.is_a("shop.Server")
    assert ctx.node.properties == {"port": 80}
    assert ctx.source is None


def test_a_bench_keeps_what_was_said() -> None:
    ctx = context()
    ctx.logger.info("made it")
    ctx.send_event("done")
    ctx.mask("hunter2")

    assert (ctx.log, ctx.events, ctx.masked) == ([("info", "made it")], ["done"], {"hunter2"})


def test_time_passes_only_when_asked_to() -> None:
    waited: list[float] = []
    context(sleep=waited.append).sleep(30)

    assert waited == [30]


def test_a_wait_ends_when_the_attempt_is_given_up() -> None:
    ctx = context()
    ctx.given_up = True

    with pytest.raises(RecoverableError):
        ctx.sleep(30)


def test_relationship_operations_run_on_the_source() -> None:
    source, target = end(name="web"), end(name="db", runtime_properties={"ip": "10.0.0.1"})
    ctx = context(source=source, target=target)

    assert ctx.instance is source.instance
    assert ctx.target is not None
    assert ctx.target.instance.host_ip == "10.0.0.1"


def test_a_neighbour_knows_both_hierarchies() -> None:
    network = neighbour("shop.plugged_into", node_type="shop.Network", type_hierarchy=("cloudify.nodes.Root",))

    assert network.is_a("cloudify.relationships.depends_on")
    assert network.node.is_a("cloudify.nodes.Root")


def test_resources_stay_in_their_folder(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("no")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "script.sh").write_text("yes")
    (inside / "link").symlink_to(tmp_path / "outside")
    ctx = context(resources=inside)

    assert ctx.resources.read("script.sh") == b"yes"
    for path in ("../outside", "link", "missing"):
        with pytest.raises(NonRecoverableError):
            ctx.resources.read(path)


def test_run_twice_forgets_the_first_run() -> None:
    seen: list[tuple[str, dict[str, Any]]] = []

    def create(ctx: OperationContext, size: int) -> None:
        seen.append((ctx.operation.lost_attempt, dict(ctx.instance.runtime_properties)))
        ctx.instance.runtime_properties["id"] = f"{ctx.operation.attempt_id}-{size}"

    first, second = run_twice(create, context(runtime_properties={"kept": [1]}), size=3)

    assert seen == [("", {"kept": [1]}), ("attempt1", {"kept": [1]})]
    assert (first["id"], second["id"]) == ("attempt1-3", "attempt1-again-3")


def test_a_bench_without_a_machine_says_so() -> None:
    with pytest.raises(NonRecoverableError, match="no machine"):
        context().run(["true"])
