"""Every place where a name is given or used, in all files of a blueprint: for definitions, references and renaming."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from groundplan.dsl.imports import Unit
from groundplan.dsl.reader import as_map
from groundplan.lsp.analysis import Names
from groundplan.model.types import PRIMITIVES
from groundplan.model.values import Call, Field, Map, Seq, Value

_KEYWORDS: Final = frozenset({"SELF", "SOURCE", "TARGET"})
_NAMES_A_NODE: Final = frozenset({"get_property", "get_attribute", "get_attributes_list", "get_attributes_dict"})


class Kind(StrEnum):
    """What a name is the name of."""

    NODE = "node template"
    INPUT = "input"
    NODE_TYPE = "node type"
    RELATIONSHIP_TYPE = "relationship type"
    DATA_TYPE = "data type"
    PROPERTY = "property"
    PLUGIN = "plugin"
    WORKFLOW = "workflow"
    GROUP = "group"
    FUNCTION = "function"
    FILE = "file"


_SECTIONS: Final = {
    "node_templates": Kind.NODE,
    "inputs": Kind.INPUT,
    "node_types": Kind.NODE_TYPE,
    "relationships": Kind.RELATIONSHIP_TYPE,
    "data_types": Kind.DATA_TYPE,
    "plugins": Kind.PLUGIN,
    "workflows": Kind.WORKFLOW,
    "groups": Kind.GROUP,
}


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A name at a place.

    Attributes:
        at: position of the token (see `diagnostics.span`).
        owner: of a property: its type, as KIND and name.
        is_definition: whether the name is given here.
    """

    kind: Kind
    name: str
    at: int
    is_definition: bool = False
    owner: tuple[Kind, str] | None = None


def occurrences(names: Names) -> Iterator[Occurrence]:
    """Yield every name that is given or used."""
    for unit in names.units:
        yield from _in_unit(unit, names)


def definition(names: Names, found: Occurrence) -> int | None:
    """Return the position where a name is given, or None when no text gives it."""
    if found.kind is Kind.PROPERTY and found.owner is not None:
        kind, name = found.owner
        declaring = names.node_types if kind is Kind.NODE_TYPE else names.relationships
        schema = declaring[name].properties.get(found.name) if name in declaring else None
        return None if schema is None or schema.at < 0 else schema.at
    section = next((section for section, kind in _SECTIONS.items() if kind is found.kind), None)
    entry = names.section(section).get(found.name) if section is not None else None
    return None if entry is None or entry.key_at < 0 else entry.key_at


def _in_unit(unit: Unit, names: Names) -> Iterator[Occurrence]:
    for section, kind in _SECTIONS.items():
        for name, field in _entries(unit.sections.get(section)):
            yield Occurrence(kind, name, field.key_at, is_definition=True)
            yield from _in_entry(kind, field, names)
    for field in unit.sections.values():
        yield from _calls(field.value, field.at)
    for item in _items(unit.sections.get("imports")):
        text = item.value if isinstance(item.value, str) else next((key for key, _ in _entries(item)), None)
        if text is not None:
            yield Occurrence(Kind.FILE, text, item.at)
    for _, policy in _entries(unit.sections.get("policies")):
        for target in _items(_under(policy, "targets")):
            yield from _use(Kind.GROUP, target)


def _in_entry(kind: Kind, field: Field, names: Names) -> Iterator[Occurrence]:
    match kind:
        case Kind.NODE:
            yield from _template(field)
        case Kind.GROUP:
            groups = names.section("groups")
            for member in _items(_under(field, "members")):
                yield from _use(Kind.GROUP if member.value in groups else Kind.NODE, member)
        case Kind.INPUT:
            yield from _type_of(field)
        case Kind.NODE_TYPE | Kind.RELATIONSHIP_TYPE | Kind.DATA_TYPE:
            yield from _use(kind, _under(field, "derived_from"))
            for _, schema in _entries(_under(field, "properties")):
                yield from _type_of(schema)
            yield from _interfaces(field)
        case Kind.WORKFLOW:
            mapping = _under(field, "mapping") or field
            yield from _implementation(mapping)


def _template(field: Field) -> Iterator[Occurrence]:
    node_type = _under(field, "type")
    yield from _use(Kind.NODE_TYPE, node_type)
    yield from _properties(field, Kind.NODE_TYPE, node_type)
    yield from _interfaces(field)
    for item in _items(_under(field, "relationships")):
        yield from _use(Kind.RELATIONSHIP_TYPE, _under(item, "type"))
        yield from _use(Kind.NODE, _under(item, "target"))
        yield from _properties(item, Kind.RELATIONSHIP_TYPE, _under(item, "type"))
        yield from _interfaces(item)


def _properties(field: Field, kind: Kind, written: Field | None) -> Iterator[Occurrence]:
    owner = written.value if written is not None and isinstance(written.value, str) else ""
    for name, given in _entries(_under(field, "properties")):
        yield Occurrence(Kind.PROPERTY, name, given.key_at, owner=(kind, owner))


def _interfaces(field: Field) -> Iterator[Occurrence]:
    for section in ("interfaces", "source_interfaces", "target_interfaces"):
        for _, interface in _entries(_under(field, section)):
            for _, operation in _entries(interface):
                yield from _implementation(_under(operation, "implementation") or operation)


def _implementation(field: Field) -> Iterator[Occurrence]:
    if isinstance(field.value, str) and "\n" not in field.value and field.value:
        yield Occurrence(Kind.FILE, field.value, field.at)


def _type_of(schema: Field) -> Iterator[Occurrence]:
    for key in ("type", "item_type"):
        written = _under(schema, key)
        if written is not None and written.value not in PRIMITIVES:
            yield from _use(Kind.DATA_TYPE, written)


def _calls(value: Value, at: int) -> Iterator[Occurrence]:
    if isinstance(value, Call):
        yield Occurrence(Kind.FUNCTION, value.name, value.at)
        yield from _named(value)
        yield from _calls(value.argument, value.argument_at)
    elif isinstance(value, Map | Seq):
        fields = value.entries.values() if isinstance(value, Map) else value.items
        for field in fields:
            yield from _calls(field.value, field.at)


def _named(call: Call) -> Iterator[Occurrence]:
    first = Field(call.argument, call.argument_at, call.argument_at)
    if isinstance(call.argument, Seq) and call.argument.items:
        first = call.argument.items[0]
    if call.name == "get_input":
        yield from _use(Kind.INPUT, first)
    elif call.name in _NAMES_A_NODE and first.value not in _KEYWORDS:
        yield from _use(Kind.NODE, first)


def _use(kind: Kind, field: Field | None) -> Iterator[Occurrence]:
    if field is not None and isinstance(field.value, str):
        yield Occurrence(kind, field.value, field.at)


def _entries(field: Field | None) -> Iterator[tuple[str, Field]]:
    mapping = as_map(field.value) if field is not None else None
    return iter(mapping.entries.items() if mapping is not None else ())


def _under(field: Field, key: str) -> Field | None:
    mapping: Mapping[str, Field] = dict(_entries(field))
    return mapping.get(key)


def _items(field: Field | None) -> tuple[Field, ...]:
    return field.value.items if field is not None and isinstance(field.value, Seq) else ()
