"""The section `policies` (spec 1.15): how groups scale, and which groups can.

The only policies are scaling policies; their targets are groups, read in `groups`.
"""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from groundplan.diagnostics.suggest import suggest
from groundplan.dsl import faults
from groundplan.dsl.sections import scaling
from groundplan.dsl.sections.groups import Group
from groundplan.dsl.shape import Reading, declared, element, items_of, names_of
from groundplan.dsl.topology import Topology
from groundplan.dsl.versions import POLICY
from groundplan.model.blueprint import Scalable, ScalingGroup
from groundplan.model.ids import NodeId
from groundplan.model.values import Field

SCALING: Final = "cloudify.policies.scaling"


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """A scaling policy."""

    targets: tuple[str, ...]
    instances: Scalable


def read(
    fields: dict[str, Field], groups: AbstractSet[str], templates: AbstractSet[str], reading: Reading
) -> dict[str, Policy]:
    """Return the scaling policies, unknown targets left out."""
    policies = {}
    for name, field in fields.items():
        path = f"policies.{name}"
        entries = element(field, POLICY, path, reading)
        if entries is None:
            continue
        _check_policy_type(entries.get("type"), path, reading)
        policies[name] = Policy(
            targets=_targets(entries.get("targets"), f"{path}.targets", groups, templates, reading),
            instances=scaling.of_properties(entries.get("properties"), f"{path}.properties", reading),
        )
    return policies


def _check_policy_type(written: Field | None, path: str, reading: Reading) -> None:
    if written is not None and written.value != SCALING:
        reading.report.tell(
            faults.POLICY_TYPE, written.at, f"expected {SCALING}, found {written.value}", path=f"{path}.type"
        )


def _targets(
    written: Field | None, path: str, groups: AbstractSet[str], templates: AbstractSet[str], reading: Reading
) -> tuple[str, ...]:
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
                fix=f"put the node template {target} into a group." if target in templates else "",
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
        inside = {member: _templates(member, groups, scaled) for member in groups[name].members}
        members = _outermost(inside, topology)
        nodes = set().union(*(inside[member] for member in members))
        _check_containers(name, groups[name], nodes, topology, reading)
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


def _templates(member: str, groups: Mapping[str, Group], scaled: Collection[str]) -> set[str]:
    """Return the templates that a member scales with it: itself, or all in a group that scales too."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [member]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name not in groups:
            found.add(name)
        elif name in scaled:
            waiting += groups[name].members
    return found


def _check_overlap(groups: Mapping[str, Group], scaled: Collection[str], reading: Reading) -> None:
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


def _outermost(inside: Mapping[str, set[str]], topology: Topology) -> tuple[str, ...]:
    nodes = set().union(*inside.values())

    def follows(member: str) -> bool:
        others = nodes - inside[member]
        return all(others.intersection(topology.ancestors(NodeId(node))) for node in inside[member])

    return tuple(member for member in inside if not (inside[member] and follows(member)))


def _check_containers(name: str, group: Group, nodes: AbstractSet[str], topology: Topology, reading: Reading) -> None:
    containers = {node: set(topology.ancestors(NodeId(node))) for node in nodes}
    chains = [chain for chain in containers.values() if chain.isdisjoint(nodes)]
    if any(chains) and not set.intersection(*chains):
        reading.report.tell(
            faults.GROUP_CONTAINERS,
            group.at,
            "the members have no container in common",
            path=f"groups.{name}.members",
        )
