"""Where a line stands in a text that is being typed, and so seldom YAML: read off the indentation alone.

A path is the keys from the document down; `-` followed by a number is an item of a list, the number telling items
apart. Whole texts are read by `dsl.reader`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from groundplan.model.values import FUNCTIONS

_KEY = re.compile(r"(\"[^\"]*\"|'[^']*'|[^\s#:'\"\[\]{},&*!|>%@`-][^:#]*?)\s*:(?=\s|$)")
_DASH = re.compile(r"-(?:\s+|$)")
_CALL = re.compile(r"(?:^|[{\s,])(\w+)\s*:\s*(\[?)([^\[\]{}]*)$")
_BALANCED = re.compile(r"\{[^{}\[\]]*\}|\[[^{}\[\]]*\]")
_FLOW_START = re.compile(r"\{\s*(\w*)$")

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One `key: value` line or list item: its path and the text after the colon or dash."""

    number: int
    path: Path
    value: str


@dataclass(frozen=True, slots=True)
class CallAt:
    """A function that is being written.

    Attributes:
        before: arguments that stand before the cursor, as text.
    """

    name: str
    before: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where something is being typed.

    Attributes:
        path: keys above; with the key of its own line where the cursor is behind the colon.
        is_value: whether it is behind a colon.
        typed: what of the word stands before the cursor.
        taken: keys that the same mapping has already.
        starts_flow: whether the cursor is behind `{`, where a function may begin.
    """

    path: Path
    is_value: bool
    typed: str
    taken: frozenset[str] = frozenset()
    call: CallAt | None = None
    starts_flow: bool = False


class _Stack:
    """The keys and items that are open, with their columns."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []

    @property
    def path(self) -> Path:
        """The path of what is open."""
        return tuple(step for _, step in self._open)

    def close(self, column: int) -> None:
        """Leave everything that begins at a column or right of it."""
        while self._open and self._open[-1][0] >= column:
            self._open.pop()

    def item(self, column: int, number: int) -> None:
        """Enter an item whose dash is at a column; a key in the same column is its list's."""
        while self._open and (
            self._open[-1][0] > column or (self._open[-1][0] == column and self._open[-1][1].startswith("-"))
        ):
            self._open.pop()
        self._open.append((column, f"-{number}"))

    def key(self, column: int, name: str) -> None:
        """Enter the value of a key."""
        self.close(column)
        self._open.append((column, name))

    def enter(self, text: str, number: int) -> tuple[int, str]:
        """Enter the items that a line begins; return the column of what follows, and that."""
        column = len(text) - len(text.lstrip())
        rest = text[column:]
        while dash := _DASH.match(rest):
            self.item(column, number)
            column, rest = column + dash.end(), rest[dash.end() :]
        return column, rest


def lines_of(lines: Sequence[str]) -> list[Line]:
    """Return every line that has a key or is an item, with its path; the text of block scalars is passed over."""
    return _walk(lines)[0]


def cursor_at(lines: Sequence[str], row: int, column: int) -> Cursor:
    """Return where a place is; `row` and `column` count from 0."""
    before = lines[row][:column] if row < len(lines) else ""
    above, stack = _walk(lines[:row])
    start, rest = stack.enter(before, row)
    stack.close(start)
    found = _KEY.match(rest)
    if found is not None:
        stack.key(start, found[1].strip("'\""))
    path, typed = stack.path, rest
    if found is not None:
        typed = rest[found.end() :].lstrip()
    plain = typed
    while (shorter := _BALANCED.sub("?", plain)) != plain:
        plain = shorter
    flow = _FLOW_START.search(plain)
    call = _call(plain) or _block_call(path, above)
    if flow is not None:
        typed = flow[1]
    elif call is not None:
        typed = re.split(r"[\[,:]", typed)[-1].lstrip()
    beside = [*above, *(line for line in lines_of(lines) if line.number > row)]
    return Cursor(
        path=path,
        is_value=found is not None,
        typed=typed,
        taken=frozenset(line.path[-1] for line in beside if line.path[:-1] == path),
        call=call if flow is None else None,
        starts_flow=flow is not None,
    )


def _walk(lines: Sequence[str]) -> tuple[list[Line], _Stack]:
    """Return the lines, and what is open after them."""
    stack, block = _Stack(), -1
    found = []
    for number, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if not line.strip() or line.lstrip().startswith("#") or 0 <= block < indent:
            continue
        block = -1
        column, rest = stack.enter(line.rstrip(), number)
        stack.close(column)
        key = _KEY.match(rest)
        if key is not None:
            stack.key(column, key[1].strip("'\""))
            rest = rest[key.end() :].strip()
            block = indent if rest[:1] in ("|", ">") else -1
        if key is not None or stack.path[-1:] == (f"-{number}",):
            found.append(Line(number, stack.path, rest))
    return found, stack


def _call(text: str) -> CallAt | None:
    found = _CALL.search(text)
    if found is None or found[1] not in FUNCTIONS:
        return None
    arguments = [part.strip().strip("'\"") for part in found[3].split(",")] if found[2] else [found[3]]
    return CallAt(found[1], tuple(arguments[:-1]))


def _block_call(path: Path, above: Sequence[Line]) -> CallAt | None:
    """Return a function written in block style: its name is a key above, each argument an item or the value."""
    if path and path[-1] in FUNCTIONS:
        return CallAt(path[-1], ())
    if len(path) > 1 and path[-2] in FUNCTIONS:
        before = [line.value for line in above if line.path[:-1] == path[:-1] and line.path != path]
        return CallAt(path[-2], tuple(before))
    return None
