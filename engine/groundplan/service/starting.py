"""Lays out the starter of a new blueprint: a small one that works, with a script and tests. Overwrites nothing."""

from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from groundplan.diagnostics.trouble import Conflict, UsageError

_SUFFIX: Final = ".template"
_FOLDER: Final = files("groundplan.service") / "starter"


def start_blueprint(folder: Path) -> Sequence[Path]:
    """Write the starter's files into a folder, which is made if need be; return them.

    Raises:
        Conflict: one of them is there already; nothing is written.
        UsageError: the folder cannot be written.
    """
    wanted = {folder / name: file for name, file in _files(_FOLDER, "")}
    there = sorted(str(path) for path in wanted if path.exists())
    if there:
        raise Conflict(
            f"There is {', '.join(there)} already; nothing was written.",
            fix="Name a new folder: groundplan blueprints init FOLDER.",
        )
    try:
        for path, file in wanted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.read_bytes())
            path.chmod(0o755 if path.suffix == ".sh" else 0o644)
    except OSError as error:
        raise UsageError(f"{error.filename or folder} cannot be written: {error.strerror}.") from error
    return sorted(wanted)


def _files(folder: Traversable, under: str) -> list[tuple[str, Traversable]]:
    """Return the files of the starter by their path in it."""
    found: list[tuple[str, Traversable]] = []
    for each in folder.iterdir():
        if each.is_dir():
            found += _files(each, f"{under}{each.name}/")
        elif each.name.endswith(_SUFFIX):
            found.append((under + each.name.removesuffix(_SUFFIX), each))
    return found
