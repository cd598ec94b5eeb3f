"""Texts that many blueprints import: read once in a process, their values shared by all.

Each has a place of its own in every set of sources, beyond all other texts, so that its positions stay true.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import count
from typing import Final

from groundplan.diagnostics.diagnostic import Diagnostic
from groundplan.diagnostics.report import Report
from groundplan.dsl.reader import MAX_BYTES, Document, read
from groundplan.dsl.tokens import token_end

_FIRST_BASE: Final = 1 << 40
_RESOURCES: Final = files("groundplan.dsl") / "resources"


@dataclass(frozen=True, slots=True)
class _Shared:
    document: Document | None
    text: str
    base: int
    faults: tuple[Diagnostic, ...]


_STRIDE: Final = 2 * MAX_BYTES
_places: Final = count()
"""Numbers of the places given out; taking the next one needs no lock."""


@lru_cache(maxsize=128)
def _read_once(name: str, text: str) -> _Shared:
    base = _FIRST_BASE + next(_places) * _STRIDE
    report = Report()
    return _Shared(read(text, name, report, base=base), text, base, report.diagnostics)


def read_shared(name: str, text: str, report: Report) -> Document | None:
    """Read a text as `reader.read` does, or hand out what it held before."""
    shared = _read_once(name, text.removeprefix("\ufeff"))
    report.sources.add(name, shared.text, extent=token_end, base=shared.base)
    for diagnostic in shared.faults:
        report.add(diagnostic)
    return shared.document


def is_shared(at: int) -> bool:
    """Whether a position lies in a text that was read by `read_shared`."""
    return at >= _FIRST_BASE


def bundled(path: str) -> str | None:
    """Return the text of a bundled resource, for example `cloudify/types/types.yaml`, or None."""
    found = _resources().get(path)
    return None if found is None else found.read_text(encoding="utf-8")


def is_bundled(path: str) -> bool:
    """Whether there is such a bundled resource."""
    return path in _resources()


@cache
def _resources() -> Mapping[str, Traversable]:
    """The bundled files by path: what is not among them is not looked for on the disk."""
    found: dict[str, Traversable] = {}
    waiting = [("", _RESOURCES)]
    while waiting:
        path, folder = waiting.pop()
        for each in folder.iterdir():
            if each.is_dir():
                waiting.append((f"{path}{each.name}/", each))
            else:
                found[path + each.name] = each
    return found
