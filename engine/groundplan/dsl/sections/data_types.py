"""The section `data_types` (spec 1.8): structures that properties and inputs may be typed by."""

from dataclasses import dataclass, replace
from typing import Final

from groundplan.dsl import faults, inheritance
from groundplan.dsl.conformance import Conformance
from groundplan.dsl.sections import schemas
from groundplan.dsl.shape import Reading, element, text_of
from groundplan.dsl.versions import DATA_TYPE, PROPERTY
from groundplan.model.types import PRIMITIVES, DataType, Schema
from groundplan.model.values import Field

MAX_DEPTH: Final = 50
MAX_SIZE: Final = 10_000


def read(fields: dict[str, Field], reading: Reading) -> dict[str, DataType]:
    """Return the data types with what they inherit."""
    names = frozenset(fields) - PRIMITIVES
    own: dict[str, DataType] = {}
    parents: dict[str, Field | None] = {}
    for name, field in fields.items():
        if name in PRIMITIVES:
            reading.report.tell(
                faults.DATA_TYPE_PRIMITIVE, field.key_at, f"{name} is a primitive type", path=f"data_types.{name}"
            )
            continue
        own[name], parents[name] = _own(name, field, names, reading)
    types = inheritance.resolve(parents, lambda name, parent: _derived(own[name], parent, names), "data_types", reading)
    acyclic = _without_cycles(types, reading)
    _check_defaults(own, acyclic, reading)
    return acyclic


def _own(name: str, field: Field, names: frozenset[str], reading: Reading) -> tuple[DataType, Field | None]:
    path = f"data_types.{name}"
    entries = element(field, DATA_TYPE, path, reading) or {}
    parent = entries.get("derived_from")
    data_type = DataType(
        name=name,
        derived_from=text_of(entries, "derived_from"),
        properties=schemas.read(entries.get("properties"), PROPERTY, f"{path}.properties", reading, names),
        description=text_of(entries, "description"),
        version=text_of(entries, "version"),
        at=field.key_at,
    )
    return data_type, parent


def _derived(own: DataType, parent: DataType | None, names: frozenset[str]) -> DataType:
    if parent is None:
        return own
    return replace(own, properties=inheritance.overlaid(parent.properties, own.properties, names))


def _without_cycles(types: dict[str, DataType], reading: Reading) -> dict[str, DataType]:
    """Cut the fields by which a type contains itself, or grows beyond bounds; each is one fault."""
    measures: dict[str, _Measure] = {}
    cut: set[tuple[str, str]] = set()
    for start in types:
        stack = [(start, iter(types[start].properties.items()))]
        trail = [start]
        while stack and start not in measures:
            name, fields = stack[-1]
            step = next(((field, schema) for field, schema in fields if schema.type in types), None)
            if step is None:
                stack.pop()
                trail.pop()
                measures[name] = _measure(types[name], measures, cut, reading)
            elif step[1].type in trail:
                cut.add((name, step[0]))
                _tell_cycle(name, step[0], step[1], trail, reading)
            elif step[1].type is not None and step[1].type not in measures:
                trail.append(step[1].type)
                stack.append((step[1].type, iter(types[step[1].type].properties.items())))
    return {name: _cut(data_type, cut) for name, data_type in types.items()} if cut else types


@dataclass(frozen=True, slots=True)
class _Measure:
    """How much a value of a data type may hold.

    Attributes:
        depth: of data types in data types, itself counted.
        size: of fields in all.
    """

    depth: int = 1
    size: int = 1


_SCALAR: Final = _Measure(depth=0)


def _measure(
    data_type: DataType, measures: dict[str, _Measure], cut: set[tuple[str, str]], reading: Reading
) -> _Measure:
    depth, size = 1, 1
    for field, schema in data_type.properties.items():
        inner = _SCALAR if schema.type is None else measures.get(schema.type, _SCALAR)
        if (data_type.name, field) in cut:
            continue
        if inner.depth >= MAX_DEPTH or size + inner.size > MAX_SIZE:
            cut.add((data_type.name, field))
            reading.report.tell(
                faults.DATA_TYPE_LARGE,
                schema.at,
                f"{data_type.name} is too large with {field}",
                path=f"data_types.{data_type.name}.properties.{field}",
            )
            continue
        depth, size = max(depth, inner.depth + 1), size + inner.size
    return _Measure(depth, size)


def _tell_cycle(name: str, field: str, schema: Schema, trail: list[str], reading: Reading) -> None:
    assert schema.type is not None, "a type leads back"
    cycle = [*trail[trail.index(schema.type) :], schema.type]
    reading.report.tell(
        faults.DATA_TYPE_CYCLE,
        schema.at,
        "leads back to itself",
        path=f"data_types.{name}.properties.{field}.type",
        detail=" -> ".join(cycle),
    )


def _cut(data_type: DataType, cut: set[tuple[str, str]]) -> DataType:
    properties = {
        name: replace(schema, type=None) if (data_type.name, name) in cut else schema
        for name, schema in data_type.properties.items()
    }
    return replace(data_type, properties=properties)


def _check_defaults(own: dict[str, DataType], types: dict[str, DataType], reading: Reading) -> None:
    conformance = Conformance(types, reading)
    for name, data_type in own.items():
        for field, schema in data_type.properties.items():
            if schema.has_default:
                conformance.default(types[name].properties[field], f"data_types.{name}.properties.{field}.default")
