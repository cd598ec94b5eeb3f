"""The tasks of an execution on a terminal: a line for each instance, with its tasks in their order and their states."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from groundplan.diagnostics.visible import visible
from groundplan.service.pictures.picture import Kind
from groundplan.service.pictures.sketching import KINDS, By, Gathered, NodeOf, cut, gather, note_of
from groundplan.state.store import TaskRecord

MOST_LINES: Final = 40
_MARKS: Final = {
    Kind.DONE: ("✓", "green"),
    Kind.RUNNING: ("▶", "blue"),
    Kind.WAITING: ("…", "yellow"),
    Kind.FAILED: ("✗", "red"),
    Kind.PENDING: ("·", "dim"),
}
_PLAIN_WIDTH: Final = 200


def show_tasks(records: Sequence[TaskRecord], node_of: NodeOf) -> str:
    """Print tasks by instance, or by node where that are too many lines; return what is not shown, in words."""
    by = By.TASK
    gathered = gather(records, node_of, By.INSTANCE)
    if len(gathered) > MOST_LINES:
        by, gathered = By.NODE, gather(records, node_of, By.NODE)
    shown = cut(gathered, MOST_LINES)
    width = max((len(each.name) for each in shown), default=0)
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH)
    for each in shown:
        console.print(_line(each, width, by), soft_wrap=not console.is_terminal)
    return note_of(records, gathered, by, len(shown))


def _line(each: Gathered, width: int, by: By) -> Text:
    mark, style = _MARKS[each.kind]
    line = Text(f"{mark} ", style=style)
    line.append(visible(each.name).ljust(width), style="bold")
    if by is By.NODE:
        line.append(f"  ×{each.instances}  {each.words}", style=style)
        return line
    for item in each.records:
        mark, style = _MARKS[KINDS[item.state]]
        end = "" if item.task.relationship is None else f"→{item.task.relationship.target}"
        line.append(f"  {mark} {visible(item.task.short)}{visible(end)}", style=style)
    return line
