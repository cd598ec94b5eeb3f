"""The ctx proxy over HTTP, with the programs that scripts use."""

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from groundplan.runtime.foreign import programs
from groundplan.runtime.foreign.machine import Machine
from groundplan.runtime.foreign.proxy import HttpContextProxy
from groundplan.sdk.context import ScriptAnswer
from groundplan.sdk.testing import BenchContext, context

CLIENTS = ["python", "python2.7", "python3.6", "curl"]


def chosen_client(name: str) -> dict[str, str]:
    """Return the variables that make the `ctx` program use one of its ways."""
    if name == "python":
        return {"CTX_PYTHON": sys.executable}
    if name == "curl":
        if not shutil.which("curl"):
            pytest.skip("curl is missing")
        return {"CTX_WITHOUT_PYTHON": "1"}
    version = name.removeprefix("python")
    found = [*Path("/usr/bin").glob(name), *Path.home().glob(f".pyenv/versions/{version}.*/bin/{name}")]
    if not found:
        pytest.skip(f"{name} is missing")
    return {"CTX_PYTHON": str(found[0])}


@pytest.fixture
def ctx(tmp_path: Path) -> BenchContext:
    (tmp_path / "page.html").write_text("<p>{{ who }}</p>")
    (tmp_path / "raw").write_bytes(bytes(range(256)))
    return context(
        properties={"port": 80, "name": "Zoë", "no": 0, "a": {"b": [1]}},
        machine=Machine(resource_folders=[tmp_path]),
    )


@pytest.fixture
def proxy(ctx: BenchContext) -> Iterator[HttpContextProxy]:
    with HttpContextProxy(ctx) as proxy:
        yield proxy


def post(url: str, body: Any) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=5) as response:
        return json.load(response)


@pytest.fixture(params=CLIENTS)
def environment(request: pytest.FixtureRequest, proxy: HttpContextProxy) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "CTX_SOCKET_URL": proxy.url, **chosen_client(request.param)}


def call(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = ["sh", str(programs.CLIENT), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)


def test_json_in_and_out(proxy: HttpContextProxy) -> None:
    assert post(proxy.url, {"args": ["node", "properties", "a.b"]}) == {"type": "result", "payload": [1]}
    assert post(proxy.url, {"args": ["nothing"]})["type"] == "error"
    assert post(proxy.url, {"args": ["abort-operation", "no"]}) == {"type": "stop_operation", "payload": "no"}
    assert proxy.answer == ScriptAnswer(abort=True, message="no")


@pytest.mark.parametrize("path", ["/", "/guess", ""])
def test_without_the_token_there_is_nothing(proxy: HttpContextProxy, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        post(f"http://127.0.0.1:{proxy.port}{path}", {"args": ["node", "id"]})
    caught.value.close()


def test_each_proxy_has_a_token_of_its_own(ctx: BenchContext) -> None:
    paths = set()
    for _ in range(3):
        with HttpContextProxy(ctx) as proxy:
            paths.add(proxy.path)

    assert len(paths) == 3
    assert all(len(path) > 22 for path in paths)


def test_it_listens_on_loopback_and_ends_with_the_block(ctx: BenchContext) -> None:
    with HttpContextProxy(ctx) as proxy:
        assert proxy.url.startswith(f"http://127.0.0.1:{proxy.port}/")
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", proxy.port), timeout=1)


def test_a_body_that_cannot_be_read_is_told(proxy: HttpContextProxy) -> None:
    with pytest.raises(urllib.error.HTTPError, match="400") as caught:
        post(proxy.url, ["node"])
    caught.value.close()


def forward_later(listening: socket.socket, port: int) -> None:
    """Forward one connection, as a line that was made anew does."""
    # The program must have been refused before: it starts within that time.
    time.sleep(1)
    listening.listen()
    near, _ = listening.accept()
    with near, socket.create_connection(("127.0.0.1", port)) as far:
        far.sendall(near.recv(65536))
        while part := far.recv(65536):
            near.sendall(part)


def test_far_from_the_engine_the_command_waits_for_a_line_that_is_made_anew(
    environment: dict[str, str], proxy: HttpContextProxy, tmp_path: Path
) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        far = f"http://127.0.0.1:{listening.getsockname()[1]}{proxy.path}"
        thread = threading.Thread(target=forward_later, args=(listening, proxy.port), daemon=True)
        thread.start()
        found = call(
            {**environment, "CTX_SOCKET_URL": far, "CTX_JOURNAL": str(tmp_path / "said")}, "node", "properties", "port"
        )
        thread.join(timeout=10)
    assert (found.returncode, found.stdout) == (0, "80")


def test_near_the_engine_a_command_that_is_refused_fails_at_once(environment: dict[str, str]) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        begun = time.monotonic()
        found = call(
            {**environment, "CTX_SOCKET_URL": f"http://127.0.0.1:{listening.getsockname()[1]}/x"}, "node", "id"
        )
    assert found.returncode == 1
    assert "ctx: the engine does not answer" in found.stderr
    assert time.monotonic() - begun < 3


def test_the_command_prints_what_a_shell_expects(environment: dict[str, str]) -> None:
    assert call(environment, "node", "properties", "port").stdout == "80"
    assert call(environment, "node", "properties", "name").stdout == "Zoë"
    assert call(environment, "node", "properties", "no").stdout == ""
    assert call(environment, "node", "properties", "a").stdout == "{'b': [1]}"
    assert json.loads(call(environment, "-j", "node", "properties", "a").stdout) == {"b": [1]}


@pytest.mark.parametrize(
    "value", ["plain", "two words", 'it\'s "quoted"', "a\nb\n", "$HOME `id` \\ %41 &=;", "ünï 💡", ""]
)
def test_values_arrive_as_they_are(environment: dict[str, str], ctx: BenchContext, value: str) -> None:
    ended = call(environment, "instance", "runtime-properties", "value", value)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert ctx.instance.runtime_properties == {"value": value}


def test_json_arguments(environment: dict[str, str], ctx: BenchContext) -> None:
    call(environment, "instance", "runtime-properties", "a", '@{"k": [1, null]}')
    call(environment, "--json-arg-prefix", "+", "instance", "runtime-properties", "b", "+5")
    call(environment, "--json-arg-prefix", "+", "instance", "runtime-properties", "c", "@5")

    assert ctx.instance.runtime_properties == {"a": {"k": [1, None]}, "b": 5, "c": "@5"}
    assert "not JSON" in call(environment, "returns", "@{").stderr


def test_errors_and_stops_end_the_command(environment: dict[str, str], proxy: HttpContextProxy) -> None:
    missing = call(environment, "node", "properties", "missing")
    assert (missing.returncode, missing.stdout, missing.stderr) == (1, "", "illegal path: missing\n")

    stopped = call(environment, "retry-operation", "not yet", "5")
    assert (stopped.returncode, stopped.stderr) == (1, "not yet\n")
    assert proxy.answer.retry_after == 5


def test_files_arrive_on_the_scripts_host(environment: dict[str, str], tmp_path: Path) -> None:
    target = tmp_path / "copy"
    assert call(environment, "download-resource", "raw", str(target)).stdout == str(target)
    assert target.read_bytes() == bytes(range(256))

    found = Path(call(environment, "download-resource", "raw").stdout)
    assert (found.name, found.read_bytes()) == ("raw", bytes(range(256)))
    shutil.rmtree(found.parent)

    call(environment, "download-resource-and-render", "page.html", str(target), '@{"who": "ann"}')
    assert target.read_text() == "<p>ann</p>"
    assert call(environment, "get-resource", "page.html").stdout == "<p>{{ who }}</p>"


def test_what_was_said_is_kept_for_an_engine_that_takes_over(environment: dict[str, str], tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    call({**environment, "CTX_JOURNAL": str(journal)}, "instance", "runtime-properties", "a", "b c")
    dead = {**environment, "CTX_JOURNAL": str(journal), "CTX_SOCKET_URL": "http://127.0.0.1:1/x"}
    ended = call(dead, "node", "id")

    assert (ended.returncode, "does not answer" in ended.stderr) == (1, True)
    said, lost = journal.read_text().splitlines()
    assert said.startswith("p=%40&a=")
    assert lost == "!"


def test_without_a_proxy_the_command_says_so() -> None:
    ended = call({"PATH": "/usr/bin:/bin", "CTX_PYTHON": sys.executable}, "node", "id")

    assert (ended.returncode, "CTX_SOCKET_URL" in ended.stderr) == (1, True)


def test_scripts_at_once_lose_nothing(proxy: HttpContextProxy, ctx: BenchContext) -> None:
    def write(number: int) -> None:
        post(proxy.url, {"args": ["instance", "runtime-properties", f"from.k{number}", number]})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(64)))

    assert ctx.instance.runtime_properties == {"from": {f"k{n}": n for n in range(64)}}


def python(proxy: HttpContextProxy, script: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    given = {"CTX_SOCKET_URL": proxy.url, "PYTHONPATH": str(programs.HERE), "LANG": "C.UTF-8", **environment}
    interpreter = given.pop("CTX_PYTHON", sys.executable)
    command = [interpreter, "-c", script]
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("client", ["python", "python3.6"])
def test_python_scripts_have_ctx(proxy: HttpContextProxy, ctx: BenchContext, tmp_path: Path, client: str) -> None:
    (tmp_path / "inputs").write_text('{"size": 3}')
    ended = python(
        proxy,
        """
from cloudify import ctx
from cloudify.state import ctx_parameters as inputs
from cloudify.decorators import operation

ctx.logger.info("port %s of %s", ctx.node.properties["port"], ctx.instance.id)
properties = ctx.instance.runtime_properties
properties["a"] = {"b": 1}
properties["a"]["c"] = 2
properties.update(d=inputs.size, e=0)
del properties["e"]

@operation
def create(ctx, size, **_):
    return size + len(ctx.get_resource("raw"))

ctx.returns(create())
""",
        CTX_INPUTS=str(tmp_path / "inputs"),
        **chosen_client(client),
    )

    assert ended.stderr == ""
    assert ctx.instance.runtime_properties == {"a": {"b": 1, "c": 2}, "d": 3}
    assert ctx.log == [("info", "port 80 of node_1")]
    assert proxy.answer == ScriptAnswer(returned=True, result=259)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("ctx.abort_operation('no')", ScriptAnswer(abort=True, message="no")),
        ("ctx.retry_operation('later', 3)", ScriptAnswer(retry=True, retry_after=3, message="later")),
        ("raise NonRecoverableError('no')", ScriptAnswer(abort=True, message="no")),
        ("raise OperationRetry('later', retry_after=3)", ScriptAnswer(retry=True, retry_after=3, message="later")),
        ("raise RecoverableError('hm')", ScriptAnswer()),
    ],
)
def test_how_python_scripts_end(proxy: HttpContextProxy, line: str, answer: ScriptAnswer) -> None:
    ended = python(proxy, f"from cloudify import ctx\nfrom cloudify.exceptions import *\n{line}")

    assert ended.returncode == 1
    assert proxy.answer == answer


def test_node_properties_cannot_be_written_from_python(proxy: HttpContextProxy) -> None:
    ended = python(proxy, "from cloudify import ctx\nctx.node.properties['port'] = 81")

    assert "read-only" in ended.stderr
    assert proxy.answer.abort


def test_what_was_said_can_be_repeated(environment: dict[str, str], proxy: HttpContextProxy, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    said = {**environment, "CTX_JOURNAL": str(journal)}
    for command in (["node", "id"], ["logger", "info", "x"], ["instance", "runtime-properties", "a.b", '@{"c": 1}']):
        call(said, *command)
    python(proxy, "from cloudify import ctx\nctx.instance.runtime_properties['d'] = 'ü'", CTX_JOURNAL=str(journal))
    call(said, "returns", "done")

    later = context()
    with HttpContextProxy(later) as other:
        assert other.replay(journal.read_text())
    assert later.instance.runtime_properties == {"a": {"b": {"c": 1}}, "d": "ü"}
    assert later.log == []
    assert other.answer == ScriptAnswer(returned=True, result="done")


def test_what_was_not_heard_is_not_repeated(ctx: BenchContext) -> None:
    with HttpContextProxy(ctx) as proxy:
        assert not proxy.replay("a=instance&a=runtime-properties&a=b&a=1\n!\n")

    assert ctx.instance.runtime_properties == {}
