"""What holds where the kernel, the user or the ports are not what a machine would like best."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from groundplan_sandbox.cells.confinement import Confinement
from groundplan_sandbox.machines.host import Machine, MachineHost

from .conftest import Client, Login, new_address
from .test_machine_services import SET_UP_DATABASE, ask_database

ENGINE = Path(__file__).parents[3] / "engine"
NOBODY = 65534


def test_ssh_takes_a_free_port_where_22_cannot_be_had(machine: Machine, login: Login) -> None:
    address = new_address()
    with contextlib.ExitStack() as held:
        # A user who is not root cannot have it in any case, and cannot hold it either.
        with contextlib.suppress(PermissionError):
            held.enter_context(socket.create_server((address, 22)))
        machine.add_address(address)
        port = machine.ssh_port(address)
        assert port != 22
        with socket.create_connection((address, port), timeout=5) as connection:
            assert connection.recv(8) == b"SSH-2.0-"


CELL_AS_ANYBODY = """
import asyncio, os, sys
from pathlib import Path
from groundplan_sandbox.cells.cell import Cell
from groundplan_sandbox.cells.view import cell_plan
async def main():
    root = Path(sys.argv[1])
    cell = Cell(cell_plan(root=root, hostname="plain", confined=True, uid=None, gid=None))
    await cell.start()
    command = "id -u; hostname; touch /usr/planted; touch /own && echo wrote"
    shell = await cell.spawn(["/bin/sh", "-c", command], env={"PATH": "/usr/bin:/bin"}, cwd="/", streams=(0, 1, 2))
    await shell.wait()
    await cell.stop()
asyncio.run(main())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, which needs root; elsewhere every test is one")
def test_a_plain_user_can_have_a_cell() -> None:
    python = "/usr/bin/python3"
    check = [python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    if not os.path.exists(python) or subprocess.run(check).returncode != 0:
        pytest.skip("no Python 3.11 that every user of this computer may run")
    folder = Path(tempfile.mkdtemp())
    os.chown(folder, NOBODY, NOBODY)
    shutil.copytree(ENGINE / "groundplan_sandbox" / "cells", folder / "lib" / "groundplan_sandbox" / "cells")
    (folder / "root").mkdir()
    os.chown(folder / "root", NOBODY, NOBODY)
    try:
        result = subprocess.run(
            [python, "-c", CELL_AS_ANYBODY, str(folder / "root")],
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            env={"PYTHONPATH": str(folder / "lib"), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=30,
        )
    finally:
        shutil.rmtree(folder)
    assert result.stdout == "0\nplain\nwrote\n", result.stderr
    assert "Read-only file system" in result.stderr


SANDBOX_TO_KILL = """
import sys, time
from pathlib import Path
from groundplan_sandbox.machines.host import MachineHost
host = MachineHost(Path(sys.argv[1]))
machine = host.launch("doomed", [sys.argv[2]])
machine.add_address(sys.argv[3])
print(machine.ssh_port(sys.argv[3]), machine.host_key, flush=True)
time.sleep(60)
"""


@dataclass(frozen=True, kw_only=True)
class FarMachine:
    """A machine of another process's sandbox."""

    addresses: tuple[str, ...]
    port: int
    host_key: str

    def ssh_port(self, address: str) -> int:
        return self.port


def _processes_with(mark: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


@pytest.mark.usefixtures("host")
def test_everything_ends_when_the_sandbox_is_killed(tmp_path: Path, public_key: str, login: Login) -> None:
    address, mark = new_address(), f"MARK={os.getpid()}-{time.monotonic_ns()}"
    command = [sys.executable, "-c", SANDBOX_TO_KILL, str(tmp_path), public_key, address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sandbox:
        try:
            assert sandbox.stdout is not None
            port, host_key = sandbox.stdout.readline().strip().split(" ", 1)
            client = login(FarMachine(addresses=(address,), port=int(port), host_key=host_key))
            client.run(f"trap '' TERM HUP INT; {mark} nohup sleep 303 >/dev/null 2>&1 &")
            assert _processes_with(mark)
        finally:
            sandbox.kill()
    deadline = time.monotonic() + 10
    while _processes_with(mark):
        assert time.monotonic() < deadline, "a process of the machine outlived the sandbox"
        time.sleep(0.02)


@pytest.fixture
def unconfined(tmp_path: Path, public_key: str) -> Iterator[Machine]:
    host = MachineHost(tmp_path, Confinement.NONE)
    machine = host.launch("plain", [public_key])
    machine.add_address(new_address())
    yield machine
    machine.terminate()
    host.close()


def test_unconfined_commands_start_in_the_machines_own_home(unconfined: Machine, login: Login, tmp_path: Path) -> None:
    client = login(unconfined)
    assert client.run("pwd").out == f"{tmp_path}/machines/plain/root/home/centos\n"
    client.put("#!/bin/sh\necho sent", "job")
    assert client.run("./job; command -v yum").out == f"sent\n{tmp_path}/machines/plain/programs/yum\n"


def test_unconfined_machines_serve_too(unconfined: Machine, login: Login) -> None:
    client: Client = login(unconfined)
    client.run("curl -sSLo minio https://dl.min.io/server/minio/release/linux-amd64/minio && chmod +x minio")
    client.run("curl -sSLo mc https://dl.min.io/client/mc/release/linux-amd64/mc && chmod +x mc")
    client.run("MINIO_ROOT_PASSWORD=rehearsal nohup ./minio server ~/data >/dev/null 2>&1 &")
    result = client.run("./mc alias set local http://localhost:9000 minioadmin rehearsal && ./mc mb local/plain")
    assert (result.code, result.err) == (0, "")


def test_an_unconfined_database_is_not_roots(unconfined: Machine, login: Login) -> None:
    client: Client = login(unconfined)
    result = client.run(SET_UP_DATABASE)
    assert result.code == 0, result.err
    ask_database(unconfined.addresses[0])
    assert "root" not in client.run("ps -o user= -C postgres").out


def test_unconfined_background_processes_end_with_the_machine(unconfined: Machine, login: Login) -> None:
    mark = f"MARK={time.monotonic_ns()}"
    login(unconfined).run(f"{mark} nohup sleep 304 >/dev/null 2>&1 &")
    assert _processes_with(mark)
    unconfined.stop()
    assert _processes_with(mark) == []


def test_a_refusal_is_said_and_nothing_is_launched(host: MachineHost, tmp_path: Path, public_key: str) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from groundplan_sandbox.machines.host import MachineHost\n"
        "from groundplan_sandbox.cells.confinement import ConfinementRefusedError\n"
        "host = MachineHost(Path(sys.argv[1]))\n"
        "try: host.launch('vm', [sys.argv[2]])\n"
        "except ConfinementRefusedError as error: print('refused:', error)\n"
        "host.close()\n"
    )
    setting = Path("/proc/sys/user/max_user_namespaces")
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", f'echo 0 > {setting}; exec "$@"', "sh"]
    result = subprocess.run(
        [*command, sys.executable, "-c", code, str(tmp_path), public_key], capture_output=True, text=True, timeout=60
    )
    assert result.stdout.startswith("refused: unshare"), result.stderr
