"""The sandbox's process, as its user meets it: the commands, each in a process of its own."""

import base64
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import paramiko
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from groundplan_sandbox.commands import sandbox
from groundplan_sandbox.control_plane.programs import NAMES

from ..proof.user import eventually

COMMAND = [sys.executable, "-P", "-m", "groundplan.cli.main", "sandbox"]


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

    def secrets(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.ok("secrets"))
        return found

    def client(self) -> Any:
        secrets = self.secrets()
        return boto3.client(
            "ec2",
            endpoint_url=self.binding()["aws"]["endpoint_url"],
            region_name="us-west-1",
            aws_access_key_id=secrets["aws_access_key_id"],
            aws_secret_access_key=secrets["aws_secret_access_key"],
        )

    @property
    def environment(self) -> dict[str, str]:
        # A caller whose own AWS settings are broken, and must not matter.
        return os.environ | {"GROUNDPLAN_HOME": str(self.home), "AWS_PROFILE": "nobody", "AWS_CONFIG_FILE": __file__}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "home")
    yield bench
    bench.run("down")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A running sandbox for tests that leave it running."""
    bench = Bench(tmp_path_factory.mktemp("shared") / "home")
    bench.ok("up")
    yield bench
    bench.ok("down")


@pytest.fixture
def running(bench: Bench) -> Bench:
    bench.ok("up")
    return bench


def answers(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((str(parts.hostname), parts.port or 0)) == 0


def exists(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_up_binds_the_home_and_a_second_up_changes_nothing(shared: Bench) -> None:
    bound = shared.binding()
    assert (bound["version"], bound["pid"]) == (1, shared.status()["pid"])
    assert answers(bound["aws"]["endpoint_url"])
    assert "already up" in shared.ok("up")
    assert shared.binding() == bound


def test_a_second_up_says_which_options_it_ignores(shared: Bench, tmp_path: Path) -> None:
    done = shared.run("up", "--control-plane", str(tmp_path), "--unconfined", "--state-delay", "3")
    assert done.returncode == 0
    assert "already up" in done.stdout
    for option in ("--control-plane", "--unconfined", "--state-delay"):
        assert f"{option} was ignored" in done.stderr
    assert "serves its clusters by the emulated API" in done.stderr
    assert "fix: start it anew, which empties it: groundplan sandbox down" in done.stderr
    assert "--control-plane was ignored" in shared.run("up", "--foreground", "--control-plane", str(tmp_path)).stderr
    assert shared.run("up").stderr == ""


def test_a_second_up_with_the_options_of_the_first_ignores_none(bench: Bench, tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).touch(0o700)
    options = ["up", "--control-plane", str(tmp_path), "--unconfined", "--state-delay", "3"]
    bench.ok(*options)
    done = bench.run(*options)
    assert ("already up" in done.stdout, done.stderr) == (True, "")


def test_faults_are_set_shown_and_cleared(shared: Bench) -> None:
    once = ["--kind", "fail", "--share", "1", "--limit", "1", "--code", "Odd", "--status", "400"]
    shared.ok("faults", "set", "ec2", "DescribeVpcs", *once)
    with pytest.raises(ClientError, match="Odd"):
        shared.client().describe_vpcs()
    shared.client().describe_vpcs()
    (rule,) = shared.status()["faults"]
    assert (rule["met"], rule["dealt"]) == (1, 1)
    assert "fail with Odd 100% of ec2 DescribeVpcs" in shared.ok("faults", "list")
    refused = shared.run("faults", "set", "s3", "PutObject")
    assert (refused.returncode, "not told apart" in refused.stderr) == (2, True)
    shared.ok("faults", "clear")
    assert shared.status()["faults"] == []


def test_what_holds_secrets_is_readable_by_its_owner_only(shared: Bench) -> None:
    private = ["sandbox.json", "sandbox/credentials.json", "sandbox/log"]
    assert {(shared.home / name).stat().st_mode & 0o777 for name in private} == {0o600}
    assert {folder.stat().st_mode & 0o777 for folder in (shared.home, shared.home / "sandbox")} == {0o700}


def test_orders_are_taken_from_whoever_can_read_the_binding_only(shared: Bench) -> None:
    control = shared.binding()["control"]
    with socket.create_connection(("127.0.0.1", control["port"]), timeout=10) as connection:
        connection.sendall(json.dumps({"token": control["token"][:-1], "order": "reset"}).encode() + b"\n")
        assert connection.makefile("rb").read() == b""


def test_down_leaves_no_process_and_no_port_and_the_home_stays_bound(running: Bench) -> None:
    bound = running.binding()
    running.ok("down")
    assert not exists(bound["pid"])
    assert not answers(bound["aws"]["endpoint_url"])
    assert running.status() == {"running": False, "bound": True, "home": str(running.home)}
    running.ok("unbind")
    assert running.status()["bound"] is False


def test_credentials_and_port_outlive_down(running: Bench) -> None:
    secrets, endpoint = running.ok("secrets"), running.binding()["aws"]["endpoint_url"]
    running.ok("down")
    running.ok("up")
    assert (running.ok("secrets"), running.binding()["aws"]["endpoint_url"]) == (secrets, endpoint)


def test_a_killed_sandbox_is_down_and_comes_up_again_even_when_its_port_is_taken(running: Bench) -> None:
    before = running.binding()
    os.kill(before["pid"], signal.SIGKILL)
    eventually(lambda: not running.status()["running"])
    with socket.create_server(("127.0.0.1", urlsplit(before["aws"]["endpoint_url"]).port or 0)):
        running.ok("up")
    after = running.binding()
    assert after["pid"] != before["pid"]
    assert after["aws"]["endpoint_url"] != before["aws"]["endpoint_url"]


def test_a_running_sandbox_is_not_unbound(shared: Bench) -> None:
    refused = shared.run("unbind")
    assert (refused.returncode, "groundplan sandbox down" in refused.stderr) == (2, True)
    assert shared.status()["bound"]


def test_a_sandbox_whose_home_is_deleted_ends_by_itself(running: Bench) -> None:
    bound = running.binding()
    shutil.rmtree(running.home)
    eventually(lambda: not exists(bound["pid"]))


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


def test_a_control_plane_that_is_not_there_is_named(bench: Bench, tmp_path: Path) -> None:
    done = bench.run("up", "--control-plane", str(tmp_path))
    assert (done.returncode, f"{tmp_path} has no program etcd" in done.stderr) == (2, True)


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


def test_an_instance_is_a_host_one_can_log_in_to_at_its_elastic_address(shared: Bench) -> None:
    _need_confinement(shared)
    instance, address = _run_instance(shared)
    with _log_in(shared, address) as ssh:
        _, output, _ = ssh.exec_command("hostname")
        assert output.read().decode().strip() == instance
    assert shared.status()["machines"] == [{"id": instance, "state": "running", "addresses": [address]}]
    port = shared.binding()["ssh"]["hosts"][address]["port"]
    shared.ok("reset")
    assert shared.status()["machines"] == []
    assert shared.binding()["ssh"]["hosts"] == {}
    assert not answers(f"ssh://{address}:{port}")


def test_nothing_outlives_a_killed_sandbox(running: Bench) -> None:
    _need_confinement(running)
    _, address = _run_instance(running)
    with _log_in(running, address) as ssh:
        ssh.exec_command("nohup sleep 86398 >/dev/null 2>&1 & sleep 86399")
        eventually(lambda: _runs("sleep\x0086398") and _runs("sleep\x0086399"))
        os.kill(running.binding()["pid"], signal.SIGKILL)
        eventually(lambda: not _runs("sleep\x0086398") and not _runs("sleep\x0086399"))
    running.ok("up")
    assert running.status()["machines"] == []
    assert not (running.home / "sandbox" / "machines" / "machines").exists()


def _need_confinement(bench: Bench) -> None:
    if refusal := bench.status()["refusal"]:
        pytest.skip(f"machines cannot be confined here: {refusal}")


def _runs(command: str) -> bool:
    lines = (path for path in Path("/proc").glob("[0-9]*/cmdline"))
    return any(_read(line).startswith(command) for line in lines)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


@contextmanager
def _log_in(bench: Bench, address: str) -> Iterator[paramiko.SSHClient]:
    """As any user of the home does: the key from `secrets`, port and host key from sandbox.json."""
    own = paramiko.RSAKey.from_private_key(io.StringIO(bench.secrets()["private_key_content"]))
    host = bench.binding()["ssh"]["hosts"][address]
    kind, key = host["host_key"].split()[:2]
    with paramiko.SSHClient() as ssh:
        name = address if host["port"] == 22 else f"[{address}]:{host['port']}"
        ssh.get_host_keys().add(name, kind, paramiko.PKey.from_type_string(kind, base64.b64decode(key)))
        ssh.connect(address, host["port"], "centos", pkey=own, look_for_keys=False, allow_agent=False)
        yield ssh


def _run_instance(bench: Bench) -> tuple[str, str]:
    """As a blueprint does: the elastic address is on the interface before the instance exists. Instance id, address."""
    ec2 = bench.client()
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    elastic = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=elastic["AllocationId"], NetworkInterfaceId=interface)
    made = ec2.run_instances(
        ImageId="ami-08d2d8b00f270d03b",
        KeyName=bench.secrets()["aws_keypair"],
        MinCount=1,
        MaxCount=1,
        NetworkInterfaces=[{"NetworkInterfaceId": interface, "DeviceIndex": 0}],
    )
    instance = str(made["Instances"][0]["InstanceId"])
    eventually(lambda: _state(ec2, instance) == "running")
    return instance, elastic["PublicIp"]


def _state(ec2: Any, instance: str) -> str:
    found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return str(found["State"]["Name"])
