"""Scripts on this machine, as blueprints use them."""

import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from groundplan.runtime.foreign.machine import Machine
from groundplan.sdk.errors import NonRecoverableError, OperationRetry, RecoverableError
from groundplan.sdk.operation import traits
from groundplan.sdk.testing import BenchContext, context, end
from groundplan_script.tasks import run

Script = Callable[..., Any]


@pytest.fixture
def ctx(tmp_path: Path) -> Iterator[BenchContext]:
    with Machine(scratch=tmp_path, resource_folders=[tmp_path]) as machine:
        yield context(machine=machine, properties={"bucket": "shop"})


@pytest.fixture
def script(tmp_path: Path, ctx: BenchContext) -> Script:
    def write_and_run(name: str, text: str, **inputs: Any) -> Any:
        (tmp_path / name).write_text(text)
        return run(ctx, script_path=name, **inputs)

    return write_and_run


def test_a_shell_script_reads_writes_and_returns(script: Script, ctx: BenchContext) -> None:
    text = """#!/bin/bash -e
name=$(ctx node properties bucket)
ctx instance runtime-properties url "http://$host/$name"
ctx logger info "made $name"
ctx returns '@{"size": 3}'
"""
    assert script("create.sh", text, host="a b") == {"size": 3}
    assert ctx.instance.runtime_properties == {"url": "http://a b/shop"}
    assert ctx.log == [("info", "made shop")]


def test_a_script_without_a_first_line_runs_in_the_shell(script: Script, ctx: BenchContext) -> None:
    script("plain", 'echo "$0" | grep -c plain; echo oops >&2')

    assert sorted(ctx.log) == [("info", "<err> oops"), ("info", "<out> 1")]


def test_a_python_script(script: Script, ctx: BenchContext) -> None:
    text = """
from cloudify import ctx
from cloudify.state import ctx_parameters as inputs

if __name__ == "__main__":
    ctx.instance.runtime_properties["doubled"] = inputs["size"] * 2
    ctx.returns(ctx.node.properties["bucket"])
"""
    assert script("create.py", text, size=21) == "shop"
    assert ctx.instance.runtime_properties == {"doubled": 42}


def test_inputs_arrive_as_they_are(script: Script, ctx: BenchContext) -> None:
    value = 'it\'s "two" words\n$HOME ünï'
    script(
        "keep.sh",
        'ctx instance runtime-properties value "$value"; echo "$map $yes"',
        value=value,
        map={"a": [1]},
        yes=True,
    )

    assert ctx.instance.runtime_properties == {"value": value}
    assert ctx.log == [("info", '<out> {"a": [1]} true')]


def test_the_process_input(script: Script, ctx: BenchContext, tmp_path: Path) -> None:
    process = {"cwd": str(tmp_path), "env": {"who": "env"}, "args": ["x", 5], "command_prefix": "/bin/sh -e"}
    script("show", "pwd; echo $who $1 $2", process=process, who="input")

    assert ctx.log == [("info", f"<out> {tmp_path}"), ("info", "<out> env x 5")]


def test_python_by_its_first_line(script: Script, ctx: BenchContext) -> None:
    script("x.py", "#!/bin/sh\necho shell", process={"eval_python": False})

    assert ctx.log == [("info", "<out> shell")]


def test_source_in_the_blueprint(ctx: BenchContext) -> None:
    run(ctx, script_source="if true; then\n ctx instance runtime-properties by shell\nfi")
    run(ctx, script_source="from cloudify import ctx\nctx.instance.runtime_properties['too'] = 'python'")

    assert ctx.instance.runtime_properties == {"by": "shell", "too": "python"}


def test_a_script_without_ctx(script: Script) -> None:
    with pytest.raises(RecoverableError, match="exit code 1: ctx: CTX_SOCKET_URL is not set"):
        script("x.sh", "ctx node id", process={"ctx_proxy_type": "none"})


def test_failure_carries_code_and_errors(script: Script) -> None:
    with pytest.raises(RecoverableError, match=r"x\.sh ended with exit code 3: no space") as caught:
        script("x.sh", "echo first >&2; echo no space >&2; exit 3")
    assert caught.value.detail == "first\nno space"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("ctx abort-operation 'no disk'", NonRecoverableError),
        ("ctx retry-operation 'not yet' 7", OperationRetry),
        ("ctx returns 1; ctx returns 2", NonRecoverableError),
        ("kill -9 $$", RecoverableError),
    ],
)
def test_how_scripts_end_operations(script: Script, line: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        script("x.sh", line)


def test_much_output_harms_nobody(script: Script, ctx: BenchContext) -> None:
    script("x.sh", "head -c 100000000 /dev/zero | tr '\\0' '\\n'; ctx instance runtime-properties done @true")

    assert ctx.instance.runtime_properties == {"done": True}
    assert len(ctx.log) <= 10_001


def test_scripts_of_relationships(tmp_path: Path) -> None:
    (tmp_path / "link.sh").write_text("ctx source instance runtime-properties db $(ctx target instance id)")
    with Machine(scratch=tmp_path, resource_folders=[tmp_path]) as machine:
        ctx = context(machine=machine, source=end(name="web"), target=end(name="db"))
        run(ctx, script_path="link.sh")

    assert ctx.instance.runtime_properties == {"db": "db_1"}


@pytest.mark.parametrize("path", ["", "missing.sh", "../outside.sh", "/etc/passwd", "file:///etc/passwd", "ftp://x/y"])
def test_scripts_come_from_the_blueprint(ctx: BenchContext, path: str) -> None:
    with pytest.raises(NonRecoverableError):
        run(ctx, script_path=path)


@pytest.fixture
def web() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/x.sh" else 404)
            self.end_headers()
            self.wfile.write(b"ctx returns fetched")

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_scripts_from_the_web(ctx: BenchContext, web: str) -> None:
    assert run(ctx, script_path=f"{web}/x.sh") == "fetched"
    with pytest.raises(NonRecoverableError, match="404"):
        run(ctx, script_path=f"{web}/missing.sh")


def test_a_sandboxed_home_fetches_nothing(tmp_path: Path, web: str) -> None:
    with Machine(scratch=tmp_path, sandboxed=True) as machine, pytest.raises(NonRecoverableError, match="sandboxed"):
        run(context(machine=machine, sandboxed=True), script_path=f"{web}/x.sh")


def test_in_a_sandboxed_home_scripts_are_confined(tmp_path: Path) -> None:
    (tmp_path / "x.sh").write_text(
        'ctx instance runtime-properties home "$(ls -A ~root | grep -v pyenv)"; touch /etc/x'
    )
    with Machine(scratch=tmp_path, resource_folders=[tmp_path], sandboxed=True) as machine:
        ctx = context(machine=machine, sandboxed=True)
        with pytest.raises(RecoverableError, match="Read-only"):
            run(ctx, script_path="x.sh")

    assert ctx.instance.runtime_properties == {"home": ""}


def test_a_script_is_not_run_again_unasked() -> None:
    assert not traits(run).repeatable
