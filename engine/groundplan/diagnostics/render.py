"""The two faces of a report: text with carets for a terminal, and JSON for machines. Both say the same."""

import re
from typing import Any, Final
from unicodedata import combining, east_asian_width

from groundplan.diagnostics.diagnostic import Diagnostic
from groundplan.diagnostics.report import Report
from groundplan.diagnostics.span import Source, Sources, Span

LIMIT: Final = 20
"""How many faults a terminal shows before it counts the rest."""

_CONTROLS: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_WIDTH: Final = 120
_LEAD: Final = 40
"""Of a line longer than `_WIDTH`, that much is shown, from `_LEAD` characters before the place on."""


def render(report: Report, *, limit: int = LIMIT) -> str:
    """Return the report as text, each fault ending with an empty line; empty without faults."""
    found = sorted(report.diagnostics, key=lambda one: not one.is_error)
    blocks = [_block(one, report.sources) for one in found[:limit]]
    if len(found) > limit:
        blocks.append(f"... and {len(found) - limit} more; --json shows them all.\n")
    return "\n".join(blocks)


def count(report: Report) -> str:
    """Return how many faults there are, for example `2 errors, 1 warning`; empty without faults."""
    errors = len(report.errors)
    warnings = len(report.diagnostics) - errors
    parts = [
        f"{number} {noun}{'s' * (number != 1)}" for number, noun in ((errors, "error"), (warnings, "warning")) if number
    ]
    return ", ".join(parts)


def to_json(report: Report) -> list[dict[str, Any]]:
    """Return the report as JSON data, one object a fault.

    Keys: severity, code, summary, label, path, detail, fix, suggestion, places (list of places with `label`), and of
    each place file, line, column, end_column (from 1, end exclusive; only `file` for a text that must not be shown).
    """
    return [_object(one, report.sources) for one in report.diagnostics]


def _object(diagnostic: Diagnostic, sources: Sources) -> dict[str, Any]:
    return {
        "severity": diagnostic.fault.severity.value,
        "code": diagnostic.fault.code,
        "summary": diagnostic.fault.summary,
        **_place(diagnostic.at, sources),
        "label": diagnostic.label,
        "path": diagnostic.path,
        "places": [{**_place(place.at, sources), "label": place.label} for place in diagnostic.places],
        "detail": diagnostic.detail,
        "fix": diagnostic.fix,
        "suggestion": diagnostic.suggestion,
    }


def _place(at: int, sources: Sources) -> dict[str, Any]:
    source = sources.source(at)
    span = sources.span(at)
    if span is None:
        return {} if source is None else {"file": source.name}
    return {"file": span.file, "line": span.line, "column": span.column, "end_column": span.end_column}


def _block(diagnostic: Diagnostic, sources: Sources) -> str:
    marks = [(diagnostic.at, diagnostic.label, "^"), *((place.at, place.label, "-") for place in diagnostic.places)]
    shown = [(sources.source(at), sources.span(at), label, stroke) for at, label, stroke in marks]
    numbers = [span.line for _, span, _, _ in shown if span is not None]
    width = len(str(max(numbers, default=1)))
    lines = [f"{diagnostic.fault.severity}: {diagnostic.fault.summary}  [{diagnostic.fault.code}]"]
    for index, (source, span, label, stroke) in enumerate(shown):
        lines += _snippet(source, span, label, stroke, width=width, arrow=":::" if index else "-->", is_first=not index)
    if any(span is not None for _, span, _, _ in shown):
        lines.append(" " * (width + 1) + "|")
    lines += [f"{' ' * (width + 1)}= {_escaped(note)}" for note in _notes(diagnostic)]
    return "\n".join(lines) + "\n"


def _snippet(
    source: Source | None, span: Span | None, label: str, stroke: str, *, width: int, arrow: str, is_first: bool
) -> list[str]:
    margin, label = " " * (width + 1), _escaped(label)
    if source is None or span is None:
        named = [] if source is None else [f"{' ' * width}{arrow} {_escaped(source.name)}"]
        return [*named, f"{margin}= {label}"]
    lines = [f"{' ' * width}{arrow} {_escaped(span.file)}:{span.line}:{span.column}"]
    if is_first:
        lines.append(f"{margin}|")
        if span.line > 1:
            lines.append(f"{span.line - 1:>{width}} | {_cut(source.line(span.line - 1), 0)}".rstrip())
    text = source.line(span.line)
    start = max(0, span.column - 1 - _LEAD) if len(text) > _WIDTH else 0
    shown = _cut(text, start)
    before = span.column - 1 - start + (start > 0)
    marked = shown[before : before + span.end_column - span.column]
    blank = "".join("\t" if character == "\t" else " " * _columns(character) for character in shown[:before])
    strokes = stroke * max(1, sum(_columns(character) for character in marked))
    return [
        *lines,
        f"{span.line:>{width}} | {shown}".rstrip(),
        f"{margin}| {blank}{strokes} {label}".rstrip(),
    ]


def _cut(text: str, start: int) -> str:
    """Return a line from `start` on, an ellipsis standing for what is left out, a mark for what a terminal obeys."""
    end = start + _WIDTH
    return ("…" if start else "") + _CONTROLS.sub("\ufffd", text[start:end]) + ("…" if end < len(text) else "")


def _columns(character: str) -> int:
    """Return how many columns of a terminal a character takes."""
    if combining(character):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def _escaped(words: str) -> str:
    """Return words with what a terminal would obey written out: authors' names may hold anything."""
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", words)


def _notes(diagnostic: Diagnostic) -> list[str]:
    notes = [f"in {diagnostic.path}"] if diagnostic.path else []
    notes += diagnostic.detail.splitlines()
    if diagnostic.suggestion:
        notes.append(f"did you mean {diagnostic.suggestion!r}?")
    if diagnostic.fix:
        notes.append(f"fix: {diagnostic.fix}")
    return notes
