"""The shape of the language as a JSON Schema (draft-07), for editors that know YAML but not the language.

It says what a table can say: keys, kinds, choices, versions. Names, types and references are judged by `compile`.
"""

from collections.abc import Mapping
from typing import Any, Final

from groundplan.dsl import constraints
from groundplan.dsl.structure import BLUEPRINT, Closed, Constraint, Form, Import, Listed, Named, Plain
from groundplan.dsl.versions import CONSTRAINT_MESSAGE_SINCE, IMPORT_PROPERTIES_SINCE, Kind, Version

Schema = dict[str, Any]

_KINDS: Final[Mapping[Kind, list[str]]] = {
    Kind.TEXT: ["string"],
    Kind.BOOLEAN: ["boolean"],
    Kind.INTEGER: ["integer"],
    Kind.NUMBER: ["number"],
    Kind.MAPPING: ["object"],
    Kind.LIST: ["array"],
    Kind.MAPPING_OR_LIST: ["object", "array"],
    Kind.TEXT_OR_FUNCTION: ["string", "object"],
}


def json_schema(version: Version | None = None) -> Schema:
    """Return the schema of blueprints in one version of the language, or of blueprints and imported files in any."""
    head: Schema = {"$schema": "http://json-schema.org/draft-07/schema#"}
    if version is not None:
        return {**head, "title": f"Blueprint in {version.text}", **_blueprint(version)}
    newest = max(Version)
    parts = {each.suffix: _blueprint(each) for each in Version}
    imported = _closed(BLUEPRINT, newest)
    imported["properties"]["tosca_definitions_version"] = {"enum": [each.text for each in Version]}
    return {
        **head,
        "title": "Blueprint",
        "type": "object",
        "definitions": {**parts, "imported": imported},
        "allOf": [{"if": _says(each), "then": {"$ref": f"#/definitions/{each.suffix}"}} for each in Version]
        + [{"if": {"not": {"anyOf": [_says(each) for each in Version]}}, "then": {"$ref": "#/definitions/imported"}}],
    }


def _says(version: Version) -> Schema:
    return {
        "properties": {"tosca_definitions_version": {"const": version.text}},
        "required": ["tosca_definitions_version"],
    }


def _blueprint(version: Version) -> Schema:
    schema = _closed(BLUEPRINT, version)
    schema["properties"]["tosca_definitions_version"] = {"const": version.text}
    return {**schema, "required": ["tosca_definitions_version"]}


def _schema(form: Form, version: Version) -> Schema:
    match form:
        case Plain():
            return _plain(form)
        case Named():
            return {"type": "object", "additionalProperties": _named(form.item, version)}
        case Listed():
            return {"type": "array", "items": _schema(form.item, version), "minItems": form.least}
        case Closed():
            return _closed(form, version)
        case Constraint():
            return _constraint(version)
        case Import():
            return _import(version)


def _named(form: Form, version: Version) -> Schema:
    schema = _schema(form, version)
    return schema if isinstance(form, Closed) and form.element.required else _or_nothing(schema)


def _plain(form: Plain) -> Schema:
    if form.choices:
        return {"enum": list(form.choices)}
    return {"type": _KINDS[form.kind]} if form.kind is not Kind.ANY else {}


def _closed(form: Closed, version: Version) -> Schema:
    keys = {name: key for name, key in form.element.keys.items() if key.since <= version}
    properties = {
        name: _schema(form.form(name), version) if key.required else _or_nothing(_schema(form.form(name), version))
        for name, key in keys.items()
    }
    schema: Schema = {
        "type": "object",
        "description": form.element.name[:1].upper() + form.element.name[1:],
        "properties": properties,
        "additionalProperties": False,
    }
    if form.element.required:
        schema["required"] = sorted(form.element.required)
    return {"anyOf": [{"type": "string"}, schema]} if form.short else schema


def _or_nothing(schema: Schema) -> Schema:
    """Allow nothing (null) too: it counts as left out."""
    if not schema:
        return schema
    if isinstance(schema.get("type"), list):
        return {**schema, "type": [*schema["type"], "null"]}
    return {"anyOf": [{"type": "null"}, schema]}


def _constraint(version: Version) -> Schema:
    words = ["error_message"] if version >= CONSTRAINT_MESSAGE_SINCE else []
    return {
        "type": "object",
        "properties": {name: {} for name in (*constraints.OPERATORS, *words)},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1 + len(words),
    }


def _import(version: Version) -> Schema:
    if version < IMPORT_PROPERTIES_SINCE:
        return {"type": "string"}
    properties = {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": {"type": "object"}}
    return {"anyOf": [{"type": "string"}, properties]}
