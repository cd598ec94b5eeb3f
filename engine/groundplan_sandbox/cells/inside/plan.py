"""What a cell is told about itself before it starts, and its form on the control socket.

Written by `view.py` (outside), read by `init.py` (inside); paths called source are the host's, target the cell's.
"""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Bind:
    """A folder or file of the host that is seen in the cell. Sources that do not exist are left out."""

    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Limits of each process of a cell (setrlimit(2)); `processes` counts those of the cell's user."""

    processes: int = 2048
    open_files: int = 4096
    file_bytes: int = 8 << 30
    memory_bytes: int = 8 << 30


@dataclass(frozen=True, kw_only=True, slots=True)
class CellPlan:
    """`root` is the folder that becomes `/`; `uid`, `gid` whom to become when the sandbox runs as root.

    Not `confined`: no namespaces, `root` is a folder like any other, and paths are the host's. `control_socket`: where
    programs of the cell reach the sandbox; empty in a cell that has none.
    """

    root: str
    hostname: str
    confined: bool
    uid: int | None
    gid: int | None
    binds: tuple[Bind, ...] = ()
    control_socket: str = ""
    limits: Limits = Limits()


def encode_plan(plan: CellPlan) -> bytes:
    """The plan as JSON."""
    return json.dumps(asdict(plan)).encode()


def decode_plan(text: bytes) -> CellPlan:
    """The plan that `encode_plan` wrote."""
    raw = json.loads(text)
    binds = tuple(Bind(**bind) for bind in raw.pop("binds"))
    return CellPlan(binds=binds, limits=Limits(**raw.pop("limits")), **raw)
