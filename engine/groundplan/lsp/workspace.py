"""What the editor has open, and the answers to its questions, in files, lines and columns from 0.

It knows nothing of the protocol: `server` turns its answers into messages.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from groundplan.diagnostics.diagnostic import Diagnostic
from groundplan.diagnostics.report import Report
from groundplan.diagnostics.span import Sources
from groundplan.dsl.folder import DiskFolder, SourceFile
from groundplan.dsl.structure import Closed, form_at
from groundplan.lsp import analysis, completion, documentation, naming
from groundplan.lsp.analysis import Names
from groundplan.lsp.completion import Elsewhere, Item
from groundplan.lsp.home import Home
from groundplan.lsp.naming import Kind, Occurrence
from groundplan.lsp.outline import Path as Steps
from groundplan.lsp.outline import cursor_at, lines_of
from groundplan.lsp.overlay import OverlayFolder

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*\Z")
_RENAMED: Final = frozenset({Kind.NODE, Kind.INPUT})
_RESOURCES: Final = Path(str(files("groundplan.dsl"))) / "resources"


class Refusal(Exception):
    """What was asked for cannot be done; the message says why."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A stretch of one line in a file; line and columns count from 0, `end` is exclusive."""

    path: Path
    line: int
    start: int
    end: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A fault at its spot, with the second places that belong to it."""

    diagnostic: Diagnostic
    spot: Spot
    related: tuple[tuple[Spot, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What a blueprint's names were when it could last be read."""

    main: Path
    names: Names
    spots: Mapping[Path, Sequence[tuple[Spot, Occurrence]]] = field(default_factory=dict)

    @cached_property
    def all(self) -> list[tuple[Spot, Occurrence]]:
        """Every occurrence with its spot."""
        return [each for found in self.spots.values() for each in found]


class Workspace:
    """The open files of one editor, read against one home."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._buffers: dict[Path, str] = {}
        self._main_of: dict[Path, Path] = {}
        self._known: dict[Path, _Known] = {}

    def put(self, path: Path, text: str) -> None:
        """Take the text of an open file."""
        self._buffers[path] = text

    def drop(self, path: Path) -> None:
        """Forget a file that was closed: the one on the disk counts again."""
        self._buffers.pop(path, None)

    def diagnose(self, path: Path) -> Mapping[Path, list[Told]]:
        """Return the faults of the blueprint that a file belongs to, by file; a file without faults has none."""
        main = self._main_of.get(path, path)
        known = self._read(main)
        if known is not None:
            for unit in known.names.units[1:]:
                self._main_of[Path(unit.name).resolve()] = main
        report = analysis.faults(self._source(main), self._home.fetch)
        told: dict[Path, list[Told]] = {main: [], path: []}
        shown = set()
        for diagnostic in report.diagnostics:
            # What stands behind an anchor is told once for each alias: in the editor it is one place.
            one = (diagnostic.fault.code, diagnostic.at, diagnostic.label)
            if one not in shown:
                shown.add(one)
                told_one = self._told(diagnostic, report, main)
                told.setdefault(told_one.spot.path, []).append(told_one)
        return told

    def complete(self, path: Path, line: int, column: int) -> list[Item]:
        """Return what may be written at a place."""
        lines = self._text(path).splitlines()
        names = self._names_while_typing(path, lines, line)
        if names is None:
            return []
        kinds = {each.path[:-1]: each.value for each in lines_of(lines) if each.path[-1] == "type"}

        def type_at(steps: Steps) -> str:
            return kinds.get(steps) or _type_of(names, steps)

        elsewhere: Elsewhere = self._home
        return completion.complete(cursor_at(lines, line, column), names, elsewhere, type_at)

    def hover(self, path: Path, line: int, column: int) -> tuple[str, Spot] | None:
        """Return what there is to tell about a place, as Markdown, and the stretch that it is about."""
        known = self._current(path)
        found = _at(known, path, line, column) if known is not None else None
        if known is not None and found is not None:
            told = documentation.about(found[1], known.names)
            if told:
                return told, found[0]
        return self._hover_key(path, line, column)

    def definition(self, path: Path, line: int, column: int) -> Spot | None:
        """Return where the name at a place is given."""
        known = self._current(path)
        found = _at(known, path, line, column) if known is not None else None
        if known is None or found is None:
            return None
        if found[1].kind is Kind.FILE:
            return self._file(found[1].name, found[0].path, known)
        at = naming.definition(known.names, found[1])
        return None if at is None else self._spot(at, known.names.sources)

    def references(self, path: Path, line: int, column: int) -> list[Spot]:
        """Return every place where the name at a place is given or used."""
        known = self._current(path)
        found = _at(known, path, line, column) if known is not None else None
        return [] if known is None or found is None else [spot for spot, _ in _same(found[1], known)]

    def renamed(self, path: Path, line: int, column: int) -> Spot | None:
        """Return the stretch that a rename at a place would be about, or None where nothing can be renamed."""
        known = self._current(path)
        found = _at(known, path, line, column) if known is not None else None
        if known is None or found is None or found[1].kind not in _RENAMED:
            return None
        given = naming.definition(known.names, found[1])
        spot = None if given is None else self._spot(given, known.names.sources)
        return self._inside_quotes(found[0]) if spot is not None and self._is_own(spot.path) else None

    def rename(self, path: Path, line: int, column: int, new: str) -> list[Spot]:
        """Return every stretch that a new name goes to.

        Raises:
            Refusal: the place has no name that can be changed, or the new one is taken or none.
        """
        known = self._current(path)
        found = _at(known, path, line, column) if known is not None else None
        if known is None or found is None or self.renamed(path, line, column) is None:
            raise Refusal("Node templates and inputs can be renamed; nothing of them stands here.")
        if not _NAME.match(new):
            raise Refusal(f"{new!r} is no name: use letters, digits, hyphens, dots and underscores.")
        section = "node_templates" if found[1].kind is Kind.NODE else "inputs"
        if new in known.names.section(section):
            raise Refusal(f"There is a {found[1].kind} {new!r} already.")
        return [self._inside_quotes(spot) for spot, _ in _same(found[1], known) if self._is_own(spot.path)]

    def _hover_key(self, path: Path, line: int, column: int) -> tuple[str, Spot] | None:
        lines = self._text(path).splitlines()
        here = next((each for each in lines_of(lines) if each.number == line), None)
        if here is None:
            return None
        steps = ["-" if step.startswith("-") and step[1:].isdigit() else step for step in here.path]
        parent = form_at(steps[:-1])
        start = lines[line].find(steps[-1])
        if not isinstance(parent, Closed) or steps[-1] not in parent.element.keys:
            return None
        if not start <= column <= start + len(steps[-1]):
            return None
        spot = Spot(path, line, start, start + len(steps[-1]))
        return documentation.of_key(parent.element, steps[-1]), spot

    def _names_while_typing(self, path: Path, lines: Sequence[str], line: int) -> Names | None:
        """Return the names of the text; where it is no YAML now, of the text without the line, or as they were."""
        known = self._current(path)
        if known is not None and self._parses(path):
            return known.names
        blank = "\n".join("" if number == line else each for number, each in enumerate(lines))
        main = self._main_of.get(path, path)
        found = analysis.names(self._source(main, {**self._buffers, path: blank}), self._home.fetch)
        return found or (known.names if known is not None else None)

    def _parses(self, path: Path) -> bool:
        return self._read(self._main_of.get(path, path)) is not None

    def _current(self, path: Path) -> _Known | None:
        """Return what is known of the blueprint that a file belongs to, read now or when it could last be."""
        main = self._main_of.get(path, path)
        return self._read(main) or self._known.get(main)

    def _read(self, main: Path) -> _Known | None:
        names = analysis.names(self._source(main), self._home.fetch)
        if names is None:
            return None
        spots: dict[Path, list[tuple[Spot, Occurrence]]] = {}
        for found in naming.occurrences(names):
            spot = self._spot(found.at, names.sources)
            if spot is not None:
                spots.setdefault(spot.path, []).append((spot, found))
        known = _Known(main=main, names=names, spots=spots)
        self._known[main] = known
        return known

    def _source(self, main: Path, buffers: Mapping[Path, str] | None = None) -> SourceFile:
        held = self._buffers if buffers is None else buffers
        return SourceFile(OverlayFolder(DiskFolder(main.parent), held), main.name)

    def _text(self, path: Path) -> str:
        if path in self._buffers:
            return self._buffers[path]
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def _told(self, diagnostic: Diagnostic, report: Report, main: Path) -> Told:
        spot = self._spot(diagnostic.at, report.sources) or Spot(main, 0, 0, 1)
        related = ((self._spot(place.at, report.sources), place.label) for place in diagnostic.places)
        return Told(
            diagnostic=diagnostic,
            spot=spot,
            related=tuple((where, label) for where, label in related if where is not None),
        )

    def _spot(self, at: int, sources: Sources) -> Spot | None:
        span = sources.span(at)
        path = self._path(span.file) if span is not None else None
        if span is None or path is None:
            return None
        return Spot(path, span.line - 1, span.column - 1, span.end_column - 1)

    def _path(self, name: str) -> Path | None:
        """Return the file that people know by a name: a path, a bundled resource, a plugin's manifest."""
        if name.startswith("plugin:"):
            package = self._home.package(name.removeprefix("plugin:"))
            spec = find_spec(package) if package else None
            found = Path(next(iter(spec.submodule_search_locations or ("",)))) if spec is not None else None
            return None if found is None else found / "plugin.yaml"
        path = Path(name)
        if path.is_absolute():
            return path.resolve()
        return _RESOURCES / path if (_RESOURCES / path).is_file() else None

    def _file(self, name: str, beside: Path, known: _Known) -> Spot | None:
        """Return the file, or the plugin, that an import or an implementation names."""
        for candidate in _candidates(name, beside, known):
            if candidate.is_file():
                return Spot(candidate.resolve(), 0, 0, 0)
        if name.startswith("plugin:"):
            path = self._path(name.partition("?")[0])
            return Spot(path, 0, 0, 0) if path is not None else None
        plugins = known.names.section("plugins")
        declared = next((field for plugin, field in plugins.items() if name.startswith(f"{plugin}.")), None)
        return None if declared is None else self._spot(declared.key_at, known.names.sources)

    def _is_own(self, path: Path) -> bool:
        return not path.is_relative_to(_RESOURCES) and path.name != "plugin.yaml"

    def _inside_quotes(self, spot: Spot) -> Spot:
        line = self._text(spot.path).splitlines()[spot.line]
        if line[spot.start : spot.start + 1] in ("'", '"'):
            return Spot(spot.path, spot.line, spot.start + 1, spot.end - 1)
        return spot


def _candidates(name: str, beside: Path, known: _Known) -> Iterator[Path]:
    yield beside.parent / name
    yield known.main.parent / name
    suffixed = Path(name)
    yield _RESOURCES / suffixed.with_stem(f"{suffixed.stem}_{known.names.version.suffix}")
    yield _RESOURCES / suffixed


def _at(known: _Known | None, path: Path, line: int, column: int) -> tuple[Spot, Occurrence] | None:
    """Return the innermost name at a place."""
    found = [
        (spot, each)
        for spot, each in (known.spots.get(path, ()) if known is not None else ())
        if spot.line == line and spot.start <= column <= spot.end
    ]
    return min(found, key=lambda each: each[0].end - each[0].start, default=None)


def _same(found: Occurrence, known: _Known) -> Iterable[tuple[Spot, Occurrence]]:
    """Return the places of the same name, each once and in order."""
    places = {
        spot: each
        for spot, each in known.all
        if each.kind is found.kind and each.name == found.name and each.owner == found.owner
    }
    return sorted(places.items(), key=lambda each: (str(each[0].path), each[0].line, each[0].start))


def _type_of(names: Names, steps: Steps) -> str:
    """Return the type of a node template where it is written in one line, as `{type: ...}`."""
    entry = names.section("node_templates").get(steps[1]) if len(steps) == 2 else None
    written = documentation.facts(entry.value).get("type") if entry is not None else None
    return written if isinstance(written, str) else ""
