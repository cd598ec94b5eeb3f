"""Real machines for the tests: one host a test run, one machine a test, each on a loopback address of its own."""

import io
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import asyncssh
import paramiko
import pytest

from groundplan_sandbox.machines.host import Machine, MachineHost

_addresses = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class Result:
    out: str
    err: str
    code: int


class Client:
    """A logged-in SSH client, as the ssh plugin would be one."""

    def __init__(self, ssh: paramiko.SSHClient) -> None:
        self.ssh = ssh

    def run(self, command: str, *, stdin: str = "", pty: bool = False, env: dict[str, str] | None = None) -> Result:
        given, out, err = self.ssh.exec_command(command, get_pty=pty, environment=env, timeout=60)
        given.write(stdin)
        given.channel.shutdown_write()
        return Result(out=out.read().decode(), err=err.read().decode(), code=out.channel.recv_exit_status())

    def put(self, text: str, path: str) -> None:
        with self.ssh.open_sftp() as sftp:
            sftp.putfo(io.BytesIO(text.encode()), path)
            sftp.chmod(path, 0o755)


@pytest.fixture(scope="session")
def key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture(scope="session")
def public_key(key: asyncssh.SSHKey) -> str:
    text: str = key.export_public_key().decode()
    return text


def new_address() -> str:
    """A loopback address that no other test of this process uses; two processes differ in the third octet."""
    return f"127.77.{os.getpid() % 250 + 1}.{next(_addresses)}"


@pytest.fixture
def address() -> str:
    return new_address()


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MachineHost]:
    host = MachineHost(tmp_path_factory.mktemp("machines"))
    if host.refusal is not None:
        host.close()
        pytest.skip(f"this kernel does not let the sandbox confine machines: {host.refusal}")
    yield host
    for machine in host.machines:
        machine.terminate()
    host.close()


@contextmanager
def _launched(host: MachineHost, public_key: str) -> Iterator[Machine]:
    address = new_address()
    machine = host.launch(f"vm-{address.replace('.', '-')}", [public_key])
    machine.add_address(address)
    yield machine
    if machine in host.machines:
        machine.terminate()


@pytest.fixture
def machine(host: MachineHost, public_key: str) -> Iterator[Machine]:
    with _launched(host, public_key) as machine:
        yield machine


@pytest.fixture(scope="module")
def shared_machine(host: MachineHost, public_key: str) -> Iterator[Machine]:
    """A machine that the module's tests share: for what leaves nothing that another would stumble on."""
    with _launched(host, public_key) as machine:
        yield machine


@pytest.fixture(scope="module")
def shared_client(shared_machine: Machine, login: "Login") -> "Client":
    return login(shared_machine)


class SshHost(Protocol):
    """What a login needs of a machine."""

    @property
    def addresses(self) -> tuple[str, ...]: ...
    @property
    def host_key(self) -> str: ...
    def ssh_port(self, address: str) -> int: ...


Login = Callable[..., Client]


@pytest.fixture(scope="module")
def login(key: asyncssh.SSHKey) -> Iterator[Login]:
    """Logs in at a machine's first address: `login(machine, user="centos")`."""
    clients: list[paramiko.SSHClient] = []
    own = paramiko.Ed25519Key.from_private_key(io.StringIO(key.export_private_key().decode()))

    def connect(machine: SshHost, user: str = "centos", pkey: paramiko.PKey = own) -> Client:
        address = machine.addresses[0]
        client = paramiko.SSHClient()
        clients.append(client)
        kind, blob = machine.host_key.split()
        port = machine.ssh_port(address)
        entry = paramiko.hostkeys.HostKeyEntry.from_line(f"{_host_name(address, port)} {kind} {blob}")
        assert entry is not None
        assert entry.key is not None
        client.get_host_keys().add(_host_name(address, port), kind, entry.key)
        client.connect(address, port, username=user, pkey=pkey, look_for_keys=False, allow_agent=False, timeout=10)
        return Client(client)

    yield connect
    for client in clients:
        client.close()


def _host_name(address: str, port: int) -> str:
    return address if port == 22 else f"[{address}]:{port}"


@pytest.fixture
def client(machine: Machine, login: Login) -> Client:
    return login(machine)


@pytest.fixture(scope="session")
def infra() -> Path:
    """The development blueprints of eaas-example, whose scripts must run as they are."""
    folder = Path(os.environ.get("GROUNDPLAN_CORPUS_FOLDER", Path(__file__).parents[4] / "shared" / "corpus"))
    found = folder / "eaas-example" / "infra" / "dev"
    if not found.is_dir():
        if os.environ.get("GROUNDPLAN_CORPUS") == "required":
            pytest.fail(f"GROUNDPLAN_CORPUS=required, and {found} is not there")
        pytest.skip("the corpus with eaas-example is not beside this checkout")
    return found
