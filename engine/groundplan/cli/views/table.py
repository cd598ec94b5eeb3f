"""Tables for people."""

from collections.abc import Sequence
from typing import Final

from rich import box
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


def show(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; in a pipe it is as wide as it needs."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(item) for item in row))
    console.print(table)


def _cell(item: object) -> Text:
    text = "" if item is None else visible(str(item))
    return Text(text, style=_COLOURS.get(text, ""))
