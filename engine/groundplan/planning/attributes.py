"""Finds the instance that a function means, and what an attribute of it is (spec 3.4)."""

from collections.abc import Iterator, Sequence
from typing import Final

from groundplan.model.deployment import GroupMembership, NodeInstance
from groundplan.model.ids import NodeId
from groundplan.model.values import Data
from groundplan.planning.evaluation import End, Here, Scope
from groundplan.planning.instances import CONTAINED_IN
from groundplan.planning.walk import MissingStep, walk_data, walk_value

SCOPES: Final = ("SELF", "SOURCE", "TARGET")


def named_end(here: Here, name: Data) -> End:
    """Return the node that SELF, SOURCE, TARGET or a node's name stands for, with its instance where that is plain.

    Raises:
        EvaluationFault: when the word means nothing here.
        LookupFault: when there is no such node.
    """
    if name not in SCOPES:
        node = here.lookup.node(name).name
        candidates = choose(here, node)
        return End(node=node, instance=candidates[0] if len(candidates) == 1 else None)
    end = {"SELF": here.scope.own, "SOURCE": here.scope.source, "TARGET": here.scope.target}[name]
    if end is None:
        allowed = "in a node's properties and operations" if name == "SELF" else "in a relationship's operations"
        raise here.fault(f"{name} means nothing here; it can be used {allowed}.")
    return end


def named_instance(here: Here, name: Data) -> NodeInstance:
    """Return the one instance that a word or a node's name stands for.

    Raises:
        EvaluationFault: when there is none, or more than one.
    """
    end = named_end(here, name)
    if end.instance is not None:
        return end.instance
    candidates = choose(here, end.node)
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise here.fault(f"Node {end.node!r} has no instance.", ambiguous=True)
    ids = ", ".join(item.id for item in candidates)
    raise here.fault(
        f"Node {end.node!r} has {len(candidates)} instances and nothing here tells which is meant: {ids}.",
        ambiguous=True,
    )


def choose(here: Here, node: NodeId) -> Sequence[NodeInstance]:
    """Return the instances of a node that may be meant from here; one, when it is plain which."""
    candidates = here.lookup.instances_of(node)
    if len(candidates) <= 1:
        return candidates
    scope = here.scope
    if scope.own is not None and scope.own.instance is not None:
        related = {item.target for item in scope.own.instance.relationships if item.target_node == node}
        if len(related) == 1:
            return [here.lookup.instance(related.pop())]
    for end in (scope.own, scope.source, scope.target):
        if end is not None and end.instance is not None:
            together = _in_same_group(here, end.instance, candidates)
            if len(together) == 1:
                return together
    return candidates


def _in_same_group(here: Here, instance: NodeInstance, candidates: Sequence[NodeInstance]) -> list[NodeInstance]:
    """Return the candidates in the same instance of the innermost scaling group that they share with `instance`."""
    groups = {item.id: {group.name: group.id for group in _groups(here, item)} for item in candidates}
    for own in _groups(here, instance):
        if any(own.name in found for found in groups.values()):
            return [item for item in candidates if groups[item.id].get(own.name) == own.id]
    return []


def _groups(here: Here, instance: NodeInstance | None) -> Iterator[GroupMembership]:
    """Yield the scaling groups of an instance, then those of what contains it."""
    while instance is not None:
        yield from instance.scaling_groups
        instance = _container(here, instance)


def _container(here: Here, instance: NodeInstance) -> NodeInstance | None:
    relationships = here.lookup.node(instance.node).relationships
    for item in instance.relationships:
        if relationships[item.index].is_a(CONTAINED_IN):
            return here.lookup.instance(item.target)
    return None


def attribute(here: Here, instance: NodeInstance, path: Sequence[Data]) -> Data:
    """Return an attribute of an instance: a runtime property, else its id or index, else the node's property.

    A step that leads nowhere gives None, and the next place is tried.
    """
    found = _runtime_property(here, instance, path)
    if found is None and len(path) == 1:
        found = {"node_instance_id": instance.id, "node_instance_index": instance.index}.get(path[0])
    return static_property(here, End(node=instance.node, instance=instance), path) if found is None else found


def _runtime_property(here: Here, instance: NodeInstance, path: Sequence[Data]) -> Data:
    if path[0] not in instance.runtime_properties:
        return None
    try:
        found = walk_data(instance.id, instance.runtime_properties[path[0]], path[1:])
    except MissingStep:
        return None
    with here.evaluation.following(here, f"attribute {instance.id}{_shown(path)}"):
        return here.evaluation.data(found, _scope_at(here, End(node=instance.node, instance=instance)))


def static_property(here: Here, end: End, path: Sequence[Data]) -> Data:
    """Return what a node's property gives at a path, or None when it leads nowhere."""
    try:
        return strict_property(here, end, path)
    except MissingStep:
        return None


def strict_property(here: Here, end: End, path: Sequence[Data]) -> Data:
    """Return what a node's property gives at a path.

    Raises:
        MissingStep: when the path leads nowhere.
    """
    node = here.lookup.node(end.node)
    name = path[0]
    if name not in node.properties:
        raise MissingStep(f"Node {end.node!r} has no property {name!r}.")
    there = Here(evaluation=here.evaluation, scope=_scope_at(here, end), function=here.function)
    with here.evaluation.following(here, f"property {end.node}{_shown(path)}"):
        return walk_value(there, f"property {name!r} of node {end.node!r}", node.properties[name], path[1:])


def _scope_at(here: Here, end: End) -> Scope:
    return Scope(path=here.scope.path, own=end)


def _shown(path: Sequence[Data]) -> str:
    return "".join(f"[{step!r}]" for step in path)
