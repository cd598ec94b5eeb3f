"""Which instances an update makes, takes away and changes, and how those that stay are linked meanwhile (spec 5.10).

The instances of nodes that stay are left as many as they are: changing counts is `scale`'s work.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from groundplan.model.blueprint import Blueprint
from groundplan.model.deployment import InstanceState, NodeInstance, RelationshipInstance
from groundplan.model.ids import InstanceId, NodeId
from groundplan.model.update import Difference, Entity, Link, Step
from groundplan.model.values import replaced
from groundplan.planning.changes.steps import matching
from groundplan.planning.changes.transition import places
from groundplan.planning.instances import add_instances


@dataclass(frozen=True, kw_only=True, slots=True)
class Reshaped:
    """What becomes of a deployment's instances when its update begins.

    Attributes:
        added: new instances.
        relinked: instances that are there whose relationships are others, or stand in other places, in the joined
            blueprint; those that go are still among them.
    """

    difference: Difference
    added: tuple[NodeInstance, ...] = ()
    relinked: tuple[NodeInstance, ...] = ()


def find_difference(
    old: Blueprint,
    new: Blueprint,
    steps: Sequence[Step],
    instances: Sequence[NodeInstance],
    counts: Mapping[str, int],
    name: Callable[[str], str],
    *,
    finish: bool = False,
) -> Reshaped:
    """Return what changes among instances.

    Args:
        steps: from one blueprint to the other, all of them supported.
        instances: of the deployment as it is, of the old blueprint.
        counts: how many instances each added node has in each instance of what it is inside of, evaluated.
        name: gives an id for an instance of the node that it is told.
        finish: whether an update before this one did not end well, so that what it left unstarted is to be installed.

    Raises:
        PlanningError: an added node or relationship cannot be placed (`planning.instances`).
    """
    staying = [item for item in instances if item.node in new.nodes]
    linking = _Linking(old, new)
    there = {item.id for item in staying}
    wanted = {item.id: item for item in add_instances(new, list(map(linking.kept, staying)), counts, name)}
    relinked = [linking.relinked(item, wanted) for item in instances]
    modified = _modified_nodes(steps)
    difference = Difference(
        added=tuple(id_ for id_ in wanted if id_ not in there),
        removed=tuple(item.id for item in instances if item.node not in new.nodes),
        extended=tuple(link for item in staying for link in linking.extended(item, wanted[item.id])),
        reduced=tuple(link for item in staying for link in linking.reduced(item)),
        modified=tuple(item.id for item in staying if item.node in modified),
        unfinished=tuple(item.id for item in staying if finish and item.state is not InstanceState.STARTED),
    )
    return Reshaped(
        difference=difference,
        added=tuple(item for id_, item in wanted.items() if id_ not in there),
        relinked=tuple(new_ for old_, new_ in zip(instances, relinked, strict=True) if new_ is not old_),
    )


def settled(new: Blueprint, instances: Sequence[NodeInstance], gone: Collection[InstanceId]) -> list[NodeInstance]:
    """Return the instances that lose relationships when an update is over: those that are not in the new blueprint."""
    found = []
    for item in instances:
        if item.id in gone or item.node not in new.nodes:
            continue
        count = len(new.nodes[item.node].relationships)
        kept = tuple(each for each in item.relationships if each.index < count)
        if kept != item.relationships:
            found.append(replaced(item, relationships=kept))
    return found


class _Linking:
    """Relationships of instances that stay, from one blueprint to the other."""

    def __init__(self, old: Blueprint, new: Blueprint) -> None:
        self._old = old
        self._new = new
        self._places: dict[NodeId, dict[int, int]] = {}
        self._kept: dict[NodeId, dict[int, int]] = {}
        for name, node in new.nodes.items():
            before = old.nodes.get(name)
            if before is not None:
                self._places[name] = places(before, node)
                self._kept[name] = matching(before.relationships, node.relationships)

    def kept(self, item: NodeInstance) -> NodeInstance:
        """Return an instance that stays with those of its relationships that stay, where the new blueprint has them."""
        places = self._kept[item.node]
        links = (replaced(each, index=places[each.index]) for each in item.relationships if each.index in places)
        return replaced(item, relationships=tuple(sorted(links, key=lambda each: each.index)))

    def relinked(self, item: NodeInstance, wanted: Mapping[InstanceId, NodeInstance]) -> NodeInstance:
        """Return an instance as it is linked while the update runs; the instance itself when nothing changes."""
        if item.node not in self._new.nodes:
            return item
        moved = [
            replaced(each, index=self._places[item.node][each.index])
            if self._places[item.node][each.index] != each.index
            else each
            for each in item.relationships
        ]
        gained = self._gained(item.node, wanted[item.id])
        links = tuple(sorted((*moved, *gained), key=lambda each: each.index))
        return item if links == item.relationships else replaced(item, relationships=links)

    def extended(self, item: NodeInstance, wanted: NodeInstance) -> Iterator[Link]:
        """Yield what an instance that stays gets."""
        for each in self._gained(item.node, wanted):
            yield Link(source=item.id, index=each.index, target=each.target)

    def reduced(self, item: NodeInstance) -> Iterator[Link]:
        """Yield what an instance that stays loses, by its place in the joined blueprint."""
        for each in item.relationships:
            if each.index not in self._kept[item.node]:
                yield Link(source=item.id, index=self._places[item.node][each.index], target=each.target)

    def _gained(self, node: NodeId, wanted: NodeInstance) -> list[RelationshipInstance]:
        there = set(self._kept[node].values())
        return [each for each in wanted.relationships if each.index not in there]


def _modified_nodes(steps: Sequence[Step]) -> set[str]:
    return {step.node for step in steps if step.entity in (Entity.PROPERTY, Entity.OPERATION)}
