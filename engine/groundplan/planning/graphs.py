"""Builds task graphs: chains of steps for each instance, then the order between chains.

It knows steps and edges, not which operations a workflow runs; that is `lifecycle`'s and `workflows`' knowledge.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from groundplan.model.deployment import InstanceState
from groundplan.model.graph import RelationshipRef, Task, TaskGraph, TaskKind
from groundplan.model.ids import InstanceId
from groundplan.model.values import Data
from groundplan.planning.faults import PlanningError
from groundplan.planning.order import Cycle, bridged, in_order


class Draft(NamedTuple):
    """A task that has no number and no instance yet; the fields are those of `Task`."""

    kind: TaskKind
    operation: str = ""
    before: InstanceState | None = None
    after: InstanceState | None = None
    relationship: RelationshipRef | None = None


Step = Sequence[Draft]
"""Tasks that run side by side; the next step of the chain starts after all of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Manner:
    """What all tasks of one workflow have in common; the fields are those of `Task`."""

    ignore_failure: bool = False
    retries: int | None = None
    arguments: Mapping[str, Data] = field(default_factory=dict)


AS_DECLARED: Final = Manner()
"""As the operations' own declarations say."""


class Chain(NamedTuple):
    """Where the tasks of one sequence stand in the graph: the numbers from `first` to `last`.

    `heads` is how many tasks its first step has, `tails` how many its last.
    """

    first: int
    last: int
    heads: int
    tails: int

    @property
    def head_numbers(self) -> range:
        """Numbers of the tasks of the first step."""
        return range(self.first, self.first + self.heads)

    @property
    def tail_numbers(self) -> range:
        """Numbers of the tasks of the last step."""
        return range(self.last + 1 - self.tails, self.last + 1)


class GraphBuilder:
    """Collects tasks and what they wait for, and numbers them from `first`."""

    def __init__(self, first: int = 0, manner: Manner = AS_DECLARED) -> None:
        self._first = first
        self._manner = manner
        self._tasks: list[Task] = []
        self._waits: list[tuple[int, ...]] = []

    def chain(self, instance: InstanceId, steps: Iterable[Step]) -> Chain | None:
        """Add an instance's steps, one after the other; empty ones are left out. None when nothing is left."""
        manner, tasks, begin = self._manner, self._tasks, self._first + len(self._tasks)
        heads, before = 0, range(0)
        for step in steps:
            if not step:
                continue
            number = self._first + len(tasks)
            waits = tuple(before)
            for offset, draft in enumerate(step):
                tasks.append(
                    Task(
                        number=number + offset,
                        kind=draft.kind,
                        instance=instance,
                        operation=draft.operation,
                        relationship=draft.relationship,
                        before=draft.before,
                        after=draft.after,
                        ignore_failure=manner.ignore_failure,
                        retries=manner.retries,
                        arguments=manner.arguments,
                    )
                )
                self._waits.append(waits)
            heads = heads or len(step)
            before = range(number, number + len(step))
        return Chain(begin, before.stop - 1, heads, len(before)) if heads else None

    def wait(self, numbers: Iterable[int], needed: Iterable[int]) -> None:
        """Let each task of `numbers` wait for all tasks of `needed`."""
        further = tuple(needed)
        for number in numbers:
            self._waits[number - self._first] += further

    def numbers_of(self, chain: Chain, operation: str) -> list[int]:
        """Return the numbers of a chain's tasks that run one of the node's own operations."""
        tasks = self._tasks[chain.first - self._first : chain.last + 1 - self._first]
        return [task.number for task in tasks if task.operation == operation and task.relationship is None]

    def finish(self) -> TaskGraph:
        """Return the graph.

        Raises:
            PlanningError: `dependency-cycle`, naming the instances whose tasks wait for each other.
        """
        waits = [tuple(dict.fromkeys(needed)) if len(needed) > 1 else needed for needed in self._waits]
        if any(needed and max(needed) > number for number, needed in enumerate(waits, self._first)):
            self._refuse_cycles()
        return TaskGraph(tasks=tuple(self._tasks), waits=tuple(waits), first=self._first)

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
        if needed:
            tails = [number for other in needed for number in chains[other].tail_numbers]
            builder.wait(chains[instance].head_numbers, tails)
