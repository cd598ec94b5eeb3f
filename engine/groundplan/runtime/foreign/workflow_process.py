"""The process of one custom workflow: started with a socket of its own, read line by line, ended with its group.

It shares `machine` with the operations' scripts: environment, confinement, the end. What is said is only checked for
its form (`messages`); what follows from it is decided in the driver's thread, by `runtime.dialogue`.
"""

import json
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

from groundplan.model.requests import AnyRequest
from groundplan.runtime.foreign.machine import Machine
from groundplan.runtime.foreign.messages import (
    LONGEST,
    Ended,
    FileWanted,
    Judged,
    Malformed,
    Message,
    PropertiesWanted,
    Ran,
    Said,
    read_message,
)
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.scripts import OutputLog, ProcessOptions

_UNTAKEN: Final = 1000
"""Messages that wait for the driver; a process that says more waits."""
_UNHEARD: Final = 100_000
"""Answers that wait for the process; one that asks for more without listening is ended."""
_LOOK_SECONDS: Final = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """What is to be run.

    Attributes:
        function: `module.function`; or empty, and then
        script: path of a script in the blueprint's folder, or
        source: the text of one.
        folders: where the plugin's code lies beside what is installed, paths in the blueprint's folder.
    """

    function: str = ""
    script: str = ""
    source: str = ""
    folders: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Gone:
    """The process is no more.

    Attributes:
        trouble: why it could not be started, or what it said that is no message; else empty.
        code: exit status, negative for a signal.
        errors: the end of what it wrote to standard error.
    """

    trouble: str = ""
    code: int = 0
    errors: str = ""


Heard = AnyRequest | Ran | Judged | Said | PropertiesWanted | FileWanted | Ended | Gone
Hear = Callable[[Heard], None]


class WorkflowProcess:
    """One process, from `start` to the `Gone` that `hear` is told last. `hear` is called in threads of its own."""

    def __init__(
        self, machine: Machine, program: Program, hear: Hear, environment: Mapping[str, str] | None = None
    ) -> None:
        """Get ready; `environment` is given to it besides its own."""
        self._environment = environment or {}
        self._machine = machine
        self._program = program
        self._hear = hear
        self._ours, self._theirs = socket.socketpair()
        self._outgoing: SimpleQueue[bytes | None] = SimpleQueue()
        self._room = threading.BoundedSemaphore(_UNTAKEN)
        self._stopped = threading.Event()
        self._trouble = ""

    def start(self) -> None:
        """Start it; returns at once."""
        threading.Thread(target=self._run, name="workflow", daemon=True).start()

    def send(self, message: Mapping[str, Any]) -> None:
        """Say something to it, whenever it listens; never blocks."""
        self._outgoing.put(json.dumps(message).encode() + b"\n")

    def taken(self) -> None:
        """Take note that the driver has taken one message."""
        self._room.release()

    def stop(self) -> None:
        """End it and its process group; `Gone` follows."""
        self._stopped.set()

    def _run(self) -> None:
        reader = threading.Thread(target=self._read, name="workflow-reader", daemon=True)
        writer = threading.Thread(target=self._write, name="workflow-writer", daemon=True)
        reader.start()
        writer.start()
        gone = self._run_program()
        # A process that it left behind may hold the other end: what it says is not waited for.
        with suppress(OSError):
            self._ours.shutdown(socket.SHUT_RDWR)
        self._outgoing.put(None)
        reader.join()
        writer.join()
        self._ours.close()
        self._machine.close()
        self._hear(Gone(trouble=self._trouble or gone.trouble, code=gone.code, errors=gone.errors))

    def _run_program(self) -> Gone:
        output = OutputLog(_Log(self._put), ProcessOptions())
        try:
            environment = {
                **self._environment,
                "CTX_WORKFLOW_CHANNEL": str(self._theirs.fileno()),
                "CTX_WORKFLOW_PROGRAM": self._place_program(),
                "PYTHONPATH": ":".join(self._code_folders()),
                # The blueprint's folder is the engine's copy: nothing is to be written there.
                "PYTHONDONTWRITEBYTECODE": "1",
            }
            ended = self._machine.run(
                [sys.executable, "-m", "cloudify.workflows.start"],
                cancelled=self._stopped.is_set,
                environment=environment,
                on_line=output,
                passed=self._theirs,
                shown=self._package(),
            )
        except NonRecoverableError as error:
            self._theirs.close()
            return Gone(trouble=error.message)
        except OSError as error:
            self._theirs.close()
            return Gone(trouble=f"the process of the workflow cannot be started: {error}")
        return Gone(code=ended.code, errors=output.errors)

    def _place_program(self) -> str:
        """Return what the process is to run: a function's name, or the path of the script that is put into its folder.

        Raises:
            NonRecoverableError: there is no such script.
        """
        program = self._program
        if program.function:
            return program.function
        if "://" in program.script:
            raise NonRecoverableError(f"{program.script}: the script of a workflow comes from the blueprint's folder")
        if not (program.script or program.source):
            raise NonRecoverableError("the workflow names no script: script_path and script_source are empty")
        content = program.source.encode() or self._resources().read(program.script)
        folder = self._machine.folder / "script"
        folder.mkdir(exist_ok=True)
        path = folder / (Path(program.script).name or "workflow.py")
        path.write_bytes(content)
        return str(path)

    def _code_folders(self) -> list[str]:
        found = []
        for folder in self._program.folders:
            with suppress(NonRecoverableError):  # it is then an installed package, or missed in words when imported
                found.append(str(self._resources().path(folder)))
        if self._program.script:
            found.append(str(self._resources().path(self._program.script).parent))
        return found

    def _package(self) -> list[Path]:
        """Return where the function's package is installed: that may be a folder which a confined process sees not."""
        top = self._program.function.partition(".")[0]
        with suppress(ValueError):  # a name that no module has
            spec = find_spec(top) if top else None
            return [Path(place) for place in spec.submodule_search_locations or ()] if spec else []
        return []

    def _resources(self) -> Any:
        def no_context() -> Any:
            raise NonRecoverableError("a workflow renders no resources")

        return self._machine.resources(no_context)

    def place_of(self, path: str) -> str:
        """Return where a file of the blueprint lies.

        Raises:
            NonRecoverableError: there is none.
        """
        return str(self._resources().path(path))

    def _put(self, message: Heard) -> None:
        while not self._room.acquire(timeout=_LOOK_SECONDS):
            if self._stopped.is_set():
                return
        self._hear(message)

    def _read(self) -> None:
        with self._ours.makefile("rb") as lines, suppress(OSError):
            while line := lines.readline(LONGEST + 1):
                if len(line) > LONGEST:
                    self._refuse(f"it said more than {LONGEST} bytes at once")
                    return
                try:
                    message: Message = read_message(line)
                except Malformed as error:
                    self._refuse(f"it said what is no message: {error}")
                    return
                if self._outgoing.qsize() > _UNHEARD:
                    self._refuse(f"it did not listen to {_UNHEARD} answers")
                    return
                self._put(message)

    def _refuse(self, why: str) -> None:
        self._trouble = f"the process of the workflow was ended: {why}"
        self.stop()

    def _write(self) -> None:
        with suppress(OSError):
            while (line := self._outgoing.get()) is not None:
                self._ours.sendall(line)


class _Log:
    """What the program prints, as lines of the deployment's log."""

    def __init__(self, put: Hear) -> None:
        self._put = put

    def debug(self, message: str) -> None:
        self._put(Said(message=message, level="debug"))

    def info(self, message: str) -> None:
        self._put(Said(message=message, level="info"))

    def warning(self, message: str) -> None:
        self._put(Said(message=message, level="warning"))

    def error(self, message: str) -> None:
        self._put(Said(message=message, level="error"))
