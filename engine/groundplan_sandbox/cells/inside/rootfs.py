"""Builds what a cell sees of the file system and of the network, then closes the door behind it.

The cell's own folder becomes `/`; only what the plan binds is seen beside it, read-only with every mount below it.
Runs in process 1 of the new namespaces, before anything of the machine does.
"""

import contextlib
import fcntl
import os
import socket
import struct

from . import syscalls as sys_
from .plan import Bind, CellPlan

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_READ_ONLY = sys_.MOUNT_ATTR_RDONLY | sys_.MOUNT_ATTR_NOSUID | sys_.MOUNT_ATTR_NODEV
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1


def build(plan: CellPlan) -> None:
    """Mount the cell's file system and make it `/`. Needs CAP_SYS_ADMIN over the mount namespace."""
    sys_.mount("none", "/", "", sys_.MS_REC | sys_.MS_PRIVATE)
    sys_.mount(plan.root, plan.root, "", sys_.MS_BIND | sys_.MS_REC)
    sys_.set_mount_attributes(plan.root, sys_.MOUNT_ATTR_NOSUID | sys_.MOUNT_ATTR_NODEV)
    # Mount points of its own, so that the machine can neither rename nor replace what leads to them.
    _make_folder(plan.root, "/groundplan")
    sys_.mount("tmpfs", f"{plan.root}/groundplan", "tmpfs", sys_.MS_NOSUID | sys_.MS_NODEV, "mode=1777,size=256k")
    for bind in plan.binds:
        _bind(plan.root, bind)
    _mount_dev(plan.root)
    _make_folder(plan.root, "/run")
    owner = f"uid={plan.uid or 0},gid={plan.gid or 0}"
    sys_.mount("tmpfs", f"{plan.root}/run", "tmpfs", sys_.MS_NOSUID | sys_.MS_NODEV, f"mode=755,size=64m,{owner}")
    _make_folder(plan.root, "/proc")
    sys_.mount("proc", f"{plan.root}/proc", "proc", sys_.MS_NOSUID | sys_.MS_NODEV | sys_.MS_NOEXEC)
    sys_.pivot_root(plan.root)


def _bind(root: str, bind: Bind) -> None:
    target = root + bind.target
    if os.path.islink(bind.source):
        _copy_link(bind.source, target)
        return
    if os.path.isdir(bind.source):
        _make_folder(root, bind.target)
    elif os.path.exists(bind.source):
        _make_folder(root, os.path.dirname(bind.target))
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o644))
    else:
        return
    sys_.mount(bind.source, target, "", sys_.MS_BIND | sys_.MS_REC)
    attributes = sys_.MOUNT_ATTR_NOSUID | sys_.MOUNT_ATTR_NODEV if bind.writable else _READ_ONLY
    sys_.set_mount_attributes(target, attributes)


def _make_folder(root: str, path: str) -> None:
    """Make a mount point, following no link: the machine's scripts may have left some, and this may run as root."""
    folder = os.open(root, os.O_PATH | os.O_DIRECTORY)
    for name in path.strip("/").split("/"):
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=folder)
        inner = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)


def _copy_link(source: str, target: str) -> None:
    if not os.path.lexists(target):
        os.symlink(os.readlink(source), target)


def _mount_dev(root: str) -> None:
    dev = f"{root}/dev"
    _make_folder(root, "/dev")
    sys_.mount("tmpfs", dev, "tmpfs", sys_.MS_NOSUID | sys_.MS_NOEXEC, "mode=755,size=64k")
    for name in _DEVICES:
        os.close(os.open(f"{dev}/{name}", os.O_CREAT | os.O_WRONLY, 0o666))
        sys_.mount(f"/dev/{name}", f"{dev}/{name}", "", sys_.MS_BIND)
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        os.symlink(f"/proc/self/fd/{number}", f"{dev}/{name}")
    os.symlink("/proc/self/fd", f"{dev}/fd")
    os.symlink("pts/ptmx", f"{dev}/ptmx")
    os.mkdir(f"{dev}/pts")
    sys_.mount("devpts", f"{dev}/pts", "devpts", sys_.MS_NOSUID | sys_.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    os.mkdir(f"{dev}/shm")
    sys_.mount("tmpfs", f"{dev}/shm", "tmpfs", sys_.MS_NOSUID | sys_.MS_NODEV, "mode=1777,size=256m")


def bring_loopback_up() -> None:
    """Switch on the network namespace's only interface: 127.0.0.0/8 is then the machine itself, and nothing else is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        fcntl.ioctl(probe, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))
    # A VM's root may bind 80; ours is root over its files only.
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", "w", encoding="ascii") as setting:
        setting.write("0")
