"""Temporal's development server for tests: the real one, which `make live` builds, in memory, on a loopback port.

It is a process of its own: started by the client library inside this one, the interpreter may die at its exit.
"""

import json
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..live import programs
from .user import eventually


@dataclass(frozen=True, kw_only=True)
class TemporalServer:
    """A running server."""

    program: Path
    port: int
    environment: dict[str, str]

    @property
    def target(self) -> str:
        """Host and port of its frontend."""
        return f"127.0.0.1:{self.port}"

    def cli(self, *arguments: str) -> str:
        """Run Temporal's own command line against it and return what it says."""
        command = [self.program, *arguments, "--address", self.target]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def history(self, workflow: str) -> dict[str, Any]:
        """Return the history of a workflow's last run."""
        return json.loads(self.cli("workflow", "show", "--workflow-id", workflow, "--output", "json"))


@contextmanager
def temporal_server(options: Sequence[str] = ()) -> Iterator[TemporalServer]:
    """Serve until the block ends."""
    program = programs.program("temporal")
    home = Path(tempfile.mkdtemp(prefix="temporal-"))
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    port = _free_port()
    fixed = ["server", "start-dev", "--ip", "127.0.0.1", "--port", str(port), "--headless", "--log-level", "error"]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen([program, *fixed, *options], env=environment, stdout=log, stderr=log, cwd=home)
    server = TemporalServer(program=program, port=port, environment=environment)
    try:
        eventually(lambda: _serves(server), patience=60, what="Temporal")
        yield server
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(home, ignore_errors=True)


def _serves(server: TemporalServer) -> bool:
    command = [server.program, "operator", "cluster", "health", "--address", server.target]
    done = subprocess.run(command, env=server.environment, capture_output=True, text=True, timeout=60)
    return "SERVING" in done.stdout


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
