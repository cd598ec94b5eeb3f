"""Pages of names: prefix, delimiter and paging, as all of S3's listings share them.

Pure: takes the sorted names, returns one page. Keys sort by code point, which is the order of their UTF-8 bytes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

LARGEST_PAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Page:
    """`keys` and `prefixes` together are at most the size asked for; `last` is the greatest of both, None on an empty
    page.
    """

    keys: tuple[str, ...]
    prefixes: tuple[str, ...]
    last: str | None
    truncated: bool


def page_of(names: Sequence[str], *, prefix: str, delimiter: str, after: str, size: int) -> Page:
    """The names that begin with `prefix` and come after `after`, those with a further `delimiter` rolled up to common
    prefixes.
    """
    keys: list[str] = []
    prefixes: list[str] = []
    last: str | None = None
    position = max(bisect_left(names, prefix), bisect_right(names, after) if after else 0)
    while position < len(names) and names[position].startswith(prefix):
        name = names[position]
        cut = name.find(delimiter, len(prefix)) if delimiter else -1
        entry = name if cut < 0 else name[: cut + len(delimiter)]
        position = position + 1 if cut < 0 else end_of(names, entry, position)
        if cut >= 0 and after.startswith(entry):
            continue
        if len(keys) + len(prefixes) >= size:
            return Page(keys=tuple(keys), prefixes=tuple(prefixes), last=last, truncated=size > 0)
        (keys if cut < 0 else prefixes).append(entry)
        last = entry
    return Page(keys=tuple(keys), prefixes=tuple(prefixes), last=last, truncated=False)


def end_of(names: Sequence[str], prefix: str, start: int) -> int:
    """The first position at or after `start` whose name does not begin with `prefix`."""
    return bisect_right(names, prefix, start, key=lambda name: name[: len(prefix)])
