"""A deployment in memory while its executions are driven: blueprint, instances, and the operations behind tasks.

The driver's thread replaces instances as outcomes come in; attempts in other threads read them (each instance is
frozen, so a reader sees one state or the next, never half of it).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from groundplan.model.blueprint import Blueprint, NodeTemplate, Operation, Relationship
from groundplan.model.deployment import Deployment, InstanceState, NodeInstance
from groundplan.model.graph import RelationshipRef, Side, Task, TaskKind
from groundplan.model.ids import InstanceId
from groundplan.model.reshape import Reshape
from groundplan.model.values import Data
from groundplan.state.store import InstanceChange

_NOTHING: Final = Operation()


class World:
    """One deployment as its executions see it.

    Attributes:
        lasting: what `evaluation` found and need not evaluate again before the deployment is another.
        settled: likewise the properties of node templates, where all of them last and none is secret.
    """

    def __init__(self, deployment: Deployment, blueprint: Blueprint, instances: Iterable[NodeInstance]) -> None:
        self.deployment = deployment
        self.blueprint = blueprint
        self.lasting: dict[tuple[str, str, int], Data] = {}
        self.settled: dict[str, dict[str, Data]] = {}
        self._instances = {instance.id: instance for instance in instances}
        self._by_node: dict[str, list[InstanceId]] = {}
        self._sources: dict[InstanceId, list[InstanceId]] = {}
        self._index()

    def _index(self) -> None:
        by_node: dict[str, list[InstanceId]] = {}
        sources: dict[InstanceId, list[InstanceId]] = {}
        for instance in self._instances.values():
            by_node.setdefault(instance.node, []).append(instance.id)
            for relationship in instance.relationships:
                sources.setdefault(relationship.target, []).append(instance.id)
        self._by_node, self._sources = by_node, sources

    @property
    def instances(self) -> Sequence[NodeInstance]:
        """All instances, in the order in which they were made."""
        return tuple(self._instances.values())

    @property
    def is_gone(self) -> bool:
        """Whether every instance was deleted again."""
        return all(instance.state is InstanceState.DELETED for instance in self._instances.values())

    def instance(self, id: InstanceId) -> NodeInstance:
        """Return one instance as it is now."""
        return self._instances[id]

    def knows(self, id: str) -> bool:
        """Whether there is an instance of that id."""
        return id in self._instances

    def instances_of(self, node: str) -> Sequence[NodeInstance]:
        """Return the instances of a node template."""
        return [self._instances[own] for own in self._by_node.get(node, ())]

    def sources_of(self, id: InstanceId) -> Sequence[NodeInstance]:
        """Return the instances that have a relationship to this one, each once."""
        return [self._instances[source] for source in dict.fromkeys(self._sources.get(id, ()))]

    def template(self, id: InstanceId) -> NodeTemplate:
        """Return the node template of an instance."""
        return self.blueprint.nodes[self._instances[id].node]

    def relationship(self, task: Task) -> Relationship | None:
        """Return the relationship that a task's operation belongs to, or None."""
        return None if task.relationship is None else self._relationship(task.relationship)

    def _relationship(self, ref: RelationshipRef) -> Relationship:
        return self.template(ref.source).relationships[ref.index]

    def operation(self, task: Task) -> Operation:
        """Return the operation that a task runs; the one that does nothing where it runs none of the blueprint."""
        if task.kind is TaskKind.LOCAL or task.kind is TaskKind.DEPLOYMENT:
            return _NOTHING
        if task.relationship is None:
            node = self.blueprint.nodes[self._instances[task.instance].node]
            return node.operations.get(task.operation, _NOTHING)
        side, relationship = task.relationship.side, self._relationship(task.relationship)
        operations = relationship.source_operations if side is Side.SOURCE else relationship.target_operations
        return operations.get(task.operation, _NOTHING)

    def apply(self, id: InstanceId, change: InstanceChange) -> None:
        """Replace an instance by one with the change made; the driver's thread alone calls it."""
        old = self._instances[id]
        self._instances[id] = old.changed(
            state=change.state,
            runtime_properties=change.runtime_properties,
            system_properties=change.system_properties,
        )

    def reshape(self, reshape: Reshape, blueprint: Blueprint) -> None:
        """Make the change that a stage begins with; nothing of the execution is in flight then.

        Args:
            blueprint: that of the deployment's content after it.
        """
        instances = {each: item for each, item in self._instances.items() if each not in reshape.removed}
        for relinked in reshape.relinked:
            instances[relinked.id] = instances[relinked.id].relinked(relinked)
        instances.update((added.id, added) for added in reshape.added)
        for noted, notes in reshape.noted.items():
            instances[noted] = instances[noted].changed(system_properties=notes)
        self._instances = instances
        self.lasting, self.settled = {}, {}
        self._index()
        self.blueprint = blueprint
        scaling, content = reshape.scaling, reshape.content
        if scaling is not None:
            self.deployment = replace(self.deployment, scaling=scaling)
        if content is not None:
            self.deployment = replace(
                self.deployment,
                blueprint=content.blueprint,
                digest=content.digest,
                inputs=content.inputs,
                labels=content.labels,
            )
