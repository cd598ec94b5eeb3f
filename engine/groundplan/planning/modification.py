"""A change of counts as what it does to instances: which come, which go, and whose relationships change (spec 5.1).

It plans instances only, in the two steps in which they change; operations on them are `workflows.scale`'s.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from groundplan.model.blueprint import Blueprint
from groundplan.model.deployment import Deployment, NodeInstance, RelationshipInstance
from groundplan.model.ids import InstanceId, NodeId
from groundplan.planning.faults import PlanningError
from groundplan.planning.instances import CONTAINED_IN, scale_instances


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceChanges:
    """What a change of counts does to instances.

    Attributes:
        added: new instances, with all of their relationships.
        removed: instances that go, in the order in which they stand.
        extended: instances that stay, with the relationships that they get added to those they have.
        final: instances that stay and have fewer relationships at the end than `extended` or today gives them.
    """

    added: tuple[NodeInstance, ...]
    removed: tuple[InstanceId, ...]
    extended: tuple[NodeInstance, ...]
    final: tuple[NodeInstance, ...]


def change_counts(
    blueprint: Blueprint,
    instances: Sequence[NodeInstance],
    counts: Mapping[str, int],
    new_id: Callable[[str], str],
    *,
    doomed: Collection[str] = (),
    spared: Collection[str] = (),
) -> InstanceChanges:
    """Return how instances change for a deployment to have other counts.

    Args:
        counts: of every node and scaling group, within one instance of what it is inside of.
        doomed: ids of instances, or of instances of scaling groups, that go first.
        spared: ids of those that go last.

    Raises:
        PlanningError: as `planning.instances.make_instances`.
    """
    after = scale_instances(blueprint, instances, counts, new_id, doomed=doomed, spared=spared)
    there = {item.id: item for item in instances}
    stay = {item.id: item for item in after}
    extended: list[NodeInstance] = []
    final: list[NodeInstance] = []
    for item in after:
        before = there.get(item.id)
        if before is None:
            continue
        links = _both(before.relationships, item.relationships)
        if links != before.relationships:
            extended.append(before.with_relationships(links))
        if len(links) != len(item.relationships):
            kept = frozenset((link.index, link.target) for link in item.relationships)
            left = tuple(link for link in links if (link.index, link.target) in kept)
            final.append(before.with_relationships(left))
    return InstanceChanges(
        added=tuple(item for item in after if item.id not in there),
        removed=tuple(item.id for item in instances if item.id not in stay),
        extended=tuple(extended),
        final=tuple(final),
    )


def _both(
    before: Sequence[RelationshipInstance], after: Sequence[RelationshipInstance]
) -> tuple[RelationshipInstance, ...]:
    """Return the relationships of both, in template order; those that were there stand before those that come."""
    known = {(link.index, link.target) for link in before}
    found = [*before, *(link for link in after if (link.index, link.target) not in known)]
    return tuple(sorted(found, key=lambda link: link.index))


def without(instances: Sequence[NodeInstance], gone: Collection[InstanceId]) -> tuple[NodeInstance, ...]:
    """Return the instances that stay and related to some that are gone, without those relationships."""
    return tuple(
        item.with_relationships(tuple(link for link in item.relationships if link.target not in gone))
        for item in instances
        if item.id not in gone and any(link.target in gone for link in item.relationships)
    )


def counts_now(blueprint: Blueprint, deployment: Deployment, instances: Sequence[NodeInstance]) -> dict[str, int]:
    """Return the counts of every node and scaling group of a deployment.

    Deployments that are older than the record of counts have those that their instances show.
    """
    known = deployment.scaling.counts
    return {
        name: known[name] if name in known else _seen(name, blueprint, instances)
        for name in (*blueprint.nodes, *blueprint.scaling_groups)
    }


def _seen(name: str, blueprint: Blueprint, instances: Sequence[NodeInstance]) -> int:
    """Return the most instances that a node or group has in one place; what was declared when there are none."""
    template = blueprint.nodes.get(NodeId(name))
    if template is None:
        inside = {group.id for item in instances for group in item.scaling_groups if group.name == name}
        declared = blueprint.scaling_groups[name].instances.default_instances
        return len(inside) or (declared if isinstance(declared, int) else 1)
    places: dict[tuple[str, ...], int] = {}
    for item in instances:
        if item.node == name:
            place = (*(group.id for group in item.scaling_groups), *_containers(blueprint, item))
            places[place] = places.get(place, 0) + 1
    declared = template.instances.default_instances
    return max(places.values(), default=declared if isinstance(declared, int) else 1)


def _containers(blueprint: Blueprint, item: NodeInstance) -> list[str]:
    return [
        link.target
        for link in item.relationships
        if CONTAINED_IN in blueprint.nodes[item.node].relationships[link.index].type_hierarchy
    ]


def scaled_name(blueprint: Blueprint, name: str, *, compute: bool) -> str:
    """Return the node or scaling group that is meant by a name; with `compute`, the host that a node stands on.

    Raises:
        PlanningError: `unknown-entity`; `no-host`.
    """
    if name in blueprint.scaling_groups:
        return name
    template = blueprint.nodes.get(NodeId(name))
    if template is None:
        known = ", ".join(sorted([*blueprint.scaling_groups, *blueprint.nodes]))
        raise PlanningError(
            "unknown-entity",
            f"There is no node or scaling group {name!r}; there are: {known}.",
            path="scalable_entity_name",
        )
    while compute and not template.is_host:
        outer = next((it.target for it in template.relationships if CONTAINED_IN in it.type_hierarchy), None)
        if outer is None:
            raise PlanningError("no-host", f"Node {name!r} stands on no host, so there is none to scale.", path=name)
        template = blueprint.nodes[outer]
    return template.name
