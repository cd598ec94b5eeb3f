"""The section `data_types` (spec 1.8): structures that properties and inputs may be typed by."""

from dataclasses import replace

from groundplan.dsl import faults, inheritance
from groundplan.dsl.conformance import Conformance
from groundplan.dsl.sections import schemas
from groundplan.dsl.shape import Reading, element, text_of
from groundplan.dsl.versions import DATA_TYPE, PROPERTY
from groundplan.model.types import PRIMITIVES, DataType, Schema
from groundplan.model.values import Field


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
    """Cut the fields by which a type contains itself; each cycle is one fault."""
    finished: set[str] = set()
    cut: set[tuple[str, str]] = set()
    for start in types:
        stack = [(start, iter(types[start].properties.items()))]
        trail = [start]
        while stack:
            name, fields = stack[-1]
            step = next(((field, schema) for field, schema in fields if schema.type in types), None)
            if step is None:
                stack.pop()
                finished.add(trail.pop())
            elif step[1].type in trail:
                cut.add((name, step[0]))
                _tell_cycle(name, step[0], step[1], trail, reading)
            elif step[1].type is not None and step[1].type not in finished:
                trail.append(step[1].type)
                stack.append((step[1].type, iter(types[step[1].type].properties.items())))
    return {name: _cut(data_type, cut) for name, data_type in types.items()} if cut else types


def _tell_cycle(name: str, field: str, schema: Schema, trail: list[str], reading: Reading) -> None:
    cycle = [*trail[trail.index(schema.type or "") :], schema.type or ""]
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
