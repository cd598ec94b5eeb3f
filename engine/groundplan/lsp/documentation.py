"""What the editor tells about a name, as Markdown: types with their properties, inputs, functions and keys."""

from collections.abc import Iterator, Mapping
from typing import Final

from groundplan.dsl.functions import FORMS
from groundplan.dsl.sections.types import Type
from groundplan.dsl.versions import FUNCTIONS_SINCE, Element, Version
from groundplan.lsp.analysis import Names
from groundplan.lsp.naming import Kind, Occurrence
from groundplan.model.types import DataType, Schema
from groundplan.model.values import Data, Map, Value, to_data

GIVES: Final[Mapping[str, str]] = {
    "concat": "The items as text, one after the other.",
    "get_attribute": "What a node instance has learned while it runs (runtime property), else its property.",
    "get_attributes_dict": "Attributes of all instances of a node template, by the instance's id.",
    "get_attributes_list": "One attribute of all instances of a node template.",
    "get_capability": "A capability of another deployment, evaluated there.",
    "get_consumers": "The deployments that depend on this one.",
    "get_environment_capability": "A capability of the deployment that this one stands in (label csys-obj-parent).",
    "get_group_capability": "Capabilities of all deployments of a group.",
    "get_input": "The value of an input, or what a path of keys leads to in it.",
    "get_label": "The values of a label of this deployment.",
    "get_property": "A property of a node template, as written.",
    "get_secret": "The text of a secret; with a path, what the path leads to in the secret's JSON.",
    "get_sys": "What the engine knows of this deployment.",
    "merge": "The mappings laid over each other; later ones win.",
    "string_find": "Where a part begins in a text, from 0; -1 where it does not.",
    "string_lower": "The text in lower case.",
    "string_replace": "The text with parts replaced.",
    "string_split": "The parts of a text, or one of them.",
    "string_upper": "The text in upper case.",
}


def about(found: Occurrence, names: Names) -> str:
    """Return what there is to tell about a name; empty when it is unknown."""
    match found.kind:
        case Kind.NODE_TYPE if found.name in names.node_types:
            return of_type(names.node_types[found.name])
        case Kind.RELATIONSHIP_TYPE if found.name in names.relationships:
            return of_type(names.relationships[found.name])
        case Kind.DATA_TYPE if found.name in names.data_types:
            return of_data_type(names.data_types[found.name])
        case Kind.PROPERTY:
            schema = schema_of(found, names)
            return "" if schema is None else of_schema(found.name, schema)
        case Kind.FUNCTION:
            return of_function(found.name)
        case Kind.INPUT:
            return _of_input(found.name, names)
        case Kind.NODE:
            return _of_node(found.name, names)
    return ""


def schema_of(found: Occurrence, names: Names) -> Schema | None:
    """Return the schema of a property that a template gives a value."""
    kind, owner = found.owner or (Kind.NODE_TYPE, "")
    declaring = names.node_types if kind is Kind.NODE_TYPE else names.relationships
    return declaring[owner].properties.get(found.name) if owner in declaring else None


def of_type(found: Type) -> str:
    """Return a node type or relationship type: whence it derives, its properties, its operations."""
    lines = [f"**{found.name}**"]
    if len(found.hierarchy) > 1:
        lines.append("derived from " + " → ".join(f"`{name}`" for name in reversed(found.hierarchy[:-1])))
    lines += _table(found.properties)
    for kind, operations in found.interfaces.items():
        given = [name for name, written in operations.items() if written.implementation]
        if given:
            lines.append(f"{kind.replace('_', ' ')}: " + ", ".join(f"`{name.rpartition('.')[2]}`" for name in given))
    return "\n\n".join(lines)


def of_data_type(found: DataType) -> str:
    """Return a data type: what it says of itself, and its fields."""
    lines = [f"**{found.name}**", *([found.description.strip()] if found.description else [])]
    return "\n\n".join([*lines, *_table(found.properties)])


def of_schema(name: str, schema: Schema) -> str:
    """Return a property or an input."""
    facts = [f"`{schema.type}`" if schema.type else "any type", "required" if is_needed(schema) else "optional"]
    if schema.has_default and schema.default is not None:
        facts.append(f"default `{shown(schema.default)}`")
    lines = [f"**{name}**: {', '.join(facts)}", *([schema.description.strip()] if schema.description else [])]
    lines += [f"`{rule.operator}`: `{shown(rule.argument)}`" for rule in schema.constraints]
    return "\n\n".join(lines)


def of_function(name: str) -> str:
    """Return how a function is written and what it gives."""
    since = f"\n\nSince `{FUNCTIONS_SINCE[name].text}`." if name in FUNCTIONS_SINCE else ""
    return f"```yaml\n{{{name}: {FORMS[name]}}}\n```\n\n{GIVES[name]}{since}"


def of_key(element: Element, key: str) -> str:
    """Return what may stand under a key of an element."""
    found = element.keys[key]
    need = "required" if found.required else "optional"
    since = f", since `{found.since.text}`" if found.since > Version.V1_0 else ""
    return f"**{key}** of {element.name}: {found.kind.words}, {need}{since}"


def is_needed(schema: Schema) -> bool:
    """Whether a value must be given."""
    return schema.required and not schema.has_default


def shown(value: Value) -> str:
    """Return a value in a few characters."""
    text = str(to_data(value))
    return text if len(text) <= 60 else text[:57] + "..."


def _table(properties: Mapping[str, Schema]) -> Iterator[str]:
    if not properties:
        return
    rows = [
        f"| `{name}` | {schema.type or 'any'} | {_default(schema)} | {(schema.description or '').strip()} |".replace(
            "\n", " "
        )
        for name, schema in properties.items()
    ]
    yield "\n".join(["| property | type | default | |", "|---|---|---|---|", *rows])


def _default(schema: Schema) -> str:
    if is_needed(schema):
        return "**required**"
    return f"`{shown(schema.default)}`".replace("|", "\\|") if schema.has_default else ""


def _of_input(name: str, names: Names) -> str:
    entry = names.section("inputs").get(name)
    return "" if entry is None else _entry("input", name, entry.value)


def _of_node(name: str, names: Names) -> str:
    entry = names.section("node_templates").get(name)
    node_type = entry.value.get("type") if entry is not None and isinstance(entry.value, Map) else None
    if not isinstance(node_type, str):
        return ""
    known = names.node_types.get(node_type)
    return f"node template **{name}**\n\n" + (of_type(known) if known is not None else f"`{node_type}`")


def _entry(noun: str, name: str, value: Value) -> str:
    given = facts(value)
    lines = [f"{noun} **{name}**: `{given.get('type', 'any')}`"]
    if given.get("description"):
        lines.append(str(given["description"]).strip())
    if given.get("default") is not None:
        lines.append(f"default `{str(given['default'])[:60]}`")
    return "\n\n".join(lines)


def facts(value: Value) -> Mapping[str, Data]:
    """Return a mapping as plain data; empty for another kind of value."""
    found = to_data(value)
    return found if isinstance(found, dict) else {}
