"""Builds task graphs: chains of steps for each instance, then the order between chains.

It knows steps and edges, not which operations a workflow runs; that is `lifecycle`'s and `workflows`' knowledge.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from groundplan.model.graph import Task, TaskGraph
from groundplan.model.ids import InstanceId
from groundplan.planning.faults import PlanningError
from groundplan.planning.order import Cycle, bridged, in_order

Step = list[Task]
"""Tasks that run side by side; the next step of the chain starts after all of them. Their numbers do not count yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chain:
    """Where the tasks of one sequence stand in the graph.

    Attributes:
        heads: numbers of the tasks of its first step.
        tails: numbers of the tasks of its last step.
        operations: for each full operation name, the numbers of its tasks that are not relationship operations.
    """

    heads: tuple[int, ...]
    tails: tuple[int, ...]
    operations: Mapping[str, tuple[int, ...]]


class GraphBuilder:
    """Collects tasks and what they wait for, and numbers them from `first`."""

    def __init__(self, first: int = 0) -> None:
        self._first = first
        self._tasks: list[Task] = []
        self._waits: list[list[int]] = []

    def chain(self, steps: Iterable[Step]) -> Chain | None:
        """Add steps that run one after the other; empty ones are left out. None when nothing is left."""
        heads: tuple[int, ...] = ()
        tails: tuple[int, ...] = ()
        operations: dict[str, tuple[int, ...]] = {}
        for step in steps:
            if not step:
                continue
            tails = tuple(self._add(task, tails) for task in step)
            heads = heads or tails
            for number, task in zip(tails, step, strict=True):
                if task.operation and task.relationship is None:
                    operations[task.operation] = (*operations.get(task.operation, ()), number)
        return Chain(heads=heads, tails=tails, operations=operations) if tails else None

    def wait(self, numbers: Iterable[int], needed: Collection[int]) -> None:
        """Let each task of `numbers` wait for all tasks of `needed`."""
        for number in numbers:
            self._waits[number - self._first].extend(needed)

    def finish(self) -> TaskGraph:
        """Return the graph.

        Raises:
            PlanningError: `dependency-cycle`, naming the instances whose tasks wait for each other.
        """
        if any(number < other for number, waits in enumerate(self._waits, self._first) for other in waits):
            self._refuse_cycles()
        waits = tuple(tuple(dict.fromkeys(needed)) for needed in self._waits)
        return TaskGraph(tasks=tuple(self._tasks), waits=waits, first=self._first)

    def _add(self, task: Task, needed: Iterable[int]) -> int:
        number = self._first + len(self._tasks)
        self._tasks.append(task if task.number == number else replace(task, number=number))
        self._waits.append(list(needed))
        return number

    def _refuse_cycles(self) -> None:
        numbers = range(self._first, self._first + len(self._tasks))
        own = {number: [n for n in self._waits[number - self._first] if n >= self._first] for number in numbers}
        try:
            in_order(own)
        except Cycle as cycle:
            members = [self._tasks[number - self._first].instance for number in cycle.items if isinstance(number, int)]
            raise dependency_cycle(members) from None


def dependency_cycle(members: Iterable[InstanceId]) -> PlanningError:
    """Return the error for instances that wait for each other."""
    named = list(dict.fromkeys(members))
    path = " waits for ".join([*named, named[0]])
    return PlanningError(
        "dependency-cycle",
        f"These node instances wait for each other, so none can be first: {path}.",
        fix="remove one of the relationships between their nodes.",
    )


def order_chains(
    builder: GraphBuilder,
    chains: Mapping[InstanceId, Chain],
    waits: Mapping[InstanceId, Collection[InstanceId]],
) -> None:
    """Let each instance's chain wait for the whole chains of the instances that it waits for.

    An instance without a chain passes on what it waits for itself, so that an order across it is kept.

    Raises:
        PlanningError: `dependency-cycle`.
    """
    if len(chains) < len(waits):
        try:
            waits = bridged(waits, chains)
        except Cycle as cycle:
            raise dependency_cycle(InstanceId(str(item)) for item in cycle.items) from None
    for instance, needed in waits.items():
        heads = chains[instance].heads
        for other in needed:
            builder.wait(heads, chains[other].tails)
