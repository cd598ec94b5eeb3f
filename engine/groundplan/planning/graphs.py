"""Builds task graphs: chains of steps for each instance, then the order between chains.

It knows steps and edges, not which operations a workflow runs; that is `lifecycle`'s and `workflows`' knowledge. How
a graph is kept is the business of `chains`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from groundplan.model.graph import TaskGraph
from groundplan.model.ids import InstanceId
from groundplan.planning.chains import Chain, Chains, Course, Manner, Step, course
from groundplan.planning.faults import PlanningError
from groundplan.planning.order import Cycle, bridged, in_order

AS_DECLARED: Final = Manner()
"""As the operations' own declarations say."""


class GraphBuilder:
    """Collects tasks and what they wait for, and numbers them from `first`."""

    def __init__(self, first: int = 0, manner: Manner = AS_DECLARED) -> None:
        self._chains = Chains(first, manner)

    def chain(self, instance: InstanceId, steps: Sequence[Step]) -> Chain | None:
        """Add an instance's steps, one after the other; empty ones are left out. None when nothing is left."""
        return self.take(instance, course(steps))

    def take(self, instance: InstanceId, taken: Course) -> Chain | None:
        """Let an instance take a course, which others may share. None when nothing is in it."""
        return self._chains.add(instance, taken) if taken.drafts else None

    def wait(self, chain: Chain, needed: Iterable[int]) -> None:
        """Let each of the first tasks of a chain wait for all tasks of `needed`, which names none twice."""
        known, further = self._chains.further, tuple(needed)
        known[chain] = tuple(dict.fromkeys(known[chain] + further)) if chain in known else further

    def wait_for_chains(self, chain: Chain, needed: Collection[Chain]) -> None:
        """Let a chain wait for the whole of others, none named twice."""
        self.wait(chain, self._chains.last_steps(needed))

    def numbers_of(self, chain: Chain, operation: str) -> list[int]:
        """Return the numbers of a chain's tasks that run one of the node's own operations."""
        return self._chains.numbers_of(chain, operation)

    def finish(self) -> TaskGraph:
        """Return the graph.

        Raises:
            PlanningError: `dependency-cycle`, naming the instances whose tasks wait for each other.
        """
        if self._chains.looks_ahead():
            self._refuse_cycles()
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
        if needed:
            builder.wait_for_chains(chains[instance], [chains[other] for other in needed])
