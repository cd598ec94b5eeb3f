"""What a script on a machine can see of the computer that runs it: nothing that is not the machine's own."""

import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from groundplan_sandbox.machines.host import Machine, MachineHost

from .conftest import Client


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A secret in a home folder, and one in the true home of whoever runs this."""
    monkeypatch.setenv("HOME", str(tmp_path))
    secret = tmp_path / "canary"
    secret.write_text("SECRET")
    return secret


@pytest.fixture
def host_listener() -> Iterator[int]:
    """A server on the host's loopback that says a secret to whoever connects."""
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.sendall(b"SECRET")

    threading.Thread(target=serve, daemon=True).start()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as check:
        assert check.recv(6) == b"SECRET"
    yield port
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def test_a_canary_in_home_is_not_there(shared_client: Client, canary: Path) -> None:
    result = shared_client.run(
        f"sudo cat {canary}; sudo find / -path /proc -prune -o -path /usr -prune -o -name canary -print"
    )
    assert result.out == ""
    assert "No such file or directory" in result.err


def test_a_listener_on_the_hosts_loopback_is_not_there(shared_client: Client, host_listener: int) -> None:
    result = shared_client.run(f"cat < /dev/tcp/127.0.0.1/{host_listener}")
    assert (result.out, result.code) == ("", 1)
    assert "Connection refused" in result.err


def test_the_hosts_folders_are_not_there(shared_client: Client, host: MachineHost) -> None:
    folder = str(host.folder)
    assert shared_client.run(f"ls {folder}").code == 2
    own = {"centos", *Path(sys.base_prefix).parts}
    assert set(shared_client.run("ls -A /home /root").out.split()) <= own | {"/home:", "/root:"}
    assert shared_client.run("ls -A /run").out == ""


def test_the_hosts_programs_cannot_be_written(shared_client: Client) -> None:
    assert "Read-only file system" in shared_client.run("sudo touch /usr/bin/planted").err
    assert shared_client.run("sudo mount -o remount,bind,rw /usr").code != 0
    assert shared_client.run("sudo umount /usr").code != 0
    assert not Path("/usr/bin/planted").exists()


def test_the_kernels_settings_cannot_be_written(shared_client: Client) -> None:
    assert shared_client.run("sudo sh -c 'echo /tmp/x > /proc/sys/kernel/core_pattern'").code != 0


def test_only_the_machines_own_processes_are_seen(shared_client: Client) -> None:
    pids = shared_client.run("ls -d /proc/[0-9]*").out.split()
    assert len(pids) < 10
    assert str(os.getpid()) not in shared_client.run("cat /proc/*/cmdline").out


def test_the_environment_is_its_own(shared_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRET")
    assert "SECRET" not in shared_client.run("env; cat /proc/1/environ").out


def test_processes_files_and_memory_are_limited(shared_client: Client) -> None:
    processes, files, memory = shared_client.run("ulimit -u; ulimit -n; ulimit -v").out.split()
    assert (processes, files) == ("2048", "4096")
    assert int(memory) <= 8 << 20


def test_a_planted_link_leads_a_file_transfer_nowhere(shared_client: Client, canary: Path) -> None:
    shared_client.run(f"ln -s {canary} look; ln -s {canary.parent} folder")
    with shared_client.ssh.open_sftp() as sftp:
        for path in ("look", "folder/canary"):
            with pytest.raises(FileNotFoundError):
                sftp.open(path)
        with pytest.raises(FileNotFoundError):
            sftp.open("folder/planted", "w")
    assert not (canary.parent / "planted").exists()


def test_a_planted_link_does_not_mislead_the_next_start(machine: Machine, client: Client, canary: Path) -> None:
    client.run(f"sudo rm -rf /etc/passwd; sudo ln -s {canary} /etc/passwd")
    machine.stop()
    machine.start()
    assert canary.read_text() == "SECRET"


def test_the_machines_root_cannot_trace_its_process_1(shared_client: Client) -> None:
    assert shared_client.run("sudo readlink /proc/1/exe").code != 0
    assert shared_client.run("sudo ls /proc/1/fd").code != 0
