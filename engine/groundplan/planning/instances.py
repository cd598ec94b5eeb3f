"""From node templates to node instances: how many, contained in what, related to whom (spec 5.1).

Ids come from the caller, who owns randomness. Which instances are to go, and in which steps, `modification` decides.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import count as count_from
from typing import Final

from groundplan.model.blueprint import Blueprint, NodeTemplate, Relationship, Scalable
from groundplan.model.deployment import GroupMembership, NodeInstance, RelationshipInstance
from groundplan.model.ids import InstanceId, NodeId
from groundplan.model.values import Value
from groundplan.planning.faults import PlanningError
from groundplan.planning.order import Cycle, in_order

CONTAINED_IN: Final = "cloudify.relationships.contained_in"
FAMILIES: Final = frozenset(
    {
        CONTAINED_IN,
        "cloudify.relationships.connected_to",
        "cloudify.relationships.depends_on",
        "cloudify.relationships.depends_on_lifecycle_operation",
    }
)
"""A relationship type must be one of these or derive from one."""

ALL_TO_ALL: Final = "all_to_all"
ALL_TO_ONE: Final = "all_to_one"

_Place = Mapping[str, InstanceId]
"""For each node and scaling group that something is inside of, the id of that instance."""

_NOWHERE: Final[_Place] = {}
_ANYWHERE: Final = (_NOWHERE,)


_Placed = tuple[InstanceId, _Place]
"""An instance of a node or of a scaling group, and where it is: made for each instance, and nothing is cheaper."""


def make_instances(
    blueprint: Blueprint, counts: Mapping[str, int], name: Callable[[str], str]
) -> tuple[NodeInstance, ...]:
    """Return the instances of a new deployment, those of a container before what it contains.

    A node has its count of instances in each instance of its container and of its scaling group; a group, in each
    instance of the group it is a member of and of the nearest container that its members share.

    Args:
        counts: instances wanted of a node or scaling group, evaluated; a literal `default_instances` where absent.
        name: gives an id for an instance of the node or group that it is told, for example `db_x7k2p0`. It is asked
            again while the id is taken.

    Raises:
        PlanningError: `unsupported-relationship`, `connection-type`, `all-to-one-in-group`, `instance-count`,
            `containment-cycle`.
    """
    layout = _Layout(blueprint)
    return _make(layout, _place(layout, counts, name, {}))


def add_instances(
    blueprint: Blueprint, there: Sequence[NodeInstance], counts: Mapping[str, int], name: Callable[[str], str]
) -> tuple[NodeInstance, ...]:
    """Return all instances that a deployment has when nodes are added to its blueprint.

    Those that are there keep their ids and places; each comes back with the relationships of its template to all that
    is there now. Added nodes get their count in each instance of what they are inside of.

    Args:
        blueprint: with the added nodes, and every node that has an instance.
        there: the instances that exist.
        counts: as in `make_instances`, for the added nodes.
        name: as in `make_instances`.

    Raises:
        PlanningError: as `make_instances`.
    """
    layout = _Layout(blueprint)
    return _make(layout, _place(layout, counts, name, _placed_already(layout, there)), there)


def scale_instances(
    blueprint: Blueprint,
    there: Sequence[NodeInstance],
    counts: Mapping[str, int],
    name: Callable[[str], str],
    *,
    doomed: Collection[str] = (),
    spared: Collection[str] = (),
) -> tuple[NodeInstance, ...]:
    """Return all instances that a deployment has when it has other counts; those that are missing are to go.

    What stays keeps its id, its index and the targets of its relationships. What goes takes what is inside of it along.

    Args:
        there: the instances that exist.
        counts: as in `make_instances`, of every node and scaling group.
        doomed: ids of instances, or of instances of scaling groups, that go first.
        spared: ids of those that go last. The youngest go before older ones.

    Raises:
        PlanningError: as `make_instances`.
    """
    layout = _Layout(blueprint)
    before = _placed_already(layout, there)
    new_id = _NewIds(name, before)
    placed: dict[str, list[_Placed]] = {}
    for entity in layout.order:
        count = _count(layout, counts, entity)
        parents = layout.parents.get(entity, ())
        known = _by_place(before.get(entity, ()), parents)
        placed[entity] = items = []
        for place in _places(parents, placed):
            here = known.get(tuple([place[parent] for parent in parents]), ())
            items += _kept(here, count, doomed, spared)
            items += [(new_id(entity), place) for _ in range(count - len(here))]
    return _make(layout, placed, there)


def _kept(here: Sequence[_Placed], count: int, doomed: Collection[str], spared: Collection[str]) -> list[_Placed]:
    def rank(number: int) -> int:
        own, _ = here[number]
        return 2 if own in doomed else 0 if own in spared else 1

    stay = set(sorted(range(len(here)), key=rank)[:count])
    return [item for number, item in enumerate(here) if number in stay]


def _make(
    layout: "_Layout", placed: Mapping[str, Sequence[_Placed]], before: Sequence[NodeInstance] = ()
) -> tuple[NodeInstance, ...]:
    expand = _Expansion(layout, placed, before)
    indexes = {item.id: item.index for item in before}
    hosts: dict[InstanceId, InstanceId] = {}
    host_types: dict[str, bool] = {}
    instances: list[NodeInstance] = []
    for entity in layout.order:
        template = layout.templates.get(entity)
        if template is None:
            continue
        items, related = placed[entity], template.relationships
        groups = tuple(layout.groups_of(entity)) if layout.group else ()
        if template.type not in host_types:
            host_types[template.type] = template.is_host
        if host_types[template.type]:
            hosts.update((id_, id_) for id_, _ in items)
        elif hosts and entity in layout.container:
            hosts.update(_hosted(items, layout.container[entity], hosts))
        for index, item in _numbered(items, indexes) if indexes else enumerate(items, 1):
            id_, within = item
            instances.append(
                NodeInstance(
                    id=id_,
                    node=template.name,
                    index=index,
                    host=hosts.get(id_) if hosts else None,
                    relationships=expand.relationships(template, within) if related else (),
                    scaling_groups=_memberships(groups, within) if groups else (),
                )
            )
    return tuple(instances)


def _hosted(
    items: Iterable[_Placed], container: str, hosts: Mapping[InstanceId, InstanceId]
) -> list[tuple[InstanceId, InstanceId]]:
    """Return the hosts of what is inside of something hosted."""
    return [(id_, hosts[within[container]]) for id_, within in items if within[container] in hosts]


def _numbered(items: Sequence[_Placed], known: Mapping[InstanceId, int]) -> list[tuple[int, _Placed]]:
    """Return a node's instances with indexes: what had one keeps it, what is new gets the lowest that are free."""
    used = {known[id_] for id_, _ in items if id_ in known}
    free = (number for number in count_from(1) if number not in used)
    return [(known[item[0]] if item[0] in known else next(free), item) for item in items]


def _placed_already(layout: "_Layout", there: Sequence[NodeInstance]) -> dict[str, list[_Placed]]:
    """Return where instances stand that exist, by node and group."""
    by_id = {instance.id: instance for instance in there}
    places: dict[InstanceId, _Place] = {}

    def place(instance: NodeInstance) -> _Place:
        if instance.id not in places:
            declared = layout.templates[instance.node].relationships
            containing = (it for it in instance.relationships if CONTAINED_IN in declared[it.index].type_hierarchy)
            outer = next((by_id[item.target] for item in containing if item.target in by_id), None)
            around = {**place(outer), outer.node: outer.id} if outer is not None else {}
            groups = {group.name: InstanceId(group.id) for group in instance.scaling_groups}
            places[instance.id] = {**around, **groups}
        return places[instance.id]

    placed: dict[str, dict[InstanceId, _Placed]] = {instance.node: {} for instance in there}
    for instance in there:
        within = place(instance)
        placed[instance.node][instance.id] = instance.id, within
        for group in instance.scaling_groups:
            id_, outside = InstanceId(group.id), layout.around(group.name)
            around = {name: each for name, each in within.items() if name in outside}
            placed.setdefault(group.name, {}).setdefault(id_, (id_, around))
    return {name: list(items.values()) for name, items in placed.items()}


def _memberships(groups: Iterable[str], within: _Place) -> tuple[GroupMembership, ...]:
    return tuple(GroupMembership(name=group, id=within[group]) for group in groups)


class _Layout:
    """What is inside of what, among node templates and scaling groups."""

    def __init__(self, blueprint: Blueprint) -> None:
        self.blueprint = blueprint
        self.templates: dict[str, NodeTemplate] = dict(blueprint.nodes.items())
        self.container: dict[str, str] = _containers(blueprint)
        self.group: dict[str, str] = {
            member: name for name, group in blueprint.scaling_groups.items() for member in group.members
        }
        self._refuse_cycles()
        anchors = {name: self._shared_container(name) for name in blueprint.scaling_groups}
        self.parents: dict[str, Sequence[str]] = {}
        """What something is directly inside of; for those that are inside of anything."""
        for name in {*self.container, *self.group, *anchors}:
            both = self.container.get(name) or anchors.get(name), self.group.get(name)
            self.parents[name] = [parent for parent in both if parent]
        self.order = [*self.templates, *blueprint.scaling_groups]
        if self.parents:
            self.order = self._ordered({name: self.parents.get(name, ()) for name in self.order})

    def groups_of(self, name: str) -> Iterator[str]:
        """Yield the scaling groups of a node or group, the inner before the outer."""
        while name in self.group:
            name = self.group[name]
            yield name

    def around(self, name: str) -> dict[str, None]:
        """Return everything that a node or group is inside of."""
        found: dict[str, None] = {}
        waiting = [name]
        while waiting:
            for parent in self.parents.get(waiting.pop(), ()):
                if parent not in found:
                    found[parent] = None
                    waiting.append(parent)
        return found

    def scalable(self, name: str) -> Scalable:
        """Return how many instances a node or group is declared to have."""
        groups = self.blueprint.scaling_groups
        return groups[name].instances if name in groups else self.templates[name].instances

    def _containers(self, name: str) -> list[str]:
        """Return the containers of a node, the nearest first; those of a group's members that all share."""
        if name in self.blueprint.scaling_groups:
            chains = [self._containers(member) for member in self.blueprint.scaling_groups[name].members]
            return [item for item in chains[0] if all(item in chain for chain in chains[1:])] if chains else []
        found = []
        while name in self.container:
            name = self.container[name]
            found.append(name)
        return found

    def _shared_container(self, group: str) -> str | None:
        return next(iter(self._containers(group)), None)

    def _refuse_cycles(self) -> None:
        groups = self.blueprint.scaling_groups
        for inside in (self.container, {name: self.group[name] for name in groups if name in self.group}):
            self._ordered({**{name: (above,) for name, above in inside.items()}, **_tops(inside)})

    def _ordered(self, parents: Mapping[str, Collection[str]]) -> list[str]:
        try:
            return in_order(parents)
        except Cycle as cycle:
            path = " is inside ".join(map(str, (*cycle.items, cycle.items[0])))
            raise PlanningError("containment-cycle", f"These contain each other: {path}.") from None


def _containers(blueprint: Blueprint) -> dict[str, str]:
    if not any(kind.is_a(CONTAINED_IN) for kind in blueprint.relationship_kinds):
        return {}
    return {
        name: item.target
        for name, node in blueprint.nodes.items()
        for item in node.relationships
        if CONTAINED_IN in item.type_hierarchy
    }


def _tops(inside: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys((each for each in inside.values() if each not in inside), ())


def _place(
    layout: _Layout, counts: Mapping[str, int], name: Callable[[str], str], there: Mapping[str, list[_Placed]]
) -> dict[str, list[_Placed]]:
    new_id = _NewIds(name, there)
    placed: dict[str, list[_Placed]] = {}
    for entity in layout.order:
        if entity in there:
            placed[entity] = there[entity]
            continue
        count = range(_count(layout, counts, entity))
        places = _places(layout.parents[entity], placed) if entity in layout.parents else _ANYWHERE
        placed[entity] = [(new_id(entity), place) for place in places for _ in count]
    return placed


class _NewIds:
    """Gives an id to a new instance of a node or group, which is then taken."""

    def __init__(self, name: Callable[[str], str], there: Mapping[str, Iterable[_Placed]]) -> None:
        self._name = name
        self._taken: set[str] = {id_ for items in there.values() for id_, _ in items}

    def __call__(self, entity: str) -> InstanceId:
        found, taken = self._name(entity), self._taken
        while found in taken:
            found = self._name(entity)
        taken.add(found)
        return InstanceId(found)


def _count(layout: _Layout, counts: Mapping[str, int], entity: str) -> int:
    count = counts[entity] if entity in counts else layout.scalable(entity).default_instances
    if type(count) is not int or count < 0:
        raise PlanningError(
            "instance-count",
            f"{entity!r} cannot have {count!r} instances: a whole number of 0 or more is needed.",
            path=entity,
        )
    return count


def _places(parents: Sequence[str], placed: Mapping[str, Sequence[_Placed]]) -> Sequence[_Place]:
    """Return the places in which a node or group is, given what it is directly inside of.

    That is one place where it is inside of nothing, one in each instance of a parent, and with two parents one in each
    pair of instances that agree on what both are inside of.
    """
    if not parents:
        return _ANYWHERE
    inside = [[{**within, parent: id_} for id_, within in placed[parent]] for parent in parents]
    if len(parents) == 1:
        return inside[0]
    left, right = inside
    if not left or not right:
        return ()
    shared = [name for name in left[0] if name in right[0]]
    matching: dict[tuple[InstanceId, ...], list[_Place]] = defaultdict(list)
    for other in right:
        matching[tuple([other[name] for name in shared])].append(other)
    return [{**one, **other} for one in left for other in matching.get(tuple([one[name] for name in shared]), ())]


def _by_place(items: Iterable[_Placed], names: Sequence[str]) -> dict[tuple[str, ...], list[_Placed]]:
    if not names:
        return {(): list(items)}
    found: dict[tuple[str, ...], list[_Placed]] = defaultdict(list)
    for item in items:
        found[_place_in(item[1], names)].append(item)
    return found


def _place_in(within: _Place, names: Sequence[str]) -> tuple[str, ...]:
    return tuple([within[name] for name in names]) if names else ()


class _Expansion:
    """Makes relationship instances of relationships; looks up each relationship's targets once."""

    def __init__(
        self, layout: _Layout, placed: Mapping[str, Sequence[_Placed]], before: Sequence[NodeInstance] = ()
    ) -> None:
        self._layout = layout
        self._placed = placed
        self._before = {(each.node, link.index): link.target for each in before for link in each.relationships}
        self._reaching_all: dict[str, Mapping[str, Value]] = {}
        self._targets: dict[tuple[str, int], tuple[Sequence[str], Mapping[tuple[str, ...], Sequence[_Placed]]]] = {}

    def relationships(self, template: NodeTemplate, within: _Place) -> tuple[RelationshipInstance, ...]:
        """Return the relationships of a source instance that is within a place, in template order."""
        reaching_all, placed = self._reaching_all, self._placed
        found: list[RelationshipInstance] = []
        for index, item in enumerate(template.relationships):
            node, kind = item.target, item.type
            reached: Iterable[_Placed]
            if reaching_all.get(kind) is item.properties:
                reached = placed[node]
            elif CONTAINED_IN in item.type_hierarchy:
                reached = ((within[node], _NOWHERE),)
            else:
                reached = self._reached(template.name, index, item, within)
            for target, _ in reached:
                found.append(RelationshipInstance(index=index, type=kind, target_node=node, target=target))
        return tuple(found)

    def _reached(self, name: NodeId, index: int, item: Relationship, within: _Place) -> Sequence[_Placed]:
        """Return the targets of one relationship of one instance.

        Without scaling groups, relationships of one type that share their properties all reach every target instance,
        or none does: that is remembered.
        """
        if (name, index) not in self._targets:
            connection = _connection_type(name, index, item)
            if connection == ALL_TO_ALL and not self._layout.group:
                self._reaching_all[item.type] = item.properties
                return self._placed[item.target]
            self._targets[name, index] = self._find_targets(name, index, item, connection)
        shared, by_place = self._targets[name, index]
        return by_place.get(_place_in(within, shared), ())

    def _find_targets(
        self, source: NodeId, index: int, item: Relationship, connection: str
    ) -> tuple[Sequence[str], Mapping[tuple[str, ...], Sequence[_Placed]]]:
        """Return the scaling groups that both ends share, and the targets by instance of those groups."""
        targets = self._placed[item.target]
        shared = self._shared_groups(source, item.target)
        if connection == ALL_TO_ONE:
            if shared:
                raise PlanningError(
                    "all-to-one-in-group",
                    f"{source!r} and {item.target!r} are in one scaling group, {shared[0]!r}: "
                    "all_to_one has no meaning there.",
                    path=_path(source, index),
                    fix=f"use connection_type: {ALL_TO_ALL}.",
                )
            known = self._before.get((source, index))
            targets = sorted(targets, key=lambda found: (found[0] != known, found[0]))[:1]
        return shared, _by_place(targets, shared)

    def _shared_groups(self, source: str, target: str) -> list[str]:
        groups = self._layout.blueprint.scaling_groups
        of_target = self._layout.around(target)
        return [name for name in self._layout.around(source) if name in of_target and name in groups]


def _path(source: NodeId, index: int) -> str:
    return f"node_templates.{source}.relationships[{index}]"


def _connection_type(source: NodeId, index: int, item: Relationship) -> str:
    if FAMILIES.isdisjoint(item.type_hierarchy):
        raise PlanningError(
            "unsupported-relationship",
            f"Relationship type {item.type!r} derives from none of the standard ones, so its meaning is unknown.",
            path=_path(source, index),
            fix=f"derive it from one of {', '.join(sorted(FAMILIES))}.",
        )
    connection = item.properties.get("connection_type", ALL_TO_ALL)
    if connection not in (ALL_TO_ALL, ALL_TO_ONE):
        raise PlanningError(
            "connection-type",
            f"connection_type is {connection!r}; it can be {ALL_TO_ALL} or {ALL_TO_ONE}.",
            path=f"{_path(source, index)}.properties.connection_type",
        )
    return str(connection)
