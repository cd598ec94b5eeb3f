"""The plugin on a machine of the sandbox: the same scripts, ctx, sudo, and the sandbox's own word on who is who."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from groundplan.runtime.foreign.machine import Machine
from groundplan.sdk.errors import RecoverableError
from groundplan.sdk.testing import BenchContext, context
from groundplan_sandbox.machines.host import MachineHost
from groundplan_ssh.tasks import run_commands, run_script

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MachineHost]:
    host = MachineHost(tmp_path_factory.mktemp("machines"))
    if host.refusal is not None:
        host.close()
        pytest.skip(f"this kernel does not let the sandbox confine machines: {host.refusal}")
    yield host
    for machine in host.machines:
        machine.terminate()
    host.close()


@pytest.fixture(scope="module")
def login(host: MachineHost) -> tuple[dict[str, object], dict[str, object]]:
    """A machine's `fabric_env`, and the settings that the sandbox gives the plugin."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    address = f"127.78.{os.getpid() % 250 + 1}.{next(_numbers)}"
    machine = host.launch("vm", [key.export_public_key().decode()])
    machine.add_address(address)
    pkey = key.export_private_key().decode()
    known = {"port": machine.ssh_port(address), "host_key": machine.host_key}
    return {"host": address, "user": "centos", "connect_kwargs": {"pkey": pkey}}, {"hosts": {address: known}}


@pytest.fixture
def ctx(login: tuple[dict[str, object], dict[str, object]], tmp_path: Path) -> Iterator[BenchContext]:
    with Machine(scratch=tmp_path, resource_folders=[tmp_path], sandboxed=True) as machine:
        yield context(machine=machine, sandboxed=True, settings=login[1], properties={"bucket": "shop"})


def test_a_script(ctx: BenchContext, login: tuple[dict[str, object], dict[str, object]], tmp_path: Path) -> None:
    (tmp_path / "x.sh").write_text(
        '#!/bin/bash -e\nctx instance runtime-properties who "$(id -un) $(ctx node properties bucket)"'
    )
    run_script(ctx, script_path="x.sh", fabric_env=login[0])

    assert ctx.instance.runtime_properties == {"who": "centos shop"}


def test_as_root(ctx: BenchContext, login: tuple[dict[str, object], dict[str, object]]) -> None:
    commands = ['ctx instance runtime-properties who "$(id -un) $word"']
    run_commands(ctx, commands=commands, fabric_env=login[0], use_sudo=True, word="it's")

    assert ctx.instance.runtime_properties == {"who": "root it's"}


def test_python(ctx: BenchContext, login: tuple[dict[str, object], dict[str, object]], tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("from cloudify import ctx\nctx.instance.runtime_properties['by'] = ctx.node.id")
    run_script(ctx, script_path="x.py", fabric_env=login[0])

    assert ctx.instance.runtime_properties == {"by": "node"}


def test_a_failure_and_nothing_left(ctx: BenchContext, login: tuple[dict[str, object], dict[str, object]]) -> None:
    with pytest.raises(RecoverableError, match="exit code 3: no space"):
        run_commands(ctx, commands=["echo no space >&2; exit 3"], fabric_env=login[0])
    run_commands(
        ctx, commands=['ctx instance runtime-properties left "$(ls ~/.groundplan/attempts)"'], fabric_env=login[0]
    )

    assert ctx.instance.runtime_properties == {"left": "attempt1"}
