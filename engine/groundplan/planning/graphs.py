"""Builds task graphs: chains of steps for each instance, then the order between chains.

It knows steps and edges, not which operations a workflow runs; that is `lifecycle`'s and `workflows`' knowledge. How
a graph is kept is the business of `chains`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from groundplan.model.graph import TaskGraph
from groundplan.model.ids import InstanceId
from groundplan.planning.chains import Chains, Course, Manner, Step, course
from groundplan.planning.faults import PlanningError
from groundplan.planning.order import Cycle, bridged, in_order

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
        self._chains = Chains(first, manner)

    def chain(self, instance: InstanceId, steps: Sequence[Step]) -> Chain | None:
        """Add an instance's steps, one after the other; empty ones are left out. None when nothing is left."""
        return self.take(instance, course(steps))

    def take(self, instance: InstanceId, taken: Course) -> Chain | None:
        """Let an instance take a course, which others may share. None when nothing is in it."""
        drafts, sizes = taken
        if not drafts:
            return None
        first = self._chains.end
        self._chains.add(instance, taken)
        return Chain(first, first + len(drafts) - 1, sizes[0], sizes[-1])

    def wait(self, heads: Iterable[int], needed: Iterable[int]) -> None:
        """Let each of the first tasks of a chain wait for all tasks of `needed`, which names none twice."""
        known, further = self._chains.further, tuple(needed)
        for number in heads:
            before = known.get(number)
            known[number] = further if before is None else tuple(dict.fromkeys(before + further))

    def numbers_of(self, chain: Chain, operation: str) -> list[int]:
        """Return the numbers of a chain's tasks that run one of the node's own operations."""
        return self._chains.numbers_of(chain.first, operation)

    def finish(self) -> TaskGraph:
        """Return the graph.

        Raises:
            PlanningError: `dependency-cycle`, naming the instances whose tasks wait for each other.
        """
        for number, needed in self._chains.further.items():
            if needed and max(needed) > number:
                self._refuse_cycles()
                break
        return TaskGraph(tasks=self._chains.tasks(), waits=self._chains.waits(), first=self._chains.first)

    def _refuse_cycles(self) -> None:
        first = self._chains.first
        own = {
            number: [other for other in needed if other >= first]
            for number, needed in enumerate(self._chains.waits(), first)
        }
        try:
            in_order(own)
        except Cycle as cycle:
            members = [self._chains.owner(number) for number in cycle.items if isinstance(number, int)]
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
        if not needed:
            continue
        first, _, heads, _ = chains[instance]
        tails: list[int] = []
        for other in needed:
            _, last, _, width = chains[other]
            if width == 1:
                tails.append(last)
            else:
                tails += range(last + 1 - width, last + 1)
        builder.wait(range(first, first + heads), tails)
