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

Steps = Sequence[Step]
"""One after the other; empty ones are left out."""


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
        self._joined: set[int] = set()

    def chain(self, instance: InstanceId, steps: Steps) -> Chain | None:
        """Add an instance's steps, one after the other; empty ones are left out. None when nothing is left."""
        drafts = [draft for step in steps for draft in step]
        if not drafts:
            return None
        begin, manner = self._first + len(self._tasks), self._manner
        ignore_failure, retries, arguments = manner.ignore_failure, manner.retries, manner.arguments
        self._tasks += [
            Task(
                number=number,
                kind=kind,
                instance=instance,
                operation=operation,
                relationship=relationship,
                before=before,
                after=after,
                ignore_failure=ignore_failure,
                retries=retries,
                arguments=arguments,
            )
            for number, (kind, operation, before, after, relationship) in enumerate(drafts, begin)
        ]
        last = begin + len(drafts) - 1
        if len(steps) == len(drafts) and all(steps):
            self._waits.append(())
            self._waits += zip(range(begin, last), strict=True)
            return Chain(begin, last, 1, 1)
        return Chain(begin, last, *self._wait_by_steps(begin, steps))

    def _wait_by_steps(self, begin: int, steps: Steps) -> tuple[int, int]:
        """Let each step wait for the one before; return how many tasks the first and the last have."""
        heads, before = 0, range(0)
        for size in filter(None, map(len, steps)):
            self._waits += [tuple(before)] * size
            heads = heads or size
            before = range(begin, begin + size)
            begin += size
        return heads, len(before)

    def wait(self, numbers: Iterable[int], needed: Iterable[int]) -> None:
        """Let each task of `numbers` wait for all tasks of `needed`."""
        further = tuple(needed)
        for number in numbers:
            self._waits[number - self._first] += further
            self._joined.add(number - self._first)

    def numbers_of(self, chain: Chain, operation: str) -> list[int]:
        """Return the numbers of a chain's tasks that run one of the node's own operations."""
        tasks = self._tasks[chain.first - self._first : chain.last + 1 - self._first]
        return [task.number for task in tasks if task.operation == operation and task.relationship is None]

    def finish(self) -> TaskGraph:
        """Return the graph.

        Raises:
            PlanningError: `dependency-cycle`, naming the instances whose tasks wait for each other.
        """
        waits, first, is_forward = self._waits, self._first, True
        for place in self._joined:  # inside a chain nothing is waited for twice, nor anything that comes later
            waits[place] = needed = tuple(dict.fromkeys(waits[place]))
            is_forward = is_forward and max(needed, default=-1) < first + place
        if not is_forward:
            self._refuse_cycles()
        return TaskGraph(tasks=tuple(self._tasks), waits=tuple(waits), first=first)

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
            tails: list[int] = []
            for other in needed:
                _, last, _, width = chains[other]
                tails += range(last + 1 - width, last + 1)
            builder.wait(chains[instance].head_numbers, tails)
