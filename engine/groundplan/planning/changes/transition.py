"""Joins two blueprints for the time of an update: the new one, and what of the old one still has to be taken away.

While an update runs, the deployment's blueprint is the joined one, so that operations of nodes and relationships that
go can still be found; at the end it is the new one. Relationships that stay have the places that the new blueprint
gives them, those that go come after them.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from groundplan.model.blueprint import Blueprint, NodeTemplate, Operation, Operations, Relationship
from groundplan.model.ids import NodeId
from groundplan.model.values import Call, Data, Field, Map, Seq, Value, replaced
from groundplan.planning.changes.steps import Form, matching

_BEFORE: Final = " (before)"


def join(old: Form, new: Form) -> Form:
    """Return the form that a deployment has while it is updated from one to the other.

    What goes keeps the inputs that it was made with: an input that is gone or has another value is kept under the name
    `NAME (before)`, and the functions of what goes read it there.
    """
    renamed = {
        name: name + _BEFORE
        for name, value in old.inputs.items()
        if name not in new.inputs or new.inputs[name] != value
    }
    leaving = _Leaving(renamed)
    nodes: dict[NodeId, NodeTemplate] = {}
    for name, node in new.blueprint.nodes.items():
        before = old.blueprint.nodes.get(name)
        nodes[name] = node if before is None else _with_leaving(before, node, leaving)
    for name, node in old.blueprint.nodes.items():
        if name not in nodes:
            nodes[name] = leaving.node(node)
    plugins = {**old.blueprint.plugins, **new.blueprint.plugins}
    inputs = {**new.inputs, **{kept: old.inputs[name] for name, kept in renamed.items() if name in leaving.used}}
    return Form(blueprint=replace(new.blueprint, nodes=nodes, plugins=plugins), inputs=inputs)


def places(old: NodeTemplate, new: NodeTemplate) -> dict[int, int]:
    """Return the place in the joined blueprint of each relationship of a node that stays, by its place in the old."""
    kept = matching(old.relationships, new.relationships)
    behind = iter(range(len(new.relationships), len(new.relationships) + len(old.relationships)))
    return {index: kept[index] if index in kept else next(behind) for index in range(len(old.relationships))}


def _with_leaving(old: NodeTemplate, new: NodeTemplate, leaving: "_Leaving") -> NodeTemplate:
    kept = matching(old.relationships, new.relationships)
    going = [leaving.relationship(item) for index, item in enumerate(old.relationships) if index not in kept]
    return replaced(new, relationships=(*new.relationships, *going)) if going else new


class _Leaving:
    """Makes the parts that go read inputs as they were before."""

    def __init__(self, renamed: Mapping[str, str]) -> None:
        self._renamed = renamed
        self.used: set[str] = set()

    def node(self, node: NodeTemplate) -> NodeTemplate:
        return replaced(
            node,
            properties=self._values(node.properties),
            operations=self._operations(node.operations),
            relationships=tuple(map(self.relationship, node.relationships)),
        )

    def relationship(self, item: Relationship) -> Relationship:
        return replaced(
            item,
            properties=self._values(item.properties),
            source_operations=self._operations(item.source_operations),
            target_operations=self._operations(item.target_operations),
        )

    def _operations(self, operations: Operations) -> Operations:
        return {name: self._operation(each) for name, each in operations.items()}

    def _operation(self, operation: Operation) -> Operation:
        return replaced(operation, inputs=self._values(operation.inputs)) if operation.inputs else operation

    def _values(self, values: Mapping[str, Value]) -> dict[str, Value]:
        return {name: self._value(value) for name, value in values.items()}

    def _value(self, value: Value) -> Value:
        if isinstance(value, Map):
            fields = {key: Field(self._value(field.value)) for key, field in value.entries.items()}
            return Map(fields, value.at, value.may_hold_calls)
        if isinstance(value, Seq):
            return Seq(tuple(Field(self._value(field.value)) for field in value.items), value.at, value.may_hold_calls)
        if isinstance(value, Call):
            argument = self._named(value.argument) if value.name == "get_input" else value.argument
            return replaced(value, argument=self._value(argument))
        return value

    def _named(self, argument: Value) -> Value:
        """Return the argument of a `get_input` with the input's name as it is now."""
        if isinstance(argument, str):
            return self._new_name(argument)
        if isinstance(argument, Seq) and argument.items and isinstance(argument.items[0].value, str):
            first = Field(self._new_name(argument.items[0].value))
            return Seq((first, *argument.items[1:]), argument.at, argument.may_hold_calls)
        return argument

    def _new_name(self, name: str) -> str:
        if name not in self._renamed:
            return name
        self.used.add(name)
        return self._renamed[name]


def final_inputs(blueprint: Blueprint, inputs: Mapping[str, Data]) -> dict[str, Data]:
    """Return the inputs that a deployment has when the update is over: those that its blueprint declares."""
    return {name: value for name, value in inputs.items() if name in blueprint.inputs}
