"""A machine is a real SSH host: commands, terminals, files, forwarding, keys."""

import signal
import threading
from collections.abc import Iterator

import paramiko
import pytest

from groundplan_sandbox.machines.host import Machine

from .conftest import Client, Login


def test_a_command_gives_its_output_and_its_exit_code(shared_client: Client) -> None:
    result = shared_client.run("echo to-out; echo to-err >&2; exit 3")
    assert (result.out, result.err, result.code) == ("to-out\n", "to-err\n", 3)


def test_a_command_starts_in_the_home_of_whoever_logs_in(machine: Machine, login: Login) -> None:
    assert login(machine, "ubuntu").run("pwd; echo $HOME $USER").out == "/home/ubuntu\n/home/ubuntu ubuntu\n"


def test_the_client_gives_standard_input_and_environment(shared_client: Client) -> None:
    assert shared_client.run("cat; echo $COLOUR", stdin="fed ", env={"COLOUR": "sea green"}).out == "fed sea green\n"


def test_a_terminal_is_one(shared_client: Client) -> None:
    assert shared_client.run("test -t 0 && stty size", pty=True).out == "24 80\r\n"


def test_a_shell_reads_commands(shared_client: Client) -> None:
    channel = shared_client.ssh.invoke_shell()
    channel.sendall(b"echo $((40+2))-answer; exit 5\n")
    text = channel.makefile().read().decode()
    assert "42-answer" in text
    assert channel.recv_exit_status() == 5


def test_a_file_sent_by_sftp_runs(shared_client: Client) -> None:
    shared_client.put("#!/bin/bash -e\necho ran in $(pwd)\n", "job.sh")
    assert shared_client.run("./job.sh").out == "ran in /home/centos\n"


def test_sftp_lists_renames_and_removes(shared_client: Client) -> None:
    shared_client.put("x", "one")
    with shared_client.ssh.open_sftp() as sftp:
        sftp.mkdir("folder")
        sftp.posix_rename("one", "folder/two")
        assert sftp.listdir("folder") == ["two"]
        sftp.remove("folder/two")
        sftp.rmdir("folder")
        with pytest.raises(FileNotFoundError):
            sftp.stat("folder")


def test_a_forwarded_port_leads_back_to_the_client(shared_client: Client) -> None:
    transport = shared_client.ssh.get_transport()
    assert transport is not None
    port = transport.request_port_forward("127.0.0.1", 0)

    def answer() -> None:
        channel = transport.accept(20)
        assert channel is not None
        channel.sendall(b"pong " + channel.recv(4))
        channel.close()

    answering = threading.Thread(target=answer)
    answering.start()
    result = shared_client.run(f"exec 3<>/dev/tcp/127.0.0.1/{port}; printf ping >&3; cat <&3")
    answering.join()
    assert result.out == "pong ping"


def test_another_key_is_refused(machine: Machine, login: Login) -> None:
    stranger = paramiko.ECDSAKey.generate()
    with pytest.raises(paramiko.AuthenticationException):
        login(machine, pkey=stranger)


def test_a_background_process_outlives_the_session(machine: Machine, login: Login) -> None:
    first = login(machine)
    pid = first.run("nohup sleep 300 >/dev/null 2>&1 & echo $!").out.strip()
    first.ssh.close()
    assert login(machine).run(f"cat /proc/{pid}/comm").out == "sleep\n"


def test_eight_commands_run_at_the_same_time(shared_client: Client) -> None:
    channels = [shared_client.ssh.exec_command("read line; echo $line") for _ in range(8)]
    for number, (given, _, _) in enumerate(channels):
        given.write(f"{number}\n")
    assert [out.read().decode().strip() for _, out, _ in channels] == [str(number) for number in range(8)]


def test_a_command_goes_on_when_its_client_goes_away(machine: Machine, login: Login) -> None:
    first = login(machine)
    first.ssh.exec_command("mkfifo gate; read line < gate; echo $line > done")
    first.ssh.close()
    second = login(machine)
    assert second.run(
        "until test -p gate; do sleep 0.01; done; echo through > gate; cat done || sleep 0.1; cat done"
    ).out


@pytest.fixture
def hangups_ignored() -> Iterator[None]:
    """As for a sandbox that was started by nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangups_ignored")
def test_a_program_on_a_terminal_ends_with_its_client(machine: Machine, login: Login) -> None:
    first = login(machine)
    _, out, _ = first.ssh.exec_command("echo $$; exec sleep 302", get_pty=True)
    pid = out.readline().strip()
    first.ssh.close()
    assert login(machine).run(f"timeout 10 sh -c 'while test -d /proc/{pid}; do sleep 0.02; done'").code == 0


def test_a_client_may_tunnel_to_the_machine_and_no_further(shared_client: Client) -> None:
    transport = shared_client.ssh.get_transport()
    assert transport is not None
    shared_client.run("echo found > page; nohup python3 -m http.server --bind 127.0.0.1 8083 >/dev/null 2>&1 &")
    assert shared_client.run("until curl -sf http://localhost:8083/page >/dev/null; do sleep 0.02; done").code == 0
    channel = transport.open_channel("direct-tcpip", ("localhost", 8083), ("localhost", 0))
    channel.sendall(b"GET /page HTTP/1.0\r\n\r\n")
    assert b"found" in channel.makefile("rb").read()
    with pytest.raises(paramiko.ChannelException, match="Connect failed"):
        transport.open_channel("direct-tcpip", ("192.0.2.1", 80), ("localhost", 0))
