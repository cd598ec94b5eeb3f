"""Finds the programs of a control plane in one folder. It builds nothing and runs nothing.

`tests/live/build.py control-plane` of the project's checkout makes such a folder.
"""

import os
from dataclasses import dataclass
from pathlib import Path

NAMES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")


class ProgramsMissingError(Exception):
    """The folder lacks a program, or holds a file of its name that cannot be run."""


@dataclass(frozen=True, kw_only=True)
class ControlPlanePrograms:
    """The programs, each under its own name in `folder`, an absolute path."""

    folder: Path

    def path(self, name: str) -> str:
        return str(self.folder / name)


def find_programs(folder: Path) -> ControlPlanePrograms:
    """Raises ProgramsMissingError, naming all that is missing."""
    folder = folder.expanduser().absolute()
    missing = [name for name in NAMES if not _is_program(folder / name)]
    if missing:
        raise ProgramsMissingError(f"{folder} has no program {', '.join(missing)}")
    return ControlPlanePrograms(folder=folder)


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
