"""Evaluates functions against a deployment in memory and the store round it (`planning.evaluation.Lookup`).

Secrets, capabilities of others and labels are read when they are asked for, never kept.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final, TypeVar

from groundplan.model.blueprint import NodeTemplate, Output, Plugin
from groundplan.model.deployment import NodeInstance
from groundplan.model.graph import Task
from groundplan.model.ids import DeploymentId, GroupId, InstanceId, NodeId
from groundplan.model.labels import PARENT
from groundplan.model.secret import SecretValue
from groundplan.model.values import LEAVES, Data, Value, copy_data, from_data, is_sensitive
from groundplan.planning.evaluate import (
    EvaluationFault,
    LookupFault,
    Scope,
    UnknownSecret,
    evaluate,
    evaluate_data,
    evaluate_lasting,
    evaluate_outputs,
)
from groundplan.planning.handing_on import hand_on
from groundplan.runtime.library import Library
from groundplan.runtime.world import World
from groundplan.state.store import Snapshot, Store

__all__ = ["EvaluationFault", "Evaluator"]

_HOPS: Final = 20
"""Deployments that a capability may lead through, one reading the next's."""

_T = TypeVar("_T")
Reading = Callable[[], AbstractContextManager[Snapshot]]


class Evaluator:
    """Evaluates values of deployments of one store."""

    def __init__(self, library: Library, reading: Reading, *, hops: int = 0) -> None:
        self._library = library
        self._reading = reading
        self._hops = hops

    @classmethod
    def of_store(cls, library: Library, store: Store) -> "Evaluator":
        """Evaluate against what is committed at the moment of each look-up."""
        return cls(library, store.snapshot)

    @classmethod
    def within(cls, library: Library, snapshot: Snapshot, *, hops: int = 0) -> "Evaluator":
        """Evaluate against one moment; in a transaction, with what it has written."""
        return cls(library, lambda: nullcontext(snapshot), hops=hops)

    def steadily(self, world: World, value: Callable[["Evaluator", World], _T]) -> _T:
        """Return what `value` evaluates in a world that changes meanwhile.

        Instances are read before the secrets that they lead to, and an outcome recorded in between may have cleared
        the one and taken the other: where a secret is not there, both are read once more, at one moment of the store.
        """
        try:
            return value(self, world)
        except EvaluationFault as fault:
            if not fault.secret:
                raise
            with self._reading() as snapshot:
                deployment = snapshot.deployment(world.deployment.id)
                if deployment is None:
                    raise
                now = self._library.world(snapshot, deployment)
                return value(Evaluator.within(self._library, snapshot, hops=self._hops), now)

    def lookup(self, world: World) -> "WorldLookup":
        """Return what functions of a deployment are looked up in."""
        return WorldLookup(self._library, self._reading, world, self._hops)

    def inputs(self, world: World, task: Task) -> dict[str, Data]:
        """Return the inputs of a task's operation, those of the workflow laid over the blueprint's."""
        written = world.operation(task).inputs
        if not written and not task.arguments:
            return {}
        lookup, scope = self.lookup(world), self.scope(world, task)
        found = {
            name: _evaluated(world, value, scope, lookup)
            for name, value in written.items()
            if name not in task.arguments
        }
        return found | {name: evaluate(from_data(item), scope, lookup) for name, item in task.arguments.items()}

    def parameters(self, world: World, parameters: Mapping[str, Data]) -> dict[str, Data]:
        """Return the parameters of a workflow with the functions in them evaluated."""
        return self._of_data(world, parameters, "parameters")

    def plugin_properties(self, world: World, plugin: Plugin) -> dict[str, Data]:
        """Return what a plugin's properties were given, evaluated (spec 1.4)."""
        return self._of_data(world, plugin.values, f"plugins.{plugin.name}.properties")

    def resource_tags(self, world: World) -> dict[str, Data]:
        """Return the tags that a blueprint wants on what plugins make, evaluated."""
        return self._of_data(world, world.blueprint.resource_tags or {}, "resource_tags")

    def _of_data(self, world: World, written: Mapping[str, Data], path: str) -> dict[str, Data]:
        """Evaluate data where no instance is meant."""
        lookup = self.lookup(world)
        return {
            name: item
            if type(item) in LEAVES
            else evaluate(from_data(item), Scope.of_outputs(f"{path}.{name}"), lookup)
            for name, item in written.items()
        }

    def node_properties(self, world: World, node: NodeId) -> dict[str, Data]:
        """Return the properties of a node template, evaluated where no instance is meant.

        Raises:
            EvaluationFault: a function in them means an instance, or cannot be evaluated.
        """
        template, lookup = world.blueprint.nodes[node], self.lookup(world)
        path = f"node_templates.{node}.properties"
        return {
            name: evaluate(value, Scope.of_node(node, f"{path}.{name}"), lookup)
            for name, value in template.properties.items()
        }

    def properties(self, world: World, instance: NodeInstance) -> dict[str, Data]:
        """Return the properties of an instance's template, evaluated where the instance stands."""
        template, lookup = world.template(instance.id), self.lookup(world)
        path = f"node_templates.{template.name}.properties"
        return {
            name: value
            if type(value) in LEAVES
            else _evaluated(world, value, Scope.of_instance(instance, f"{path}.{name}"), lookup)
            for name, value in template.properties.items()
        }

    def settled_properties(self, world: World, instance: NodeInstance) -> dict[str, Data] | None:
        """Return what `properties` does, or None unless all of it lasts and none is secret."""
        known = world.settled.get(instance.node)
        if known is None:
            found = self.properties(world, instance)
            values = world.template(instance.id).properties.values()
            lasts = all(type(it) in LEAVES or (instance.node, "", id(it)) in world.lasting for it in values)
            if not lasts or is_sensitive(found):
                return None
            world.settled[instance.node] = known = found
        copied: dict[str, Data] = copy_data(known)
        return copied

    def runtime_properties(self, world: World, instance: NodeInstance) -> dict[str, Data]:
        """Return runtime properties with the functions that the engine put there evaluated."""
        scope, lookup = Scope.of_instance(instance, f"{instance.id}.runtime_properties"), self.lookup(world)
        return {
            name: item if type(item) in LEAVES else evaluate_data(item, scope, lookup)
            for name, item in instance.runtime_properties.items()
        }

    def value(self, world: World, instance: NodeInstance, value: Value, path: str) -> Data:
        """Evaluate a value where an instance stands."""
        return evaluate(value, Scope.of_instance(instance, path), self.lookup(world))

    def handed_on(self, world: World, instance: NodeInstance, value: Value, path: str) -> Data:
        """Evaluate a value for a child deployment: each `get_secret` inside it stays a function."""
        return hand_on(value, Scope.of_instance(instance, path), self.lookup(world))

    def outputs(self, world: World, outputs: Mapping[str, Output], path: str) -> dict[str, Data]:
        """Evaluate outputs or capabilities."""
        return evaluate_outputs(outputs, self.lookup(world), path)

    @staticmethod
    def scope(world: World, task: Task) -> Scope:
        """Return where the inputs of a task's operation stand."""
        if task.relationship is None:
            instance = world.instance(task.instance)
            path = f"node_templates.{instance.node}.interfaces.{task.operation}.inputs"
            return Scope.of_instance(instance, path)
        source, target = world.instance(task.relationship.source), world.instance(task.relationship.target)
        path = f"node_templates.{source.node}.relationships[{task.relationship.index}].{task.operation}.inputs"
        return Scope.of_relationship(source, target, path)


def _evaluated(world: World, value: Value, scope: Scope, lookup: "WorldLookup") -> Data:
    """Evaluate a value of the blueprint, once for all instances and attempts where that is allowed."""
    one, other = scope.own or scope.source, scope.target
    key = ("" if one is None else one.node, "" if other is None else other.node, id(value))
    known = world.lasting
    if key in known:
        return copy_data(known[key])
    found, is_lasting = evaluate_lasting(value, scope, lookup)
    if is_lasting:
        known[key] = copy_data(found)
    return found


class WorldLookup:
    """Implements `planning.evaluation.Lookup`."""

    def __init__(self, library: Library, reading: Reading, world: World, hops: int) -> None:
        self._library = library
        self._reading = reading
        self._world = world
        self._hops = hops

    def input(self, name: str) -> Value:
        inputs = self._world.deployment.inputs
        if name not in inputs:
            raise LookupFault(f"There is no input {name!r}.")
        return from_data(inputs[name])

    def node(self, name: str) -> NodeTemplate:
        template = self._world.blueprint.nodes.get(NodeId(name))
        if template is None:
            raise LookupFault(f"There is no node template {name!r}.")
        return template

    def instances_of(self, node: NodeId) -> Sequence[NodeInstance]:
        return self._world.instances_of(node)

    def instance(self, instance: InstanceId) -> NodeInstance:
        return self._world.instance(instance)

    def secret(self, name: str) -> SecretValue:
        with self._reading() as snapshot:
            found = snapshot.secret(name)
        if found is None:
            raise UnknownSecret(name)
        return found

    def capability(self, deployment: str, name: str) -> Data:
        if self._hops >= _HOPS:
            raise LookupFault(f"Capabilities lead through more than {_HOPS} deployments; do they read each other?")
        with self._reading() as snapshot:
            found = snapshot.deployment(DeploymentId(deployment))
            if found is None:
                raise LookupFault(f"There is no deployment {deployment!r}.")
            world = self._library.world(snapshot, found)
            output = world.blueprint.capabilities.get(name)
            if output is None:
                known = ", ".join(sorted(world.blueprint.capabilities)) or "none"
                raise LookupFault(f"Deployment {deployment!r} has no capability {name!r}; it has {known}.")
            # At the same moment: its instances lead to secrets that go when the instances do.
            evaluator = Evaluator.within(self._library, snapshot, hops=self._hops + 1)
            values = evaluator.outputs(world, {name: output}, f"{deployment}.capabilities")
        if name not in values:
            raise LookupFault(f"Capability {name!r} of deployment {deployment!r} is a secret that is not there.")
        return values[name]

    def group_capability(self, group: str, names: Sequence[str]) -> Mapping[str, Sequence[Data]]:
        with self._reading() as snapshot:
            if snapshot.deployment_group(GroupId(group)) is None:
                raise LookupFault(f"There is no deployment group {group!r}.")
            members = snapshot.members(GroupId(group))
            found = [snapshot.deployment(member) for member in members]
            worlds = [self._library.world(snapshot, item) for item in found if item is not None]
        return {
            world.deployment.id: [self.capability(world.deployment.id, name) for name in names]
            for world in worlds
            if world.blueprint.capabilities.keys() >= set(names)
        }

    def environment_capability(self, name: str) -> Data:
        parents = self.label(PARENT)
        if not parents:
            raise LookupFault(f"This deployment has no environment: it carries no label {PARENT!r}.")
        return self.capability(parents[0], name)

    def label(self, key: str) -> Sequence[str]:
        return self._world.deployment.labels.get(key.lower(), ())

    def sys(self, entity: str, name: str) -> Data:
        deployment = self._world.deployment
        known: dict[tuple[str, str], Data] = {
            ("tenant", "name"): "default_tenant",
            ("deployment", "id"): deployment.id,
            ("deployment", "name"): deployment.display_name or deployment.id,
            ("deployment", "blueprint"): deployment.blueprint,
            ("deployment", "owner"): "admin",
        }
        if (entity, name) not in known:
            raise LookupFault(f"There is no {name!r} of {entity!r} to get.")
        return known[entity, name]

    def consumers(self) -> Mapping[str, str]:
        with self._reading() as snapshot:
            users = {item.source for item in snapshot.dependencies(target=self._world.deployment.id)}
            found = [snapshot.deployment(user) for user in sorted(users)]
        return {item.id: item.display_name or item.id for item in found if item is not None}
