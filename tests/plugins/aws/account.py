"""The sandbox's AWS in a process of its own, for tests of the plugin: moto keeps its state in the process's globals.

Run as a program: prints its URL and keys as one line of JSON, empties the account for each line it reads, ends with its
input. Its machines are names only; the tests of the sandbox have real ones.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from groundplan_sandbox.aws.lifecycle import Instances
from groundplan_sandbox.aws.server import AwsServer
from groundplan_sandbox.credentials import load_or_create
from groundplan_sandbox.home import Home

TRANSITION = 0.05
"""Seconds that an instance takes from one state to the next, so that waiting is waiting."""


@dataclass(frozen=True)
class NamedMachine:
    """A machine that does nothing."""

    name: str
    host_key: str = "ssh-ed25519 AAAA"

    def add_address(self, address: str) -> None: ...
    def remove_address(self, address: str) -> None: ...
    def stop(self) -> None: ...
    def start(self) -> None: ...
    def terminate(self) -> None: ...
    def ssh_port(self, address: str) -> int:
        return 22


class NamedMachines:
    """Makes them."""

    def launch(self, name: str, authorized_keys: Sequence[str]) -> NamedMachine:
        return NamedMachine(name)


def serve(folder: Path) -> None:
    """Serve until the input ends."""
    credentials = load_or_create(Home(root=folder))
    server = AwsServer(credentials, Instances(NamedMachines(), delay=TRANSITION, changed=lambda: None))
    url = server.start()
    print(json.dumps({"endpoint": url, "secrets": credentials.as_secrets()}), flush=True)
    for _ in sys.stdin:
        server.reset()
        print("emptied", flush=True)
    server.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        serve(Path(name))
