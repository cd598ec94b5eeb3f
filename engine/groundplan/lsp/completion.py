"""What may be written where the cursor stands: keys by the table of the language, names by what the blueprint holds."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from groundplan.dsl import constraints
from groundplan.dsl.functions import SYSTEM_PROPERTIES
from groundplan.dsl.locating import STANDARD_TYPES
from groundplan.dsl.operations import Interfaces
from groundplan.dsl.sections.types import Type
from groundplan.dsl.structure import Closed, Constraint, Form, Plain, form_at
from groundplan.dsl.versions import FUNCTIONS_SINCE, TYPES_SINCE, Kind, Version
from groundplan.lsp import documentation
from groundplan.lsp.analysis import Names
from groundplan.lsp.outline import CallAt, Cursor, Path
from groundplan.model.types import OBJECT_TYPES, PRIMITIVES, DataType, Schema
from groundplan.model.values import FUNCTIONS, Map, Value

_SCOPES: Final = ("SELF", "SOURCE", "TARGET")
_OF_A_NODE: Final = frozenset({"get_property", "get_attribute", "get_attributes_list", "get_attributes_dict"})
_COMPONENT: Final = "cloudify.nodes.Component"
_INTERFACES: Final = ("interfaces", "source_interfaces", "target_interfaces")


class Sort(StrEnum):
    """What an item is, for the editor's icon."""

    KEY = "key"
    VALUE = "value"
    TYPE = "type"
    NODE = "node"
    FUNCTION = "function"
    PROPERTY = "property"
    INPUT = "input"


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One thing that may be written.

    Attributes:
        text: what is put in; `label` where it is the same.
        detail: a few words beside the label.
        documentation: Markdown.
    """

    label: str
    sort: Sort
    text: str = ""
    detail: str = ""
    documentation: str = ""


class Elsewhere(Protocol):
    """Tells names that lie outside of the blueprint: in the home."""

    def secrets(self) -> Sequence[str]:
        """Return the names of the secrets."""

    def deployments(self) -> Sequence[str]:
        """Return the ids of the deployments."""

    def capabilities(self, deployment: str) -> Sequence[str]:
        """Return the names of a deployment's capabilities; none when there is no such deployment."""

    def plugins(self) -> Sequence[str]:
        """Return the names by which installed plugins are imported."""

    def blueprints(self) -> Sequence[str]:
        """Return the ids of the uploaded blueprints."""


def complete(cursor: Cursor, names: Names, elsewhere: Elsewhere, type_at: Callable[[Path], str]) -> list[Item]:
    """Return what may be written at a place, in the order in which it is worth showing.

    Args:
        type_at: the text under the key `type` of the mapping at a path, as it stands in the buffer.
    """
    here = _Here(cursor, names, elsewhere, type_at)
    if cursor.call is not None:
        return list(here.arguments(cursor.call))
    if cursor.starts_flow:
        return list(here.functions())
    return list(here.values() if cursor.is_value else here.keys())


class _Here:
    """One place and what is known there."""

    def __init__(self, cursor: Cursor, names: Names, elsewhere: Elsewhere, type_at: Callable[[Path], str]) -> None:
        self._cursor = cursor
        self._names = names
        self._elsewhere = elsewhere
        self._type_at = type_at
        self._steps = tuple("-" if step.startswith("-") and step[1:].isdigit() else step for step in cursor.path)

    def functions(self) -> Iterator[Item]:
        """Yield the functions of the language's version."""
        for name in sorted(FUNCTIONS):
            if FUNCTIONS_SINCE.get(name, Version.V1_0) <= self._names.version:
                yield Item(
                    label=name, sort=Sort.FUNCTION, text=f"{name}: ", documentation=documentation.of_function(name)
                )

    def arguments(self, call: CallAt) -> Iterator[Item]:
        """Yield what may be the next argument of a function."""
        index = len(call.before)
        if call.name == "get_input" and index == 0:
            yield from self._inputs()
        elif call.name in _OF_A_NODE:
            yield from self._nodes(scopes=True) if index == 0 else self._attributes(call)
        elif call.name == "get_secret" and index == 0:
            yield from _plain(self._elsewhere.secrets(), Sort.VALUE, "secret")
        elif call.name == "get_capability":
            if index == 0:
                yield from _plain(self._elsewhere.deployments(), Sort.VALUE, "deployment")
            elif index == 1:
                yield from _plain(self._elsewhere.capabilities(call.before[0]), Sort.VALUE, "capability")
        elif call.name == "get_sys":
            yield from _plain(
                SYSTEM_PROPERTIES if index == 0 else SYSTEM_PROPERTIES.get(call.before[0], ()), Sort.VALUE
            )
        elif call.name == "get_consumers":
            yield from _plain(("ids", "names", "count"), Sort.VALUE)

    def values(self) -> Iterator[Item]:
        """Yield what may stand behind a colon."""
        parent, key = form_at(self._steps[:-1]), self._steps[-1]
        form = form_at(self._steps)
        if self._steps == ("tosca_definitions_version",):
            yield from _plain([version.text for version in reversed(Version)], Sort.VALUE)
        elif isinstance(parent, Closed):
            yield from self._of_key(parent, key, form)
        else:
            schema = self._schema(self._steps, self._cursor.path)
            if schema is not None and schema.type == "boolean":
                yield from _plain(("true", "false"), Sort.VALUE)

    def _of_key(self, parent: Closed, key: str, form: Form | None) -> Iterator[Item]:
        element = parent.element.name
        if key == "type" and element == "a node template":
            yield from _types(self._names.node_types)
        elif key == "type" and element == "a relationship":
            yield from _types(self._names.relationships)
        elif key == "target" and element == "a relationship":
            yield from self._nodes(without=self._steps[1])
        elif key == "derived_from":
            yield from _types(self._derivable())
        elif key in ("type", "item_type") and "default" in parent.element.keys:
            yield from self._value_types()
        elif key == "type" and element == "a policy":
            yield from _plain(("cloudify.policies.scaling",), Sort.TYPE)
        elif key in ("implementation", "mapping"):
            yield from _plain([f"{name}." for name in self._names.section("plugins")], Sort.VALUE, "plugin")
        elif key == "workflow":
            yield from _plain(self._names.section("workflows"), Sort.VALUE, "workflow")
        elif isinstance(form, Plain) and form.choices:
            yield from _plain(form.choices, Sort.VALUE)
        elif isinstance(form, Plain) and form.kind is Kind.BOOLEAN:
            yield from _plain(("true", "false"), Sort.VALUE)

    def keys(self) -> Iterator[Item]:
        """Yield the keys, or items of a list, that are not there yet."""
        form = form_at(self._steps)
        if self._steps[-1:] == ("-",) and not isinstance(form, Closed | Constraint):
            yield from self._items(form)
        elif isinstance(form, Closed):
            for name, key in form.element.keys.items():
                if key.since <= self._names.version and name not in self._cursor.taken:
                    yield Item(
                        label=name,
                        sort=Sort.KEY,
                        text=f"{name}: ",
                        detail=key.kind.words,
                        documentation=documentation.of_key(form.element, name),
                    )
        elif isinstance(form, Constraint):
            yield from _plain(constraints.OPERATORS, Sort.KEY, text="{}: ")
        else:
            yield from self._named_keys()

    def _items(self, form: Form | None) -> Iterator[Item]:
        above = self._steps[:-1]
        if above[:1] == ("groups",) and above[-1] == "members":
            yield from self._nodes()
            yield from _plain(self._names.section("groups"), Sort.VALUE, "group")
        elif above[:1] == ("policies",):
            yield from _plain(self._names.section("groups"), Sort.VALUE, "group")
        elif above == ("imports",):
            yield from _plain((STANDARD_TYPES,), Sort.VALUE, "standard types")
            yield from _plain([f"plugin:{name}" for name in self._elsewhere.plugins()], Sort.VALUE, "plugin")
        elif above[-1] == "node_types_required":
            yield from _types(self._names.node_types)
        elif isinstance(form, Plain):
            yield from _plain(form.choices, Sort.VALUE)

    def _named_keys(self) -> Iterator[Item]:
        """Yield keys that types declare: properties, interfaces, operations and their inputs."""
        owner, rest = self._owner(self._cursor.path)
        if owner is None:
            return
        if rest[:1] == ("properties",):
            fields = self._fields(owner.properties, rest[1:])
            for name, schema in fields.items():
                if name not in self._cursor.taken:
                    yield Item(
                        label=name,
                        sort=Sort.PROPERTY,
                        text=f"{name}: ",
                        detail=f"{schema.type or 'any'}{', required' if documentation.is_needed(schema) else ''}",
                        documentation=documentation.of_schema(name, schema),
                    )
        elif rest[:1] and rest[0] in _INTERFACES:
            yield from self._interface_keys(owner.interfaces.get(rest[0], {}), rest[1:])

    def _interface_keys(self, operations: Interfaces, rest: Path) -> Iterator[Item]:
        split = [name.rpartition(".") for name in operations]
        if not rest:
            found: Iterable[str] = dict.fromkeys(interface for interface, _, _ in split)
        elif len(rest) == 1:
            found = [operation for interface, _, operation in split if interface == rest[0]]
        elif len(rest) == 3 and rest[2] == "inputs" and f"{rest[0]}.{rest[1]}" in operations:
            found = operations[f"{rest[0]}.{rest[1]}"].schemas
        else:
            found = ()
        for name in found:
            if name not in self._cursor.taken:
                yield Item(label=name, sort=Sort.KEY, text=f"{name}: ")

    def _owner(self, path: Path) -> tuple[Type | None, Path]:
        """Return the type of the template or relationship that a path is in, and the rest of the path."""
        if path[:1] != ("node_templates",) or len(path) < 2:
            return None, ()
        if len(path) > 3 and path[2] == "relationships":
            return self._names.relationships.get(self._type_at(path[:4])), path[4:]
        return self._names.node_types.get(self._type_at(path[:2])), path[2:]

    def _fields(self, properties: Mapping[str, Schema], rest: Path) -> Mapping[str, Schema]:
        """Return the properties, or the fields of the data type that a path inside them leads to."""
        for step in rest:
            schema = properties.get(step)
            found: DataType | None = (
                self._names.data_types.get(schema.type) if schema is not None and schema.type is not None else None
            )
            properties = found.properties if found is not None else {}
        return properties

    def _schema(self, steps: Path, path: Path) -> Schema | None:
        owner, rest = self._owner(path)
        if owner is None or rest[:1] != ("properties",) or len(rest) < 2:
            return None
        return self._fields(owner.properties, rest[1:-1]).get(steps[-1])

    def _inputs(self) -> Iterator[Item]:
        for name, field in self._names.section("inputs").items():
            given = field.value if isinstance(field.value, Map) else Map({})
            described = given.get("description")
            yield Item(
                label=name,
                sort=Sort.INPUT,
                detail=_text(given.get("type")) or "any",
                documentation=_text(described),
            )

    def _nodes(self, *, scopes: bool = False, without: str = "") -> Iterator[Item]:
        for name, field in self._names.section("node_templates").items():
            if name != without:
                given = field.value if isinstance(field.value, Map) else Map({})
                yield Item(label=name, sort=Sort.NODE, detail=_text(given.get("type")))
        if scopes:
            yield from _plain(_SCOPES, Sort.VALUE)

    def _attributes(self, call: CallAt) -> Iterator[Item]:
        name = call.before[0]
        node = self._cursor.path[1] if name == "SELF" and self._cursor.path[:1] == ("node_templates",) else name
        found = self._names.node_types.get(self._type_at(("node_templates", node)))
        if found is None:
            return
        for key, schema in self._fields(found.properties, call.before[1:]).items():
            yield Item(
                label=key,
                sort=Sort.PROPERTY,
                detail=schema.type or "any",
                documentation=documentation.of_schema(key, schema),
            )
        if _COMPONENT in found.hierarchy and call.name != "get_property" and len(call.before) == 1:
            yield Item(label="capabilities", sort=Sort.PROPERTY, detail="of the component's deployment")

    def _derivable(self) -> Mapping[str, Type | DataType]:
        return {
            "node_types": self._names.node_types,
            "relationships": self._names.relationships,
            "data_types": self._names.data_types,
        }.get(self._steps[0], {})  # type: ignore[return-value]

    def _value_types(self) -> Iterator[Item]:
        version = self._names.version
        yield from _plain(sorted(PRIMITIVES), Sort.TYPE)
        yield from _types(self._names.data_types)
        yield from _plain(sorted(name for name in OBJECT_TYPES if TYPES_SINCE[name] <= version), Sort.TYPE)


def _types(found: Mapping[str, Type] | Mapping[str, DataType] | Mapping[str, Type | DataType]) -> Iterator[Item]:
    for name, each in found.items():
        told = documentation.of_type(each) if isinstance(each, Type) else documentation.of_data_type(each)
        yield Item(label=name, sort=Sort.TYPE, documentation=told)


def _plain(words: Iterable[str], sort: Sort, detail: str = "", *, text: str = "{}") -> Iterator[Item]:
    return (Item(label=word, sort=sort, detail=detail, text=text.format(word)) for word in words)


def _text(value: Value) -> str:
    return value.strip() if isinstance(value, str) else ""
