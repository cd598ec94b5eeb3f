"""Scripts on another host: what they get, what they may say, how they end."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from groundplan.runtime.calls import Calls
from groundplan.sdk.errors import NonRecoverableError, OperationRetry, RecoverableError
from groundplan.sdk.testing import BenchContext
from groundplan_ssh.tasks import run_commands, run_module_task, run_script, run_task

Script = Callable[..., Any]


def test_a_script_reads_writes_and_returns(script: Script, ctx: BenchContext, server: Any) -> None:
    text = """#!/bin/bash -e
name=$(ctx node properties bucket)
ctx instance runtime-properties url "http://$host/$name"
ctx logger info "made $name"
echo "as $0"
ctx returns '@{"size": 3}'
"""
    assert script("create.sh", text, host="a b") == {"size": 3}
    assert ctx.instance.runtime_properties == {"url": "http://a b/shop"}
    assert ("info", "made shop") in ctx.log
    assert any(message.startswith("<out> as /") for _, message in ctx.log)
    assert server.left_behind() == []


def test_a_script_takes_part_in_the_trace(script: Script, ctx: BenchContext) -> None:
    calls = Calls(traceparent=lambda number: f"request {number}")
    with calls.collecting():
        script("trace.sh", '#!/bin/bash -e\nctx instance runtime-properties in "$TRACEPARENT"')
    told = sorted(calls.masked(str), key=lambda it: it.number)
    assert [it.name for it in told[:3]] == ["ssh", "ssh connect", "ssh run"]
    assert {it.within for it in told[1:]} == {1}
    assert ctx.instance.runtime_properties == {"in": "request 1"}


@pytest.mark.parametrize("value", ["two words", 'it\'s "quoted"', "a\nb\n", "$HOME `id` \\ !", "ünï 💡", "", "'''"])
def test_inputs_arrive_as_they_are(script: Script, ctx: BenchContext, value: str) -> None:
    script("keep.sh", '#!/bin/bash -e\nctx instance runtime-properties value "$value"', value=value)

    assert ctx.instance.runtime_properties == {"value": value}


def test_a_python_script(script: Script, ctx: BenchContext) -> None:
    text = """#!/usr/bin/env python3
from cloudify import ctx
from cloudify.state import ctx_parameters as inputs
ctx.instance.runtime_properties["doubled"] = inputs.size * 2
ctx.returns(ctx.node.properties["bucket"])
"""
    assert script("create.py", text, size=21) == "shop"
    assert ctx.instance.runtime_properties == {"doubled": 42}


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is missing")
def test_a_host_without_python(script: Script, ctx: BenchContext) -> None:
    script("x.sh", 'ctx instance runtime-properties value "it\'s $v"', v="a\nb", CTX_WITHOUT_PYTHON="1")

    assert ctx.instance.runtime_properties == {"value": "it's a\nb"}


def test_files_of_the_blueprint_arrive_on_the_host(script: Script, ctx: BenchContext, blueprint: Path) -> None:
    (blueprint / "raw").write_bytes(bytes(range(256)))
    (blueprint / "page").write_text("<p>{{ who }}</p>")
    text = """#!/bin/bash -e
ctx download-resource raw "$PWD/.raw"
ctx instance runtime-properties size $(wc -c < .raw)
rm .raw
ctx instance runtime-properties page "$(cat $(ctx download-resource-and-render page @'{"who": "ann"}'))"
"""
    script("x.sh", text)

    assert ctx.instance.runtime_properties == {"size": "256", "page": "<p>ann</p>"}


def test_process_env_wins_and_words_are_kept(script: Script, ctx: BenchContext) -> None:
    process = {"env": {"who": "env"}, "args": ["a b", 5, "{}"], "command_prefix": "/bin/sh -e", "cwd": "/usr"}
    script("show", 'echo "$who|$1|$2|$3|$PWD"', process=process, who="input")

    assert ("info", "<out> env|a b|5|{}|/usr") in ctx.log


def test_the_folder_on_the_host_is_closed_to_others(script: Script, ctx: BenchContext) -> None:
    script(
        "x.sh",
        "folder=$(dirname $(dirname $(command -v ctx))); stat -c %a $folder $folder/environment",
        password="hunter2",
    )

    assert [message for _, message in ctx.log if message.startswith("<out>")] == ["<out> 700", "<out> 600"]


def test_nothing_of_the_inputs_is_in_the_list_of_processes(script: Script, ctx: BenchContext) -> None:
    text = 'ctx instance runtime-properties seen "$(ps -eo args | grep -c "[h]unter2-of-input")"'
    script("x.sh", text, password="hunter2-of-input")

    assert ctx.instance.runtime_properties == {"seen": "0"}


def test_failure_carries_code_and_errors(script: Script, server: Any) -> None:
    with pytest.raises(RecoverableError, match=r"x\.sh ended with exit code 3: no space") as caught:
        script("x.sh", "echo first >&2; echo no space >&2; exit 3")
    assert caught.value.detail == "first\nno space"
    assert server.left_behind() == []


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("ctx abort-operation 'no disk'", NonRecoverableError),
        ("ctx retry-operation 'not yet' 7", OperationRetry),
        ("kill -9 $$", RecoverableError),
        ("exit 255", RecoverableError),
    ],
)
def test_how_scripts_end_operations(script: Script, line: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        script("x.sh", line)


def test_output_is_logged_while_it_runs(script: Script, ctx: BenchContext, tmp_path: Path) -> None:
    go = tmp_path / "go"
    thread = threading.Thread(target=script, args=("x.sh", f"echo started; while [ ! -e {go} ]; do sleep 0.05; done"))
    thread.start()
    deadline = 200
    while ("info", "<out> started") not in ctx.log and deadline:
        threading.Event().wait(0.05)
        deadline -= 1
    go.touch()
    thread.join()

    assert deadline


def test_much_output_harms_nobody(script: Script, ctx: BenchContext) -> None:
    script("x.sh", "head -c 60000000 /dev/zero | tr '\\0' x | fold -w 200; echo; echo end >&2; ctx returns 1")

    assert ("info", "<err> end") in ctx.log
    assert len(ctx.log) < 12_000


def test_output_can_be_hidden(script: Script, ctx: BenchContext) -> None:
    script("x.sh", "echo secret; echo secret >&2", hide_output=True)

    assert not any("secret" in message for _, message in ctx.log)


def test_what_goes_on_in_the_background_stays(script: Script, tmp_path: Path) -> None:
    script("x.sh", f"nohup sh -c 'sleep 0.5; touch {tmp_path}/later' >/dev/null 2>&1 &")
    deadline = 200
    while not (tmp_path / "later").exists() and deadline:
        threading.Event().wait(0.05)
        deadline -= 1

    assert deadline


def test_a_script_without_ctx_needs_no_forwarding(script: Script, server: Any, ctx: BenchContext) -> None:
    server.stop()
    server.forwarding = "no"
    server.start()
    script("x.sh", "echo fine", process={"ctx_proxy_type": "none"})
    assert ("info", "<out> fine") in ctx.log

    with pytest.raises(NonRecoverableError, match="AllowTcpForwarding"):
        script("x.sh", "ctx node id")


def test_giving_up_ends_the_script_and_removes_it(
    script: Script, ctx: BenchContext, server: Any, tmp_path: Path
) -> None:
    def give_up() -> None:
        while not (tmp_path / "pid").exists():
            threading.Event().wait(0.02)
        ctx.given_up = True

    threading.Thread(target=give_up).start()
    with pytest.raises(RecoverableError, match="given up"):
        script("x.sh", f"echo $$ > {tmp_path}/pid; sleep 60")

    status = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/status")
    assert not status.exists() or "State:\tZ" in status.read_text()
    assert server.left_behind() == []


def test_several_scripts_at_once_lose_nothing(script: Script, ctx: BenchContext, server: Any, blueprint: Path) -> None:
    (blueprint / "many.sh").write_text(
        "#!/bin/bash -e\nfor n in 1 2 3 4 5 6 7 8; do ctx instance runtime-properties m.k$n $n & done; wait"
    )
    script("many.sh", (blueprint / "many.sh").read_text())

    assert ctx.instance.runtime_properties == {"m": {f"k{n}": str(n) for n in range(1, 9)}}


def test_commands(server: Any, ctx: BenchContext) -> None:
    commands = ["echo one", "cd /usr", 'echo "$PWD $who"', "ctx instance runtime-properties done yes"]
    run_commands(ctx, commands=commands, fabric_env=server.environment, who="it's me")

    assert ("info", "<out> one") in ctx.log
    assert ("info", f"<out> {server.home} it's me") in ctx.log
    assert ctx.instance.runtime_properties == {"done": "yes"}
    with pytest.raises(RecoverableError, match="exit code 4"):
        run_commands(ctx, commands=["exit 4", "echo never"], fabric_env=server.environment)
    assert ("info", "<out> never") not in ctx.log


def test_fabfiles_are_refused_in_plain_words(ctx: BenchContext) -> None:
    for refused in (run_task, run_module_task):
        with pytest.raises(NonRecoverableError, match="use run_script"):
            refused(ctx, task_name="x")
    with pytest.raises(NonRecoverableError, match="script_path"):
        run_script(ctx)
