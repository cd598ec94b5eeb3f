"""Shuts a child process in: the host read-only, no home folder, a process table of its own (Linux namespaces).

Runs in the supervisor of a child, with the standard library only; the engine's process never calls the kernel so. The
network stays the host's: the ctx proxy on loopback is reachable. `plan` says what is hidden and what is shown.
"""

import ctypes
import os
import signal
import stat
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

_NEW_MOUNTS: Final = 0x00020000
_NEW_IPC: Final = 0x08000000
_NEW_USERS: Final = 0x10000000
_NEW_PIDS: Final = 0x20000000
_MS_NOSUID: Final = 2
_MS_NODEV: Final = 4
_MS_BIND: Final = 4096
_MS_REC: Final = 16384
_MS_PRIVATE: Final = 1 << 18
_MOUNT_SETATTR: Final = 442  # the same number on all architectures but alpha
_AT_FDCWD: Final = -100
_AT_RECURSIVE: Final = 0x8000
_READ_ONLY: Final = 1
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38
_SIGKILL: Final = 9

_DEVICES: Final = ("null", "zero", "full", "random", "urandom", "tty")
_KERNEL_SWITCHES: Final = ("sys", "sysrq-trigger", "irq", "bus", "fs")
_SCRATCH: Final = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - mount points, not files


class Refused(Exception):
    """The kernel does not let this user shut a process in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Confinement:
    """What a shut-in process sees.

    Attributes:
        hidden: folders and files that are empty for it.
        shown: folders and files that it may read although they lie in a hidden folder.
        writable: folders that it may write; all else is read-only, but for empty temporary folders of its own.
    """

    hidden: Sequence[str]
    shown: Sequence[str]
    writable: Sequence[str]


class _MountAttributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("users", ctypes.c_uint64),
    )


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends; does nothing where there is no such call."""
    if sys.platform == "linux":
        _libc().prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)


def shut_in(confinement: Confinement, then: Callable[[], int]) -> NoReturn:
    """Build the confinement round this process, run `then` inside and exit with what it returns (an exit status).

    Raises:
        Refused: the kernel said no; `then` was not run.
    """
    user, group = os.getuid(), os.getgid()
    _unshare(_NEW_USERS | _NEW_MOUNTS | _NEW_PIDS | _NEW_IPC)
    _be(0, user, 0, group)
    die_with_parent()
    _hide(confinement)
    reading, writing = os.pipe()
    init = os.fork()
    if init == 0:
        os.close(reading)
        _as_init(confinement, then, user, group, writing)
    os.close(writing)
    _hand_interrupts_on(init)
    _, status = os.waitpid(init, 0)
    with open(reading) as pipe:
        refusal = pipe.read()
    if refusal:
        raise Refused(refusal)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _as_init(confinement: Confinement, then: Callable[[], int], user: int, group: int, refusals: int) -> NoReturn:
    """Be process 1 of the new process table: prepare the mounts, start the program, collect what it leaves behind."""
    try:
        die_with_parent()
        _mount("proc", "/proc", "proc", 0)
        _make_read_only(confinement)
        program = os.fork()
        if program == 0:
            # A second pair of namespaces: what was mounted in the first cannot be changed from within it.
            _unshare(_NEW_USERS | _NEW_MOUNTS)
            _be(user, 0, group, 0)
            _libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            os.close(refusals)
            os._exit(then())
    except (Refused, OSError) as error:
        os.write(refusals, str(error).encode())
        os._exit(1)
    os.close(refusals)
    _hand_interrupts_on(program)
    while True:
        ended, status = os.wait()
        if ended == program:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _hand_interrupts_on(process: int) -> None:
    """Pass on each interrupt (SIGINT) from now on, and one that waits: who shuts the program in is not to end by it."""

    def hand_on(number: int, _: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(process, number)

    signal.signal(signal.SIGINT, hand_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


def _hide(confinement: Confinement) -> None:
    """Put empty folders over what is hidden, and what is shown and writable back into them.

    Shorter paths come first, so that a hidden folder inside a shown one stays hidden, and the other way round.
    """
    shown = {*confinement.shown, *confinement.writable}
    sources = {path: os.open(path, os.O_PATH) for path in shown if os.path.exists(path)}
    _mount("", "/", "", _MS_REC | _MS_PRIVATE)
    _make_devices()
    modes = {**dict.fromkeys(confinement.hidden, "mode=755,size=64m"), **dict.fromkeys(_SCRATCH, "mode=1777,size=256m")}
    for path in sorted({*modes, *sources}, key=len):
        if path in modes and not os.path.islink(path):
            if os.path.isdir(path):
                _mount("tmpfs", path, "tmpfs", _MS_NOSUID | _MS_NODEV, modes[path])
            elif os.path.isfile(path):
                _mount("/dev/null", path, "", _MS_BIND)
        if path in sources:
            _make_place(path, sources[path])
            _mount(f"/proc/self/fd/{sources[path]}", path, "", _MS_BIND | _MS_REC)
    for source in sources.values():
        os.close(source)


def _make_devices() -> None:
    devices = {name: os.open(f"/dev/{name}", os.O_PATH) for name in _DEVICES if os.path.exists(f"/dev/{name}")}
    _mount("tmpfs", "/dev", "tmpfs", _MS_NOSUID, "mode=755,size=64k")
    os.mkdir("/dev/shm")  # noqa: S108
    for name, source in devices.items():
        Path("/dev", name).touch()
        _mount(f"/proc/self/fd/{source}", f"/dev/{name}", "", _MS_BIND)
        os.close(source)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(target, f"/dev/{name}")


def _make_place(path: str, source: int) -> None:
    if stat.S_ISDIR(os.fstat(source).st_mode):
        os.makedirs(path, exist_ok=True)
    elif not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).touch()


def _make_read_only(confinement: Confinement) -> None:
    _set_attributes("/", _MountAttributes(set=_READ_ONLY), _AT_RECURSIVE)
    for path in (*_SCRATCH, *confinement.writable, "/proc"):
        _set_attributes(path, _MountAttributes(clear=_READ_ONLY), 0)
    for name in _KERNEL_SWITCHES:
        if os.path.exists(f"/proc/{name}"):
            _mount(f"/proc/{name}", f"/proc/{name}", "", _MS_BIND | _MS_REC)
            _set_attributes(f"/proc/{name}", _MountAttributes(set=_READ_ONLY), 0)


def _be(user: int, outer_user: int, group: int, outer_group: int) -> None:
    """Say who this process is inside a new user namespace."""
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {outer_user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {outer_group} 1")
    except OSError as error:
        raise Refused(f"user namespaces: {error}") from error


def _unshare(flags: int) -> None:
    if _libc().unshare(flags) != 0:
        raise Refused(f"unshare: {os.strerror(ctypes.get_errno())}")


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    arguments = [text.encode() or None for text in (source, target, kind)]
    if _libc().mount(*arguments, ctypes.c_ulong(flags), options.encode() or None) != 0:
        raise Refused(f"mount on {target}: {os.strerror(ctypes.get_errno())}")


def _set_attributes(path: str, attributes: _MountAttributes, flags: int) -> None:
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    number = ctypes.c_long(_MOUNT_SETATTR)
    place = path.encode()
    if _libc().syscall(number, ctypes.c_int(_AT_FDCWD), place, ctypes.c_uint(flags), ctypes.byref(attributes), size):
        raise Refused(f"mount attributes of {path}: {os.strerror(ctypes.get_errno())}")


def _libc() -> ctypes.CDLL:
    if sys.platform != "linux":
        raise Refused(f"there are no namespaces on {sys.platform}")
    return ctypes.CDLL(None, use_errno=True)
