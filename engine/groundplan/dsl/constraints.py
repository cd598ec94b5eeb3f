"""Constraints on inputs and parameters (spec 1.7): reading them, and holding values against them.

The constraints that ask for existing entities (`filter_id`, `labels`, `name_pattern`...) are decided where these
are known.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from groundplan.diagnostics.suggest import suggest
from groundplan.dsl import faults
from groundplan.dsl.conformance import compiles
from groundplan.dsl.reader import as_map, describe
from groundplan.dsl.shape import Reading, items_of, too_new
from groundplan.dsl.versions import CONSTRAINT_MESSAGE_SINCE
from groundplan.model.patterns import matches
from groundplan.model.types import OBJECT_TYPES, Constraint, Schema
from groundplan.model.values import Call, Data, Field, Map, Seq, Value, to_data

_ABOUT_DEPLOYMENTS: Final = frozenset({"deployment_id", "blueprint_id"})
_IN_A_DEPLOYMENT: Final = frozenset(
    {"capability_value", "scaling_group", "node_id", "node_type", "node_instance", "operation_name"}
)


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_range(value: Value) -> bool:
    return isinstance(value, Seq) and len(value.items) == 2 and all(_is_number(item) for item in value.values())


def _is_pattern(value: Value) -> bool:
    return isinstance(value, str) and compiles(value)


def _are_labels(value: Value) -> bool:
    return isinstance(value, Seq) and all(isinstance(item, Map) and len(item.entries) == 1 for item in value.values())


_ARGUMENTS: Final[Mapping[str, tuple[str, Callable[[Value], bool]]]] = {
    "equal": ("a number", _is_number),
    "greater_than": ("a number", _is_number),
    "greater_or_equal": ("a number", _is_number),
    "less_than": ("a number", _is_number),
    "less_or_equal": ("a number", _is_number),
    "in_range": ("a list of two numbers", _is_range),
    "valid_values": ("a list", lambda value: isinstance(value, Seq)),
    "length": ("a number", _is_number),
    "min_length": ("a number", _is_number),
    "max_length": ("a number", _is_number),
    "pattern": ("a regular expression", _is_pattern),
    "filter_id": ("text", lambda value: isinstance(value, str)),
    "labels": ("a list of mappings with one key each", _are_labels),
    "tenants": ("a list", lambda value: isinstance(value, Seq)),
    "name_pattern": ("a mapping", lambda value: isinstance(value, Map)),
    "deployment_id": ("text", lambda value: isinstance(value, str)),
}
OPERATORS: Final = tuple(_ARGUMENTS)
"""What a constraint may be, by name."""

_ONLY_FOR: Final = {
    "filter_id": _ABOUT_DEPLOYMENTS,
    "labels": _ABOUT_DEPLOYMENTS,
    "tenants": _ABOUT_DEPLOYMENTS,
    "name_pattern": OBJECT_TYPES,
    "deployment_id": _IN_A_DEPLOYMENT,
}
_HOLDS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "equal": lambda value, argument: value == argument,
    "greater_than": lambda value, argument: value > argument,
    "greater_or_equal": lambda value, argument: value >= argument,
    "less_than": lambda value, argument: value < argument,
    "less_or_equal": lambda value, argument: value <= argument,
    "in_range": lambda value, argument: argument[0] <= value <= argument[1],
    "valid_values": lambda value, argument: value in argument,
    "length": lambda value, argument: len(value) == argument,
    "min_length": lambda value, argument: len(value) >= argument,
    "max_length": lambda value, argument: len(value) <= argument,
    "pattern": lambda value, argument: matches(argument, value),
}


def read(field: Field | None, type_name: str | None, path: str, reading: Reading) -> tuple[Constraint, ...]:
    """Return the well-formed constraints of a list."""
    found = [
        _constraint(item, type_name, f"{path}.{index}", reading)
        for index, item in enumerate(items_of(field, path, reading))
    ]
    return tuple(constraint for constraint in found if constraint is not None)


def _constraint(item: Field, type_name: str | None, path: str, reading: Reading) -> Constraint | None:
    mapping = as_map(item.value)
    if mapping is None:
        reading.report.tell(
            faults.CONSTRAINT_UNKNOWN, item.at, f"expected a mapping, found {describe(item.value)}", path=path
        )
        return None
    entries = dict(mapping.entries)
    message = entries.pop("error_message", None)
    if message is not None and reading.version_at(message.key_at) < CONSTRAINT_MESSAGE_SINCE:
        too_new("error_message", message.key_at, CONSTRAINT_MESSAGE_SINCE, path, reading)
    if len(entries) != 1:
        reading.report.tell(
            faults.CONSTRAINT_UNKNOWN,
            item.at,
            f"expected one operator, found {', '.join(entries) or 'none'}",
            path=path,
            fix="write each constraint as an item of the list.",
        )
        return None
    ((operator, argument),) = entries.items()
    if not _is_fit(operator, argument, type_name, path, reading):
        return None
    words = message.value if message is not None and isinstance(message.value, str) else None
    return Constraint(operator=operator, argument=argument.value, error_message=words, at=argument.key_at)


def _is_fit(operator: str, argument: Field, type_name: str | None, path: str, reading: Reading) -> bool:
    if operator not in _ARGUMENTS:
        reading.report.tell(
            faults.CONSTRAINT_UNKNOWN,
            argument.key_at,
            f"there is no operator {operator}",
            path=path,
            suggestion=suggest(operator, _ARGUMENTS),
        )
        return False
    words, is_right = _ARGUMENTS[operator]
    if not isinstance(argument.value, Call) and not is_right(argument.value):
        reading.report.tell(
            faults.CONSTRAINT_ARGUMENT,
            argument.at,
            f"expected {words}, found {describe(argument.value)}",
            path=f"{path}.{operator}",
        )
        return False
    only = _ONLY_FOR.get(operator)
    if only is not None and type_name is not None and type_name not in only:
        reading.report.tell(
            faults.CONSTRAINT_MISPLACED,
            argument.key_at,
            f"{operator} is for inputs of type {' or '.join(sorted(only))}",
            path=path,
        )
        return False
    return True


def violations(schema: Schema, value: Value) -> Iterator[Constraint]:
    """Yield the constraints that a value does not satisfy; of a list with an item type each item is held to them."""
    candidates = list(value.values()) if schema.item_type is not None and isinstance(value, Seq) else [value]
    for constraint in schema.constraints:
        if isinstance(constraint.argument, Call) or constraint.operator not in _HOLDS:
            continue
        if not all(holds(constraint, to_data(candidate)) for candidate in candidates):
            yield constraint


def holds(constraint: Constraint, value: Data) -> bool:
    """Whether JSON data satisfies a constraint; a value of a type that the operator cannot compare does not."""
    try:
        return _HOLDS[constraint.operator](value, to_data(constraint.argument))
    except (TypeError, ValueError):
        return False


def shown(constraint: Constraint) -> str:
    """Return a constraint in words, for example `max_length: 2`."""
    return f"{constraint.operator}: {to_data(constraint.argument)}"
