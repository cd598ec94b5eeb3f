"""The sandbox's AWS in this process, on machines that only write down what is asked of them."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from groundplan_sandbox.aws.lifecycle import Instances
from groundplan_sandbox.aws.server import AwsServer
from groundplan_sandbox.credentials import Credentials, load_or_create
from groundplan_sandbox.home import Home

from ...live.clusters import EMULATED, maker

REGION = "us-west-1"
IMAGE = "ami-08d2d8b00f270d03b"


@dataclass
class RecordingMachine:
    name: str
    authorized_keys: tuple[str, ...]
    host_key: str = "ssh-ed25519 AAAA"
    addresses: set[str] = field(default_factory=set)
    running: bool = True
    terminated: bool = False
    starts: int = 0

    def add_address(self, address: str) -> None:
        self.addresses.add(address)

    def remove_address(self, address: str) -> None:
        self.addresses.remove(address)

    def ssh_port(self, address: str) -> int:
        return 22

    def stop(self) -> None:
        self.running = False

    def start(self) -> None:
        self.running = True
        self.starts += 1

    def terminate(self) -> None:
        self.running, self.terminated = False, True


class RecordingMachines:
    """`may_launch` holds launches back while it is not set; `fault` makes them fail."""

    def __init__(self) -> None:
        self.launched: dict[str, RecordingMachine] = {}
        self.may_launch = threading.Event()
        self.may_launch.set()
        self.fault: Exception | None = None

    def launch(self, name: str, authorized_keys: Sequence[str]) -> RecordingMachine:
        assert self.may_launch.wait(10)
        if self.fault is not None:
            raise self.fault
        self.launched[name] = RecordingMachine(name, tuple(authorized_keys))
        return self.launched[name]


@dataclass(frozen=True)
class Aws:
    url: str
    session: boto3.Session
    credentials: Credentials
    server: AwsServer
    machines: RecordingMachines
    instances: Instances
    folder: Path

    def client(self, service: str, region: str = REGION, **keys: Any) -> Any:
        given = {
            "aws_access_key_id": self.credentials.access_key_id,
            "aws_secret_access_key": self.credentials.secret_access_key,
        }
        config = Config(retries={"total_max_attempts": 1}).merge(keys.pop("config", Config()))
        return self.session.client(service, endpoint_url=self.url, region_name=region, config=config, **(given | keys))


@pytest.fixture(scope="session")
def _server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    credentials = load_or_create(Home(root=tmp_path_factory.mktemp("home")))
    machines = RecordingMachines()
    instances = Instances(machines, delay=0, changed=lambda: None)
    folder = tmp_path_factory.mktemp("servers")
    make_cluster = maker(getattr(request, "param", EMULATED))
    server = AwsServer(credentials, instances, folder=folder, make_cluster=make_cluster)
    yield Aws(server.start(), boto3.Session(), credentials, server, machines, instances, folder)
    server.stop()


@pytest.fixture
def aws(_server: Aws) -> Iterator[Aws]:
    yield _server
    _server.machines.may_launch.set()
    _server.machines.fault = None
    _server.server.reset()


@pytest.fixture
def held(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Callable[[], AbstractContextManager[None]]:
    """Within it no transition of a managed service comes true; those asked for do at its end."""

    @contextmanager
    def hold() -> Iterator[None]:
        asked: list[Callable[[], None]] = []
        with monkeypatch.context() as patch:
            patch.setattr(aws.instances.transitions, "later", lambda change, at_least=0.0: asked.append(change))
            yield
        for change in asked:
            aws.instances.transitions.later(change)

    return hold


@pytest.fixture
def ec2(aws: Aws) -> Any:
    return aws.client("ec2")


@dataclass(frozen=True)
class Network:
    """A VPC with an internet gateway, a subnet and a security group."""

    vpc: str
    gateway: str
    subnet: str
    group: str


@pytest.fixture
def network(ec2: Any) -> Network:
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24", AvailabilityZone="us-west-1c")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="agents", Description="agents", VpcId=vpc)["GroupId"]
    return Network(vpc, gateway, subnet, group)


@pytest.fixture
def interface(ec2: Any, network: Network) -> str:
    made = ec2.create_network_interface(SubnetId=network.subnet, Groups=[network.group])
    return str(made["NetworkInterface"]["NetworkInterfaceId"])


@pytest.fixture
def run(aws: Aws, ec2: Any) -> Callable[..., str]:
    def run_instance(interface: str | None = None, **options: Any) -> str:
        if interface is not None:
            options["NetworkInterfaces"] = [{"NetworkInterfaceId": interface, "DeviceIndex": 0}]
        asked = {"ImageId": IMAGE, "KeyName": aws.credentials.keypair_name, "MinCount": 1, "MaxCount": 1} | options
        return str(ec2.run_instances(**asked)["Instances"][0]["InstanceId"])

    return run_instance


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    def wait(holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < deadline, "it did not come true in time"
            time.sleep(0.01)

    return wait


@pytest.fixture
def describe(ec2: Any) -> Callable[[str], dict[str, Any]]:
    def describe_instance(instance: str) -> dict[str, Any]:
        found: dict[str, Any] = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        return found

    return describe_instance


@pytest.fixture
def reaches(describe: Any, eventually: Any) -> Callable[[str, str], None]:
    return lambda instance, state: eventually(lambda: describe(instance)["State"]["Name"] == state)
