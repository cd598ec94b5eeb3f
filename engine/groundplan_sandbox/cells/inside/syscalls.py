"""The Linux system calls that Python 3.11 does not offer: namespaces, mounts, openat2.

Each function raises OSError with the call and the path in its words. Nothing here decides anything; `rootfs.py` and
`init.py` use it inside a cell; `open_in_root` is for those outside who touch files that a cell owns.
"""

import ctypes
import os
from typing import Any

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 0x2

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_CHILD_SUBREAPER = 36
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2

CAP_DAC_OVERRIDE = 1

RESOLVE_IN_ROOT = 0x10

_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
# openat2(2) and mount_setattr(2) are newer than the split of the tables: one number on every architecture.
_SYS_OPENAT2 = 437
_SYS_MOUNT_SETATTR = 442

_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


class _MountAttr(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


class _OpenHow(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("flags", "mode", "resolve")]


def _checked(result: int, call: str, path: str = "") -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}", path or None)
    return result


def _syscall(number: int, *arguments: Any) -> int:
    _libc.syscall.restype = ctypes.c_long
    return int(_libc.syscall(ctypes.c_long(number), *arguments))


def unshare(flags: int) -> None:
    """Give the calling process new namespaces (unshare(2))."""
    _checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def mount(source: str, target: str, filesystem: str, flags: int, options: str = "") -> None:
    """mount(2)."""
    result = _libc.mount(
        os.fsencode(source), os.fsencode(target), filesystem.encode(), ctypes.c_ulong(flags), options.encode() or None
    )
    _checked(result, f"mount {filesystem or 'bind'}", target)


def set_mount_attributes(target: str, attributes: int) -> None:
    """Set attributes on the mount at `target` and on every mount below it (mount_setattr(2), Linux 5.12)."""
    wanted = _MountAttr(attr_set=attributes)
    result = _syscall(
        _SYS_MOUNT_SETATTR,
        ctypes.c_int(_AT_FDCWD),
        os.fsencode(target),
        ctypes.c_uint(_AT_RECURSIVE),
        ctypes.byref(wanted),
        ctypes.c_size_t(ctypes.sizeof(wanted)),
    )
    _checked(result, "mount_setattr", target)


def pivot_root(folder: str) -> None:
    """Make `folder`, a mount point, the root of this mount namespace and let go of the old one."""
    os.chdir(folder)
    # pivot_root(2), "pivot_root(".", ".")": the old root ends up stacked on the new one and is unmounted from there.
    _checked(_libc.pivot_root(b".", b"."), "pivot_root", folder)
    _checked(_libc.umount2(b".", ctypes.c_int(MNT_DETACH)), "umount", "old root")
    os.chdir("/")


def prctl(option: int, value: int, more: int = 0) -> None:
    """prctl(2) with one argument or two."""
    zero = ctypes.c_ulong(0)
    result = _libc.prctl(ctypes.c_int(option), ctypes.c_ulong(value), ctypes.c_ulong(more), zero, zero)
    _checked(result, "prctl")


def keep_only_capability(capability: int) -> None:
    """Drop every capability but one, which programs that are started keep (capabilities(7), ambient set)."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    bit = 1 << capability
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    _checked(_libc.capset(ctypes.byref(header), ctypes.byref(sets)), "capset")
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)


def set_host_name(name: str) -> None:
    """sethostname(2)."""
    encoded = name.encode()
    _checked(_libc.sethostname(encoded, ctypes.c_size_t(len(encoded))), "sethostname")


def open_in_root(root: int, path: bytes, flags: int, mode: int = 0) -> int:
    """Open `path` as a process would whose root is the folder `root` (a descriptor).

    Links, absolute ones too, and `..` cannot lead out of it (openat2(2), RESOLVE_IN_ROOT, Linux 5.6).
    """
    how = _OpenHow(flags=flags | os.O_CLOEXEC, mode=mode if flags & os.O_CREAT else 0, resolve=RESOLVE_IN_ROOT)
    result = _syscall(_SYS_OPENAT2, ctypes.c_int(root), path, ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how)))
    return _checked(result, "open", os.fsdecode(path))
