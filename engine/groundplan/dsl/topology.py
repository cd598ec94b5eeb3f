"""What node templates mean to each other: containment, hosts, relationships that name operations (spec 1.10, 1.11,
1.13).
"""

from collections.abc import Iterator, Mapping
from typing import Final

from groundplan.diagnostics.suggest import suggest
from groundplan.dsl import faults
from groundplan.dsl.operations import LIFECYCLE
from groundplan.dsl.sections.types import Type
from groundplan.dsl.shape import Reading, declared
from groundplan.model.blueprint import NodeTemplate, Operations, Relationship
from groundplan.model.ids import NodeId
from groundplan.model.values import Call, Field

CONTAINED_IN: Final = "cloudify.relationships.contained_in"
ON_OPERATION: Final = "cloudify.relationships.depends_on_lifecycle_operation"
FAMILIES: Final = frozenset(
    {
        "cloudify.relationships.depends_on",
        "cloudify.relationships.connected_to",
        CONTAINED_IN,
        ON_OPERATION,
    }
)
_SPECIAL: Final = frozenset({CONTAINED_IN, ON_OPERATION})
CONNECTION_TYPES: Final = ("all_to_all", "all_to_one")


class Topology:
    """The containment tree of a blueprint's templates, and the checks that need more than one template."""

    def __init__(
        self,
        nodes: Mapping[NodeId, NodeTemplate],
        fields: Mapping[str, Field],
        types: Mapping[str, Type],
        targets_at: Mapping[str, tuple[int, ...]],
        settings_at: Mapping[tuple[str, int, str], int],
        reading: Reading,
    ) -> None:
        self._nodes = nodes
        self._fields = fields
        self._types = types
        self._targets_at = targets_at
        self._settings_at = settings_at
        self._reading = reading
        self.containers: dict[NodeId, NodeId] = {}
        self._hosted: dict[NodeId, bool] = {}
        self._plain: set[tuple[str, int]] = set()
        self._on_agents: dict[int, tuple[str, ...]] = {}
        self._cut: set[NodeId] = set()

    def check(self) -> None:
        """Tell every fault among the relationships of the templates."""
        for node in self._nodes.values():
            if node.relationships:
                self._check_relationships(node)
        self._cut_containment_cycles()
        self._check_order()
        for node in self._nodes.values():
            self._check_host(node)

    def ancestors(self, name: NodeId) -> list[NodeId]:
        """Return the templates that contain one, innermost first."""
        found = []
        container = self.containers.get(name)
        while container is not None:
            found.append(container)
            container = self.containers.get(container)
        return found

    def _check_relationships(self, node: NodeTemplate) -> None:
        seen: set[NodeId] = set()
        for index, relationship in enumerate(node.relationships):
            alike = relationship.type, id(relationship.properties)
            if relationship.target in seen or alike not in self._plain:
                before = len(self._reading.report)
                self._check_relationship(node, relationship, index, relationship.target in seen)
                if len(self._reading.report) == before and _SPECIAL.isdisjoint(relationship.type_hierarchy):
                    self._plain.add(alike)
            seen.add(relationship.target)

    def _check_relationship(self, node: NodeTemplate, relationship: Relationship, index: int, is_again: bool) -> None:
        path = f"node_templates.{node.name}.relationships.{index}"
        at = self._targets_at[node.name][index]
        self._check_kind(relationship, at, self._settings_at.get((node.name, index, "connection_type"), at), path)
        if relationship.is_a(CONTAINED_IN):
            self._contain(node, relationship, at, path)
        if relationship.is_a(ON_OPERATION):
            self._check_operation(relationship, self._settings_at.get((node.name, index, "operation"), at), path)
        if is_again:
            self._reading.report.tell(faults.TARGET_TWICE, at, f"{relationship.target} is a target already", path=path)

    def _check_kind(self, relationship: Relationship, at: int, connection_at: int, path: str) -> None:
        if FAMILIES.isdisjoint(relationship.type_hierarchy):
            self._reading.report.tell(
                faults.RELATIONSHIP_FAMILY, at, f"{relationship.type} derives from none of them", path=path
            )
        connection = relationship.properties.get("connection_type")
        if connection is not None and not isinstance(connection, Call) and connection not in CONNECTION_TYPES:
            self._reading.report.tell(
                faults.CONNECTION_TYPE,
                connection_at,
                f"expected all_to_all or all_to_one, found {connection}",
                path=f"{path}.properties.connection_type",
            )

    def _contain(self, node: NodeTemplate, relationship: Relationship, at: int, path: str) -> None:
        if node.name in self.containers:
            first = next(n for n, each in enumerate(node.relationships) if each.is_a(CONTAINED_IN))
            self._reading.report.tell(
                faults.CONTAINED_TWICE,
                at,
                f"{node.name} is in {self.containers[node.name]} already",
                path=path,
                places=declared(self._targets_at[node.name][first], "by this one"),
                fix="leave one of them out, or let it depend on the other.",
            )
            return
        self.containers[node.name] = relationship.target

    def _check_operation(self, relationship: Relationship, at: int, path: str) -> None:
        named = relationship.properties.get("operation")
        if named is None:
            if "operation" not in self._types[relationship.type].required:
                self._reading.report.tell(
                    faults.LIFECYCLE_MISSING,
                    at,
                    "the property operation is not set",
                    path=path,
                    fix="say which operation of the target to wait for, for example properties: {operation: create}.",
                )
            return
        target = self._nodes.get(relationship.target)
        if target is None or not isinstance(named, str):
            return
        prefix = f"{LIFECYCLE}."
        known = [name.removeprefix(prefix) for name in target.operations if name.startswith(prefix)]
        written = target.operations.get(prefix + named)
        if written is None or written.is_nop:
            self._reading.report.tell(
                faults.LIFECYCLE_UNKNOWN,
                at,
                f"{relationship.target} has no operation {named}",
                path=f"{path}.properties.operation",
                suggestion=suggest(named, known),
            )

    def _cut_containment_cycles(self) -> None:
        clear: set[NodeId] = set()
        for start in list(self.containers):
            trail: list[NodeId] = []
            name: NodeId | None = start
            while name is not None and name not in clear and name not in trail:
                trail.append(name)
                name = self.containers.get(name)
            if name is not None and name in trail:
                cycle = [*trail[trail.index(name) :], name]
                self._reading.report.tell(
                    faults.CONTAINMENT_CYCLE,
                    self._at(name),
                    "contains its own container",
                    path=f"node_templates.{name}.relationships",
                    detail=" in ".join(cycle),
                )
                del self.containers[name]
                self._cut.add(name)
            clear.update(trail)

    def _check_order(self) -> None:
        """Tell every way round in a circle, depth first with a stack of its own; containment alone is told above."""
        done: set[NodeId] = set()
        for start, node in self._nodes.items():
            if start in done or not node.relationships:
                continue
            trail = {start: self._successors(start)}
            while trail:
                successors = next(reversed(trail.values()))
                index, following = next(successors, (0, None))
                if following is None:
                    done.add(trail.popitem()[0])
                elif following in trail:
                    self._tell_cycle([*trail], following, index)
                elif following not in done:
                    trail[following] = self._successors(following)

    def _successors(self, name: NodeId) -> Iterator[tuple[int, NodeId]]:
        node = self._nodes.get(name)
        for index, relationship in enumerate(node.relationships if node is not None else ()):
            if not (name in self._cut and relationship.is_a(CONTAINED_IN)):
                yield index, relationship.target

    def _tell_cycle(self, trail: list[NodeId], again: NodeId, index: int) -> None:
        last = trail[-1]
        self._reading.report.tell(
            faults.RELATIONSHIP_CYCLE,
            self._targets_at[last][index],
            f"leads back to {last}",
            path=f"node_templates.{last}.relationships.{index}",
            detail=" -> ".join([*trail[trail.index(again) :], again]),
            fix="leave one of these relationships out.",
        )

    def _is_hosted(self, name: NodeId) -> bool:
        """Whether a template, or one that contains it, is a host; what is known of a container is not asked twice."""
        chain: list[NodeId] = []
        at: NodeId | None = name
        while at is not None and at not in self._hosted:
            chain.append(at)
            if at in self._nodes and self._nodes[at].is_host:
                break
            at = self.containers.get(at)
        is_hosted = at is not None and self._hosted.get(at, True)
        self._hosted.update(dict.fromkeys(chain, is_hosted))
        return is_hosted

    def _check_host(self, node: NodeTemplate) -> None:
        on_agents = self._on_agents_of(node.operations)
        if on_agents and not self._is_hosted(node.name):
            self._reading.report.tell(
                faults.HOST_MISSING,
                self._at(node.name),
                f"{on_agents[0]} runs on a host's agent",
                path=f"node_templates.{node.name}",
                fix="contain it in a host, or set executor: central_deployment_agent.",
            )

    def _on_agents_of(self, operations: Operations) -> tuple[str, ...]:
        """Return the operations that need a host; those that templates share are looked at once."""
        found = self._on_agents.get(id(operations))
        if found is None:
            found = self._on_agents[id(operations)] = tuple(
                [name for name, each in operations.items() if each.executor == "host_agent" and not each.is_nop]
            )
        return found

    def _at(self, name: NodeId) -> int:
        return self._fields[name].key_at
