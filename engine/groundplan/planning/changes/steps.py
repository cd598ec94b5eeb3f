"""Finds the steps of an update: what differs between two blueprints with their inputs (spec 5.10).

What an update cannot do is a fault with its place and what to do instead. Positions, and the order of keys, do not
count; values are compared as far as inputs and the blueprints themselves tell them (`settle`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from groundplan.model.blueprint import Blueprint, NodeTemplate, Operation, Operations, Relationship, to_plan
from groundplan.model.ids import NodeId
from groundplan.model.update import Action, Entity, Step
from groundplan.model.values import Data, Value, to_data
from groundplan.planning.changes.settle import Settling, same
from groundplan.planning.evaluation import Scope
from groundplan.planning.instances import CONTAINED_IN

Noun = TypeVar("Noun")
_ORDER: Final = list(Action)


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """A blueprint with the inputs of a deployment, functions in them as written."""

    blueprint: Blueprint
    inputs: Mapping[str, Data] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Unsupported:
    """A difference that an update cannot make.

    Attributes:
        code: `node-type`, `container`, `relationship-properties` or `groups`.
        path: in the new blueprint, for example `node_templates.db.type`.
    """

    code: str
    path: str
    message: str
    fix: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Steps:
    """What differs, what of it cannot be done, and what people should know."""

    steps: tuple[Step, ...]
    unsupported: tuple[Unsupported, ...] = ()
    notes: tuple[str, ...] = ()


def find_steps(old: Form, new: Form) -> Steps:
    """Return what makes a deployment of one form one of another: what is removed, then what is added, then modified."""
    finding = _Finding(old, new)
    finding.find()
    steps = sorted(finding.steps, key=lambda step: _ORDER.index(step.action))
    return Steps(steps=tuple(steps), unsupported=tuple(finding.unsupported), notes=tuple(finding.notes))


def matching(old: Sequence[Relationship], new: Sequence[Relationship]) -> dict[int, int]:
    """Return, by place in the old list, the place of the same relationship in the new one: of its type and target."""
    free: dict[tuple[str, str], list[int]] = {}
    for index, item in enumerate(new):
        free.setdefault((item.type, item.target), []).append(index)
    found: dict[int, int] = {}
    for index, item in enumerate(old):
        places = free.get((item.type, item.target))
        if places:
            found[index] = places.pop(0)
    return found


class _Finding:
    def __init__(self, old: Form, new: Form) -> None:
        self._old = old.blueprint
        self._new = new.blueprint
        self._before = Settling(old.blueprint, old.inputs)
        self._after = Settling(new.blueprint, new.inputs)
        self._same_inputs = old.blueprint is new.blueprint and old.inputs == new.inputs
        self.steps: list[Step] = []
        self.unsupported: list[Unsupported] = []
        self.notes: list[str] = []

    def find(self) -> None:
        """Compare everything."""
        before, after = self._old.nodes, self._new.nodes
        for name in before:
            if name not in after:
                self._step(Action.REMOVE, Entity.NODE, "nodes", name)
        for name, node in after.items():
            if name in before:
                self._node(before[name], node)
            else:
                self._step(Action.ADD, Entity.NODE, "nodes", name)
        self._groups()
        self._sections()

    def _step(self, action: Action, entity: Entity, *path: str) -> None:
        self.steps.append(Step(action=action, entity=entity, path=path))

    def _refuse(self, code: str, path: str, message: str, fix: str) -> None:
        self.unsupported.append(Unsupported(code=code, path=path, message=message, fix=fix))

    def _each(
        self,
        entity: Entity,
        path: Sequence[str],
        before: Mapping[str, Noun],
        after: Mapping[str, Noun],
        differ: Callable[[str, Noun, Noun], bool],
    ) -> None:
        """Note what is gone, new or different among named things."""
        for name in before:
            if name not in after:
                self._step(Action.REMOVE, entity, *path, name)
        for name, item in after.items():
            if name not in before:
                self._step(Action.ADD, entity, *path, name)
            elif differ(name, before[name], item):
                self._step(Action.MODIFY, entity, *path, name)

    # -- nodes

    def _node(self, old: NodeTemplate, new: NodeTemplate) -> None:
        place, path = f"node_templates.{new.name}", ("nodes", new.name)
        if old.type != new.type:
            self._refuse(
                "node-type",
                f"{place}.type",
                f"Node {new.name!r} is of type {old.type!r} and would become one of {new.type!r}; an update cannot "
                "change the type of a node.",
                f"give the node another name: {new.name!r} is then removed and the new one added.",
            )
            return
        self._each(
            Entity.PROPERTY,
            (*path, "properties"),
            old.properties,
            new.properties,
            lambda name, one, other: self._differ(one, other, Scope.of_node(new.name, f"{place}.properties.{name}")),
        )
        self._operations((*path, "operations"), old.operations, new.operations, Scope.of_node(new.name, place))
        self._relationships(old, new)
        self._plugins(old, new)
        if self._counts(old.instances) != self._counts(new.instances):
            self._note_counts(new.name)

    def _differ(self, old: Value, new: Value, scope: Scope) -> bool:
        if old is new and self._same_inputs:
            return False
        return not same(self._before.settle(old, scope), self._after.settle(new, scope))

    def _operations(self, path: Sequence[str], old: Operations, new: Operations, scope: Scope) -> None:
        self._each(
            Entity.OPERATION, path, old, new, lambda name, one, other: self._operation_differs(one, other, scope)
        )

    def _operation_differs(self, old: Operation, new: Operation, scope: Scope) -> bool:
        if old.inputs.keys() != new.inputs.keys() or _declared(old) != _declared(new):
            return True
        return any(self._differ(old.inputs[name], value, scope) for name, value in new.inputs.items())

    # -- relationships

    def _relationships(self, old: NodeTemplate, new: NodeTemplate) -> None:
        kept = matching(old.relationships, new.relationships)
        if _containers(old) != _containers(new):
            self._refuse_container(old, new)
            return
        for index in range(len(old.relationships)):
            if index not in kept:
                self._step(Action.REMOVE, Entity.RELATIONSHIP, "nodes", new.name, "relationships", f"[{index}]")
        there = set(kept.values())
        for index in range(len(new.relationships)):
            if index not in there:
                self._step(Action.ADD, Entity.RELATIONSHIP, "nodes", new.name, "relationships", f"[{index}]")
        for one, other in _moved(kept):
            self._step(Action.MODIFY, Entity.RELATIONSHIP, "nodes", new.name, "relationships", f"[{one}]", f"[{other}]")
        for one, other in kept.items():
            self._relationship(new.name, old.relationships[one], new.relationships[other], other)

    def _relationship(self, node: NodeId, old: Relationship, new: Relationship, index: int) -> None:
        scope = Scope.of_relationship_template(node, new.target, f"node_templates.{node}.relationships[{index}]")
        names = {*old.properties, *new.properties}
        if any(self._differ(old.properties.get(name), new.properties.get(name), scope) for name in names):
            self._refuse(
                "relationship-properties",
                f"{scope.path}.properties",
                f"The properties of the relationship of {node!r} to {new.target!r} differ; an update cannot change "
                "those of a relationship that stays.",
                "remove the relationship in one update and add it as it is to be in the next.",
            )
        path = ("nodes", node, "relationships", f"[{index}]")
        self._operations((*path, "source_operations"), old.source_operations, new.source_operations, scope)
        self._operations((*path, "target_operations"), old.target_operations, new.target_operations, scope)

    def _refuse_container(self, old: NodeTemplate, new: NodeTemplate) -> None:
        words = [_where(_containers(node)) for node in (old, new)]
        self._refuse(
            "container",
            f"node_templates.{new.name}.relationships",
            f"Node {new.name!r} is contained {words[0]} and would be contained {words[1]}; an update "
            "cannot move a node.",
            f"give the node another name: {new.name!r} is then removed and the new one added.",
        )

    # -- what is not a node's own

    def _plugins(self, old: NodeTemplate, new: NodeTemplate) -> None:
        before, after = (
            {name: plan.plugins.get(name) for name in _plugins_of(node)}
            for plan, node in ((self._old, old), (self._new, new))
        )
        self._each(Entity.PLUGIN, ("plugins", new.name), before, after, lambda _, one, other: one != other)

    def _groups(self) -> None:
        before, after = (
            {name: group.members for name, group in plan.scaling_groups.items()} for plan in (self._old, self._new)
        )
        if before != after or self._old.groups != self._new.groups:
            changed = sorted(
                {name for name in {*before, *after} if before.get(name) != after.get(name)}
                | {
                    name
                    for name in {*self._old.groups, *self._new.groups}
                    if self._old.groups.get(name) != self._new.groups.get(name)
                }
            )
            self._refuse(
                "groups",
                "groups",
                f"Groups differ: {', '.join(changed)}; an update cannot change groups.",
                "leave the groups as they are, or make a new deployment.",
            )
            return
        for name, group in self._new.scaling_groups.items():
            if self._counts(self._old.scaling_groups[name].instances) != self._counts(group.instances):
                self._note_counts(name)

    def _counts(self, scalable: Any) -> Data:
        return to_data(scalable.default_instances)

    def _note_counts(self, name: str) -> None:
        self.notes.append(
            f"The number of instances of {name!r} is written otherwise than before; an update leaves the instances "
            "that there are: change their number with the workflow scale."
        )

    def _sections(self) -> None:
        old, new = self._old, self._new
        before, after = to_plan_parts(old), to_plan_parts(new)
        for entity, section in (
            (Entity.WORKFLOW, "workflows"),
            (Entity.OUTPUT, "outputs"),
            (Entity.CAPABILITY, "capabilities"),
        ):
            self._each(entity, (section,), before[section], after[section], lambda _, one, other: not same(one, other))
        if old.description != new.description:
            action = Action.ADD if old.description is None else Action.MODIFY
            self._step(Action.REMOVE if new.description is None else action, Entity.DESCRIPTION, "description")


def to_plan_parts(blueprint: Blueprint) -> dict[str, dict[str, Any]]:
    """Return workflows, outputs and capabilities as the plan has them: what they say, wherever it stands."""
    bare = Blueprint(
        version=blueprint.version,
        nodes={},
        workflows=blueprint.workflows,
        outputs=blueprint.outputs,
        capabilities=blueprint.capabilities,
    )
    plan = to_plan(bare)
    return {section: plan[section] for section in ("workflows", "outputs", "capabilities")}


def _declared(operation: Operation) -> tuple[object, ...]:
    return (
        operation.plugin,
        operation.operation,
        operation.executor,
        operation.max_retries,
        operation.retry_interval,
        operation.timeout,
        operation.timeout_recoverable,
    )


def _containers(node: NodeTemplate) -> list[tuple[str, str]]:
    return [(item.target, item.type) for item in node.relationships if item.is_a(CONTAINED_IN)]


def _where(containers: Sequence[tuple[str, str]]) -> str:
    return " and ".join(f"in {target!r} ({type_})" for target, type_ in containers) or "in nothing"


def _moved(kept: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    """Yield the old and new place of each relationship whose turn among those that stay is another."""
    ranks = {place: rank for rank, place in enumerate(sorted(kept.values()))}
    for rank, one in enumerate(sorted(kept)):
        if ranks[kept[one]] != rank:
            yield one, kept[one]


def _plugins_of(node: NodeTemplate) -> list[str]:
    """Return the plugins that a node's operations use, those of its relationships included."""
    sides = [
        node.operations,
        *(side for item in node.relationships for side in (item.source_operations, item.target_operations)),
    ]
    return list(dict.fromkeys(each.plugin for side in sides for each in side.values() if each.plugin))
