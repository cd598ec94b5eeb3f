"""Whom the plugin talks to, with what, and how long it waits."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncssh
import paramiko
import pytest

from groundplan.runtime.foreign.machine import Machine
from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan.sdk.testing import BenchContext, context
from groundplan_ssh.client import read_key
from groundplan_ssh.hostkeys import fingerprint
from groundplan_ssh.target import Target
from groundplan_ssh.tasks import run_commands

PEM = "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----"


def run(ctx: BenchContext, environment: dict[str, Any]) -> None:
    run_commands(ctx, commands=["true"], fabric_env=environment)


def with_kwargs(server: Any, **kwargs: Any) -> dict[str, Any]:
    environment: dict[str, Any] = server.environment
    return {**environment, "connect_kwargs": {**environment["connect_kwargs"], **kwargs}}


def test_a_hosts_key_is_remembered_and_another_refused(ctx: BenchContext, server: Any) -> None:
    run(ctx, server.environment)
    first = server.host_key
    assert ctx.remembered[f"ssh.host_key:127.0.0.1:{server.port}"] == " ".join(first.split()[:2])

    server.stop()
    server.show_another_host_key()
    server.start()
    with pytest.raises(NonRecoverableError) as caught:
        run(ctx, server.environment)
    assert fingerprint(" ".join(first.split()[:2])) in caught.value.message
    assert fingerprint(" ".join(server.host_key.split()[:2])) in caught.value.message


def test_a_pinned_key_decides(ctx: BenchContext, server: Any) -> None:
    run(ctx, with_kwargs(server, host_key=server.host_key))
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()

    with pytest.raises(NonRecoverableError, match=r"connect_kwargs\.host_key says"):
        run(ctx, with_kwargs(server, host_key=other))
    with pytest.raises(NonRecoverableError, match="not a public host key"):
        run(ctx, with_kwargs(server, host_key="ssh-ed25519 not/base64!"))


def test_a_password_is_enough(ctx: BenchContext, server: Any) -> None:
    if server.user != "centos":
        pytest.skip("this server takes keys alone")
    run(ctx, {"host_string": f"centos@127.0.0.1:{server.port}", "password": "open sesame"})
    assert "open sesame" in ctx.masked

    with pytest.raises(RecoverableError, match="refuses this login"):
        run(ctx, {"host_string": f"centos@127.0.0.1:{server.port}", "password": "wrong"})


def test_a_refused_key_may_be_known_later(ctx: BenchContext, server: Any) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()

    with pytest.raises(RecoverableError, match="refuses this login"):
        run(ctx, with_kwargs(server, pkey=other))


def test_a_key_can_come_from_a_file(ctx: BenchContext, server: Any, tmp_path: Path) -> None:
    (tmp_path / "id").write_text(server.private_key)
    environment = {**server.environment, "connect_kwargs": {}, "key_filename": str(tmp_path / "id")}
    run(ctx, environment)

    assert server.private_key in ctx.masked


def test_the_instances_address_is_the_host(ctx: BenchContext, server: Any) -> None:
    ctx.instance.runtime_properties["ip"] = "127.0.0.1"
    environment = server.environment
    del environment["host"]

    run(ctx, environment)


def test_a_gateway_leads_to_the_host(ctx: BenchContext, server: Any) -> None:
    run(ctx, {**server.environment, "gateway": f"{server.user}@127.0.0.1:{server.port}"})
    run(ctx, {**server.environment, "gateway": server.environment})


def test_a_new_machine_is_waited_for(ctx: BenchContext, server: Any) -> None:
    server.stop()

    def start_once_awaited() -> None:
        while not ctx.slept:
            threading.Event().wait(0.01)
        server.start()

    starting = threading.Thread(target=start_once_awaited)
    starting.start()
    run(ctx, server.environment)
    starting.join()

    assert any("waiting for the SSH server" in message for _, message in ctx.log)


def test_a_machine_that_never_answers(server: Any, tmp_path: Path) -> None:
    server.stop()
    with Machine(scratch=tmp_path) as machine:
        ctx = context(machine=machine, settings={"connect_patience": 0.1})
        with pytest.raises(RecoverableError, match="no answer in 0 seconds"):
            run(ctx, server.environment)


def sandboxed(machine: Machine, server: Any, host: str = "10.9.8.7", key: str = "") -> BenchContext:
    known = {"port": server.port, "host_key": key or server.host_key}
    return context(machine=machine, sandboxed=True, settings={"hosts": {host: known}, "connect_patience": 5})


def test_a_sandboxed_home_knows_its_machines(server: Any, tmp_path: Path) -> None:
    with Machine(scratch=tmp_path) as machine:
        ctx = sandboxed(machine, server, host="127.0.0.1")
        run(ctx, {**server.environment, "port": 22})
        with pytest.raises(NonRecoverableError, match=r"127\.0\.0\.2 is not a machine of the sandbox"):
            run(ctx, {**server.environment, "host": "127.0.0.2"})
        with pytest.raises(NonRecoverableError, match="is not a machine of the sandbox"):
            run(ctx, {**server.environment, "gateway": "centos@192.0.2.1"})

        other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
        with pytest.raises(NonRecoverableError, match="the sandbox gave it"):
            run(sandboxed(machine, server, host="127.0.0.1", key=other), server.environment)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "names no host"),
        ({"host": "10.0.0.1"}, "names no user"),
        ({"host": "10.0.0.1", "user": "centos"}, "neither a key"),
        ({"host": "10.0.0.1", "user": "centos", "port": "ssh", "password": "x"}, "cannot be read"),
        ({"host": "10.0.0.1", "user": "centos", "key_filename": "/missing"}, "key_filename"),
        ("10.0.0.1", "is a mapping"),
    ],
)
def test_what_is_missing_is_said_before_any_connection(environment: Any, words: str) -> None:
    with pytest.raises(NonRecoverableError, match=words):
        Target.read(context(), environment)


def test_nothing_secret_is_shown_of_a_target() -> None:
    shown = repr(Target.read(context(), {"host": "h", "user": "u", "password": "hunter2", "key": PEM}))

    assert "hunter2" not in shown
    assert "PRIVATE KEY" not in shown


def test_a_sandboxed_home_reads_no_key_files_and_asks_no_agent() -> None:
    ctx = context(sandboxed=True, settings={"hosts": {"10.0.0.1": {"port": 1, "host_key": "ssh-ed25519 AAAA"}}})
    with pytest.raises(NonRecoverableError, match="reads no key files"):
        Target.read(ctx, {"host": "10.0.0.1", "user": "u", "key_filename": "~/.ssh/id"})
    with pytest.raises(NonRecoverableError, match="neither a key"):
        Target.read(ctx, {"host": "10.0.0.1", "user": "u", "connect_kwargs": {"allow_agent": True}})


@pytest.mark.parametrize("kind", ["ssh-rsa", "ssh-ed25519", "ecdsa-sha2-nistp256"])
@pytest.mark.parametrize("tidy", [str, lambda text: text.strip(), lambda text: text.replace("\n", "\r\n  ")])
def test_the_kind_of_a_key_is_found(kind: str, tidy: Callable[[str], str]) -> None:
    key = asyncssh.generate_private_key(kind)

    found = read_key(tidy(key.export_private_key("openssh").decode()))

    assert isinstance(found, paramiko.PKey)
    assert found.get_name() == kind


def test_keys_that_cannot_be_read() -> None:
    locked = asyncssh.generate_private_key("ssh-ed25519").export_private_key(passphrase="p").decode()
    assert read_key(locked, "p").get_name() == "ssh-ed25519"
    with pytest.raises(NonRecoverableError, match="passphrase"):
        read_key(locked)
    for text in (PEM, "nonsense", ""):
        with pytest.raises(NonRecoverableError, match="cannot be read"):
            read_key(text)
