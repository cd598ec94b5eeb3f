"""Texts that many blueprints import: read once in a process, their values shared by all.

Each has a place of its own in every set of sources, beyond all other texts, so that its positions stay true.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

from groundplan.diagnostics.diagnostic import Diagnostic
from groundplan.diagnostics.report import Report
from groundplan.dsl.reader import Document, read
from groundplan.dsl.tokens import token_end

_FIRST_BASE: Final = 1 << 40
_RESOURCES: Final = files("groundplan.dsl") / "resources"


@dataclass(frozen=True, slots=True)
class _Shared:
    document: Document | None
    text: str
    base: int
    faults: tuple[Diagnostic, ...]


_used = 0
"""How much of the space of shared texts is taken."""


@lru_cache(maxsize=128)
def _read_once(name: str, text: str) -> _Shared:
    global _used
    base, _used = _FIRST_BASE + _used, _used + len(text) + 1
    report = Report()
    return _Shared(read(text, name, report, base=base), text, base, report.diagnostics)


def read_shared(name: str, text: str, report: Report) -> Document | None:
    """Read a text as `reader.read` does, or hand out what it held before."""
    shared = _read_once(name, text)
    report.sources.add(name, shared.text, extent=token_end, base=shared.base)
    for diagnostic in shared.faults:
        report.add(diagnostic)
    return shared.document


@cache
def bundled(path: str) -> str | None:
    """Return the text of a bundled resource, for example `cloudify/types/types.yaml`, or None."""
    if ".." in path.split("/"):
        return None
    found = _RESOURCES.joinpath(path)
    return found.read_text(encoding="utf-8") if found.is_file() else None
