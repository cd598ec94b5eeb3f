"""Finds functions that need each other's values: properties and inputs that lead round in a circle (spec 3.2).

A blueprint with such a cycle can be read, so it is a warning; creating a deployment of it fails.
"""

from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import Final

from groundplan.dsl import faults
from groundplan.dsl.paths import walk
from groundplan.dsl.shape import Reading
from groundplan.model.blueprint import Blueprint, NodeTemplate
from groundplan.model.ids import NodeId
from groundplan.model.values import Call, Field, Seq, Value, calls

LEADING_ON: Final = frozenset({"get_property", "get_input"})
"""Functions whose value is a value elsewhere in the blueprint."""

_PLAIN: Final = frozenset({str, int, float, bool, type(None)})

Vertex = tuple[str, Call]
"""The template in which a call is evaluated ('' for none), and the call."""


class _Colour(Enum):
    OPEN = auto()
    DONE = auto()


def check(blueprint: Blueprint, leading_on: Iterable[Vertex], reading: Reading) -> None:
    """Tell a warning for every cycle among the values of properties and inputs.

    Args:
        leading_on: the calls of `LEADING_ON` in the properties of templates and the defaults of inputs.
    """
    search = _Search(blueprint, reading)
    for vertex in leading_on:
        search.from_vertex(vertex)


def may_lead_on(call: Call, owner: NodeTemplate, blueprint: Blueprint) -> bool:
    """Whether the value of a call in a template can hold a call itself: a quick look that spares most the search."""
    if call.name == "get_input":
        inputs = blueprint.inputs
        schema = inputs.get(call.argument) if isinstance(call.argument, str) else None
        return schema is None or type(schema.default) not in _PLAIN
    if call.name != "get_property":
        return False
    if not isinstance(call.argument, Seq) or len(call.argument.items) < 2:
        return True
    name, key = call.argument.items[0].value, call.argument.items[1].value
    if not isinstance(name, str) or not isinstance(key, str):
        return True
    node = owner if name == "SELF" else blueprint.nodes.get(NodeId(name))
    return node is None or type(node.properties.get(key)) not in _PLAIN


def _leading_on(value: Value) -> Iterator[Call]:
    return (call for call in calls(value) if call.name in LEADING_ON)


class _Search:
    """Depth first, with a stack of its own: chains may be as long as the blueprint."""

    def __init__(self, blueprint: Blueprint, reading: Reading) -> None:
        self._nodes: dict[str, NodeTemplate] = {str(name): node for name, node in blueprint.nodes.items()}
        self._inputs = blueprint.inputs
        self._reading = reading
        self._colours: dict[tuple[str, int], _Colour] = {}

    def from_vertex(self, start: Vertex) -> None:
        """Visit everything that the value of a call depends on."""
        if _key(start) in self._colours:
            return
        stack = [(start, self._successors(start))]
        self._colours[_key(start)] = _Colour.OPEN
        while stack:
            vertex, successors = stack[-1]
            following = next(successors, None)
            if following is None:
                self._colours[_key(vertex)] = _Colour.DONE
                stack.pop()
            elif _key(following) not in self._colours:
                self._colours[_key(following)] = _Colour.OPEN
                stack.append((following, self._successors(following)))
            elif self._colours[_key(following)] is _Colour.OPEN:
                self._tell([each for each, _ in stack], following)

    def _successors(self, vertex: Vertex) -> Iterator[Vertex]:
        owner, call = vertex
        steps = call.argument.items if isinstance(call.argument, Seq) else (Field(call.argument),)
        if any(isinstance(step.value, Call) for step in steps) or not steps:
            return iter(())
        name = str(steps[0].value)
        if call.name == "get_input":
            schema = self._inputs.get(name)
            value = walk(schema.default, steps[1:]) if schema is not None else None
            return ((owner, each) for each in _leading_on(value))
        target = owner if name == "SELF" else name
        node = self._nodes.get(target)
        if node is None or len(steps) < 2:
            return iter(())
        value = walk(node.properties.get(str(steps[1].value)), steps[2:])
        return ((target, each) for each in _leading_on(value))

    def _tell(self, trail: list[Vertex], again: Vertex) -> None:
        keys = [_key(vertex) for vertex in trail]
        cycle = trail[keys.index(_key(again)) :]
        shown = [_shown(vertex) for vertex in cycle]
        _, call = cycle[0]
        self._reading.report.tell(
            faults.FUNCTION_CYCLE,
            call.at,
            "leads back to itself",
            path=f"node_templates.{cycle[0][0]}" if cycle[0][0] else "inputs",
            detail=" -> ".join([*shown, shown[0]]),
        )


def _key(vertex: Vertex) -> tuple[str, int]:
    return vertex[0], id(vertex[1])


def _shown(vertex: Vertex) -> str:
    owner, call = vertex
    steps = [step.value for step in call.argument.items] if isinstance(call.argument, Seq) else [call.argument]
    words = [owner if step == "SELF" and owner else str(step) for step in steps]
    return f"{call.name} {'.'.join(words)}"
