"""The sections `node_types` and `relationships` (spec 1.9, 1.10): types with all that they inherit.

What hangs on a type alone is worked out once and shared by all templates of it: `Template.operations` *are* the
type's, until a template overrides one. Operations of types that no template uses stay unresolved (spec 1.9).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from groundplan.dsl import inheritance
from groundplan.dsl.conformance import ACCEPTED, Conformance
from groundplan.dsl.misspelt import check_names
from groundplan.dsl.operations import Interfaces, OperationBuilder, read_interfaces
from groundplan.dsl.sections import schemas
from groundplan.dsl.shape import Reading, element
from groundplan.dsl.versions import NODE_TYPE, PROPERTY, RELATIONSHIP_TYPE, Element
from groundplan.model.blueprint import Operation, Operations
from groundplan.model.types import DataType, Schema
from groundplan.model.values import Field, Value

_OVERRIDDEN: Final = Operation()


@dataclass(frozen=True, kw_only=True)
class Type:
    """A node type or a relationship type.

    Attributes:
        hierarchy: ancestors first, itself last.
        interfaces: by kind: `interfaces`, or `source_interfaces` and `target_interfaces`.
        incomplete: properties whose default lacks a field that its data type requires.
        exact: accepted Python types of the properties that a look at the type settles.
    """

    name: str
    hierarchy: tuple[str, ...]
    properties: Mapping[str, Schema]
    interfaces: Mapping[str, Interfaces]
    at: int
    defaults: dict[str, Value] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    incomplete: frozenset[str] = frozenset()
    exact: Mapping[str, frozenset[type]] = field(default_factory=dict)
    operations: dict[tuple[str, str], Operation] = field(default_factory=dict)
    """Filled by `resolved`, by kind and name."""
    selections: dict[tuple[str, frozenset[str]], Operations] = field(default_factory=dict)
    """Filled by `resolved`, by kind and what was overridden."""

    @property
    def is_complete(self) -> bool:
        """Whether its defaults are all that a template needs."""
        return not self.required and not self.incomplete

    def resolved(
        self, kind: str, builder: OperationBuilder, section: str, overridden: frozenset[str] = frozenset()
    ) -> Operations:
        """Return its operations of one kind, resolved at the first call.

        Those that a template lays its own over are empty: their inputs may be complete there only (spec 2.3).
        """
        key = (kind, overridden)
        if key not in self.selections:
            path = f"{section}.{self.name}.{kind}"
            self.selections[key] = {
                name: _OVERRIDDEN if name in overridden else self._operation(kind, name, builder, path)
                for name in self.interfaces[kind]
            }
        return self.selections[key]

    def _operation(self, kind: str, name: str, builder: OperationBuilder, path: str) -> Operation:
        key = (kind, name)
        if key not in self.operations:
            self.operations[key] = builder.build(self.interfaces[kind][name], f"{path}.{name}")
        return self.operations[key]


def read_node_types(fields: dict[str, Field], data_types: Mapping[str, DataType], reading: Reading) -> dict[str, Type]:
    """Return the node types by name."""
    return _TypesReader("node_types", NODE_TYPE, ("interfaces",), data_types, reading).read(fields)


def read_relationships(
    fields: dict[str, Field], data_types: Mapping[str, DataType], reading: Reading
) -> dict[str, Type]:
    """Return the relationship types by name."""
    kinds = ("source_interfaces", "target_interfaces")
    return _TypesReader("relationships", RELATIONSHIP_TYPE, kinds, data_types, reading).read(fields)


class _TypesReader:
    """Reads one of the two sections; they differ in their kinds of interfaces only."""

    def __init__(
        self,
        section: str,
        expected: Element,
        kinds: tuple[str, ...],
        data_types: Mapping[str, DataType],
        reading: Reading,
    ) -> None:
        self._section = section
        self._expected = expected
        self._kinds = kinds
        self._names = frozenset(data_types)
        self._conformance = Conformance(data_types, reading)
        self._reading = reading

    def read(self, fields: dict[str, Field]) -> dict[str, Type]:
        """Return the types, each with all that it inherits."""
        entries = {
            name: element(found, self._expected, f"{self._section}.{name}", self._reading) or {}
            for name, found in fields.items()
        }
        parents = {name: given.get("derived_from") for name, given in entries.items()}
        return inheritance.resolve(
            parents,
            lambda name, parent: self._type(name, parent, entries[name], fields[name].key_at),
            self._section,
            self._reading,
        )

    def _type(self, name: str, parent: Type | None, entries: dict[str, Field], at: int) -> Type:
        path = f"{self._section}.{name}"
        own = schemas.read(entries.get("properties"), PROPERTY, f"{path}.properties", self._reading, self._names)
        properties = inheritance.overlaid(parent.properties, own, self._names) if parent is not None else own
        defaults = _defaults(properties, own, parent, self._conformance, path)
        return Type(
            name=name,
            hierarchy=(*(parent.hierarchy if parent is not None else ()), name),
            properties=properties,
            interfaces={kind: self._interfaces(kind, parent, entries, path) for kind in self._kinds},
            at=at,
            defaults=defaults,
            required=frozenset(key for key, schema in properties.items() if schema.required and key not in defaults),
            incomplete=frozenset(
                key for key, value in defaults.items() if not self._conformance.is_whole(value, properties[key])
            ),
            exact={
                key: ACCEPTED[schema.type]
                for key, schema in properties.items()
                if schema.type is not None and schema.type in ACCEPTED and schema.type != "regex"
            },
        )

    def _interfaces(self, kind: str, parent: Type | None, entries: dict[str, Field], path: str) -> Interfaces:
        written = entries.get(kind)
        own = read_interfaces(written, f"{path}.{kind}", self._reading, self._names)
        if parent is None or written is None:
            return own if parent is None else parent.interfaces[kind]
        check_names(written, own, parent.interfaces[kind], parent.name, f"{path}.{kind}", self._reading)
        return {**parent.interfaces[kind], **own}


def _defaults(
    properties: Mapping[str, Schema],
    own: Mapping[str, Schema],
    parent: Type | None,
    conformance: Conformance,
    path: str,
) -> dict[str, Value]:
    """Return the values that properties have when a template gives none."""
    defaults: dict[str, Value] = {}
    for name, schema in properties.items():
        if parent is not None and name not in own:
            if name in parent.defaults:
                defaults[name] = parent.defaults[name]
        elif schema.has_default:
            defaults[name] = conformance.default(schema, f"{path}.properties.{name}.default")
        else:
            implied = conformance.implied(schema)
            if implied is not None and (schema.required or implied.entries):
                defaults[name] = implied
    return defaults
