"""The sections `groups`, `policy_types` and `policy_triggers` (spec 1.15).

The event-driven policies of groups are read, held against their types and ignored. Groups that scale are made in
`policies`.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from groundplan.diagnostics.diagnostic import Fault
from groundplan.diagnostics.suggest import suggest
from groundplan.dsl import faults
from groundplan.dsl.conformance import Conformance
from groundplan.dsl.sections import schemas
from groundplan.dsl.shape import Reading, declared, element, entries_of, items_of, names_of, text_of
from groundplan.dsl.versions import (
    GROUP,
    GROUP_POLICY,
    GROUP_TRIGGER,
    POLICY_TRIGGER,
    POLICY_TYPE,
    PROPERTY,
)
from groundplan.model.blueprint import schema_to_plan
from groundplan.model.types import Schema
from groundplan.model.values import Data, Field, to_data

Schemas = Mapping[str, Mapping[str, Schema]]
"""Schemas of properties or parameters, by the type that declares them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """A group as written: members without repetitions, and its event-driven policies as data."""

    members: tuple[str, ...]
    policies: Data
    at: int


def read_types(
    fields: dict[str, Field], section: str, names: AbstractSet[str], reading: Reading
) -> tuple[Schemas, Data]:
    """Return what `policy_types` or `policy_triggers` declare: schemas by type, and the section as data."""
    expected, key = (POLICY_TYPE, "properties") if section == "policy_types" else (POLICY_TRIGGER, "parameters")
    found: dict[str, Mapping[str, Schema]] = {}
    data: dict[str, Any] = {}
    for name, field in fields.items():
        path = f"{section}.{name}"
        entries = element(field, expected, path, reading) or {}
        found[name] = schemas.read(entries.get(key), PROPERTY, f"{path}.{key}", reading, names)
        data[name] = {
            "source": text_of(entries, "source"),
            key: {each: schema_to_plan(schema) for each, schema in found[name].items()},
        }
    return found, data


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupsReader:
    """Reads groups against the templates and policy types of one blueprint."""

    templates: Mapping[str, Field]
    policy_types: Schemas
    policy_triggers: Schemas
    conformance: Conformance
    reading: Reading

    def read(self, fields: dict[str, Field]) -> dict[str, Group]:
        """Return the groups, unknown members left out."""
        known = self.templates.keys() | fields.keys()
        groups = {}
        for name, field in fields.items():
            if name in self.templates:
                self.reading.report.tell(
                    faults.GROUP_NAME,
                    field.key_at,
                    f"a node template is called {name}",
                    path=f"groups.{name}",
                    places=declared(self.templates[name].key_at, "the node template"),
                )
                continue
            group = self._group(name, field, known)
            if group is not None:
                groups[name] = group
        return groups

    def _group(self, name: str, field: Field, known: AbstractSet[str]) -> Group | None:
        path = f"groups.{name}"
        entries = element(field, GROUP, path, self.reading)
        if entries is None:
            return None
        written = entries.get("members")
        if written is not None and not items_of(written, path, self.reading):
            self.reading.report.tell(faults.GROUP_EMPTY, written.key_at, "no members", path=f"{path}.members")
        members: list[str] = []
        for member, at in names_of(written, f"{path}.members", self.reading):
            if member not in known:
                self.reading.report.tell(
                    faults.GROUP_MEMBER_UNKNOWN,
                    at,
                    f"there is no node template or group {member}",
                    path=f"{path}.members",
                    suggestion=suggest(member, known),
                )
            elif member not in members:
                members.append(member)
        policies = {
            each: policy
            for each, found in entries_of(entries.get("policies"), f"{path}.policies", self.reading).items()
            if (policy := self._policy(found, f"{path}.policies.{each}")) is not None
        }
        return Group(members=tuple(members), policies=policies, at=field.key_at)

    def _policy(self, field: Field, path: str) -> Data:
        reading = self.reading
        entries = element(field, GROUP_POLICY, path, reading)
        if entries is None or "type" not in entries:
            return None
        reading.report.tell(faults.LEGACY_POLICY, field.key_at, "it is not run", path=path)
        properties = self._values(
            entries, "properties", entries["type"], self.policy_types, faults.GROUP_POLICY_UNKNOWN, path
        )
        triggers = {}
        for name, found in entries_of(entries.get("triggers"), f"{path}.triggers", reading).items():
            where = f"{path}.triggers.{name}"
            trigger = element(found, GROUP_TRIGGER, where, reading) or {}
            if "type" in trigger:
                triggers[name] = {
                    "type": text_of(trigger, "type"),
                    "parameters": self._values(
                        trigger,
                        "parameters",
                        trigger["type"],
                        self.policy_triggers,
                        faults.GROUP_TRIGGER_UNKNOWN,
                        where,
                    ),
                }
        return {"type": text_of(entries, "type"), "properties": properties, "triggers": triggers}

    def _values(
        self, entries: dict[str, Field], key: str, written: Field, types: Schemas, unknown: Fault, path: str
    ) -> Data:
        """Return values laid over the defaults of their schemas."""
        owner = str(written.value)
        given = entries_of(entries.get(key), f"{path}.{key}", self.reading)
        declared_here = types.get(owner)
        if declared_here is None:
            self.reading.report.tell(
                unknown, written.at, f"there is no {owner}", path=f"{path}.type", suggestion=suggest(owner, types)
            )
            return {name: to_data(found.value) for name, found in given.items()}
        values: dict[str, Any] = {}
        for name, found in given.items():
            schema = declared_here.get(name)
            if schema is None:
                self.reading.report.tell(
                    faults.PROPERTY_UNKNOWN,
                    found.key_at,
                    f"{owner} has no {name}",
                    path=f"{path}.{key}.{name}",
                    suggestion=suggest(name, declared_here),
                )
            else:
                values[name] = to_data(self.conformance.value(found, schema, f"{path}.{key}.{name}"))
        for name, schema in declared_here.items():
            if name in values:
                continue
            if schema.has_default:
                values[name] = to_data(schema.default)
            elif schema.required and name not in given:
                self.reading.report.tell(
                    faults.PROPERTY_MISSING,
                    written.at,
                    f"{owner} needs {name}",
                    path=f"{path}.{key}.{name}",
                    places=declared(schema.at, "declared here"),
                )
        return values
