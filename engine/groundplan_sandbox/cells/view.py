"""What a cell sees of the host: the system's programs and this interpreter, read-only, and what its plan binds.

Only what is named here is visible; the rest of the host (home folders, GROUNDPLAN_HOME, /run, other mounts) is not
mounted at all. `inside/rootfs.py` does the mounting.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from groundplan_sandbox.cells.inside.plan import Bind, CellPlan

CONTROL_SOCKET = "/groundplan/control.sock"
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store")


def cell_plan(
    *,
    root: Path,
    hostname: str,
    confined: bool,
    uid: int | None,
    gid: int | None,
    binds: Iterable[Bind] = (),
    control_socket: str = CONTROL_SOCKET,
) -> CellPlan:
    """The plan of a cell that sees the system's programs, this interpreter and `binds`; `root` is its `/`."""
    system = [Bind(source=path, target=path) for path in (*_SYSTEM, *_interpreter())]
    return CellPlan(
        root=str(root),
        hostname=hostname,
        confined=confined,
        uid=uid,
        gid=gid,
        binds=(*system, *binds) if confined else (),
        control_socket=control_socket,
    )


def _interpreter() -> tuple[str, ...]:
    """This interpreter's installation, at its own path: a shared libpython is found by that path alone."""
    prefix = sys.base_prefix
    return () if prefix == "/usr" or prefix.startswith("/usr/") else (prefix,)
