"""Starts and stops the sandbox's process, and waits until what was asked is so.

It loads nothing of the emulated world: the process it starts does. `commands` puts its outcomes into words.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from groundplan_sandbox.binding import is_running
from groundplan_sandbox.home import Home

START_PATIENCE = 30.0
STOP_PATIENCE = 20.0
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER", "LOGNAME", "PYTHONPATH", "PYTHONWARNINGS")
_AWS_FILES = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")


class LaunchError(Exception):
    """The process did not get ready. `exit_code`: 1 the world failed, 2 the caller must act."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def start(home: Home, *, delay: float, confined: bool, control_plane: Path | None = None) -> dict[str, Any] | None:
    """Start the sandbox; gives its status when it serves, None when one is running. Raises LaunchError, OSError."""
    home.prepare()
    read_end, write_end = os.pipe()
    with open(home.log, "ab") as log, os.fdopen(read_end, "rb", buffering=0) as pipe:
        os.chmod(home.log, 0o600)
        try:
            options = ["--state-delay", str(delay), *([] if confined else ["--unconfined"])]
            if control_plane is not None:
                options += ["--control-plane", str(control_plane.absolute())]
            process = _spawn(home, write_end, log.fileno(), options)
        finally:
            os.close(write_end)
        message = _read_report(pipe, process, home)
    if message.get("already"):
        return None
    if "error" in message:
        process.wait()
        raise LaunchError(message["error"], message["exit_code"])
    # It outlives us on purpose; without this the interpreter would warn of a child left running.
    process.returncode = 0
    status: dict[str, Any] = message["ready"]
    return status


def stop(home: Home, pid: int) -> bool:
    """Stop the running sandbox of `home`, whose process is `pid`; False when it had to be killed."""
    _signal(pid, signal.SIGTERM)
    if _gone(home, STOP_PATIENCE):
        return True
    _signal(pid, signal.SIGKILL)
    _gone(home, STOP_PATIENCE)
    return False


def environment(home: Home) -> dict[str, str]:
    """What the sandbox's process is given: none of the caller's credentials, proxies and settings, nor ~/.aws."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | dict.fromkeys(_AWS_FILES, os.devnull) | {"GROUNDPLAN_HOME": str(home.root)}


def lock_owner(home: Home) -> int:
    """The process that holds the lock of `home`. Call it while a sandbox is running. Raises OSError, ValueError."""
    return int(home.lock.read_text())


def _spawn(home: Home, write_end: int, log: int, options: list[str]) -> "subprocess.Popen[bytes]":
    fixed = ["--home", str(home.root), "--ready-fd", str(write_end)]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "groundplan_sandbox.daemon", *fixed, *options],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd="/",
        env=environment(home),
        pass_fds=[write_end],
        start_new_session=True,
    )


def _read_report(pipe: Any, process: "subprocess.Popen[bytes]", home: Home) -> dict[str, Any]:
    deadline = time.monotonic() + START_PATIENCE
    received = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if not selector.select(left):
                break
            chunk = pipe.read(1 << 16)
            received += chunk
            if not chunk:
                break
    if received:
        report: dict[str, Any] = json.loads(received)
        return report
    # A closed pipe means that the process has ended, or is about to: it holds the only other end.
    died = time.monotonic() < deadline
    process.kill()
    process.wait()
    what = "ended while starting" if died else f"did not start within {START_PATIENCE:.0f} s"
    raise LaunchError(f"the sandbox {what}; see {home.log}", 1)


def _gone(home: Home, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while is_running(home):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
