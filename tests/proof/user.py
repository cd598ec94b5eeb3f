"""A user at a terminal: runs the installed `groundplan` in a home of their own, and nothing of the engine in-process.

The environment is built for each command, so that nothing of the machine that tests run on can help or harm. Commands
that are run to their end come from `forking`, which has loaded the engine already; those that run beside a test are
started as they are installed.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

from . import forking

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).with_name("groundplan")
INSTALLED: Sequence[str] = (str(PROGRAM),)


@dataclass(frozen=True, kw_only=True)
class User:
    """Who types the commands. `folder`: where they stand; `variables`: what they exported."""

    home: Path
    folder: Path
    program: Sequence[str] = INSTALLED
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{PROGRAM.parent}:{os.defpath}",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "GROUNDPLAN_HOME": str(self.home),
            **self.variables,
        }

    def run(self, *arguments: str | Path, stdin: str = "", timeout: float = 120) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end, whatever it says."""
        words = [str(word) for word in arguments]
        if self.is_installed:
            return forking.run(words, environment=self.environment, folder=self.folder, stdin=stdin, timeout=timeout)
        return subprocess.run(
            [*self.program, *words],
            env=self.environment,
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    @property
    def is_installed(self) -> bool:
        """Whether it is the program of these tests, with no word to Python but where it finds more plugins."""
        told = {name for name in self.variables if name.startswith("PYTHON")}
        return self.program == INSTALLED and told <= {"PYTHONPATH"}

    def ok(self, *arguments: str | Path, stdin: str = "") -> str:
        """Run a command that must succeed; return what it printed."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, f"{arguments}: exit {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout

    def all_ok(self, *commands: Sequence[str | Path]) -> str:
        """Run commands that must succeed one after the other in one process; return what they printed together."""
        assert self.is_installed
        words = [[str(word) for word in command] for command in commands]
        done = forking.run(*words, environment=self.environment, folder=self.folder, timeout=120)
        assert done.returncode == 0, f"{commands}: exit {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout

    def all_json(self, *commands: Sequence[str | Path]) -> list[Any]:
        """Run commands in one process with `--json`; return the document that each printed."""
        text, found = self.all_ok(*([*command, "--json"] for command in commands)), list[Any]()
        while text := text.strip():
            document, end = json.JSONDecoder().raw_decode(text)
            found.append(document)
            text = text[end:]
        return found

    def json(self, *arguments: str | Path) -> Any:
        """Run a command that must succeed with `--json`; return the document it printed."""
        return json.loads(self.ok(*arguments, "--json"))

    def refused(self, code: int, *arguments: str | Path, stdin: str = "") -> str:
        """Run a command that must end with an exit code; return its words on standard error."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == code, f"{arguments}: exit {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stderr

    @contextmanager
    def running(self, *arguments: str | Path) -> Iterator["subprocess.Popen[str]"]:
        """Run a command beside the block; it is killed at the end of the block if it still runs."""
        with subprocess.Popen(
            [*self.program, *map(str, arguments)],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)

    def write(self, name: str, text: str) -> Path:
        """Write a file in the user's folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    def upload(self, name: str, text: str) -> None:
        """Upload a blueprint of one file under the id `name`."""
        self.ok("blueprints", "upload", self.write(f"{name}/blueprint.yaml", text), "-b", name)

    def install(self, deployment: str) -> str:
        """Run the install workflow, which must succeed."""
        return self.ok("executions", "start", "install", "-d", deployment)

    def latest(self, deployment: str) -> Any:
        """Return the latest execution of a deployment."""
        return self.json("executions", "list", "-d", deployment)[-1]

    def events(self, deployment: str) -> list[Any]:
        """Return the events of a deployment, oldest first."""
        found: list[Any] = self.json("events", "list", "-d", deployment)
        return found

    def states(self, deployment: str) -> dict[str, str]:
        """Return the state of each node's instance."""
        return {item["node_id"]: item["state"] for item in self.json("node-instances", "list", "-d", deployment)}

    def capabilities(self, deployment: str) -> dict[str, Any]:
        """Return the capabilities with their sensitive values."""
        found = self.json("deployments", "capabilities", deployment, "--reveal")
        return {name: item["value"] for name, item in found.items()}


def user_in(folder: Path, **variables: str) -> User:
    """Return a user whose folder and home lie in `folder`."""
    place = folder / "place"
    place.mkdir(parents=True, exist_ok=True)
    return User(home=folder / "home", folder=place, variables=variables)


@contextmanager
def sandboxed(user: User) -> Iterator[User]:
    """Have a sandbox in the user's home, with its secrets imported, while the block runs."""
    user.ok("sandbox", "up")
    try:
        user.ok("secrets", "import", "-", stdin=user.ok("sandbox", "secrets"))
        yield user
    finally:
        user.ok("sandbox", "down")


def eventually(holds: Callable[[], bool], patience: float = 20, what: str = "it") -> None:
    """Wait until something holds; fail when it does not in time."""
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not come true in {patience:g} s"
        time.sleep(0.02)


def descendants(pid: int) -> dict[int, str]:
    """Return the processes below a process, by id, with their command lines."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] != "Z":
            parents.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    found, todo = {}, [pid]
    while todo:
        for child in parents.get(todo.pop(), ()):
            found[child] = command_line(child)
            todo.append(child)
    return found


def command_line(pid: int) -> str:
    """Return the arguments of a process, or nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
