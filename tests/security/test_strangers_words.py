"""What scripts and templates say to people and to ctx: no control of the terminal, no crash of the proxy."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from groundplan.cli.views.lines import line
from groundplan.diagnostics.visible import visible
from groundplan.model.execution import Event, EventType
from groundplan.runtime.foreign.machine import Machine
from groundplan.runtime.foreign.proxy import HttpContextProxy
from groundplan.sdk.testing import context


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[HttpContextProxy]:
    (tmp_path / "evil").write_text("{{ ''.__class__.__mro__[1].__subclasses__() }}")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "out").symlink_to("/etc/passwd")
    machine = Machine(scratch=tmp_path, resource_folders=[tmp_path])
    with machine, HttpContextProxy(context(machine=machine)) as served:
        yield served


def ask(proxy: HttpContextProxy, *args: Any) -> dict[str, Any]:
    request = urllib.request.Request(proxy.url, json.dumps({"args": args}).encode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


@pytest.mark.parametrize(
    "args",
    [
        ["instance", "change", 5],
        ["instance", "change", {"put": [1]}],
        ["instance", "change", {"remove": "name"}],
        ["instance", "runtime-properties", "a" * 10_000, {}, {}],
        ["instance", "_world"],
        ["instance", "__class__"],
        ["node", "properties", "__class__"],
        ["logger", "__init__"],
        ["get-resource", "a" * 300],
        ["get-resource", "a\0b"],
        ["get-resource", "loop"],
        ["get-resource", "out"],
        ["get-resource", "../state.db"],
        ["get-resource", "/etc/passwd"],
        ["get-resource", "file:///etc/passwd"],
        ["download-resource", "."],
        ["get-resource-and-render", "evil"],
        [{"args": 1}],
        [None],
        [],
    ],
)
def test_whatever_a_script_asks_it_gets_a_plain_refusal(proxy: HttpContextProxy, args: list[Any]) -> None:
    answer = ask(proxy, *args)
    assert answer["type"] == "error"
    assert "root:" not in answer["payload"]
    assert ask(proxy, "instance", "index")["payload"] == 1


@pytest.mark.parametrize("path", ["/", "/x", "/\xff"])
def test_without_the_token_there_is_nothing(proxy: HttpContextProxy, path: str) -> None:
    url = proxy.url.removesuffix(proxy.path) + urllib.request.quote(path, encoding="latin-1")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(url, b'{"args": ["node", "id"]}'), timeout=10)
    assert refused.value.code == 404
    refused.value.close()


def test_a_log_line_can_neither_steer_a_terminal_nor_forge_one() -> None:
    event = Event(
        at=datetime(2026, 1, 1, tzinfo=UTC),
        type=EventType.LOG,
        level="info",
        message="\x1b]0;owned\x07\x1b[2J done\rforged \x9b31m \u202e",
        execution=None,
        deployment="shop",
    )
    assert line(event).isprintable()


def test_text_with_lines_and_other_scripts_stays_as_it_is() -> None:
    assert visible("Zoë\n\tdone ✓ 日本") == "Zoë\n\tdone ✓ 日本"
