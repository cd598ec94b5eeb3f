"""Tables for people.

On a terminal that is too narrow a table breaks no name in pieces, for people copy names: it leaves columns out and
says which. In a pipe it is as wide as it needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from groundplan.diagnostics.visible import visible

_COLOURS: Final = {
    "active": "green",
    "started": "green",
    "completed": "green",
    "inactive": "yellow",
    "failed": "red",
    "cancelled": "yellow",
}
_PLAIN_WIDTH: Final = 200
_BETWEEN: Final = 3
_EDGES: Final = 2
_PROSE: Final = 12
"""Cells to which a column of prose may shrink; columns of names keep the longest of them whole."""


@dataclass(frozen=True, kw_only=True)
class _Column:
    heading: str
    cells: tuple[str, ...]

    @cached_property
    def is_prose(self) -> bool:
        return any(" " in cell for cell in self.cells)

    @cached_property
    def natural(self) -> int:
        return max(map(cell_len, (self.heading, *self.cells)))

    @cached_property
    def least(self) -> int:
        if self.is_prose:
            return min(self.natural, _PROSE)
        return max(cell_len(word) for cell in (self.heading, *self.cells) for word in cell.split() or [""])


def show(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table with at least one row."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH)
    cells = [["" if item is None else visible(str(item)) for item in row] for row in rows]
    found = [_Column(heading=name, cells=each) for name, each in zip(columns, zip(*cells, strict=True), strict=True)]
    shown = _fitting(found, console.width) if console.is_terminal else found
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=False)
    for column, width in zip(shown, _widths(shown, _room(shown, console.width)), strict=True):
        table.add_column(column.heading, overflow="fold", width=width)
    for row in zip(*(column.cells for column in shown), strict=True):
        table.add_row(*(Text(text, style=_COLOURS.get(text, "")) for text in row))
    console.print(table)
    if missing := [column.heading for column in found if column not in shown]:
        console.print(Text(f"No room for: {', '.join(missing)}. A wider terminal shows all, and so does `| cat`."))


def _room(columns: Sequence[_Column], width: int) -> int:
    return width - _EDGES - _BETWEEN * (len(columns) - 1)


def _fitting(columns: Sequence[_Column], width: int) -> list[_Column]:
    """Leave columns out until there is room: empty ones, then names from the right, then prose, never the first."""
    left = list(columns)
    for column in sorted(columns[:0:-1], key=lambda each: (any(each.cells), each.is_prose)):
        if sum(each.least for each in left) <= _room(left, width):
            break
        left.remove(column)
    return left


def _widths(columns: Sequence[_Column], room: int) -> list[int]:
    """Return how wide each column is: as it likes, or, where that is too much, names whole and prose in the rest."""
    if sum(each.natural for each in columns) <= room:
        return [each.natural for each in columns]
    widths = {each.heading: each.least for each in columns}
    spare = room - sum(widths.values())
    prose = sorted((each for each in columns if each.is_prose), key=lambda each: each.natural)
    for count, each in enumerate(prose):
        more = max(0, min(each.natural - each.least, spare // (len(prose) - count)))
        widths[each.heading] += more
        spare -= more
    return [widths[each.heading] for each in columns]
