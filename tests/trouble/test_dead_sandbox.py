"""A home bound to a sandbox that does not answer reaches nothing else: not an account, not a proxy, not metadata."""

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ..proof.user import ROOT, User, descendants, eventually, user_in

DOWN = "The sandbox of this home is down: groundplan sandbox up"

VPC_INPUTS = "{name: net, aws_region_name: us-west-1, availability_zones: [us-west-1a, us-west-1c]}"

SHELL = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml, plugin:groundplan-nop]
    node_templates:
      shop: {type: groundplan.nodes.Nop}
"""


@pytest.fixture
def listener() -> Iterator[tuple[str, list[bytes]]]:
    """An address on loopback, and what was said to it."""
    heard: list[bytes] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    heard.append(connection.recv(4096))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", heard
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.fixture
def owner(tmp_path: Path, listener: tuple[str, list[bytes]]) -> Iterator[User]:
    """A user whose environment and ~/.aws point all that AWS's libraries read at the listener."""
    url, _ = listener
    variables = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "AKIAREALACCOUNT",
        "AWS_SECRET_ACCESS_KEY": "real",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": url,
        "HTTP_PROXY": url,
        "HTTPS_PROXY": url,
        "http_proxy": url,
        "https_proxy": url,
    }
    user = user_in(tmp_path, **variables)
    user.write(".aws/config", f"[default]\nregion = us-west-1\nendpoint_url = {url}\n")
    user.write(".aws/credentials", "[default]\naws_access_key_id = AKIAREALACCOUNT\naws_secret_access_key = real\n")
    user.ok("sandbox", "up")
    user.ok("secrets", "import", "-", stdin=user.ok("sandbox", "secrets"))
    user.ok("blueprints", "upload", "--all", ROOT / "blueprints")
    user.ok("secrets", "import", ROOT / "secrets.example.json")
    yield user
    user.run("sandbox", "down")


def kill_sandbox(user: User) -> None:
    """End the sandbox's process as a crash would, with what it had started."""
    pid = json.loads((user.home / "sandbox.json").read_text())["pid"]
    below = descendants(pid)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{pid}").exists() or "Z" in status(pid), what="the sandbox's end")
    eventually(lambda: all(not Path(f"/proc/{child}").exists() for child in below), what="the end of its machines")


def status(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


@pytest.mark.slow
def test_a_sandbox_that_dies_in_mid_install(owner: User, listener: tuple[str, list[bytes]]) -> None:
    owner.ok("deployments", "create", "app_dev_small", "-b", "app", "-i", "env_type=dev-small")
    with owner.running("executions", "start", "install", "-d", "app_dev_small", "--task-retries", "1") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "aws-dev-small-compute" in line and "create" in line:
                break
        kill_sandbox(owner)
        out, errors = process.communicate(timeout=90)
    assert process.returncode == 1
    assert DOWN in out + errors
    assert "Traceback" not in errors
    _, heard = listener
    assert heard == [], "something fell through to the world"

    # Nothing of the emulated world is left; what the record knows is told, and the home can start afresh.
    assert owner.latest("app_dev_small")["status"] == "failed"
    owner.ok("sandbox", "up")
    assert owner.json("sandbox", "status")["machines"] == []


def test_while_it_is_down_operations_fail_at_once(owner: User, listener: tuple[str, list[bytes]]) -> None:
    owner.ok("deployments", "create", "net", "-b", "vpc", "-i", VPC_INPUTS)
    said = owner.ok("sandbox", "down")
    assert "is down" in said
    words = owner.refused(1, "executions", "start", "install", "-d", "net")
    assert DOWN in words
    failed = [item for item in owner.events("net") if item["event_type"] == "task_failed"]
    assert len(failed) == 1, "it was tried again"
    assert listener[1] == []

    # The same record goes on when it is up again.
    owner.ok("sandbox", "up")
    owner.ok("executions", "resume", owner.latest("net")["id"])
    assert set(owner.states("net").values()) == {"started"}
    assert listener[1] == []


def test_unbinding_takes_the_sandbox_down_first(owner: User, listener: tuple[str, list[bytes]]) -> None:
    assert "sandbox down" in owner.refused(2, "sandbox", "unbind")
    owner.ok("sandbox", "down")
    assert owner.ok("deployments", "list").startswith("sandbox"), "a bound home says so on its first line"
    owner.ok("sandbox", "unbind")
    assert not owner.ok("deployments", "list").startswith("sandbox")
    assert "not bound" in owner.ok("sandbox", "unbind")


def test_without_the_binding_the_callers_account_is_used(owner: User, listener: tuple[str, list[bytes]]) -> None:
    """Shows that the listener would have heard."""
    owner.ok("deployments", "create", "net", "-b", "vpc", "-i", VPC_INPUTS)
    owner.ok("sandbox", "down")
    owner.ok("sandbox", "unbind")
    without = {name: value for name, value in owner.variables.items() if name.startswith("AWS_")}
    replace(owner, variables=without).refused(1, "executions", "start", "install", "-d", "net", "--task-retries", "0")
    assert listener[1] != []


def test_a_damaged_binding_lets_nothing_through(owner: User, listener: tuple[str, list[bytes]]) -> None:
    owner.ok("deployments", "create", "net", "-b", "vpc", "-i", VPC_INPUTS)
    binding = owner.home / "sandbox.json"
    for content in ("", "{}", "[1]", '{"version": 1, "aws": {}}'):
        binding.write_text(content)
        words = owner.refused(1, "executions", "start", "install", "-d", "net", "--task-retries", "0", "--force")
        assert "groundplan sandbox up" in words, content
        assert listener[1] == []
