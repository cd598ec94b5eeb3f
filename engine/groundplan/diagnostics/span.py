"""Places in texts, each named by one integer: an offset into a set of sources.

A position costs nothing to make and to keep; file, line and column are worked out when a person asks. A source need
not be a file: the text of `--input port=eighty` or of a request's body is one too. What a text means, and where a
token of it ends, is the business of whoever reads it (`extent`).
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

_BREAKS: Final = "\n\r\x85\u2028\u2029"

Extent = Callable[[str, int], int]
"""(text, offset of a token) -> offset of its end."""


def to_end_of_line(text: str, start: int) -> int:
    """Return where the line that holds `start` ends, trailing blanks left out."""
    end = start
    while end < len(text) and text[end] not in _BREAKS:
        end += 1
    return start + len(text[start:end].rstrip())


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A stretch of one line; line and columns count from 1, `end_column` is exclusive."""

    file: str
    line: int
    column: int
    end_column: int


@dataclass(frozen=True, kw_only=True)
class Source:
    """A named text at its place in the set.

    Attributes:
        text: None where the text must not be shown (a secret); its places then have a name and nothing more.
    """

    name: str
    text: str | None
    base: int
    extent: Extent = to_end_of_line

    @cached_property
    def _starts(self) -> list[int]:
        """Offsets of the lines' first characters, lines ending as YAML 1.1 says (section 4.2)."""
        text = self.text or ""
        starts = [0]
        at = 0
        while at < len(text):
            character = text[at]
            at += 2 if text[at : at + 2] == "\r\n" else 1
            if character in _BREAKS:
                starts.append(at)
        return starts

    def line(self, number: int) -> str:
        """Return line `number` (from 1) without its break."""
        text = self.text or ""
        start = self._starts[number - 1]
        end = self._starts[number] if number < len(self._starts) else len(text)
        return text[start:end].rstrip(_BREAKS)

    def span(self, at: int) -> Span:
        """Return the token at global offset `at`, cut at the end of its line."""
        text = self.text or ""
        offset = min(max(at - self.base, 0), len(text))
        number = bisect_right(self._starts, offset)
        column = offset - self._starts[number - 1] + 1
        length = max(1, min(self.extent(text, offset), to_end_of_line(text, offset)) - offset)
        return Span(file=self.name, line=number, column=column, end_column=column + length)


class Sources:
    """The texts that one piece of work reads, laid end to end in a common space of offsets."""

    def __init__(self) -> None:
        self._sources: list[Source] = []
        self._end = 0

    def add(self, name: str, text: str | None, *, extent: Extent = to_end_of_line, base: int | None = None) -> int:
        """Add a text and return its base: the global offset of its first character.

        Args:
            base: a fixed place, for a text that is read once and shared by many sets; such places must lie beyond
                every other text and stay the same for the same text.
        """
        if base is None:
            base, self._end = self._end, self._end + len(text or "") + 1
        source = Source(name=name, text=text, base=base, extent=extent)
        if source not in self._sources:
            self._sources.insert(bisect_right(self._bases(), base), source)
        return base

    def source(self, at: int) -> Source | None:
        """Return the source that holds a position, or None for a position that no text holds."""
        index = bisect_right(self._bases(), at) - 1
        return self._sources[index] if at >= 0 and index >= 0 else None

    def base_of(self, at: int) -> int:
        """Return where the source that holds a position begins; -1 for a position that no text holds."""
        source = self.source(at)
        return -1 if source is None else source.base

    def span(self, at: int) -> Span | None:
        """Return file, line and columns of a position, or None when no text can be shown for it."""
        source = self.source(at)
        return None if source is None or source.text is None else source.span(at)

    def _bases(self) -> list[int]:
        return [source.base for source in self._sources]
