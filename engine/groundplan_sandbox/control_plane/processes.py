"""The sandbox's side of one control plane's programs: asks `keeper` to start them, knows whether they run, ends them.

What the programs are called with is `commands`; when they are ready is `cluster`'s to find out.
"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_PATIENCE = 15.0
_TAIL = 5
"""Lines of a program's log that are told when it ended by itself."""


class ProgramEndedError(OSError):
    """A program of the control plane ended by itself; the text has the end of its log."""


class Processes:
    """The running programs of one control plane. `folder`: for their logs, one `NAME.log` each."""

    def __init__(self, folder: Path) -> None:
        self._logs = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(folder / "keeper.log", "ab") as log:
            self._keeper = subprocess.Popen(
                [sys.executable, "-P", "-m", "groundplan_sandbox.control_plane.keeper"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        return self._keeper.poll() is None

    def start(self, name: str, argv: Sequence[str]) -> None:
        """Have a program started; that it cannot be is seen at `require`."""
        assert self._keeper.stdin is not None
        log = self._logs / f"{name}.log"
        log.unlink(missing_ok=True)
        order = json.dumps({"name": name, "argv": list(argv), "log": str(log)})
        try:
            self._keeper.stdin.write(order.encode() + b"\n")
            self._keeper.stdin.flush()
        except BrokenPipeError:
            self.require()

    def require(self) -> None:
        """Raises ProgramEndedError when one of the programs has ended, and all others with it."""
        if self.running:
            return
        assert self._keeper.stdout is not None
        name = self._keeper.stdout.read().decode().strip() or "keeper"
        log = self._logs / f"{name}.log"
        lines = log.read_text(errors="replace").splitlines()[-_TAIL:] if log.exists() else []
        raise ProgramEndedError(f"{name} ended: {' | '.join(lines) or 'without a word'}")

    def end(self) -> None:
        """End every program; returns when none is left."""
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        # Broken when it has ended already: what was not written is of no use then.
        with contextlib.suppress(BrokenPipeError):
            self._keeper.stdin.close()
        try:
            self._keeper.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()
        self._keeper.stdout.close()
