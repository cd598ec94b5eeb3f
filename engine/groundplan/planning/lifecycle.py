"""What one node instance goes through when it is installed or uninstalled: its steps, in order (spec 5.3, 5.4).

Order between instances and the choice of instances are the workflows' (`workflows.install`, `workflows.uninstall`).
Agents do not exist here, so the agent's steps on hosts do not either.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Final

from groundplan.model.blueprint import Blueprint, Operation, Operations
from groundplan.model.deployment import InstanceState, NodeInstance, RelationshipInstance
from groundplan.model.graph import RelationshipRef, Side, Task, TaskKind
from groundplan.model.ids import InstanceId, NodeId
from groundplan.model.values import Data
from groundplan.planning.graphs import Step

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Steps:
    """Makes the steps of instances of one blueprint.

    Attributes:
        ignore_failure: given to every task.
        arguments: laid over the inputs of every operation.
    """

    blueprint: Blueprint
    ignore_failure: bool = False
    arguments: Mapping[str, Data] = field(default_factory=dict)

    def install(self, instance: NodeInstance) -> list[Step]:
        """Return the steps from the instance's state to `started` (spec 5.3).

        What an earlier run has completed is left out. `initializing` is set only on instances that have not got past
        it: a state once reached is the record of what need not be repeated.
        """
        state, steps = instance.state, list[Step]()
        if state not in _BEGUN:
            steps += [self._own(instance, f"{VALIDATION}.create"), self._own(instance, f"{LIFECYCLE}.precreate")]
        if state not in _CREATED:
            steps.append(self._own(instance, f"{LIFECYCLE}.create", _S.CREATING, _S.CREATED))
        if state not in _CONFIGURED:
            steps += self.relationships(instance, "preconfigure")
            steps.append(self._own(instance, f"{LIFECYCLE}.configure", _S.CONFIGURING, _S.CONFIGURED))
        if state is not _S.STARTED:
            steps += self.relationships(instance, "postconfigure")
            steps.append(self._own(instance, f"{LIFECYCLE}.start", _S.STARTING))
            steps += [self._own(instance, f"{LIFECYCLE}.poststart"), self._own(instance, f"{MONITORING}.start")]
            steps += self.relationships(instance, "establish")
        steps = [step for step in steps if step]
        if state not in _BEGUN:
            _enter(steps, _S.INITIALIZING)
        return [*steps, [self._state(instance, _S.STARTED)]]

    def uninstall(self, instance: NodeInstance) -> list[Step]:
        """Return the steps from the instance's state to `deleted` (spec 5.4); none when it is deleted."""
        state, steps = instance.state, list[Step]()
        if state is _S.DELETED:
            return []
        if state not in _STOPPED:
            names = f"{VALIDATION}.delete", f"{MONITORING}.stop", f"{LIFECYCLE}.prestop", f"{LIFECYCLE}.stop"
            steps += [step for step in (self._own(instance, name) for name in names) if step]
            _enter(steps, _S.STOPPING)
            _leave(steps, _S.STOPPED)
        if state not in _REMOVED:
            steps += reversed(self.relationships(instance, "unlink"))
            steps.append(self._own(instance, f"{LIFECYCLE}.delete", _S.DELETING))
            steps.append(self._own(instance, f"{LIFECYCLE}.postdelete"))
        return [*steps, [self._state(instance, _S.DELETED)]]

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
        chosen = [item for item in instance.relationships if targets is None or item.target in targets]
        return [
            [task for item in batch for task in self._both_sides(instance, item, name)]
            for _, batch in groupby(chosen, key=_target_node)
        ]

    def _both_sides(self, instance: NodeInstance, item: RelationshipInstance, name: str) -> Iterator[Task]:
        template = self.blueprint.nodes[instance.node].relationships[item.index]
        sides: Iterable[tuple[Side, Operations]] = (
            (Side.SOURCE, template.source_operations),
            (Side.TARGET, template.target_operations),
        )
        full = f"{RELATIONSHIP_LIFECYCLE}.{name}"
        for side, operations in sides:
            operation = operations.get(full)
            if operation is not None and not operation.is_nop:
                ref = RelationshipRef(index=item.index, source=instance.id, target=item.target, side=side)
                yield replace(self._task(instance.id, full, operation), relationship=ref)

    def operation(self, instance: NodeInstance, name: str) -> Step:
        """Return the step that runs one operation of the node, by its full name; empty when it is a no-op."""
        return self._own(instance, name)

    def _own(
        self,
        instance: NodeInstance,
        name: str,
        before: InstanceState | None = None,
        after: InstanceState | None = None,
    ) -> Step:
        operation = self.blueprint.nodes[instance.node].operations.get(name)
        if operation is None or operation.is_nop:
            return []
        return [self._task(instance.id, name, operation, before, after)]

    def _task(
        self,
        instance: InstanceId,
        name: str,
        operation: Operation,
        before: InstanceState | None = None,
        after: InstanceState | None = None,
    ) -> Task:
        return Task(
            number=0,
            kind=TaskKind.CHILD if is_child_operation(operation) else TaskKind.OPERATION,
            instance=instance,
            operation=name,
            before=before,
            after=after,
            ignore_failure=self.ignore_failure,
            arguments=self.arguments,
        )

    def _state(self, instance: NodeInstance, state: InstanceState) -> Task:
        return Task(
            number=0, kind=TaskKind.STATE, instance=instance.id, after=state, ignore_failure=self.ignore_failure
        )


def is_child_operation(operation: Operation) -> bool:
    """Whether an operation acts on a child deployment, which the engine does itself."""
    return operation.plugin == CHILD_PLUGIN and operation.operation.startswith(CHILD_OPERATIONS)


def _target_node(item: RelationshipInstance) -> NodeId:
    return item.target_node


def _enter(steps: list[Step], state: InstanceState) -> None:
    """Let the first step set a state when it starts, unless it sets one of its own."""
    if steps:
        steps[0] = [task if task.before else replace(task, before=state) for task in steps[0]]


def _leave(steps: list[Step], state: InstanceState) -> None:
    """Let the last step set a state when it succeeds."""
    if steps:
        steps[-1] = [replace(task, after=state) for task in steps[-1]]
