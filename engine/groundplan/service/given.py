"""Reads what callers give as inputs and parameters: JSON, `key=value` pairs, YAML files, or YAML in the command line.

Later ones win. Which of them a blueprint accepts is settled when a deployment or an execution is made.
"""

import glob
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from groundplan.diagnostics.render import render
from groundplan.diagnostics.report import Report
from groundplan.diagnostics.trouble import UsageError
from groundplan.model.values import is_text
from groundplan.planning.inputs import Untyped

_FORMS: Final = (
    "Give a JSON object, key=value pairs separated by semicolons, the path of a YAML file (or a pattern, or a folder "
    "of such files), or a YAML mapping."
)


def read_given(texts: Iterable[str], *, noun: str = "input") -> dict[str, Any]:
    """Return what several arguments give together (spec 8.1).

    The value of a `key=value` pair becomes what is declared for the key: a number, true or false, a list or mapping in
    YAML, else text.

    Args:
        noun: what people call one of them, `input` or `parameter`.

    Raises:
        UsageError: an argument has none of the accepted forms.
    """
    found: dict[str, Any] = {}
    for text in texts:
        found.update(_read_one(text, noun))
    if not is_text(found):
        raise UsageError(f"The {noun}s hold characters that are no text in Unicode.")
    return found


def untyped(text: str) -> Untyped:
    """Return a text that becomes what is declared: also the list or mapping that it is in YAML."""
    if text.strip()[:1] not in ("[", "{"):
        return Untyped(text)
    from groundplan.dsl.reader import read_data

    report = Report()
    document = read_data(text.strip(), "", report)
    return Untyped(text, None if report.has_errors else document)


def _read_one(text: str, noun: str) -> Mapping[str, Any]:
    stripped = text.strip()
    if stripped.startswith("{"):
        try:
            document = json.loads(stripped)
        except ValueError:
            document = _yaml(stripped, f"--{noun}s", noun)
        return _mapping(document, text, noun)
    files = list(_files(stripped))
    if files:
        merged: dict[str, Any] = {}
        for file in files:
            merged.update(_mapping(_yaml(_text_of(file), str(file), noun) or {}, str(file), noun))
        return merged
    if "=" in stripped and ": " not in stripped.split("=", 1)[0]:
        return dict(_pairs(stripped, noun))
    return _mapping(_yaml(stripped, f"--{noun}s", noun), text, noun)


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise UsageError(f"{file} is no text in UTF-8.") from None


def _files(text: str) -> Iterator[Path]:
    if "\n" in text or len(text) > 4096:
        return
    path = Path(text).expanduser()
    if path.is_dir():
        yield from sorted(item for item in path.iterdir() if item.suffix in (".yaml", ".yml"))
    elif path.is_file():
        yield path
    elif any(mark in text for mark in "*?["):
        yield from (Path(item) for item in sorted(glob.glob(text)))


def _pairs(text: str, noun: str) -> Iterator[tuple[str, Untyped]]:
    for part in text.split(";"):
        if not part.strip():
            continue
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"{part!r} is not a key=value pair.", fix=_FORMS)
        yield name.strip(), untyped(value)


def _yaml(text: str, name: str, noun: str) -> Any:
    from groundplan.dsl.reader import read_data

    report = Report()
    document = read_data(text, name, report)
    if report.has_errors:
        raise UsageError(f"The {noun}s cannot be read:\n{render(report)}", fix=_FORMS)
    return document


def _mapping(document: Any, text: str, noun: str) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise UsageError(f"{text!r} gives no {noun}s.", fix=_FORMS)
    return document
