"""YAML text to positioned values, by libyaml's parse events. The only module that knows YAML.

The rules are those of YAML 1.1 as PyYAML's safe loader has them, but for dates, which stay text, and for what JSON
cannot hold, which is refused. A text of a stranger is read in bounded time and memory: depth, size and the expansion
of aliases have limits. What the values mean is the business of `compile` and `sections`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, cast

import yaml
from yaml.constructor import SafeConstructor
from yaml.cyaml import CParser  # type: ignore[attr-defined]
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)
from yaml.nodes import ScalarNode
from yaml.resolver import Resolver

from groundplan.diagnostics.diagnostic import Fault, Place
from groundplan.diagnostics.report import Report
from groundplan.dsl import faults
from groundplan.dsl.tokens import token_end
from groundplan.model.values import FUNCTIONS, TYPED_FUNCTIONS, Call, Data, Field, Map, Seq, Value, to_data

MAX_BYTES: Final = 64 * 1024 * 1024
MAX_DEPTH: Final = 100
_ALIAS_ALLOWANCE: Final = 100_000
_ALIAS_RATIO: Final = 10
"""Aliases may stand for at most `_ALIAS_ALLOWANCE` values and `_ALIAS_RATIO` times those that the text writes out."""

_MARKS: Final = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")
"""What a text may begin with to tell its encoding. Without one its bytes go to the parser as they are: no copy."""

_PARSER_LIMIT: Final = "maximum nesting"
"""In what libyaml says of brackets deeper than it looks ahead for, which may be before `MAX_DEPTH` of them are read."""

_TAG: Final = "tag:yaml.org,2002:"
_TEXT_TAGS: Final = frozenset({_TAG + "str", _TAG + "timestamp", _TAG + "value", _TAG + "merge", "!"})
_SCALAR_TAGS: Final = frozenset({_TAG + name for name in ("int", "float", "bool", "null")})
_IMPLICIT: Final[dict[str, list[tuple[str, Callable[[str], object]]]]] = {
    first: [(tag, pattern.match) for tag, pattern in found] for first, found in Resolver.yaml_implicit_resolvers.items()
}
"""By the first character of a plain scalar, the tags that it may have and what it must look like, in order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """What one text holds.

    Attributes:
        root: its value; None for an empty text.
        at: position of the root.
    """

    name: str
    root: Value
    at: int


def read(text: bytes | str, name: str, report: Report, *, base: int | None = None) -> Document | None:
    """Read one YAML document.

    Args:
        name: what people call the text: a path, a URL, `--input`.
        base: a fixed place in the sources (see `Sources.add`).

    Returns:
        None, with a fault in the report, when the text is not YAML or is too large or too deep. Lesser faults
        (a key twice, a key that is not text) leave the entry out.
    """
    decoded = _decode(text, name, report)
    if decoded is None:
        return None
    start = report.sources.add(name, decoded, extent=token_end, base=base)
    is_encoded = isinstance(text, bytes) and not text.startswith(_MARKS)
    try:
        return _Reader(text if is_encoded else decoded, start, report).document(name)
    except _Unreadable as stop:
        report.tell(stop.fault, start + stop.offset, stop.label, fix=stop.fix)
    except yaml.reader.ReaderError as error:
        report.tell(faults.YAML_SYNTAX, start + min(error.position, len(decoded)), f"{error.reason}")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = ", ".join(part for part in (error.problem, error.context) if part)
        fault = faults.YAML_LIMIT if _PARSER_LIMIT in words else faults.YAML_SYNTAX
        began = error.context_mark
        is_apart = began is not None and mark is not None and began.line != mark.line
        places = (Place(at=start + began.index, label="it began here"),) if began is not None and is_apart else ()
        report.tell(fault, start + (mark.index if mark else 0), words, places=places)
    return None


def read_data(text: bytes | str, name: str, report: Report) -> Data:
    """Read one YAML document as plain JSON data: an input file, a plugin's manifest, the settings.

    Returns:
        The data; None when the text is empty or the report holds why it could not be read.
    """
    document = read(text, name, report)
    return None if document is None else to_data(document.root)


class _Unreadable(Exception):
    """Reading must stop: the text is against a limit or beyond repair."""

    def __init__(self, fault: Fault, offset: int, label: str, fix: str = "") -> None:
        super().__init__(label)
        self.fault, self.offset, self.label, self.fix = fault, offset, label, fix


def _decode(text: bytes | str, name: str, report: Report) -> str | None:
    if len(text) > MAX_BYTES:
        at = report.sources.add(name, "")
        report.tell(faults.YAML_LIMIT, at, f"the text has {len(text):,} bytes, at most {MAX_BYTES:,} are read")
        return None
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    encoding = "utf-16" if text.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return text.decode(encoding)
    except UnicodeDecodeError as error:
        readable = text.decode(encoding, errors="replace")
        at = report.sources.add(name, readable)
        place = len(text[: error.start].decode(encoding, errors="replace"))
        report.tell(faults.YAML_ENCODING, at + place, "expected UTF-8", fix="save the file as UTF-8.")
        return None


@dataclass(frozen=True, slots=True)
class _Anchor:
    value: Value
    size: int
    depth: int
    holds_calls: bool


class _Plain(dict[str, Value]):
    """Plain scalars by their text: each distinct text is resolved once and its value shared."""

    def __init__(self) -> None:
        super().__init__()
        self._construct: Any = SafeConstructor()

    def __missing__(self, text: str) -> Value:
        value: Value = text
        for tag, matches in _IMPLICIT.get(text[:1], ()):
            if matches(text):
                value = self.typed(tag, text) if tag in _SCALAR_TAGS else text
                break
        self[text] = value
        return value

    def typed(self, tag: str, text: str) -> Value:
        """Return a number, truth value or null; raises ValueError for what is none or what JSON cannot hold."""
        node = ScalarNode(tag, text)
        value: Any
        try:
            if tag == _TAG + "int":
                value = self._construct.construct_yaml_int(node)
            elif tag == _TAG + "float":
                value = self._construct.construct_yaml_float(node)
            elif tag == _TAG + "bool":
                value = self._construct.construct_yaml_bool(node)
            else:
                return None
        except (KeyError, IndexError) as error:
            raise ValueError(text) from error
        if value != value or value in (float("inf"), float("-inf")):
            raise ValueError(text)
        return cast(Value, value)


class _Reader:
    """Walks the events of one text. Methods return values; `_size` counts the values written so far."""

    def __init__(self, text: bytes | str, base: int, report: Report) -> None:
        self._parser: Any = CParser(text)
        self._next: Callable[[], Any] = self._parser.get_event
        self._base = base
        self._report = report
        self._plain = _Plain()
        self._anchors: dict[str, _Anchor] = {}
        self._size = 0
        self._expanded = 0
        self._depth = 0
        self._calls = 0

    def document(self, name: str) -> Document:
        """Read the whole stream, which must hold at most one document."""
        self._next()
        if isinstance(self._next(), StreamEndEvent):
            return Document(name=name, root=None, at=self._base)
        event = self._next()
        at = self._base + event.start_mark.index
        document = Document(name=name, root=self._node(event, at), at=at)
        self._next()
        event = self._next()
        if not isinstance(event, StreamEndEvent):
            raise _Unreadable(
                faults.YAML_SYNTAX, event.start_mark.index, "a second document begins here", "keep one document a file."
            )
        return document

    def _node(self, event: Any, at: int) -> Value:
        kind = type(event)
        if kind is ScalarEvent:
            value = self._scalar(event)
            if event.anchor is not None:
                self._remember(event, value, 1, holds_calls=False)
            return value
        if kind is AliasEvent:
            return self._alias(event)
        return self._collection(event, at, self._mapping if kind is MappingStartEvent else self._sequence)

    def _collection(self, event: Any, at: int, read_items: Callable[[int], Value]) -> Value:
        if event.tag is not None and not event.implicit and event.tag not in (_TAG + "map", _TAG + "seq", "!"):
            raise _Unreadable(faults.YAML_TAG, event.start_mark.index, f"the tag {_short(event.tag)} is not known")
        if self._depth >= MAX_DEPTH:
            raise _Unreadable(faults.YAML_LIMIT, event.start_mark.index, f"nested more than {MAX_DEPTH} deep")
        self._depth += 1
        if event.anchor is None:
            value = read_items(at)
        else:
            size, calls = self._size, self._calls
            value = read_items(at)
            self._remember(event, value, self._size - size + 1, holds_calls=self._calls != calls)
        self._depth -= 1
        return value

    def _remember(self, event: Any, value: Value, size: int, *, holds_calls: bool) -> None:
        self._anchors[event.anchor] = _Anchor(value, size, _depth_of(value), holds_calls)

    def _alias(self, event: Any) -> Value:
        offset = event.start_mark.index
        anchor = self._anchors.get(event.anchor)
        if anchor is None:
            raise _Unreadable(
                faults.YAML_ALIAS,
                offset,
                f"no anchor &{event.anchor} stands before it",
                "define the anchor above its use.",
            )
        self._expanded += anchor.size
        self._size += anchor.size
        if self._expanded > _ALIAS_ALLOWANCE + _ALIAS_RATIO * (self._size - self._expanded):
            raise _Unreadable(faults.YAML_LIMIT, offset, "aliases stand for too many values")
        if self._depth + anchor.depth > MAX_DEPTH:
            raise _Unreadable(faults.YAML_LIMIT, offset, f"nested more than {MAX_DEPTH} deep")
        self._calls += anchor.holds_calls
        return anchor.value

    def _scalar(self, event: Any) -> Value:
        tag = event.tag
        if event.implicit[0]:
            try:
                return self._plain[event.value]
            except ValueError:
                raise _Unreadable(
                    faults.YAML_VALUE,
                    event.start_mark.index,
                    "not a number that JSON can hold",
                    "quote it to make it text.",
                ) from None
        if tag is None or tag in _TEXT_TAGS:
            return cast(str, event.value)
        if tag in _SCALAR_TAGS:
            try:
                return self._plain.typed(tag, event.value)
            except ValueError:
                raise _Unreadable(
                    faults.YAML_VALUE, event.start_mark.index, f"not a value of the tag {_short(tag)}"
                ) from None
        raise _Unreadable(
            faults.YAML_TAG, event.start_mark.index, f"the tag {_short(tag)} is not known", "leave the tag out."
        )

    def _sequence(self, start: int) -> Seq:
        base, following, plain, calls = self._base, self._next, self._plain, self._calls
        items: list[Field] = []
        while True:
            event = following()
            if type(event) is SequenceEndEvent:
                break
            at = base + event.start_mark.index
            known = plain.get(event.value) if type(event) is ScalarEvent and event.implicit[0] else None
            value = self._node(event, at) if known is None or event.anchor is not None else known
            items.append(Field(value, at, at))
        self._size += len(items)
        return Seq(tuple(items), start, self._calls != calls)

    def _mapping(self, start: int) -> Map | Call:
        base, following, plain, calls = self._base, self._next, self._plain, self._calls
        entries: dict[str, Field] = {}
        merged: list[Field] = []
        while True:
            event = following()
            kind = type(event)
            if kind is MappingEndEvent:
                break
            key_at = base + event.start_mark.index
            if kind is ScalarEvent and event.implicit[0] and event.anchor is None:
                text = event.value
                if text == "<<":
                    event = following()
                    at = base + event.start_mark.index
                    merged.append(Field(self._node(event, at), at, key_at))
                    continue
                key = plain.get(text) or self._scalar(event)
            else:
                key = self._node(event, key_at)
            event = following()
            at = base + event.start_mark.index
            if type(event) is ScalarEvent and event.anchor is None and event.implicit[0]:
                try:
                    value = plain[event.value]
                except ValueError:
                    value = self._scalar(event)
            else:
                value = self._node(event, at)
            field = Field(value, at, key_at)
            if type(key) is not str:
                self._refuse_key(key, key_at)
            elif key in entries:
                self._repeated(key, entries[key], field)
                entries[key] = field
            else:
                entries[key] = field
        self._size += len(entries)
        if merged:
            entries = self._merge(merged, entries)
        if len(entries) <= 2:
            call = _call(entries, start)
            if call is not None:
                self._calls += 1
                return call
        return Map(entries, start, self._calls != calls)

    def _refuse_key(self, key: Value, at: int) -> None:
        written = f"found {describe(key)}"
        fix = f'quote it: "{_plain_text(key)}".' if isinstance(key, bool | int | float) or key is None else ""
        self._report.tell(faults.YAML_KEY, at, f"expected text, {written}", fix=fix)

    def _repeated(self, key: str, first: Field, second: Field) -> None:
        fault = faults.YAML_DUPLICATE_SAME if to_data(first.value) == to_data(second.value) else faults.YAML_DUPLICATE
        self._report.tell(
            fault, second.key_at, "written a second time", places=(Place(at=first.key_at, label="first written here"),)
        )

    def _merge(self, merged: Iterable[Field], own: dict[str, Field]) -> dict[str, Field]:
        """Lay the mapping's own entries over those of `<<`; of several merged mappings the first wins."""
        under: dict[str, Field] = {}
        for field in merged:
            parts = field.value.items if isinstance(field.value, Seq) else (field,)
            for part in parts:
                mapping = as_map(part.value)
                if mapping is None:
                    self._report.tell(faults.YAML_MERGE, part.at, f"expected a mapping, found {describe(part.value)}")
                else:
                    under = {**mapping.entries, **under}
        self._size += len(under)
        return {**under, **own}


def _depth_of(value: Value) -> int:
    """Return how deep a value is nested: 0 for a scalar."""
    if isinstance(value, Call):
        return 1 + _depth_of(value.argument)
    if isinstance(value, Map | Seq):
        fields = value.entries.values() if isinstance(value, Map) else value.items
        return 1 + max((_depth_of(field.value) for field in fields), default=0)
    return 0


def _short(tag: str) -> str:
    return tag.replace(_TAG, "!!")


def _call(entries: dict[str, Field], at: int) -> Call | None:
    if len(entries) == 1:
        for name, field in entries.items():
            if name in FUNCTIONS:
                return Call(name, field.value, field.key_at, None, field.at)
        return None
    expected = entries.get("type")
    if expected is None or not isinstance(expected.value, str):
        return None
    for name, field in entries.items():
        if name in TYPED_FUNCTIONS:
            return Call(name, field.value, field.key_at, expected.value, field.at)
    return None


def as_map(value: Value) -> Map | None:
    """Return a value as a mapping where one must stand: a call there is a mapping whose key looks like a function."""
    if isinstance(value, Map):
        return value
    if not isinstance(value, Call):
        return None
    entries = {value.name: Field(value.argument, value.argument_at, value.at)}
    if value.expected_type is not None:
        entries["type"] = Field(value.expected_type, value.at, value.at)
    return Map(entries, value.at)


def describe(value: Value) -> str:
    """Return what kind of thing a value is, in the words of the language."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "float"
        case str():
            return "string"
        case Seq():
            return "list"
        case Call():
            return f"the function {value.name}"
        case _:
            return "mapping"


def _plain_text(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "null" if value is None else str(value)
