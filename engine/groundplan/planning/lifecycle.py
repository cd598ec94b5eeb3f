"""What one node instance goes through when it is installed, uninstalled or rolled back (spec 5.3, 5.4, 5.5).

Order between instances and the choice of instances are the workflows' (`workflows.install`, `workflows.uninstall`...).
Agents do not exist here, so the agent's steps on hosts do not either.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from groundplan.model.blueprint import Blueprint, NodeTemplate, Operation, Operations, Relationship
from groundplan.model.deployment import InstanceState, NodeInstance, RelationshipInstance
from groundplan.model.graph import RelationshipRef, Side, TaskKind
from groundplan.model.ids import InstanceId, NodeId
from groundplan.planning.chains import Course, Draft, Step, course

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
_Active = Sequence[tuple[str, Side, TaskKind]]
"""The operations of a relationship that do something: full name, side and kind."""
_OPERATION: Final = TaskKind.OPERATION

_INSTALL: Final = (
    f"{VALIDATION}.create",
    f"{LIFECYCLE}.precreate",
    f"{LIFECYCLE}.create",
    f"{LIFECYCLE}.configure",
    f"{LIFECYCLE}.start",
    f"{LIFECYCLE}.poststart",
    f"{MONITORING}.start",
)
_NO_LINKS: Final[Mapping[str, _Sides]] = {}
_NOTHING: Final[tuple[Operations | None, _Active]] = None, ()


class Steps:
    """Makes the steps of instances of one blueprint.

    Looks at each node's relationships once; nodes that have the same operations to run share their steps.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        self._blueprint = blueprint
        self._linking: dict[NodeId, Mapping[str, _Sides]] = {}
        self._links = any(
            _active(kind.source_operations, kind.target_operations) for kind in blueprint.relationship_kinds
        )
        self._active: dict[int, tuple[Operations, _Active]] = {}
        self._installs: dict[tuple[str, ...], dict[InstanceState, _Install]] = {}
        self._of_operations: dict[int, dict[InstanceState, _Install]] = {}

    def install(self, instance: NodeInstance) -> Course:
        """Return the steps from the instance's state to `started` (spec 5.3).

        What an earlier run has completed is left out. `initializing` is set only on instances that have not got past
        it: a state once reached is the record of what need not be repeated.
        """
        node = self._blueprint.nodes[instance.node]
        by_state = self._of_operations.get(id(node.operations))
        if by_state is None:
            by_state = self._installs.setdefault(_signature(node.operations), {})
            self._of_operations[id(node.operations)] = by_state
        found = by_state.get(instance.state)
        if found is None:
            found = by_state[instance.state] = self._install(instance)
        linking = self._linking_of(node) if self._links and node.relationships else _NO_LINKS
        return self._linked(found, instance, linking) if linking else found.course

    def _install(self, instance: NodeInstance) -> "_Install":
        state, parts = instance.state, list[Step | str]()
        if state not in _BEGUN:
            parts.append(self.operation(instance, f"{VALIDATION}.create"))
            parts.append(self.operation(instance, f"{LIFECYCLE}.precreate"))
        if state not in _CREATED:
            parts.append(self.operation(instance, f"{LIFECYCLE}.create", _S.CREATING, _S.CREATED))
        if state not in _CONFIGURED:
            parts.append(f"{RELATIONSHIP_LIFECYCLE}.preconfigure")
            parts.append(self.operation(instance, f"{LIFECYCLE}.configure", _S.CONFIGURING, _S.CONFIGURED))
        if state is not _S.STARTED:
            parts.append(f"{RELATIONSHIP_LIFECYCLE}.postconfigure")
            parts.append(self.operation(instance, f"{LIFECYCLE}.start", _S.STARTING))
            parts.append(self.operation(instance, f"{LIFECYCLE}.poststart"))
            parts.append(self.operation(instance, f"{MONITORING}.start"))
            parts.append(f"{RELATIONSHIP_LIFECYCLE}.establish")
        parts = [part for part in parts if part]
        steps = [part for part in parts if not isinstance(part, str)]
        if state in _BEGUN:
            return _Install(parts, course([*steps, _STARTED]), begins=False)
        _enter(steps, _S.INITIALIZING)
        begins = bool(parts) and isinstance(parts[0], str)
        return _Install([*steps[:1], *parts[1:]] if not begins else parts, course([*steps, _STARTED]), begins)

    def _linked(self, install: "_Install", instance: NodeInstance, linking: Mapping[str, _Sides]) -> Course:
        """Return the steps of an install with those of the instance's relationships in their places."""
        steps: list[Step] = []
        for part in install.parts:
            if not isinstance(part, str):
                steps.append(part)
            elif part in linking:
                steps += _linking_steps(instance, instance.relationships, part, linking[part])
        if install.begins:
            steps = [step for step in steps if step]
            _enter(steps, _S.INITIALIZING)
        steps.append(_STARTED)
        return course(steps)

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
        sides = self._linking_of(self._blueprint.nodes[instance.node]).get(full)
        if sides is None:
            return []
        chosen = instance.relationships
        if targets is not None:
            chosen = tuple(item for item in chosen if item.target in targets)
        return _linking_steps(instance, chosen, full, sides)

    def _linking_of(self, node: NodeTemplate) -> Mapping[str, _Sides]:
        """Return, by full name, where the relationship operations of a node do something."""
        found = self._linking.get(node.name)
        if found is None:
            found = self._find_linking(node.relationships)
            if found:
                self._linking[node.name] = found
        return found

    def _find_linking(self, relationships: Sequence[Relationship]) -> Mapping[str, _Sides]:
        found: dict[str, dict[int, list[tuple[Side, TaskKind]]]] = {}
        known = self._active
        for index, relationship in enumerate(relationships):
            source, target = relationship.source_operations, relationship.target_operations
            like, active = known.get(id(source), _NOTHING)
            if like is not target:
                active = _active(source, target)
                known[id(source)] = target, active
            for name, side, kind in active:
                found.setdefault(name, {}).setdefault(index, []).append((side, kind))
        return found


def _active(source: Operations, target: Operations) -> _Active:
    """Return what does something among the operations of a relationship."""
    return tuple(
        (name, side, _kind(each))
        for side, operations in ((Side.SOURCE, source), (Side.TARGET, target))
        for name, each in operations.items()
        if not each.is_nop
    )


def _signature(operations: Operations) -> tuple[str, ...]:
    """Return the kind of each operation of an install: empty for one that is not there or does nothing."""
    return tuple(
        [
            "" if each is None or not each.operation else _OPERATION if each.plugin != CHILD_PLUGIN else _kind(each)
            for each in map(operations.get, _INSTALL)
        ]
    )


class _Install(NamedTuple):
    """The way through an install that instances share.

    Attributes:
        parts: steps, and where those of relationships come in between, the full name of their operation.
        course: the whole, for an instance whose relationships do nothing.
        begins: whether the first step is a relationship's, and must set the state that an install begins with.
    """

    parts: Sequence[Step | str]
    course: Course
    begins: bool


def _linking_steps(
    instance: NodeInstance, chosen: Iterable[RelationshipInstance], name: str, sides: _Sides
) -> list[Step]:
    steps: list[Step] = []
    node: NodeId | None = None
    batch: list[Draft] = []
    for item in chosen:
        if item.target_node != node:
            node, batch = item.target_node, []
            steps.append(batch)
        for side, kind in sides.get(item.index, ()):
            batch.append(Draft(kind, name, None, None, _reference(instance, item, side)))
    return steps


def is_child_operation(operation: Operation) -> bool:
    """Whether an operation acts on a child deployment, which the engine does itself."""
    return operation.plugin == CHILD_PLUGIN and operation.operation.startswith(CHILD_OPERATIONS)


def _kind(operation: Operation) -> TaskKind:
    return TaskKind.CHILD if is_child_operation(operation) else TaskKind.OPERATION


def _reference(instance: NodeInstance, item: RelationshipInstance, side: Side) -> RelationshipRef:
    return RelationshipRef(index=item.index, source=instance.id, target=item.target, side=side)


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


_STARTED: Final = _mark(_S.STARTED)
