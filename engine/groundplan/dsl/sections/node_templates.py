"""The section `node_templates` (spec 1.11): each template laid over its type.

What the functions in it refer to is checked in `references`, what templates mean to each other in `topology`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from groundplan.diagnostics.suggest import suggest
from groundplan.dsl import faults
from groundplan.dsl.conformance import Conformance
from groundplan.dsl.misspelt import check_names
from groundplan.dsl.operations import Interfaces, OperationBuilder, over, read_interfaces
from groundplan.dsl.sections import scaling
from groundplan.dsl.sections.types import Type
from groundplan.dsl.shape import NO_ENTRIES, Reading, declared, element, entries_of, items_of
from groundplan.dsl.versions import NODE_TEMPLATE, RELATIONSHIP
from groundplan.model.blueprint import NodeTemplate, Operations, Relationship
from groundplan.model.ids import NodeId
from groundplan.model.values import Call, Field, Map, Value

EXTERNAL: Final = "use_external_resource"
_SETTINGS: Final = frozenset({"connection_type", "operation"})
_HOST: Final = "cloudify.nodes.Compute"
_AGENT_PROPERTIES: Final = ("agent_config", "install_agent", "cloudify_agent")
_WITHOUT_AGENT: Final = (None, "none")


@dataclass(frozen=True, kw_only=True, slots=True)
class TemplatesReader:
    """Reads templates with the types, operations and names of one blueprint."""

    node_types: Mapping[str, Type]
    relationships: Mapping[str, Type]
    conformance: Conformance
    operations: OperationBuilder
    reading: Reading
    targets_at: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Positions of the targets of a template's relationships, for later checks."""
    settings_at: dict[tuple[str, int, str], int] = field(default_factory=dict)
    """Positions of the properties that relationships of the standard types have a meaning for, where written."""

    def read(self, fields: dict[str, Field]) -> dict[NodeId, NodeTemplate]:
        """Return the templates; one whose type is not known is left out, its name stays known to others.

        Args:
            fields: each loses its value once it is read: of a large blueprint, what authors wrote about operations is
                most of the memory.
        """
        templates: dict[NodeId, NodeTemplate] = {}
        for name, found in fields.items():
            template = self._template(name, found, fields)
            fields[name] = Field(None, found.at, found.key_at)
            if template is not None:
                templates[NodeId(name)] = template
        return templates

    def _template(self, name: str, found: Field, names: Mapping[str, Field]) -> NodeTemplate | None:
        path = f"node_templates.{name}"
        entries = element(found, NODE_TEMPLATE, path, self.reading)
        if entries is None:
            return None
        relationships = self._relationships(name, entries.get("relationships"), path, names)
        node_type = self._type(entries.get("type"), path)
        if node_type is None:
            return None
        if _HOST in node_type.hierarchy:
            self._warn_of_agents(entries.get("properties"), path)
        instances = scaling.ONE
        if "instances" in entries or "capabilities" in entries:
            instances = scaling.of_template(entries, path, self.reading)
        return NodeTemplate(
            name=NodeId(name),
            type=node_type.name,
            type_hierarchy=node_type.hierarchy,
            properties=self._properties(entries.get("properties"), node_type, found, path, allow_external=True),
            operations=self._operations(entries.get("interfaces"), node_type, "interfaces", "node_types", path),
            relationships=relationships,
            instances=instances,
        )

    def _type(self, written: Field | None, path: str) -> Type | None:
        name = written.value if written is not None else None
        node_type = self.node_types.get(name) if isinstance(name, str) else None
        if node_type is None and written is not None and isinstance(name, str):
            self.reading.report.tell(
                faults.NODE_TYPE_UNKNOWN,
                written.at,
                f"there is no node type {name}",
                path=f"{path}.type",
                suggestion=suggest(name, self.node_types),
            )
        return node_type

    def _properties(
        self, written: Field | None, owner: Type, found: Field, path: str, *, allow_external: bool = False
    ) -> dict[str, Value]:
        if written is None and owner.is_complete:
            return owner.defaults
        given = entries_of(written, f"{path}.properties", self.reading) if written is not None else NO_ENTRIES
        values = dict(owner.defaults)
        schemas, exact = owner.properties, owner.exact
        for name, field_ in given.items():
            accepted = exact.get(name)
            if accepted is not None and type(field_.value) in accepted:
                values[name] = field_.value
            elif name in schemas:
                values[name] = self._property(name, field_, owner, path)
            else:
                self._unknown_property(name, field_, owner, path)
        if not owner.required <= values.keys():
            external = allow_external and self._is_external(values, path)
            if not external:
                self._missing_properties(owner, values, written or found, path)
        elif allow_external and EXTERNAL in given:
            self._is_external(values, path)
        for name in owner.incomplete - given.keys():
            self.conformance.value(
                Field(owner.defaults[name], found.key_at), schemas[name], f"{path}.properties.{name}"
            )
        return values

    def _property(self, name: str, given: Field, owner: Type, path: str) -> Value:
        schema = owner.properties[name]
        if schema.type is None or isinstance(given.value, Call):
            return given.value
        laid = self.conformance.overlay(given, schema.default, schema) if schema.has_default else given
        return self.conformance.value(laid, schema, f"{path}.properties.{name}")

    def _is_external(self, values: Mapping[str, Value], path: str) -> bool:
        """Whether the template, or its type's default, says that somebody else makes the thing (spec 1.11)."""
        value = values.get(EXTERNAL)
        if isinstance(value, Call):
            self.reading.report.tell(
                faults.EXTERNAL_FUNCTION,
                value.at,
                "expected true or false",
                path=f"{path}.properties.{EXTERNAL}",
            )
            return True
        return bool(value)

    def _unknown_property(self, name: str, given: Field, owner: Type, path: str) -> None:
        self.reading.report.tell(
            faults.PROPERTY_UNKNOWN,
            given.key_at,
            f"{owner.name} has no property {name}",
            path=f"{path}.properties.{name}",
            places=declared(owner.at, "declared here"),
            suggestion=suggest(name, owner.properties),
        )

    def _missing_properties(self, owner: Type, values: Mapping[str, Value], at: Field, path: str) -> None:
        for name in sorted(owner.required - values.keys()):
            self.reading.report.tell(
                faults.PROPERTY_MISSING,
                at.key_at,
                f"{owner.name} needs the property {name}",
                path=f"{path}.properties.{name}",
                places=declared(owner.properties[name].at, "declared here"),
                fix=f"add {name} under properties.",
            )

    def _warn_of_agents(self, written: Field | None, path: str) -> None:
        given = entries_of(written, f"{path}.properties", self.reading)
        for name in _AGENT_PROPERTIES:
            found = given.get(name)
            if found is None or not found.value or found.value in ("false", "none"):
                continue
            if isinstance(found.value, Map) and found.value.get("install_method") in _WITHOUT_AGENT:
                continue
            self.reading.report.tell(
                faults.AGENT_IGNORED, found.key_at, "it has no effect", path=f"{path}.properties.{name}"
            )

    def _operations(self, written: Field | None, owner: Type, kind: str, section: str, path: str) -> Operations:
        inherited: Interfaces = owner.interfaces[kind]
        if written is None:
            return owner.resolved(kind, self.operations, section)
        own = read_interfaces(written, f"{path}.{kind}", self.reading, None)
        if not own:
            return owner.resolved(kind, self.operations, section)
        check_names(written, own, inherited, owner.name, f"{path}.{kind}", self.reading)
        overridden = frozenset(own.keys() & inherited.keys())
        operations = dict(owner.resolved(kind, self.operations, section, overridden))
        for name, each in own.items():
            operations[name] = self.operations.build(over(inherited.get(name), each), f"{path}.{kind}.{name}")
        return operations

    def _relationships(
        self, name: str, written: Field | None, path: str, names: Mapping[str, Field]
    ) -> tuple[Relationship, ...]:
        if written is None:
            return ()
        found: list[Relationship] = []
        places: list[int] = []
        for index, item in enumerate(items_of(written, f"{path}.relationships", self.reading)):
            where = f"{path}.relationships.{index}"
            relationship = self._relationship(name, item, where, names, places)
            if relationship is not None:
                found.append(relationship)
        self.targets_at[name] = tuple(places)
        return tuple(found)

    def _relationship(
        self, name: str, item: Field, path: str, names: Mapping[str, Field], places: list[int]
    ) -> Relationship | None:
        entries = element(item, RELATIONSHIP, path, self.reading)
        if entries is None:
            return None
        target = self._target(name, entries.get("target"), path, names)
        owner = self._relationship_type(entries.get("type"), path)
        if target is None or owner is None:
            return None
        if "properties" in entries:
            given = entries_of(entries["properties"], f"{path}.properties", self.reading)
            for key in _SETTINGS & given.keys():
                self.settings_at[name, len(places), key] = given[key].at
        places.append(entries["target"].at)
        source, to = "source_interfaces", "target_interfaces"
        return Relationship(
            type=owner.name,
            target=target,
            type_hierarchy=owner.hierarchy,
            properties=self._properties(entries.get("properties"), owner, item, path),
            source_operations=self._operations(entries.get(source), owner, source, "relationships", path),
            target_operations=self._operations(entries.get(to), owner, to, "relationships", path),
        )

    def _target(self, name: str, written: Field | None, path: str, names: Mapping[str, Field]) -> NodeId | None:
        target = written.value if written is not None else None
        if written is None or not isinstance(target, str):
            return None
        if target == name:
            self.reading.report.tell(
                faults.TARGET_SELF, written.at, f"{name} is the template itself", path=f"{path}.target"
            )
            return None
        if target not in names:
            self.reading.report.tell(
                faults.TARGET_UNKNOWN,
                written.at,
                f"there is no node template {target}",
                path=f"{path}.target",
                suggestion=suggest(target, names.keys() - {name}),
            )
            return None
        return NodeId(target)

    def _relationship_type(self, written: Field | None, path: str) -> Type | None:
        name = written.value if written is not None else None
        owner = self.relationships.get(name) if isinstance(name, str) else None
        if owner is None and written is not None and isinstance(name, str):
            self.reading.report.tell(
                faults.RELATIONSHIP_TYPE_UNKNOWN,
                written.at,
                f"there is no relationship type {name}",
                path=f"{path}.type",
                suggestion=suggest(name, self.relationships),
            )
        return owner
