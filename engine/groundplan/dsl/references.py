"""What the functions of a blueprint refer to: inputs, templates, properties, and scopes (spec 3.1 to 3.3, 3.6).

The shape of each call is checked in `functions`, cycles are found in `cycles`. References whose names are themselves
functions are left for `planning.evaluate`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from groundplan.diagnostics.suggest import slip, suggest
from groundplan.dsl import cycles, faults, functions
from groundplan.dsl.merging import Merged
from groundplan.dsl.operations import may_hold_calls
from groundplan.dsl.paths import inside, missing
from groundplan.dsl.shape import Reading
from groundplan.model.blueprint import Blueprint, NodeTemplate, Operation, Operations, Relationship
from groundplan.model.values import FUNCTIONS, Call, Field, Map, Seq, Value, to_data

_KEYWORDS: Final = frozenset({"SELF", "SOURCE", "TARGET"})
_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
"""Types of values that hold no function."""
_Need = tuple[str, str]
"""A keyword, and a property that what it stands for must have."""
_NAMES_A_NODE: Final = frozenset({"get_property", "get_attribute", "get_attributes_list", "get_attributes_dict"})


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a value stands: what the keywords mean there.

    Attributes:
        keywords: node template by keyword; None where the keyword is known but its template is not.
        is_open: whether keywords that are not there may be used (the default of an input, read from many places).
    """

    keywords: Mapping[str, NodeTemplate | None] = field(default_factory=dict)
    is_open: bool = False


NOWHERE_SPECIAL: Final = Scope()


class References:
    """Checks the functions of one blueprint."""

    def __init__(self, blueprint: Blueprint, merged: Merged, reading: Reading) -> None:
        self._blueprint = blueprint
        self._nodes: Mapping[str, NodeTemplate] = {str(name): node for name, node in blueprint.nodes.items()}
        self._merged = merged
        self._known_nodes = merged.section("node_templates").keys()
        self._known_inputs = merged.section("inputs").keys()
        self._reading = reading
        self._secrets: dict[str, None] = {}
        self._parent_capabilities: list[Value] = []
        self._leading_on: list[cycles.Vertex] = []
        self._with_calls: dict[int, tuple[tuple[str, Operation], ...]] = {}
        self._suspected: set[int] = set()
        self._sound: dict[tuple[int, tuple[str, ...]], tuple[_Need, ...]] = {}

    def checked(self) -> Blueprint:
        """Tell every fault among the functions; return the blueprint with what it requires."""
        for node in self._blueprint.nodes.values():
            self._node(node)
        for section in ("outputs", "capabilities", "labels", "resource_tags"):
            for name, found in self._merged.section(section).items():
                self._value(found.value, NOWHERE_SPECIAL, f"{section}.{name}")
                self._suspect(found.value, f"{section}.{name}")
        for section in ("deployment_settings", "policies", "plugins"):
            for name, found in self._merged.section(section).items():
                self._value(found.value, NOWHERE_SPECIAL, f"{section}.{name}")
        required, capabilities = tuple(self._secrets), tuple(to_data(each) for each in self._parent_capabilities)
        for name, schema in self._blueprint.inputs.items():
            self._suspect(schema.default, f"inputs.{name}.default")
            asked = self._value(schema.default, Scope(is_open=True), f"inputs.{name}.default")
            self._leading_on += [("", call) for call in asked if call.name in cycles.LEADING_ON]
        cycles.check(self._blueprint, self._leading_on, self._reading)
        return replace(self._blueprint, required_secrets=required, required_parent_capabilities=capabilities)

    def _node(self, node: NodeTemplate) -> None:
        scope = Scope({"SELF": node})
        path = f"node_templates.{node.name}"
        for name, value in node.properties.items():
            if type(value) in _PLAIN:
                continue
            self._suspect(value, f"{path}.properties.{name}")
            if may_hold_calls(value):
                for call in self._value(value, scope, f"{path}.properties.{name}"):
                    if cycles.may_lead_on(call, node, self._blueprint):
                        self._leading_on.append((node.name, call))
        if id(node.operations) not in self._suspected:
            self._suspect_inputs(node.operations, node, ".interfaces")
        self._operations(self._calling(node.operations), scope, f"{path}.interfaces")
        counts = node.instances
        for value in (counts.default_instances, counts.min_instances, counts.max_instances):
            if isinstance(value, Call):
                self._value(value, scope, f"{path}.capabilities.scalable")
        for index, relationship in enumerate(node.relationships):
            self._relationship(node, relationship, index)

    def _relationship(self, node: NodeTemplate, relationship: Relationship, index: int) -> None:
        if id(relationship.source_operations) not in self._suspected:
            self._suspect_inputs(relationship.source_operations, node, f".relationships.{index}.source_interfaces")
        if id(relationship.target_operations) not in self._suspected:
            self._suspect_inputs(relationship.target_operations, node, f".relationships.{index}.target_interfaces")
        source, target = self._calling(relationship.source_operations), self._calling(relationship.target_operations)
        held = [
            (name, value)
            for name, value in relationship.properties.items()
            if type(value) not in _PLAIN and may_hold_calls(value)
        ]
        if not (source or target or held):
            return
        path = f"node_templates.{node.name}.relationships.{index}"
        keywords = {"SOURCE": node, "TARGET": self._nodes.get(relationship.target)}
        for name, value in held:
            self._value(value, Scope({**keywords, "SELF": node}), f"{path}.properties.{name}")
        self._operations(source, Scope(keywords), f"{path}.source_interfaces")
        self._operations(target, Scope(keywords), f"{path}.target_interfaces")

    def _calling(self, operations: Operations) -> tuple[tuple[str, Operation], ...]:
        """Return the operations whose inputs hold functions; those that templates share are searched once."""
        found = self._with_calls.get(id(operations))
        if found is None:
            found = tuple(each for each in operations.items() if each[1].has_intrinsic_functions)
            self._with_calls[id(operations)] = found
        return found

    def _operations(self, operations: tuple[tuple[str, Operation], ...], scope: Scope, path: str) -> None:
        """Check the operations that hold functions.

        One that templates share is right for the next as it was for the first, where that has the properties that its
        functions ask for.
        """
        keywords = tuple(scope.keywords)
        for name, operation in operations:
            needs = self._sound.get((id(operation), keywords))
            if needs is not None and _are_met(needs, scope):
                continue
            before, found = len(self._reading.report), list[Call]()
            for key, value in operation.inputs.items():
                if type(value) not in _PLAIN:
                    found += self._value(value, scope, f"{path}.{name}.inputs.{key}")
            needs = _needs(found)
            if needs is not None and len(self._reading.report) == before:
                self._sound[id(operation), keywords] = needs

    def _value(self, value: Value, scope: Scope, path: str) -> list[Call]:
        """Check the calls inside a value and return them."""
        found: list[Call] = []
        _gather(value, found)
        for call in found:
            if functions.check(call, path, self._reading):
                self._call(call, scope, path)
        return found

    def _suspect_inputs(self, operations: Operations, node: NodeTemplate, place: str) -> None:
        """Look through the inputs of operations, once where templates share them."""
        self._suspected.add(id(operations))
        for name, operation in operations.items():
            if operation.inputs and id(operation) not in self._suspected:
                self._suspected.add(id(operation))
                for key, value in operation.inputs.items():
                    if type(value) not in _PLAIN:
                        self._suspect(value, f"node_templates.{node.name}{place}.{name}.inputs.{key}")

    def _suspect(self, value: Value, path: str) -> None:
        """Warn of each plain mapping in a value that is one slip away from a function; once of what templates share."""
        if id(value) in self._suspected:
            return
        self._suspected.add(id(value))
        for name, found in _sole_keys(value):
            near = _nearly(name)
            if near:
                self._reading.report.tell(
                    faults.FUNCTION_MISSPELT, found.key_at, f"there is no function {name}", path=path, suggestion=near
                )

    def _call(self, call: Call, scope: Scope, path: str) -> None:
        if call.name == "get_input":
            self._input(call, path)
        elif call.name in _NAMES_A_NODE:
            self._named_node(call, scope, path)
        elif call.name == "get_secret":
            for secret in _first_text(call):
                self._secrets.setdefault(str(secret.value))
        elif call.name == "get_environment_capability" and call.argument not in self._parent_capabilities:
            self._parent_capabilities.append(call.argument)

    def _input(self, call: Call, path: str) -> None:
        for name in _first_text(call):
            if name.value not in self._known_inputs:
                self._reading.report.tell(
                    faults.INPUT_UNKNOWN,
                    name.at,
                    f"there is no input {name.value}",
                    path=path,
                    suggestion=suggest(str(name.value), self._known_inputs),
                )

    def _named_node(self, call: Call, scope: Scope, path: str) -> None:
        for name in _first_text(call):
            if name.value in _KEYWORDS:
                node = self._keyword(name, scope, path)
            else:
                node = self._nodes.get(str(name.value))
                if name.value not in self._known_nodes:
                    self._tell_unknown_node(name, path)
            if node is not None and call.name == "get_property":
                self._property(call, node, path)

    def _keyword(self, name: Field, scope: Scope, path: str) -> NodeTemplate | None:
        if name.value not in scope.keywords and not scope.is_open:
            allowed = ", ".join(scope.keywords)
            words = f"only {allowed}" if allowed else "expected the name of a node template"
            self._reading.report.tell(
                faults.FUNCTION_SCOPE, name.at, f"{name.value} means nothing here, {words}", path=path
            )
            return None
        return scope.keywords.get(str(name.value))

    def _tell_unknown_node(self, name: Field, path: str) -> None:
        self._reading.report.tell(
            faults.NODE_UNKNOWN,
            name.at,
            f"there is no node template {name.value}",
            path=path,
            suggestion=suggest(str(name.value), self._known_nodes),
        )

    def _property(self, call: Call, node: NodeTemplate, path: str) -> None:
        if not isinstance(call.argument, Seq):
            return
        steps = call.argument.items[1:]
        if len(steps) == 1 and steps[0].value in node.properties:
            return
        value: Value = Map({name: Field(each) for name, each in node.properties.items()})
        shown = f"{node.name}"
        for step in steps:
            if isinstance(step.value, Call) or isinstance(value, Call):
                return
            why = missing(value, step.value)
            if why:
                self._reading.report.tell(
                    faults.REFERENCE_MISSING,
                    step.at,
                    f"{shown} {why}",
                    path=path,
                    suggestion=suggest(str(step.value), value.entries) if isinstance(value, Map) else "",
                )
                return
            value = inside(value, step.value)
            shown = f"{shown}.{step.value}"


@lru_cache(maxsize=1024)
def _nearly(name: str) -> str:
    """Return the function that a name is one slip away from; asked again and again for the same few names."""
    return slip(name, FUNCTIONS)


def _needs(found: list[Call]) -> tuple[_Need, ...] | None:
    """Return what calls that were found right ask of what keywords stand for; None when that depends on values."""
    needs: list[_Need] = []
    for call in found:
        if call.name != "get_property" or not isinstance(call.argument, Seq):
            continue
        keyword, *steps = [item.value for item in call.argument.items] or [None]
        if isinstance(keyword, str) and keyword in _KEYWORDS:
            if len(steps) != 1 or not isinstance(steps[0], str):
                return None
            needs.append((keyword, steps[0]))
    return tuple(needs)


def _are_met(needs: tuple[_Need, ...], scope: Scope) -> bool:
    for keyword, name in needs:
        node = scope.keywords[keyword]
        if node is not None and name not in node.properties:
            return False
    return True


def _gather(value: Value, found: list[Call]) -> None:
    """Add every call inside a value, as `model.values.calls` yields them: here they are asked for in a hot loop."""
    if isinstance(value, Call):
        _gather(value.argument, found)
        found.append(value)
    elif isinstance(value, Seq):
        if value.may_hold_calls:
            for field in value.items:
                _gather(field.value, found)
    elif isinstance(value, Map) and value.may_hold_calls:
        for field in value.entries.values():
            _gather(field.value, found)


def _sole_keys(value: Value) -> Iterator[tuple[str, Field]]:
    """Yield the key of each mapping inside a value that has no other."""
    waiting: list[Value] = [value]
    while waiting:
        current = waiting.pop()
        if type(current) is Map:
            if len(current.entries) == 1:
                yield from current.entries.items()
            waiting += [each.value for each in current.entries.values() if type(each.value) not in _PLAIN]
        elif type(current) is Seq:
            waiting += [each.value for each in current.items if type(each.value) not in _PLAIN]
        elif type(current) is Call:
            waiting.append(current.argument)


def _first_text(call: Call) -> Iterator[Field]:
    """Yield the literal name that a call begins with, if there is one."""
    if isinstance(call.argument, str):
        yield Field(call.argument, call.argument_at if call.argument_at >= 0 else call.at)
    elif isinstance(call.argument, Seq) and call.argument.items and isinstance(call.argument.items[0].value, str):
        yield call.argument.items[0]
