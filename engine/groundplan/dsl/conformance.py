"""Holds values against schemas, and completes values of data types with the defaults of their fields (spec 1.6, 1.8).

Any function is accepted for any type: its value is not known yet. Which schemas apply is decided by the sections.
"""

import re
from collections.abc import Mapping
from typing import Final

from groundplan.diagnostics.suggest import suggest
from groundplan.dsl import faults
from groundplan.dsl.reader import describe
from groundplan.dsl.shape import Reading, declared
from groundplan.model.types import DataType, Schema
from groundplan.model.values import Call, Field, Map, Seq, Value

ACCEPTED: Final[Mapping[str, frozenset[type]]] = {
    "integer": frozenset({int}),
    "float": frozenset({float, int}),
    "boolean": frozenset({bool}),
    "list": frozenset({Seq}),
    "dict": frozenset({Map}),
    "regex": frozenset({str}),
}
"""What the primitive types take; the types left out take anything (spec 1.6)."""

_EXAMPLES: Final = {
    "integer": "write a whole number, for example 80.",
    "float": "write a number, for example 0.5.",
    "boolean": "write true or false.",
    "list": "write a list, for example [a, b].",
    "dict": "write a mapping, for example {key: value}.",
    "regex": "write a regular expression that compiles.",
}


class Conformance:
    """Checks with the data types of one blueprint."""

    def __init__(self, data_types: Mapping[str, DataType], reading: Reading) -> None:
        self._data_types = data_types
        self._reading = reading
        self._implied: dict[str, Map | None] = {}

    def value(self, given: Field, schema: Schema, path: str, *, is_whole: bool = True) -> Value:
        """Return a value completed by its schema; faults tell where it disagrees.

        Args:
            is_whole: False for a default, which a template may still complete: missing fields are no fault then.
        """
        value = given.value
        if schema.type is None or value is None or isinstance(value, Call):
            return value
        if schema.type in self._data_types:
            return self._structure(given, schema, path, is_whole)
        if schema.item_type is not None and isinstance(value, Seq):
            item = Schema(type=schema.item_type, at=schema.at)
            for index, field in enumerate(value.items):
                self.value(field, item, f"{path}.{index}")
        elif not accepts(schema.type, value):
            self._wrong_type(given, schema.type, schema, path)
        return value

    def default(self, schema: Schema, path: str, *, is_whole: bool = False) -> Value:
        """Return a schema's default, completed as far as its data type's defaults go; null leaves it to those."""
        if schema.default is None:
            return self.implied(schema)
        return self.value(Field(schema.default, schema.default_at, schema.default_at), schema, path, is_whole=is_whole)

    def is_whole(self, value: Value, schema: Schema) -> bool:
        """Whether a completed value has every field that its data type requires."""
        data_type = self._data_type(schema)
        if data_type is None or not isinstance(value, Map):
            return True
        return all(
            self.is_whole(value.get(name), inner) if name in value else not inner.required
            for name, inner in data_type.properties.items()
        )

    def _data_type(self, schema: Schema) -> DataType | None:
        return None if schema.type is None else self._data_types.get(schema.type)

    def implied(self, schema: Schema) -> Map | None:
        """Return the value that the defaults of a data type make on their own, or None when one is missing."""
        data_type = self._data_type(schema)
        if data_type is None:
            return None
        if data_type.name not in self._implied:
            self._implied[data_type.name] = self._imply(data_type)
        return self._implied[data_type.name]

    def _imply(self, data_type: DataType) -> Map | None:
        entries: dict[str, Field] = {}
        for name, inner in data_type.properties.items():
            if inner.has_default:
                entries[name] = Field(self.default(inner, data_type.name), inner.at, inner.at)
                continue
            implied = self.implied(inner)
            if implied is not None and implied.entries:
                entries[name] = Field(implied, inner.at, inner.at)
            elif inner.required and implied is None:
                return None
        return Map(entries, data_type.at)

    def overlay(self, given: Field, default: Value, schema: Schema) -> Field:
        """Lay a value of a data type over the default of the property that holds it, field by field (spec 2.1)."""
        if schema.type not in self._data_types or not isinstance(given.value, Map) or not isinstance(default, Map):
            return given
        return Field(merged(default, given.value), given.at, given.key_at)

    def _structure(self, given: Field, schema: Schema, path: str, is_whole: bool) -> Value:
        data_type = self._data_type(schema)
        assert data_type is not None, "only values of data types come here"
        if not isinstance(given.value, Map):
            self._wrong_type(given, data_type.name, schema, path)
            return given.value
        entries = dict(given.value.entries)
        for name in entries.keys() - data_type.properties.keys():
            self._unknown_field(name, entries[name], data_type, path)
        for name, inner in data_type.properties.items():
            field = self._field(name, entries.get(name), inner, given, data_type, path, is_whole)
            if field is not None:
                entries[name] = field
        return Map(entries, given.value.at)

    def _field(
        self,
        name: str,
        written: Field | None,
        schema: Schema,
        given: Field,
        data_type: DataType,
        path: str,
        is_whole: bool,
    ) -> Field | None:
        where = f"{path}.{name}"
        if written is not None:
            over = self.overlay(written, schema.default, schema) if schema.has_default else written
            return Field(self.value(over, schema, where, is_whole=is_whole), written.at, written.key_at)
        if schema.has_default:
            return Field(self.default(schema, where, is_whole=is_whole), schema.at, schema.at)
        implied = self.implied(schema)
        if implied is not None and (schema.required or implied.entries):
            return Field(implied, schema.at, schema.at)
        if schema.required and is_whole:
            self._reading.report.tell(
                faults.PROPERTY_MISSING,
                given.at,
                f"{data_type.name} needs {name}",
                path=where,
                places=declared(schema.at, "declared here"),
                fix=f"add {name}.",
            )
        return None

    def _unknown_field(self, name: str, field: Field, data_type: DataType, path: str) -> None:
        self._reading.report.tell(
            faults.PROPERTY_UNKNOWN,
            field.key_at,
            f"{data_type.name} has no field {name}",
            path=f"{path}.{name}",
            places=declared(data_type.at, "declared here"),
            suggestion=suggest(name, data_type.properties),
        )

    def _wrong_type(self, given: Field, expected: str, schema: Schema, path: str) -> None:
        self._reading.report.tell(
            faults.PROPERTY_TYPE,
            given.at,
            f"expected {expected}, found {describe(given.value)}",
            path=path,
            places=declared(schema.at, f"declared {expected} here") if schema.at != given.at else (),
            fix=_EXAMPLES.get(expected, ""),
        )


def accepts(type_name: str, value: Value) -> bool:
    """Whether a value is of a primitive or object type (spec 1.6)."""
    accepted = ACCEPTED.get(type_name)
    if accepted is None:
        return True
    if type(value) not in accepted:
        return False
    return type_name != "regex" or compiles(str(value))


def compiles(pattern: str) -> bool:
    """Whether a text is a regular expression."""
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return False
    return True


def merged(under: Map, over: Map) -> Map:
    """Lay one mapping over another, deeply: where both hold mappings they are merged in turn."""
    entries = dict(under.entries)
    for name, field in over.entries.items():
        below = entries.get(name)
        if below is not None and isinstance(below.value, Map) and isinstance(field.value, Map):
            entries[name] = Field(merged(below.value, field.value), field.at, field.key_at)
        else:
            entries[name] = field
    return Map(entries, over.at)
