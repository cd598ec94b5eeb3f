"""What one node instance goes through when it is installed, uninstalled or rolled back (spec 5.3, 5.4, 5.5).

Order between instances and the choice of instances are the workflows' (`workflows.install`, `workflows.uninstall`...).
Agents do not exist here, so the agent's steps on hosts do not either.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import Final

from groundplan.model.blueprint import Blueprint, Operation, Operations
from groundplan.model.deployment import InstanceState, NodeInstance, RelationshipInstance
from groundplan.model.graph import RelationshipRef, Side, TaskKind
from groundplan.model.ids import InstanceId, NodeId
from groundplan.planning.graphs import Draft, Step

LIFECYCLE: Final = "cloudify.interfaces.lifecycle"
VALIDATION: Final = "cloudify.interfaces.validation"
MONITORING: Final = "cloudify.interfaces.monitoring"
RELATIONSHIP_LIFECYCLE: Final = "cloudify.interfaces.relationship_lifecycle"

CHILD_PLUGIN: Final = "cfy_extensions"
CHILD_OPERATIONS: Final = "cloudify_types."
"""Operations `cfy_extensions.cloudify_types.*` are the engine's own (house: composition)."""

_S = InstanceState
_CONFIGURED: Final = frozenset({_S.STARTED, _S.STARTING, _S.CONFIGURED})
_CREATED: Final = _CONFIGURED | {_S.CREATED, _S.CONFIGURING}
_BEGUN: Final = _CREATED | {_S.CREATING}
_REMOVED: Final = frozenset({_S.DELETED, _S.UNINITIALIZED})
_STOPPED: Final = _REMOVED | {_S.STOPPED, _S.DELETING, _S.CONFIGURED}

_Sides = Mapping[int, list[tuple[Side, TaskKind]]]
"""By place of the relationship in its template, the sides on which an operation does something."""


_NO_LINKS: Final[Mapping[str, _Sides]] = {}


class Steps:
    """Makes the steps of instances of one blueprint.

    Looks at each node's relationships once; nodes that share their operations, and whose relationships do nothing,
    share their steps.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        self._blueprint = blueprint
        self._linking: dict[NodeId, Mapping[str, _Sides]] = {}
        self._working: dict[int, Sequence[tuple[str, TaskKind]]] = {}
        self._installing: dict[tuple[int, InstanceState], list[Step]] = {}

    def install(self, instance: NodeInstance) -> list[Step]:
        """Return the steps from the instance's state to `started` (spec 5.3).

        What an earlier run has completed is left out. `initializing` is set only on instances that have not got past
        it: a state once reached is the record of what need not be repeated.
        """
        if self._linking_of(instance.node):
            return self._install(instance)
        alike = id(self._blueprint.nodes[instance.node].operations), instance.state
        steps = self._installing.get(alike)
        if steps is None:
            steps = self._installing[alike] = self._install(instance)
        return steps

    def _install(self, instance: NodeInstance) -> list[Step]:
        state, steps = instance.state, list[Step]()
        if state not in _BEGUN:
            steps.append(self.operation(instance, f"{VALIDATION}.create"))
            steps.append(self.operation(instance, f"{LIFECYCLE}.precreate"))
        if state not in _CREATED:
            steps.append(self.operation(instance, f"{LIFECYCLE}.create", _S.CREATING, _S.CREATED))
        if state not in _CONFIGURED:
            steps += self.relationships(instance, "preconfigure")
            steps.append(self.operation(instance, f"{LIFECYCLE}.configure", _S.CONFIGURING, _S.CONFIGURED))
        if state is not _S.STARTED:
            steps += self.relationships(instance, "postconfigure")
            steps.append(self.operation(instance, f"{LIFECYCLE}.start", _S.STARTING))
            steps.append(self.operation(instance, f"{LIFECYCLE}.poststart"))
            steps.append(self.operation(instance, f"{MONITORING}.start"))
            steps += self.relationships(instance, "establish")
        steps = [step for step in steps if step]
        if state not in _BEGUN:
            _enter(steps, _S.INITIALIZING)
        return [*steps, _mark(_S.STARTED)]

    def uninstall(self, instance: NodeInstance) -> list[Step]:
        """Return the steps from the instance's state to `deleted` (spec 5.4); none when it is deleted."""
        state, steps = instance.state, list[Step]()
        if state is _S.DELETED:
            return []
        if state not in _STOPPED:
            steps += self._stop(instance)
            _leave(steps, _S.STOPPED)
        if state not in _REMOVED:
            steps += self._delete(instance)
        return [*steps, _mark(_S.DELETED)]

    def roll_back(self, instance: NodeInstance) -> list[Step]:
        """Return the steps from a state in mid-install to the one before it; none from any other (spec 5.5)."""
        if instance.state in (_S.CREATING, _S.CONFIGURING):
            return [*self._delete(instance), _mark(_S.UNINITIALIZED)]
        if instance.state is _S.STARTING:
            return [*self._stop(instance), _mark(_S.CONFIGURED)]
        return []

    def _stop(self, instance: NodeInstance) -> list[Step]:
        names = f"{VALIDATION}.delete", f"{MONITORING}.stop", f"{LIFECYCLE}.prestop", f"{LIFECYCLE}.stop"
        steps = [step for step in (self.operation(instance, name) for name in names) if step]
        _enter(steps, _S.STOPPING)
        return steps

    def _delete(self, instance: NodeInstance) -> list[Step]:
        return [
            *reversed(self.relationships(instance, "unlink")),
            self.operation(instance, f"{LIFECYCLE}.delete", _S.DELETING),
            self.operation(instance, f"{LIFECYCLE}.postdelete"),
        ]

    def operation(
        self,
        instance: NodeInstance,
        name: str,
        before: InstanceState | None = None,
        after: InstanceState | None = None,
    ) -> Step:
        """Return the step that runs one operation of the node, by its full name; empty when it does nothing.

        Args:
            before: the state to set when it starts.
            after: the state to set when it succeeds.
        """
        operation = self._blueprint.nodes[instance.node].operations.get(name)
        if operation is None or operation.is_nop:
            return ()
        return (Draft(_kind(operation), name, before, after),)

    def relationships(
        self, instance: NodeInstance, name: str, targets: Collection[InstanceId] | None = None
    ) -> list[Step]:
        """Return the steps of one relationship operation, in template order.

        Consecutive relationships to one target node form a step, in which the source's and the target's operations
        of all of them run side by side.

        Args:
            name: for example `establish`.
            targets: only relationships to these; None for all.
        """
        full = f"{RELATIONSHIP_LIFECYCLE}.{name}"
        sides = self._linking_of(instance.node).get(full)
        if sides is None:
            return []
        chosen = [item for item in instance.relationships if targets is None or item.target in targets]
        return [
            [
                Draft(kind, full, relationship=_reference(instance, item, side))
                for item in batch
                for side, kind in sides.get(item.index, ())
            ]
            for _, batch in groupby(chosen, key=_target_node)
        ]

    def _linking_of(self, node: NodeId) -> Mapping[str, _Sides]:
        """Return, by full name, where the relationship operations of a node do something."""
        found = self._linking.get(node)
        if found is None:
            found = self._linking[node] = self._find_linking(node)
        return found

    def _find_linking(self, node: NodeId) -> Mapping[str, _Sides]:
        found: dict[str, dict[int, list[tuple[Side, TaskKind]]]] = {}
        for index, relationship in enumerate(self._blueprint.nodes[node].relationships):
            for name, kind in self._working_of(relationship.source_operations):
                found.setdefault(name, {}).setdefault(index, []).append((Side.SOURCE, kind))
            for name, kind in self._working_of(relationship.target_operations):
                found.setdefault(name, {}).setdefault(index, []).append((Side.TARGET, kind))
        return found or _NO_LINKS

    def _working_of(self, operations: Operations) -> Sequence[tuple[str, TaskKind]]:
        """Return the operations that do something; those that relationships share are looked at once."""
        found = self._working.get(id(operations))
        if found is None:
            found = tuple((name, _kind(each)) for name, each in operations.items() if not each.is_nop)
            self._working[id(operations)] = found
        return found


def is_child_operation(operation: Operation) -> bool:
    """Whether an operation acts on a child deployment, which the engine does itself."""
    return operation.plugin == CHILD_PLUGIN and operation.operation.startswith(CHILD_OPERATIONS)


def _kind(operation: Operation) -> TaskKind:
    return TaskKind.CHILD if is_child_operation(operation) else TaskKind.OPERATION


def _reference(instance: NodeInstance, item: RelationshipInstance, side: Side) -> RelationshipRef:
    return RelationshipRef(index=item.index, source=instance.id, target=item.target, side=side)


def _target_node(item: RelationshipInstance) -> NodeId:
    return item.target_node


def _enter(steps: list[Step], state: InstanceState) -> None:
    """Let the first step set a state when it starts, unless it sets one of its own."""
    if steps:
        steps[0] = [draft if draft.before else draft._replace(before=state) for draft in steps[0]]


def _leave(steps: list[Step], state: InstanceState) -> None:
    """Let the last step set a state when it succeeds."""
    if steps:
        steps[-1] = [draft._replace(after=state) for draft in steps[-1]]


def _mark(state: InstanceState) -> Step:
    return (Draft(TaskKind.STATE, after=state),)
