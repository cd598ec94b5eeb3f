"""Order of things that wait for each other: topological order, and what a missing link in between passes on.

Knows nothing of tasks or instances; `graphs` and `instances` use it.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import TypeVar

Item = TypeVar("Item", bound=Hashable)


class Cycle(Exception):
    """Items wait for each other.

    Attributes:
        items: the members of one cycle, each waiting for the next, the last for the first.
    """

    def __init__(self, items: Sequence[Hashable]) -> None:
        super().__init__(" -> ".join(map(str, items)))
        self.items = tuple(items)


def in_order(waits: Mapping[Item, Collection[Item]]) -> list[Item]:
    """Return the keys of `waits`, each after everything it waits for; ties keep the mapping's order.

    Every item waited for must be a key itself.

    Raises:
        Cycle: when no such order exists.
    """
    followers: dict[Item, list[Item]] = {item: [] for item in waits}
    unmet: dict[Item, int] = {}
    for item, needed in waits.items():
        unmet[item] = len(needed)
        for other in needed:
            followers[other].append(item)
    ordered = [item for item, count in unmet.items() if not count]
    for item in ordered:  # grows while it is walked
        for follower in followers[item]:
            unmet[follower] -= 1
            if not unmet[follower]:
                ordered.append(follower)
    if len(ordered) < len(unmet):
        stuck = {item for item, count in unmet.items() if count}
        cycle = _one_cycle(waits, stuck)
        raise Cycle(cycle)
    return ordered


def _one_cycle(waits: Mapping[Item, Collection[Item]], stuck: Collection[Item]) -> Sequence[Hashable]:
    """Walk from any stuck item to one it waits for until an item comes back."""
    path: list[Item] = []
    item = next(item for item in waits if item in stuck)
    seen: dict[Item, int] = {}
    while item not in seen:
        seen[item] = len(path)
        path.append(item)
        item = next(other for other in waits[item] if other in stuck)
    return path[seen[item] :]


def bridged(waits: Mapping[Item, Collection[Item]], present: Collection[Item]) -> dict[Item, list[Item]]:
    """Return, for each item of `present`, the present items that it waits for, absent ones passing theirs on.

    Raises:
        Cycle: when the items wait for each other.
    """
    reached: dict[Item, dict[Item, None]] = {}
    for item in in_order(waits):
        links: dict[Item, None] = {}
        for other in waits[item]:
            if other in present:
                links[other] = None
            else:
                links.update(reached[other])
        reached[item] = links
    return {item: list(reached[item]) for item in waits if item in present}
