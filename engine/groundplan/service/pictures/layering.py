"""Which row each box of one container stands in, and in which order: few crossings, arrows up, rows of bounded length.

After Sugiyama, Tagawa and Toda (1981): rows by the longest path, places held open for arrows that pass a row, and
sweeps by barycentre. Knows names and arrows only; sizes and coordinates are `layout`'s business.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

MOST_IN_A_ROW: Final = 8
_SWEEPS: Final = 12

Edge = tuple[str, str]
"""From the lower box to the upper one."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Names by row, the uppermost first.

    Attributes:
        passing: for each arrow, the held places that it goes through, from its lower end up.
        above: neighbours in the row above; `below` in the one below.
    """

    rows: list[list[str]]
    passing: Mapping[Edge, tuple[str, ...]]
    above: Mapping[str, list[str]]
    below: Mapping[str, list[str]]


def in_rows(names: Sequence[str], edges: Iterable[Edge]) -> Rows:
    """Return the rows of boxes that are all joined by arrows; arrows that would close a circle count the other way."""
    acyclic = list(dict.fromkeys(_without_circles(names, list(dict.fromkeys(edges)))))
    row_of = _rows(names, acyclic)
    rows: list[list[str]] = [[] for _ in range(max(row_of.values(), default=0) + 1)]
    for name in names:
        rows[row_of[name]].append(name)
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    passing: dict[Edge, tuple[str, ...]] = {}
    for lower, upper in acyclic:
        held = []
        for row in range(row_of[lower] - 1, row_of[upper], -1):
            place = f"{lower}\n{upper}\n{row}"
            rows[row].append(place)
            held.append(place)
        passing[lower, upper] = tuple(held)
        passing[upper, lower] = tuple(reversed(held))
        chain = [lower, *held, upper]
        for one, other in pairwise(chain):
            above.setdefault(one, []).append(other)
            below.setdefault(other, []).append(one)
    return Rows(_ordered(rows, above, below), passing, above, below)


def is_held(name: str) -> bool:
    """Whether a name in a row is a place held for an arrow, and no box."""
    return "\n" in name


def _without_circles(names: Sequence[str], edges: list[Edge]) -> Iterable[Edge]:
    """Yield the arrows, those turned round that lead back to where a search in depth came from."""
    upward: dict[str, list[str]] = {}
    for lower, upper in edges:
        upward.setdefault(lower, []).append(upper)
    state: dict[str, int] = {}
    for root in names:
        if root in state:
            continue
        waiting = [(root, iter(upward.get(root, ())))]
        state[root] = 1
        while waiting:
            name, following = waiting[-1]
            upper = next(following, "")
            if not upper:
                state[name] = 2
                waiting.pop()
            elif state.get(upper) == 1:
                yield upper, name
            else:
                yield name, upper
                if upper not in state:
                    state[upper] = 1
                    waiting.append((upper, iter(upward.get(upper, ()))))


def _rows(names: Sequence[str], edges: Iterable[Edge]) -> dict[str, int]:
    upper_of: dict[str, list[str]] = {name: [] for name in names}
    lower_of: dict[str, list[str]] = {name: [] for name in names}
    for lower, upper in edges:
        upper_of[lower].append(upper)
        lower_of[upper].append(lower)
    missing = {name: len(found) for name, found in upper_of.items()}
    row: dict[str, int] = {}
    ready = [name for name in names if not missing[name]]
    for name in ready:
        row[name] = 1 + max((row[upper] for upper in upper_of[name]), default=-1)
        for lower in lower_of[name]:
            missing[lower] -= 1
            if not missing[lower]:
                ready.append(lower)
    for name in names:
        if not upper_of[name] and lower_of[name]:
            row[name] = min(row[lower] for lower in lower_of[name]) - 1
    return _cut(names, row)


def _cut(names: Sequence[str], row: dict[str, int]) -> dict[str, int]:
    """Cut rows that are too long; what stands below moves down."""
    members: dict[int, list[str]] = {}
    for name in names:
        members.setdefault(row[name], []).append(name)
    found: dict[str, int] = {}
    next_row = 0
    for _, one_row in sorted(members.items()):
        count = -(-len(one_row) // MOST_IN_A_ROW)
        length = -(-len(one_row) // count)
        for index, name in enumerate(one_row):
            found[name] = next_row + index // length
        next_row += count
    return found


def _ordered(rows: list[list[str]], above: Mapping[str, list[str]], below: Mapping[str, list[str]]) -> list[list[str]]:
    best, fewest = rows, _crossings(rows, above)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        downward = sweep % 2 == 0
        rows = _swept(rows, above if downward else below, downward=downward)
        crossings = _crossings(rows, above)
        if crossings < fewest:
            best, fewest = rows, crossings
    return best


def _swept(rows: list[list[str]], neighbours: Mapping[str, list[str]], *, downward: bool) -> list[list[str]]:
    found: list[list[str]] = []
    places: dict[str, int] = {}
    for row in rows if downward else reversed(rows):
        centre = {}
        for index, name in enumerate(row):
            near = [places[each] for each in neighbours.get(name, ())]
            centre[name] = sum(near) / len(near) if near else float(index)
        ordered = sorted(row, key=centre.__getitem__)
        places = {name: index for index, name in enumerate(ordered)}
        found.append(ordered)
    return found if downward else found[::-1]


def _crossings(rows: list[list[str]], above: Mapping[str, list[str]]) -> int:
    total = 0
    for upper, lower in pairwise(rows):
        places = {name: index for index, name in enumerate(upper)}
        seen: list[int] = []
        for name in lower:
            ends = sorted(places[each] for each in above.get(name, ()))
            total += sum(len(seen) - bisect_left(seen, end + 1) for end in ends)
            for end in ends:
                insort(seen, end)
    return total
