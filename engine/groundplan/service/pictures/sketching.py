"""From the tasks of an execution to a picture of them: each task in the frame of its instance, coloured by its state.

Pure. A graph that is too large to be read is sketched by instance, else by node; what is left out is said.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from groundplan.model.execution import TaskState
from groundplan.model.ids import InstanceId
from groundplan.service.pictures.picture import Arrow, Box, Kind, Picture, Stroke
from groundplan.state.store import TaskRecord

MOST_BOXES: Final = 120

KINDS: Final = {
    TaskState.PENDING: Kind.PENDING,
    TaskState.STARTED: Kind.RUNNING,
    TaskState.RESCHEDULED: Kind.WAITING,
    TaskState.WAITING: Kind.WAITING,
    TaskState.SUCCEEDED: Kind.DONE,
    TaskState.IGNORED: Kind.DONE,
    TaskState.FAILED: Kind.FAILED,
    TaskState.INTERRUPTED: Kind.FAILED,
}
_WORST: Final = (Kind.FAILED, Kind.RUNNING, Kind.WAITING, Kind.PENDING, Kind.DONE)
_NOBODY: Final = "workflow"
"""Where tasks stand that are for no instance."""


class By(StrEnum):
    """What one box stands for."""

    TASK = "task"
    INSTANCE = "instance"
    NODE = "node"


NodeOf = Callable[[InstanceId], str]
"""Tells the node of an instance."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathered:
    """Tasks that stand together.

    Attributes:
        instances: of how many node instances they are.
    """

    name: str
    records: Sequence[TaskRecord]
    instances: int = 1

    @property
    def kind(self) -> Kind:
        """Return the state that matters most among them."""
        found = {KINDS[item.state] for item in self.records}
        return next((kind for kind in _WORST if kind in found), Kind.DONE)

    @property
    def words(self) -> str:
        """Return how far they have come."""
        counts = Counter(KINDS[item.state] for item in self.records)
        rest = [f"{counts[kind]} {kind}" for kind in (Kind.RUNNING, Kind.WAITING, Kind.FAILED) if counts[kind]]
        return ", ".join([f"{counts[Kind.DONE]} of {len(self.records)} done", *rest])


@dataclass(frozen=True, kw_only=True, slots=True)
class Sketch:
    """The picture of a task graph.

    Attributes:
        note: what is not shown, and why; empty when everything is.
    """

    picture: Picture
    by: By
    note: str


def sketch(title: str, records: Sequence[TaskRecord], node_of: NodeOf, most: int = MOST_BOXES) -> Sketch:
    """Return the picture of tasks, with at most so many boxes."""
    by = detail(records, node_of, most)
    gathered = gather(records, node_of, by)
    if by is By.TASK:
        boxes = tuple(_frame(each) for each in gathered)
        places: Mapping[int, str] = {item.task.number: _id(item) for item in records}
    else:
        shown = cut(gathered, most)
        boxes = tuple(Box(id=each.name, title=_title(each), subtitle=each.words, kind=each.kind) for each in shown)
        places = {item.task.number: each.name for each in shown for item in each.records}
    arrows = tuple(_arrows(records, places))
    note = note_of(records, gathered, by, len(boxes))
    return Sketch(picture=Picture(title=title, boxes=boxes, arrows=arrows), by=by, note=note)


def detail(records: Sequence[TaskRecord], node_of: NodeOf, most: int) -> By:
    """Return how closely tasks can be shown with so many boxes."""
    if len(records) <= most:
        return By.TASK
    return By.INSTANCE if len(gather(records, node_of, By.INSTANCE)) <= most else By.NODE


def gather(records: Iterable[TaskRecord], node_of: NodeOf, by: By) -> list[Gathered]:
    """Return tasks by instance or node, in the order of their first task."""
    found: dict[str, list[TaskRecord]] = {}
    for item in records:
        instance = item.task.instance
        name = _NOBODY if not instance else node_of(instance) if by is By.NODE else instance
        found.setdefault(name, []).append(item)
    return [
        Gathered(name=name, records=items, instances=len({item.task.instance for item in items}))
        for name, items in found.items()
    ]


def cut(gathered: Sequence[Gathered], most: int) -> Sequence[Gathered]:
    """Return at most so many, those that are done left out first; their order stays."""
    order = sorted(range(len(gathered)), key=lambda place: (_WORST.index(gathered[place].kind), place))
    kept = set(order[:most])
    return [each for place, each in enumerate(gathered) if place in kept]


def note_of(records: Sequence[TaskRecord], gathered: Sequence[Gathered], by: By, shown: int) -> str:
    """Return what a picture does not show, in words."""
    if by is By.TASK:
        return ""
    words = f"{len(records)} tasks are too many to be read: a box stands for all tasks of one {by}"
    left_out = len(gathered) - shown
    return (
        f"{words}; {left_out} of {len(gathered)} {by}s are left out, those that are done first" if left_out else words
    )


def _frame(each: Gathered) -> Box:
    tasks = tuple(
        Box(id=_id(item), title=_name(item), subtitle=_state(item), kind=KINDS[item.state]) for item in each.records
    )
    return Box(id=f"instance {each.name}", title=each.name, subtitle=each.words, kind=each.kind, boxes=tasks)


def _arrows(records: Iterable[TaskRecord], places: Mapping[int, str]) -> Iterable[Arrow]:
    """Yield who waits for whom, once for any two places."""
    seen: set[frozenset[str]] = set()
    for item in records:
        own = places.get(item.task.number)
        for each in item.waits:
            other = places.get(each)
            pair = frozenset((own or "", other or ""))
            if own and other and own != other and pair not in seen:
                seen.add(pair)
                yield Arrow(source=own, target=other, stroke=Stroke.WAITS)


def _id(item: TaskRecord) -> str:
    return f"task {item.task.number}"


def _name(item: TaskRecord) -> str:
    task = item.task
    return task.short if task.relationship is None else f"{task.short} → {task.relationship.target}"


def _state(item: TaskRecord) -> str:
    again = f", {item.attempts} attempts" if item.attempts > 1 else ""
    return f"{item.task.number}: {item.state}{again}"


def _title(each: Gathered) -> str:
    return f"{each.name} ×{each.instances}" if each.instances > 1 else each.name
