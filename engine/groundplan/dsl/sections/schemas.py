"""Schemas of properties, operation inputs and parameters (spec 1.6, 1.8, 1.9): what a type declares.

Values are held against them by `conformance`; inputs with their further keys are in `inputs`.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from groundplan.diagnostics.suggest import suggest
from groundplan.dsl import faults
from groundplan.dsl.shape import Reading, element, entries_of, flag_of, text_of, too_new, value_of
from groundplan.dsl.versions import TYPES_SINCE, Element
from groundplan.model.types import OBJECT_TYPES, PRIMITIVES, Schema
from groundplan.model.values import NOWHERE, Field


def read(
    field: Field | None, expected: Element, path: str, reading: Reading, data_types: AbstractSet[str]
) -> dict[str, Schema]:
    """Return the schemas of a mapping `{NAME: schema}`; those that are no mappings are left out.

    Args:
        data_types: names of the data types that schemas may use.
    """
    schemas: dict[str, Schema] = {}
    for name, found in entries_of(field, path, reading).items():
        where = f"{path}.{name}"
        entries = element(found, expected, where, reading)
        if entries is not None:
            schemas[name] = schema_of(entries, found, where, reading, data_types)
    return schemas


def schema_of(
    entries: Mapping[str, Field], found: Field, path: str, reading: Reading, data_types: AbstractSet[str]
) -> Schema:
    """Return the schema of well-formed entries; an unknown type is a fault and counts as none."""
    given = dict(entries)
    written = given.get("type")
    return Schema(
        type=type_name(written, path, reading, data_types) if written is not None else None,
        default=value_of(given, "default"),
        has_default="default" in given,
        required=flag_of(given, "required", True),
        description=text_of(given, "description"),
        at=written.at if written is not None else found.key_at,
        default_at=given["default"].at if "default" in given else NOWHERE,
    )


def type_name(written: Field, path: str, reading: Reading, data_types: AbstractSet[str]) -> str | None:
    """Return the type's name, or None, with a fault, when there is no such type in this DSL version."""
    name = written.value
    if not isinstance(name, str):
        return None
    if name in PRIMITIVES or name in data_types:
        return name
    if name in OBJECT_TYPES:
        if TYPES_SINCE[name] > reading.version_at(written.at):
            too_new(f"the type {name}", written.at, TYPES_SINCE[name], f"{path}.type", reading)
            return None
        return name
    reading.report.tell(
        faults.TYPE_UNKNOWN,
        written.at,
        f"there is no type {name}",
        path=f"{path}.type",
        suggestion=suggest(name, PRIMITIVES | OBJECT_TYPES | data_types),
    )
    return None
