"""What becomes of a script whose engine, or whose connection, ended before it did."""

import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from groundplan.runtime.foreign.machine import Machine
from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan.sdk.operation import traits
from groundplan.sdk.testing import BenchContext, context
from groundplan_ssh import remote
from groundplan_ssh.client import connect
from groundplan_ssh.target import Target
from groundplan_ssh.tasks import run_script

from ...proof.user import eventually

Script = Callable[..., Any]


def forget(ctx: BenchContext) -> None:
    """Be the attempt after an engine that died: nothing of the last one was recorded."""
    ctx.instance.runtime_properties.clear()
    ctx.log.clear()
    lost = ctx.operation.attempt_id
    ctx.operation = replace(ctx.operation, attempt_id=f"{lost}x", lost_attempt=lost)


def begin_and_die(ctx: BenchContext, server: Any, blueprint: Path, text: str) -> None:
    """Start a script as an attempt does whose engine then dies: once the script made the file `said`, it is alone."""
    (blueprint / "lost.sh").write_text(text)
    target = Target.read(ctx, server.environment)
    with ctx.serve() as proxy, connect(ctx, target, 5) as line, line.forwarding(proxy.port) as port:
        job = remote.Job(
            name="lost.sh",
            content=text.encode(),
            prefix=("bash",),
            environment={"CTX_SOCKET_URL": f"http://127.0.0.1:{port}{proxy.path}"},
            files={"bin/ctx": proxy.client.encode()},
            base_dir=str(server.folder / "work"),
        )
        program = remote.start(ctx.operation.attempt_id, job)
        line.run(program, lambda *_: None, lambda: (server.folder / "said").exists())


def again(ctx: BenchContext, server: Any) -> Any:
    return run_script(
        ctx, script_path="lost.sh", fabric_env=server.environment, process={"base_dir": str(server.folder / "work")}
    )


def test_the_engine_is_told_that_these_operations_find_their_lost_attempts() -> None:
    assert traits(run_script).finds_lost_attempt
    assert not traits(run_script).repeatable


def test_the_end_of_a_lost_script_is_taken(ctx: BenchContext, server: Any, blueprint: Path) -> None:
    count = server.folder / "count"
    text = f"""
echo x >> {count}
ctx instance runtime-properties password hunter2
ctx returns done
echo end
touch {server.folder}/said
"""
    begin_and_die(ctx, server, blueprint, text)
    forget(ctx)

    assert again(ctx, server) == "done"
    assert ctx.instance.runtime_properties == {"password": "hunter2"}
    assert ("info", "<out> end") in ctx.log
    assert count.read_text() == "x\n"
    assert server.left_behind() == []


def test_a_lost_script_that_runs_is_waited_for(ctx: BenchContext, server: Any, blueprint: Path) -> None:
    go = server.folder / "go"
    text = f"touch {server.folder}/said; while [ ! -e {go} ]; do sleep 0.05; done; echo late; exit 4"
    begin_and_die(ctx, server, blueprint, text)
    forget(ctx)
    threading.Timer(0.3, go.touch).start()

    with pytest.raises(RecoverableError, match="exit code 4"):
        again(ctx, server)
    assert ("info", "<out> late") in ctx.log
    assert server.left_behind() == []


def test_a_lost_script_that_called_ctx_in_vain_was_interrupted(ctx: BenchContext, server: Any, blueprint: Path) -> None:
    go = server.folder / "go"
    wait = f"touch {server.folder}/said; while [ ! -e {go} ]; do sleep 0.05; done"
    text = f"{wait}; ctx instance runtime-properties a 1; true"
    begin_and_die(ctx, server, blueprint, text)
    forget(ctx)
    go.touch()

    with pytest.raises(NonRecoverableError, match="interrupted"):
        again(ctx, server)
    assert ctx.instance.runtime_properties == {}


def test_a_lost_script_whose_process_is_gone_was_interrupted(ctx: BenchContext, server: Any, blueprint: Path) -> None:
    begin_and_die(ctx, server, blueprint, f"touch {server.folder}/said; kill -9 0")
    forget(ctx)

    with pytest.raises(NonRecoverableError, match="interrupted: its process is gone"):
        again(ctx, server)
    assert server.left_behind() == []


def test_a_script_that_never_started_is_started(ctx: BenchContext, server: Any, blueprint: Path) -> None:
    (blueprint / "lost.sh").write_text("ctx returns started")
    forget(ctx)

    assert again(ctx, server) == "started"


def test_an_end_that_was_seen_but_not_recorded(ctx: BenchContext, server: Any, blueprint: Path) -> None:
    count = server.folder / "count"
    (blueprint / "lost.sh").write_text(f"echo x >> {count}; ctx instance runtime-properties a 1; ctx returns done")
    assert again(ctx, server) == "done"
    forget(ctx)

    assert again(ctx, server) == "done"
    assert ctx.instance.runtime_properties == {"a": "1"}
    assert count.read_text() == "x\n"


def test_the_engine_may_die_twice(ctx: BenchContext, server: Any, blueprint: Path) -> None:
    begin_and_die(ctx, server, blueprint, f"ctx returns done; touch {server.folder}/said; sleep 1")
    forget(ctx)
    ctx.given_up = False
    again(ctx, server)
    forget(ctx)

    assert again(ctx, server) == "done"


def test_what_is_kept_goes_with_the_next_execution(ctx: BenchContext, server: Any, blueprint: Path) -> None:
    (blueprint / "lost.sh").write_text("true")
    again(ctx, server)
    ctx.execution_id = "next"
    ctx.operation = replace(ctx.operation, attempt_id="other")
    again(ctx, server)

    assert [key for key in ctx.remembered if key.startswith("ssh.attempt:")] == ["ssh.attempt:other"]


def test_a_connection_that_ends_is_made_again(ctx: BenchContext, server: Any, blueprint: Path) -> None:
    go, count = server.folder / "go", server.folder / "count"
    (blueprint / "lost.sh").write_text(
        f"echo x >> {count}; echo before; while [ ! -e {go} ]; do sleep 0.05; done; "
        "echo after; ctx instance runtime-properties a 1; ctx returns done"
    )

    def cut() -> None:
        eventually(lambda: ("info", "<out> before") in ctx.log, patience=30)
        server.stop()
        server.start()
        eventually(lambda: any("connecting again" in message for _, message in ctx.log), patience=30)
        time.sleep(1.5)  # until the port of ctx is forwarded again: nothing tells
        go.touch()

    cutting = threading.Thread(target=cut)
    cutting.start()
    assert again(ctx, server) == "done"
    cutting.join()

    assert ctx.instance.runtime_properties == {"a": "1"}
    assert count.read_text() == "x\n"
    assert ctx.log.count(("info", "<out> before")) == 1


def test_after_a_host_that_stayed_away_the_next_attempt_looks(server: Any, blueprint: Path, tmp_path: Path) -> None:
    count = server.folder / "count"
    (blueprint / "lost.sh").write_text(f"echo x >> {count}; echo before; sleep 1")
    with Machine(scratch=tmp_path, resource_folders=[blueprint]) as machine:
        ctx = context(machine=machine, settings={"connect_patience": 0.1})

        def cut() -> None:
            eventually(lambda: ("info", "<out> before") in ctx.log, patience=30)
            server.stop()

        cutting = threading.Thread(target=cut)
        cutting.start()
        with pytest.raises(RecoverableError, match="no answer"):
            again(ctx, server)
        cutting.join()
        for retry in (1, 2):
            ctx.operation = replace(ctx.operation, attempt_id=f"attempt{retry + 1}", retry_number=retry)
            with pytest.raises(RecoverableError, match="no answer") if retry == 1 else nullcontext():
                again(ctx, server)
            if retry == 1:
                server.start()

    assert count.read_text() == "x\n"
