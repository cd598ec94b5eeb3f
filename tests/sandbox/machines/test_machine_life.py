"""Machines come, stop, come back and go without leaving anything."""

import socket
from pathlib import Path

import pytest

from groundplan_sandbox.machines.host import Machine, MachineHost

from .conftest import Login, new_address


def test_files_survive_a_stop_and_processes_do_not(machine: Machine, login: Login) -> None:
    before = login(machine)
    port = machine.ssh_port(machine.addresses[0])
    before.run("echo kept > ~/note; nohup sleep 301 >/dev/null 2>&1 &")
    machine.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((machine.addresses[0], port), timeout=5)
    machine.start()
    after = login(machine)
    assert after.run("cat ~/note").out == "kept\n"
    assert after.run("pgrep -x sleep").out == ""


def test_the_host_key_stays_the_same_over_a_restart(machine: Machine) -> None:
    key = machine.host_key
    machine.stop()
    machine.start()
    assert machine.host_key == key
    assert key.startswith("ssh-ed25519 ")


def test_terminate_frees_the_name_and_the_port(host: MachineHost, public_key: str, address: str) -> None:
    for _ in range(2):
        machine = host.launch("phoenix", [public_key])
        machine.add_address(address)
        port = machine.ssh_port(address)
        machine.terminate()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, port), timeout=5)


def test_an_address_comes_and_goes(machine: Machine) -> None:
    more = new_address()
    machine.add_address(more)
    port = machine.ssh_port(more)
    with socket.create_connection((more, port), timeout=5) as connection:
        assert connection.recv(8) == b"SSH-2.0-"
    machine.remove_address(more)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((more, port), timeout=5)


def test_a_name_is_taken_once(host: MachineHost, machine: Machine, public_key: str) -> None:
    with pytest.raises(ValueError, match="there is a machine named"):
        host.launch(machine.name, [public_key])


def test_machines_come_back_with_the_sandbox(tmp_path: Path, public_key: str, address: str, login: Login) -> None:
    first = MachineHost(tmp_path)
    if first.refusal is not None:
        pytest.skip(first.refusal)
    machine = first.launch("returning", [public_key])
    machine.add_address(address)
    login(machine).run("echo kept > note")
    first.close()
    second = MachineHost(tmp_path)
    (restored,) = second.restore()
    try:
        assert login(restored).run("cat note").out == "kept\n"
    finally:
        restored.terminate()
        second.close()
