"""What stands in a picture of a blueprint or of tasks: boxes, boxes inside them, and arrows between any two.

Nouns only. `making` and `sketching` fill them in, `mermaid` writes them, `layout` and `drawing` paint them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a box stands for: its colour."""

    COMPONENT = "component"
    HOST = "host"
    NETWORK = "network"
    STORAGE = "storage"
    DATABASE = "database"
    WORKLOAD = "workload"
    SOFTWARE = "software"
    OTHER = "other"
    DONE = "done"
    RUNNING = "running"
    WAITING = "waiting"
    FAILED = "failed"
    PENDING = "pending"


class Stroke(StrEnum):
    """What an arrow says: its line."""

    DEPENDS = "depends on"
    CONNECTED = "connected to"
    CONTAINED = "contained in"
    OTHER = "related to"
    WAITS = "waits for"


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """A node template, a task, or the tasks of an instance or node.

    Attributes:
        id: unique in the picture; that of a box in the blueprint of a component begins with the component's.
        subtitle: its type, and the blueprint behind a component.
        boxes: what is contained in it, or what the blueprint behind a component holds.
    """

    id: str
    title: str
    subtitle: str
    kind: Kind
    boxes: tuple["Box", ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrow:
    """A relationship or an order, from the box that needs another to that one.

    Attributes:
        label: the relationship's own name where `stroke` does not say it; may be empty.
    """

    source: str
    target: str
    stroke: Stroke
    label: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One blueprint with those of its components that are known, or the tasks of one execution."""

    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def walk(boxes: tuple[Box, ...]) -> Iterator[Box]:
    """Yield every box, each before those inside it."""
    for box in boxes:
        yield box
        yield from walk(box.boxes)
