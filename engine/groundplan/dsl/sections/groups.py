"""The sections `groups`, `policies`, `policy_types` and `policy_triggers` (spec 1.15).

Scaling groups are groups that a scaling policy targets. The event-driven policies of groups are read, held against
their types and ignored.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

from groundplan.diagnostics.diagnostic import Fault
from groundplan.diagnostics.suggest import suggest
from groundplan.dsl import faults
from groundplan.dsl.conformance import Conformance
from groundplan.dsl.sections import scaling, schemas
from groundplan.dsl.shape import Reading, declared, element, entries_of, items_of, names_of, text_of
from groundplan.dsl.topology import Topology
from groundplan.dsl.versions import (
    GROUP,
    GROUP_POLICY,
    GROUP_TRIGGER,
    POLICY,
    POLICY_TRIGGER,
    POLICY_TYPE,
    PROPERTY,
)
from groundplan.model.blueprint import Scalable, ScalingGroup, schema_to_plan
from groundplan.model.ids import NodeId
from groundplan.model.types import Schema
from groundplan.model.values import Data, Field, to_data

SCALING: Final = "cloudify.policies.scaling"

Schemas = Mapping[str, Mapping[str, Schema]]
"""Schemas of properties or parameters, by the type that declares them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """A group as written: members without repetitions, and its event-driven policies as data."""

    members: tuple[str, ...]
    policies: Data
    at: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """A scaling policy."""

    targets: tuple[str, ...]
    instances: Scalable


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

    templates: AbstractSet[str]
    policy_types: Schemas
    policy_triggers: Schemas
    conformance: Conformance
    reading: Reading

    def read(self, fields: dict[str, Field]) -> dict[str, Group]:
        """Return the groups, unknown members left out."""
        known = self.templates | fields.keys()
        groups = {}
        for name, field in fields.items():
            if name in self.templates:
                self.reading.report.tell(
                    faults.GROUP_NAME, field.key_at, f"a node template is called {name}", path=f"groups.{name}"
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


def read_policies(fields: dict[str, Field], groups: AbstractSet[str], reading: Reading) -> dict[str, Policy]:
    """Return the scaling policies, unknown targets left out."""
    policies = {}
    for name, field in fields.items():
        path = f"policies.{name}"
        entries = element(field, POLICY, path, reading)
        if entries is None:
            continue
        _check_policy_type(entries.get("type"), path, reading)
        policies[name] = Policy(
            targets=_targets(entries.get("targets"), f"{path}.targets", groups, reading),
            instances=scaling.of_properties(entries.get("properties"), f"{path}.properties", reading),
        )
    return policies


def _check_policy_type(written: Field | None, path: str, reading: Reading) -> None:
    if written is not None and written.value != SCALING:
        reading.report.tell(
            faults.POLICY_TYPE, written.at, f"expected {SCALING}, found {written.value}", path=f"{path}.type"
        )


def _targets(written: Field | None, path: str, groups: AbstractSet[str], reading: Reading) -> tuple[str, ...]:
    if written is not None and not items_of(written, path, reading):
        reading.report.tell(faults.POLICY_TARGETS, written.key_at, "no targets", path=path)
    targets = []
    for target, at in names_of(written, path, reading):
        if target in groups:
            targets.append(target)
        else:
            reading.report.tell(
                faults.POLICY_TARGET_UNKNOWN,
                at,
                f"there is no group {target}",
                path=path,
                suggestion=suggest(target, groups),
            )
    return tuple(targets)


def scaling_groups(
    groups: Mapping[str, Group], policies: Mapping[str, Policy], topology: Topology, reading: Reading
) -> dict[str, ScalingGroup]:
    """Return the groups that policies target, members that follow a container left out (spec 1.15)."""
    if _has_cycle(groups, reading):
        return {}
    scaled = {target: policy.instances for policy in policies.values() for target in policy.targets}
    _check_overlap(groups, scaled, reading)
    found = {}
    for name, instances in scaled.items():
        members = _outermost(groups[name].members, groups, topology)
        _check_containers(name, members, groups, topology, reading)
        found[name] = ScalingGroup(members=members, instances=instances)
    return found


def _has_cycle(groups: Mapping[str, Group], reading: Reading) -> bool:
    clear: set[str] = set()
    for start in groups:
        stack = [(start, iter(groups[start].members))]
        trail = {start: None}
        while stack and start not in clear:
            name, members = stack[-1]
            member = next((each for each in members if each in groups and each not in clear), None)
            if member is None:
                stack.pop()
                trail.pop(name)
                clear.add(name)
            elif member in trail:
                reading.report.tell(
                    faults.GROUP_CYCLE,
                    groups[member].at,
                    f"{member} is among its own members",
                    path=f"groups.{member}.members",
                )
                return True
            else:
                trail[member] = None
                stack.append((member, iter(groups[member].members)))
    return False


def leaves(name: str, groups: Mapping[str, Group]) -> set[str]:
    """Return the templates in a group and in the groups inside it."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = list(groups[name].members)
    while waiting:
        member = waiting.pop()
        if member in seen:
            continue
        seen.add(member)
        if member in groups:
            waiting += groups[member].members
        else:
            found.add(member)
    return found


def _check_overlap(groups: Mapping[str, Group], scaled: AbstractSet[str] | Mapping[str, Any], reading: Reading) -> None:
    owner: dict[str, str] = {}
    for name in scaled:
        for member in groups[name].members:
            if member in owner:
                reading.report.tell(
                    faults.GROUP_OVERLAP,
                    groups[name].at,
                    f"{member} is in {owner[member]} too",
                    path=f"groups.{name}.members",
                    places=declared(groups[owner[member]].at, "the other group"),
                )
            owner.setdefault(member, name)


def _outermost(members: tuple[str, ...], groups: Mapping[str, Group], topology: Topology) -> tuple[str, ...]:
    inside = {member: {member} if member not in groups else leaves(member, groups) for member in members}
    nodes = set().union(*inside.values()) if inside else set()

    def follows(member: str) -> bool:
        others = nodes - inside[member]
        return all(others.intersection(topology.ancestors(NodeId(node))) for node in inside[member])

    return tuple(member for member in members if not (inside[member] and follows(member)))


def _check_containers(
    name: str, members: tuple[str, ...], groups: Mapping[str, Group], topology: Topology, reading: Reading
) -> None:
    nodes = [node for member in members for node in (leaves(member, groups) if member in groups else {member})]
    chains = [set(topology.ancestors(NodeId(node))) for node in nodes]
    contained = [chain for chain in chains if chain]
    if len(contained) > 1 and not set.intersection(*contained):
        reading.report.tell(
            faults.GROUP_CONTAINERS,
            groups[name].at,
            "the members' containers have no container in common",
            path=f"groups.{name}.members",
        )
