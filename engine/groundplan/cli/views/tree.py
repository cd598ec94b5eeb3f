"""The live tree of an execution on a terminal: its deployments, their node instances, the last lines of the log.

`progress` chooses it where somebody looks; everything that draws with rich is here.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from groundplan.diagnostics.visible import visible
from groundplan.model.execution import Event, EventType, Execution, ExecutionStatus
from groundplan.model.ids import DeploymentId
from groundplan.state.store import Batch

_MARKS: Final = {"started": ("●", "green"), "deleted": ("○", "dim"), "uninitialized": ("·", "dim")}
_ENDS: Final[dict[ExecutionStatus | None, tuple[str, str]]] = {
    ExecutionStatus.TERMINATED: ("✓", "green"),
    ExecutionStatus.FAILED: ("✗", "red"),
    ExecutionStatus.CANCELLED: ("■", "yellow"),
}
_STARTED: Final = "started"
_LOG_LINES: Final = 4
_MOST_LINES: Final = 40
"""Instances of a deployment that are drawn; of more, those that something is done with, or that are in trouble."""


SizeOf = Callable[[DeploymentId], int]
"""Tells how many node instances a deployment has."""


@dataclass(kw_only=True, slots=True)
class _Instance:
    state: str = ""
    doing: str = ""
    trouble: str = ""
    since: float = field(default_factory=time.monotonic)


@dataclass(kw_only=True, slots=True)
class _Deployment:
    total: int
    began: float = field(default_factory=time.monotonic)
    took: float | None = None
    ended: ExecutionStatus | None = None
    instances: dict[str, _Instance] = field(default_factory=dict)
    busy: dict[str, _Instance] = field(default_factory=dict)
    started: int = 0


class TreeView:
    """A live tree; the last lines of the log stand below it."""

    def __init__(self, execution: Execution, size_of: SizeOf) -> None:
        self._size_of = size_of
        self._title = f"{execution.workflow} {execution.deployment}"
        self._began = time.monotonic()
        self._deployments: dict[str, _Deployment] = {}
        self._log: deque[str] = deque(maxlen=_LOG_LINES)

    def committed(self, batch: Batch) -> None:
        """Take in a batch."""
        shown = self._deployments.get(batch.deployment)
        if shown is None:
            shown = self._deployments[batch.deployment] = _Deployment(total=self._size_of(batch.deployment))
        for event in batch.events:
            self._take(shown, event)
        for id_, change in batch.instances.items():
            if change.state is not None:
                instance = self._instance(shown, id_)
                shown.started += (change.state == _STARTED) - (instance.state == _STARTED)
                instance.state = str(change.state)
        if batch.end is not None:
            shown.took = time.monotonic() - shown.began
            shown.ended = batch.end.status

    def say(self, text: str) -> None:
        """Show a line below the tree."""
        self._log.append(text)

    def _take(self, shown: _Deployment, event: Event) -> None:
        if event.instance is None:
            return
        instance = self._instance(shown, event.instance)
        if event.type is EventType.TASK_STARTED:
            instance.doing, instance.since = event.operation.rpartition(".")[2], time.monotonic()
            shown.busy[event.instance] = instance
        elif event.type is EventType.TASK_SUCCEEDED:
            instance.doing = instance.trouble = ""
            shown.busy.pop(event.instance, None)
        elif event.type in (EventType.TASK_FAILED, EventType.TASK_RESCHEDULED):
            instance.doing, instance.trouble = "", visible(event.message)
            shown.busy[event.instance] = instance
        elif event.level in ("info", "warning", "error"):
            self._log.append(f"{event.instance}: {visible(event.message)}")

    @staticmethod
    def _instance(shown: _Deployment, id_: str) -> _Instance:
        found = shown.instances.get(id_)
        if found is None:
            found = shown.instances[id_] = _Instance()
        return found

    def __rich__(self) -> Group:
        """Return the picture as it is now."""
        tree = Tree(Text(f"{self._title}  {time.monotonic() - self._began:.0f} s", style="bold"))
        for id_, shown in self._deployments.items():
            branch = tree.add(_deployment_line(id_, shown))
            if shown.ended is ExecutionStatus.TERMINATED:
                continue
            # Copied: the driver's thread goes on meanwhile.
            drawn = list((shown.instances if len(shown.instances) <= _MOST_LINES else shown.busy.copy()).items())
            for instance_id, instance in drawn[:_MOST_LINES]:
                branch.add(_instance_line(instance_id, instance))
            if len(shown.instances) > len(drawn[:_MOST_LINES]):
                branch.add(Text(f"… and {len(shown.instances) - len(drawn[:_MOST_LINES])} more", style="dim"))
        return Group(tree, *(Text(text, style="dim", overflow="ellipsis") for text in self._log.copy()))


@contextmanager
def live(execution: Execution, size_of: SizeOf) -> Iterator[TreeView]:
    """Draw the tree, again and again, while the block runs."""
    view = TreeView(execution, size_of)
    with Live(view, console=Console(), refresh_per_second=8, vertical_overflow="crop"):
        yield view


def _deployment_line(id_: str, shown: _Deployment) -> Text:
    took = shown.took if shown.took is not None else time.monotonic() - shown.began
    mark, style = _ENDS.get(shown.ended, ("…", "cyan"))
    return Text.assemble(
        (f"{mark} ", style), (id_, "bold"), (f"  {shown.started}/{shown.total} started  {took:.0f} s", "dim")
    )


def _instance_line(id_: str, instance: _Instance) -> Text:
    mark, style = _MARKS.get(instance.state, ("◐", "cyan"))
    text = Text.assemble((f"{mark} ", style), id_, (f"  {instance.state}", "dim"))
    if instance.doing:
        text.append(f"  {instance.doing} {time.monotonic() - instance.since:.0f} s", style="cyan")
    if instance.trouble:
        text.append(f"  {instance.trouble}", style="yellow")
    return text
