"""The machine as its small programs see it: its files, and the control socket on which they ask the sandbox.

It holds no state of its own: what programs remember lies in the machine's `/etc`, `/run` and `/var/lib/groundplan`.
"""

import contextlib
import fcntl
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LIBRARY = Path(__file__).resolve().parents[1]


class ProgramError(Exception):
    """A program cannot do what it is asked; the text goes to standard error, `code` is its exit code."""

    def __init__(self, words: str, code: int = 1) -> None:
        super().__init__(words)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Machine:
    """`root` is the folder of the machine's own files (empty: `/`), `control` the path of its control socket."""

    root: str
    control: str

    @property
    def confined(self) -> bool:
        """Whether this process sees the machine's files alone."""
        return self.root == ""

    @property
    def library(self) -> str:
        """The folder that holds this package, for launchers."""
        return str(_LIBRARY)

    def path(self, name: str) -> Path:
        """Where the machine's file `name` (absolute) is."""
        return Path(self.root + name)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the machine's records: programs run side by side."""
        folder = self.path("/var/lib/groundplan")
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """One request to the sandbox. Raises ProgramError with its words when it answers with another code than 0."""
        with self._connect() as connection:
            return _exchange(connection, request)

    @contextlib.contextmanager
    def hold(self, request: dict[str, Any]) -> Iterator[None]:
        """A request that holds for as long as the connection is open. Raises ProgramError as `ask` does."""
        with self._connect() as connection:
            _exchange(connection, request)
            yield

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(self.control)
        except OSError as error:
            connection.close()
            raise ProgramError(f"the sandbox does not answer: {error.strerror}", 70) from error
        return connection


def _exchange(connection: socket.socket, request: dict[str, Any]) -> dict[str, Any]:
    connection.sendall(json.dumps(request).encode() + b"\n")
    with connection.makefile("rb") as answers:
        line = answers.readline()
    if not line:
        raise ProgramError("the sandbox hung up", 70)
    answer: dict[str, Any] = json.loads(line)
    if answer["code"]:
        raise ProgramError(str(answer.get("err", "")), int(answer["code"]))
    return answer
