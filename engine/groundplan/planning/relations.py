"""Who waits for whom among node instances: the order that relationships give (spec 5.3, 5.4)."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from groundplan.model.blueprint import Blueprint
from groundplan.model.deployment import NodeInstance, RelationshipInstance
from groundplan.model.ids import InstanceId
from groundplan.model.values import reveal
from groundplan.planning.instances import CONTAINED_IN
from groundplan.planning.lifecycle import LIFECYCLE

DEPENDS_ON_OPERATION: Final = "cloudify.relationships.depends_on_lifecycle_operation"


PartialOrders = Mapping[tuple[str, int], str]
"""The operation waited for, by source node and place of the relationship in its list."""


def waits_for(
    blueprint: Blueprint, instances: Sequence[NodeInstance], partial: PartialOrders | None = None
) -> dict[InstanceId, list[InstanceId]]:
    """Return, for each instance, the instances it is installed after; partial orders are left to `lifecycle_waits`."""
    known = {instance.id for instance in instances}
    partial = partial_orders(blueprint) if partial is None else partial
    waits: dict[InstanceId, list[InstanceId]] = {}
    for instance in instances:
        items: Iterable[RelationshipInstance] = instance.relationships
        if partial:
            items = [item for item in items if (instance.node, item.index) not in partial]
        targets: list[InstanceId] = []
        for item in items:
            target = item.target
            if target in known:
                targets.append(target)
        distinct = len(targets) < 2 or (len(targets) == 2 and targets[0] != targets[1])
        waits[instance.id] = targets if distinct else list(dict.fromkeys(targets))
    return waits


def inverted(waits: Mapping[InstanceId, Collection[InstanceId]]) -> dict[InstanceId, list[InstanceId]]:
    """Return the opposite order: what was waited for waits."""
    followers: dict[InstanceId, list[InstanceId]] = {item: [] for item in waits}
    for item, needed in waits.items():
        for other in needed:
            followers[other].append(item)
    return followers


def lifecycle_waits(
    instances: Sequence[NodeInstance], partial: PartialOrders
) -> Iterator[tuple[InstanceId, InstanceId, str]]:
    """Yield (waiting instance, instance waited for, full name of its operation) of the partial orders."""
    for instance in instances if partial else ():
        for item in instance.relationships:
            operation = partial.get((instance.node, item.index))
            if operation is not None:
                yield instance.id, item.target, operation


def neighbours(
    instances: Sequence[NodeInstance], chosen: Collection[InstanceId]
) -> Iterator[tuple[NodeInstance, list[InstanceId]]]:
    """Yield each instance that is not chosen but relates to chosen ones, with those."""
    if len(chosen) == len(instances):
        return
    for instance in instances:
        targets = [item.target for item in instance.relationships if item.target in chosen]
        if targets and instance.id not in chosen:
            yield instance, targets


def contained_in(
    blueprint: Blueprint, instances: Sequence[NodeInstance], roots: Collection[InstanceId]
) -> set[InstanceId]:
    """Return instances together with everything that is contained in them, at any depth."""
    if not any(kind.is_a(CONTAINED_IN) for kind in blueprint.relationship_kinds):
        return set(roots)
    containers = {
        (name, index)
        for name, node in blueprint.nodes.items()
        for index, relationship in enumerate(node.relationships)
        if CONTAINED_IN in relationship.type_hierarchy
    }
    inside: dict[InstanceId, list[InstanceId]] = {}
    for instance in instances:
        for item in instance.relationships:
            if (instance.node, item.index) in containers:
                inside.setdefault(item.target, []).append(instance.id)
    found, waiting = set(roots), list(roots)
    while waiting:
        for item_ in inside.get(waiting.pop(), ()):
            if item_ not in found:
                found.add(item_)
                waiting.append(item_)
    return found


def partial_orders(blueprint: Blueprint) -> PartialOrders:
    """Return the orders in which one operation, not the whole install, is waited for.

    Only relationships of the standard type count: another type's property `operation` is its own affair.
    """
    if not any(kind.is_a(DEPENDS_ON_OPERATION) for kind in blueprint.relationship_kinds):
        return {}
    return {
        (name, index): f"{LIFECYCLE}.{str(reveal(relationship.properties.get('operation'))).rpartition('.')[2]}"
        for name, node in blueprint.nodes.items()
        for index, relationship in enumerate(node.relationships)
        if DEPENDS_ON_OPERATION in relationship.type_hierarchy
    }
