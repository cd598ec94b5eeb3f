"""The sandbox's process, as its user meets it: the commands, each in a process of its own."""

import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import paramiko
import pytest
from click.testing import CliRunner

from groundplan_sandbox.commands import sandbox

COMMAND = [sys.executable, "-P", "-c", "from groundplan_sandbox.commands import sandbox; sandbox()"]


@dataclass(frozen=True)
class Bench:
    """A home and the sandbox's commands run in it."""

    home: Path

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*COMMAND, *arguments], env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )

    def ok(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ok("status", "--json"))
        return found

    def binding(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.home / "sandbox.json").read_text())
        return found

    def client(self) -> Any:
        secrets = json.loads(self.ok("secrets"))
        return boto3.client(
            "ec2",
            endpoint_url=self.binding()["aws"]["endpoint_url"],
            region_name="us-west-1",
            aws_access_key_id=secrets["aws_access_key_id"],
            aws_secret_access_key=secrets["aws_secret_access_key"],
        )

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"GROUNDPLAN_HOME": str(self.home)}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "home")
    yield bench
    bench.run("down")


@pytest.fixture
def running(bench: Bench) -> Bench:
    bench.ok("up")
    return bench


def eventually(holds: Callable[[], bool], patience: float = 20) -> None:
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def answers(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((str(parts.hostname), parts.port or 0)) == 0


def exists(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_up_binds_the_home_and_a_second_up_changes_nothing(running: Bench) -> None:
    bound = running.binding()
    assert (bound["version"], bound["pid"]) == (1, running.status()["pid"])
    assert answers(bound["aws"]["endpoint_url"])
    assert "already up" in running.ok("up")
    assert running.binding() == bound


def test_what_holds_secrets_is_readable_by_its_owner_only(running: Bench) -> None:
    private = ["sandbox.json", "sandbox/credentials.json", "sandbox/log"]
    assert {(running.home / name).stat().st_mode & 0o777 for name in private} == {0o600}


def test_down_leaves_no_process_and_no_port_and_the_home_stays_bound(running: Bench) -> None:
    bound = running.binding()
    running.ok("down")
    assert not exists(bound["pid"])
    assert not answers(bound["aws"]["endpoint_url"])
    assert (running.home / "sandbox.json").exists()
    assert running.status() == {"running": False, "bound": True, "home": str(running.home)}


def test_credentials_and_port_outlive_down(running: Bench) -> None:
    secrets, endpoint = running.ok("secrets"), running.binding()["aws"]["endpoint_url"]
    running.ok("down")
    running.ok("up")
    assert (running.ok("secrets"), running.binding()["aws"]["endpoint_url"]) == (secrets, endpoint)


def test_a_killed_sandbox_is_down_and_comes_up_again(running: Bench) -> None:
    pid = running.binding()["pid"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not running.status()["running"])
    running.ok("up")
    assert running.binding()["pid"] != pid


def test_unbind_waits_for_down(running: Bench) -> None:
    refused = running.run("unbind")
    assert (refused.returncode, "groundplan sandbox down" in refused.stderr) == (2, True)
    running.ok("down")
    running.ok("unbind")
    assert not (running.home / "sandbox.json").exists()


def test_two_ups_at_once_make_one_sandbox(bench: Bench) -> None:
    racers = [
        subprocess.Popen([*COMMAND, "up"], env=bench.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    outputs = [racer.communicate(timeout=60) for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0], outputs
    assert sum(b"already up" in out for out, _ in outputs) == 1


@pytest.mark.parametrize("content", ["", "{", '{"version": 1}', '{"version": 99}'])
def test_a_damaged_binding_is_named_and_can_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setenv("GROUNDPLAN_HOME", str(tmp_path))
    (tmp_path / "sandbox.json").write_text(content)
    damaged = CliRunner().invoke(sandbox, ["status"])
    assert (damaged.exit_code, "sandbox.json is damaged" in damaged.stderr) == (2, True)
    assert CliRunner().invoke(sandbox, ["unbind"]).exit_code == 0
    assert not (tmp_path / "sandbox.json").exists()


def test_damaged_credentials_are_named(bench: Bench) -> None:
    (bench.home / "sandbox").mkdir(parents=True)
    (bench.home / "sandbox" / "credentials.json").write_text("{}")
    for command in ("up", "secrets"):
        damaged = bench.run(command)
        assert (damaged.returncode, "credentials.json is damaged" in damaged.stderr) == (2, True)


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    refused = Bench(blocked / "home").run("up")
    assert (refused.returncode, str(blocked) in refused.stderr) == (2, True)


def test_in_the_foreground_it_serves_until_interrupted(bench: Bench) -> None:
    process = subprocess.Popen([*COMMAND, "up", "--foreground"], env=bench.environment, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert b"Ctrl-C stops it" in process.stdout.readline()
        assert bench.status()["pid"] == process.pid
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 0
    assert not bench.status()["running"]


def test_an_instance_is_a_host_one_can_log_in_to_at_its_elastic_address(running: Bench) -> None:
    if (confinement := running.status()["confinement"]) != "namespaces":
        pytest.skip(f"machines cannot be confined here: {confinement}")
    ec2, secrets = running.client(), json.loads(running.ok("secrets"))
    instance, address = _run_instance(ec2, secrets["aws_keypair"])
    eventually(lambda: _state(ec2, instance) == "running")
    host = running.binding()["ssh"]["hosts"][address]
    with paramiko.SSHClient() as ssh:
        kind, key = host["host_key"].split()[:2]
        known = paramiko.PKey.from_type_string(kind, base64.b64decode(key))
        ssh.get_host_keys().add(address if host["port"] == 22 else f"[{address}]:{host['port']}", kind, known)
        key_file = io.StringIO(secrets["private_key_content"])
        login = {"username": "centos", "pkey": paramiko.RSAKey.from_private_key(key_file)}
        ssh.connect(address, port=host["port"], look_for_keys=False, allow_agent=False, **login)
        _, output, _ = ssh.exec_command("hostname")
        assert output.read().decode().strip() == instance
    assert running.status()["machines"] == [{"id": instance, "state": "running", "addresses": [address]}]
    running.ok("reset")
    assert running.status()["machines"] == []
    assert running.binding()["ssh"]["hosts"] == {}
    assert not answers(f"ssh://{address}:{host['port']}")


def _run_instance(ec2: Any, key_name: str) -> tuple[str, str]:
    """As a blueprint does: the elastic address is on the interface before the instance exists. Instance id, address."""
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    elastic = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=elastic["AllocationId"], NetworkInterfaceId=interface)
    made = ec2.run_instances(
        ImageId="ami-08d2d8b00f270d03b",
        KeyName=key_name,
        MinCount=1,
        MaxCount=1,
        NetworkInterfaces=[{"NetworkInterfaceId": interface, "DeviceIndex": 0}],
    )
    return made["Instances"][0]["InstanceId"], elastic["PublicIp"]


def _state(ec2: Any, instance: str) -> str:
    found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return str(found["State"]["Name"])
