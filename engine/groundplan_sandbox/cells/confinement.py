"""Whether this kernel lets the sandbox confine what scripts do on its machines, found out once by doing it.

It starts a throwaway cell and reports the kernel's own words; it never falls back to unconfined machines by itself.
"""

import os
import pwd
import tempfile
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from groundplan_sandbox.cells.cell import Cell, CellError
from groundplan_sandbox.cells.view import cell_plan

_UNPRIVILEGED_USER = "nobody"


class Confinement(Enum):
    """What the caller wants: machines in namespaces, or (`--unconfined`) commands as plain processes of this user."""

    NAMESPACES = "namespaces"
    NONE = "none"


class ConfinementRefusedError(Exception):
    """The kernel does not allow the namespaces or mounts of a machine; the text says which and why."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Whose processes and files those of the machines are. None when the sandbox's own user is not root."""

    uid: int | None
    gid: int | None

    def own(self, path: Path) -> None:
        """Give a file or folder to this user."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def own_entry(self, folder: int, name: str) -> None:
        """Give a file or folder in an open folder to this user; a link itself, not what it names."""
        if self.uid is not None and self.gid is not None:
            os.chown(name, self.uid, self.gid, dir_fd=folder, follow_symlinks=False)

    def own_descriptor(self, descriptor: int) -> None:
        """Give an open file to this user."""
        if self.uid is not None and self.gid is not None:
            os.fchown(descriptor, self.uid, self.gid)


def find_owner() -> Owner:
    """The unprivileged user that stands for a machine's root when the sandbox runs as root."""
    if os.geteuid() != 0:
        return Owner(uid=None, gid=None)
    entry = pwd.getpwnam(_UNPRIVILEGED_USER)
    # The root of a rootless container is a plain user outside it, and knows no other.
    return Owner(uid=entry.pw_uid, gid=entry.pw_gid) if _is_mapped(entry.pw_uid) else Owner(uid=None, gid=None)


def _is_mapped(uid: int) -> bool:
    """Whether this user namespace has the user (user_namespaces(7): inside, outside, count)."""
    lines = [[int(field) for field in line.split()] for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return any(first <= uid < first + count for first, _, count in lines)


async def find_refusal(scratch: Path, owner: Owner) -> str | None:
    """Why cells cannot be confined here, or None when they can. Makes and removes a folder below `scratch`."""
    with tempfile.TemporaryDirectory(dir=scratch, prefix="probe-") as folder:
        root = Path(folder) / "root"
        root.mkdir()
        owner.own(root)
        cell = Cell(cell_plan(root=root, hostname="probe", confined=True, uid=owner.uid, gid=owner.gid))
        try:
            await cell.start()
        except (CellError, OSError) as error:
            return str(error)
        await cell.stop()
    return None
