"""The section `inputs`, and the parameters of workflows, which share its schema (spec 1.6)."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Final

from groundplan.diagnostics.suggest import suggest
from groundplan.dsl import constraints, faults
from groundplan.dsl.conformance import Conformance
from groundplan.dsl.sections import schemas
from groundplan.dsl.shape import Reading, declared, element, entries_of, flag_of, text_of, value_of
from groundplan.dsl.versions import DISPLAY, INPUT, PARAMETER, Element
from groundplan.model.types import OBJECT_TYPES, PRIMITIVES, Schema
from groundplan.model.values import Call, Field, Value

_USUAL: Final = {"required": True, "hidden": False}


def read(
    fields: dict[str, Field], names: AbstractSet[str], conformance: Conformance, reading: Reading
) -> dict[str, Schema]:
    """Return the inputs' schemas, their defaults held against type and constraints.

    Args:
        names: of the data types.
    """
    return {
        name: schema
        for name, field in fields.items()
        if (schema := _schema(field, INPUT, f"inputs.{name}", names, conformance, reading)) is not None
    }


def read_parameters(
    field: Field | None, path: str, names: AbstractSet[str], conformance: Conformance, reading: Reading
) -> dict[str, Schema]:
    """Return the schemas of a workflow's parameters."""
    return {
        name: schema
        for name, found in entries_of(field, path, reading).items()
        if (schema := _schema(found, PARAMETER, f"{path}.{name}", names, conformance, reading)) is not None
    }


def _schema(
    found: Field,
    expected: Element,
    path: str,
    names: AbstractSet[str],
    conformance: Conformance,
    reading: Reading,
) -> Schema | None:
    entries = element(found, expected, path, reading)
    if entries is None:
        return None
    schema = replace(
        schemas.schema_of(entries, found, path, reading, names),
        item_type=_item_type(entries, path, reading),
        constraints=constraints.read(
            entries.get("constraints"),
            text_of(entries, "item_type") or text_of(entries, "type"),
            f"{path}.constraints",
            reading,
        ),
        display_label=text_of(entries, "display_label"),
        hidden=flag_of(entries, "hidden", False),
        display=value_of(entries, "display"),
        spelled_out=tuple(key for key, usual in _USUAL.items() if value_of(entries, key) is usual),
    )
    _check_display(entries, path, reading)
    if schema.hidden and schema.required and not schema.has_default:
        reading.report.tell(
            faults.INPUT_HIDDEN,
            found.key_at,
            "hidden, required and without a default",
            path=path,
            fix="add a default, or required: false.",
        )
    return replace(schema, default=_default(schema, entries, path, conformance, reading))


def _item_type(entries: Mapping[str, Field], path: str, reading: Reading) -> str | None:
    written = entries.get("item_type")
    if written is None or not isinstance(written.value, str):
        return None
    if value_of(dict(entries), "type") != "list":
        reading.report.tell(
            faults.ITEM_TYPE_MISPLACED, written.key_at, "the type is not list", path=path, fix="add type: list."
        )
        return None
    if written.value not in PRIMITIVES | OBJECT_TYPES:
        reading.report.tell(
            faults.ITEM_TYPE_UNKNOWN,
            written.at,
            f"{written.value} is no primitive or object type",
            path=f"{path}.item_type",
            suggestion=suggest(written.value, PRIMITIVES | OBJECT_TYPES),
        )
        return None
    return schemas.type_name(written, path, reading, frozenset())


def _check_display(entries: Mapping[str, Field], path: str, reading: Reading) -> None:
    display = entries.get("display")
    if display is None:
        return
    element(display, DISPLAY, f"{path}.display", reading)
    if value_of(dict(entries), "type") != "textarea":
        reading.report.tell(
            faults.DISPLAY_MISPLACED, display.key_at, "the type is not textarea", path=path, fix="add type: textarea."
        )


def _default(
    schema: Schema, entries: Mapping[str, Field], path: str, conformance: Conformance, reading: Reading
) -> Value:
    """Return the default completed by its data type, held against type and constraints."""
    default = entries.get("default")
    if default is None or default.value is None:
        return None
    where = f"{path}.default"
    if schema.constraints and isinstance(default.value, Call):
        reading.report.tell(
            faults.CONSTRAINT_FUNCTION,
            default.value.at,
            f"the input has constraints, and {default.value.name} gives its value later",
            path=where,
            places=declared(entries["constraints"].key_at, "the constraints") if "constraints" in entries else (),
            fix="leave out the constraints, or write the value.",
        )
        return default.value
    completed = conformance.value(default, schema, where)
    for violated in constraints.violations(schema, default.value):
        message = violated.error_message
        reading.report.tell(
            faults.CONSTRAINT_VIOLATED,
            default.at,
            f"against {constraints.shown(violated)}",
            path=where,
            places=declared(violated.at, "this constraint"),
            detail=message or "",
        )
    return completed
