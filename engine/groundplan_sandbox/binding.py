"""sandbox.json: the file that binds a home to its sandbox, and the lock that tells whether that sandbox lives.

The engine reads the same file by its documented shape and imports nothing from here. While the file is there, nothing
of the home may reach a real account; that rule is the engine's to keep.
"""

import errno
import fcntl
import os
import time
from pathlib import Path

import msgspec

from groundplan_sandbox.home import Home, write_whole
from groundplan_sandbox.terraform.mirror import Providers

VERSION = 1
_LOCK_PATIENCE = 0.5
"""Seconds: an engine that looks whether the sandbox lives holds a shared lock for an instant."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP API. `ca_file`: path of a PEM file with the authority to trust, None for plain HTTP."""

    endpoint_url: str
    ca_file: str | None = None


class SshAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where SSH answers for an address, and the host's public key as one OpenSSH line."""

    port: int
    host_key: str


class SshMap(msgspec.Struct, frozen=True, kw_only=True):
    """SSH hosts by IPv4 address."""

    hosts: dict[str, SshAddress] = {}


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """Where the running sandbox takes orders from its own commands. `token` is what they show it."""

    port: int
    token: str


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """The content of sandbox.json, version 1. `started`: seconds since the epoch.

    A sandbox lives when process `pid` exists and somebody holds flock(2) on `sandbox/lock` beside the file:
    `flock(fd, LOCK_SH | LOCK_NB)` then fails with EWOULDBLOCK. Close the descriptor at once when it does not.
    """

    version: int = VERSION
    pid: int
    started: float
    aws: Endpoint
    ssh: SshMap = SshMap()
    terraform: Providers | None = None
    control: Control


class DamagedBindingError(Exception):
    """sandbox.json is not what this module writes."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is damaged; `groundplan sandbox up` writes it anew, `groundplan sandbox unbind` removes it"
        )


class AlreadyRunningError(Exception):
    """Another process holds the lock of this home."""


def read_binding(home: Home) -> Binding | None:
    """The binding of `home`; None when it is bound to no sandbox. Raises DamagedBindingError, OSError."""
    try:
        found = msgspec.json.decode(home.binding.read_bytes(), type=Binding)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise DamagedBindingError(home.binding) from error
    if found.version != VERSION:
        raise DamagedBindingError(home.binding)
    return found


def write_binding(home: Home, binding: Binding) -> None:
    """Replace sandbox.json, mode 0600. Raises OSError."""
    write_whole(home.binding, msgspec.json.format(msgspec.json.encode(binding), indent=2) + b"\n")


def is_running(home: Home) -> bool:
    """Whether a sandbox of `home` lives, told by its lock: a lock dies with its process, a file does not."""
    try:
        descriptor = os.open(home.lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def hold_lock(home: Home) -> int:
    """Take the lock of `home` until the process ends; gives the descriptor. Raises AlreadyRunningError, OSError."""
    home.prepare()
    descriptor = os.open(home.lock, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _LOCK_PATIENCE
    while not _try_lock(descriptor, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            os.close(descriptor)
            raise AlreadyRunningError
        time.sleep(0.02)
    return descriptor


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True
