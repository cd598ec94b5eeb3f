"""SSH servers for the plugin's tests: one of our own always, OpenSSH's where it is installed (`live`)."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from groundplan.runtime.foreign.machine import Machine
from groundplan.sdk.testing import BenchContext, context
from groundplan_ssh.tasks import run_script

SSHD = "/usr/sbin/sshd"
DEADLINE = 20.0
SSHD_CONFIG = """Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/id.pub
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
AllowTcpForwarding {forwarding}
"""


class Server:
    """An SSH server on loopback; `home` is the home folder of `user`."""

    user = "centos"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        self.port = 0
        self.forwarding = "yes"
        self._key = users_key()
        self._key.write_public_key(folder / "id.pub")
        self.show_another_host_key()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def private_key(self) -> str:
        text: str = self._key.export_private_key("pkcs1-pem").decode()
        return text

    @property
    def host_key(self) -> str:
        line: str = asyncssh.read_private_key(self.folder / "host_key").export_public_key().decode()
        return line

    @property
    def environment(self) -> dict[str, Any]:
        """The input `fabric_env` that logs in here."""
        kwargs = {"pkey": self.private_key}
        return {"host": "127.0.0.1", "port": self.port, "user": self.user, "connect_kwargs": kwargs}

    def show_another_host_key(self) -> None:
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(self.folder / "host_key")
        (self.folder / "host_key").chmod(0o600)

    def command(self) -> list[str]:
        program = Path(__file__).with_name("ssh_server.py")
        return [sys.executable, str(program), str(self.folder), str(self.port), self.forwarding]

    def start(self) -> None:
        """Listen, on the port of the last time if there was one."""
        wanted = self.port
        deadline = time.monotonic() + DEADLINE
        while True:
            self.port = wanted or free_port()
            self._process = subprocess.Popen(self.command(), stdout=subprocess.DEVNULL, start_new_session=True)
            while self._process.poll() is None and time.monotonic() < deadline:
                if self._answers(deadline):
                    return
                time.sleep(0.02)
            self.stop()
            assert time.monotonic() < deadline, "the SSH server does not answer"

    def _answers(self, deadline: float) -> bool:
        try:
            address = ("127.0.0.1", self.port)
            with socket.create_connection(address, timeout=max(0.1, deadline - time.monotonic())) as line:
                return line.recv(4) == b"SSH-"
        except OSError:
            return False

    def stop(self) -> None:
        """End the server with all its connections; what scripts started apart goes on."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def left_behind(self) -> list[Path]:
        """What attempts left on the host."""
        return [*self.home.glob(".groundplan/attempts/*"), *self.folder.glob("work/groundplan-*")]


class OpenSsh(Server):
    """OpenSSH's server; its logins are the user's who runs the tests."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.user = os.environ.get("USER") or "root"
        # What sshd gives its sessions, whatever HOME is here.
        self.home = Path(pwd.getpwuid(os.getuid()).pw_dir)
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)

    def command(self) -> list[str]:
        config = self.folder / "sshd_config"
        config.write_text(SSHD_CONFIG.format(port=self.port, folder=self.folder, forwarding=self.forwarding))
        return [SSHD, "-D", "-f", str(config), "-E", str(self.folder / "log")]

    def stop(self) -> None:
        own = self._process
        if own is not None:
            listing = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout
            pairs = [line.split() for line in listing.splitlines()[1:]]
            parents = {int(pid): int(parent) for pid, parent in pairs}
            for pid in [pid for pid, parent in parents.items() if parent == own.pid]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        super().stop()


@cache
def users_key() -> asyncssh.SSHKey:
    """The key that users of all servers log in with; an RSA key takes a while to find."""
    return asyncssh.generate_private_key("ssh-rsa")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(params=["asyncssh", pytest.param("openssh", marks=pytest.mark.live)])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "host"
    (folder / "work").mkdir(parents=True)
    if request.param == "openssh" and not Path(SSHD).exists():
        pytest.fail(f"OpenSSH's server is not at {SSHD}: apt-get install openssh-server, or `make live`")
    server = OpenSsh(folder) if request.param == "openssh" else Server(folder)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(server.home / ".groundplan", ignore_errors=True)


@pytest.fixture
def blueprint(tmp_path: Path) -> Path:
    folder = tmp_path / "blueprint"
    folder.mkdir()
    return folder


@pytest.fixture
def ctx(tmp_path: Path, blueprint: Path) -> Iterator[BenchContext]:
    with Machine(scratch=tmp_path, resource_folders=[blueprint]) as machine:
        yield context(
            machine=machine,
            properties={"bucket": "shop"},
            settings={"connect_patience": 20},
            sleep=lambda seconds: time.sleep(min(seconds, 0.1)),
        )


@pytest.fixture
def script(server: Server, ctx: BenchContext, blueprint: Path) -> Callable[..., Any]:
    """Runs a script on the host: `script("name.sh", text, **inputs)`."""

    def write_and_run(name: str, text: str, **inputs: Any) -> Any:
        (blueprint / name).write_text(text)
        process = {"base_dir": str(server.folder / "work"), **inputs.pop("process", {})}
        given = inputs.pop("fabric_env", server.environment)
        return run_script(ctx, script_path=name, fabric_env=given, process=process, **inputs)

    return write_and_run
