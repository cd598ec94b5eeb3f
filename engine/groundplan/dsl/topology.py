"""What node templates mean to each other: containment, hosts, relationships that name operations (spec 1.10, 1.11,
1.13).
"""

from collections.abc import Mapping
from typing import Final

from groundplan.diagnostics.suggest import suggest
from groundplan.dsl import faults
from groundplan.dsl.operations import LIFECYCLE
from groundplan.dsl.sections.types import Type
from groundplan.dsl.shape import Reading
from groundplan.model.blueprint import NodeTemplate, Relationship
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
CONNECTION_TYPES: Final = ("all_to_all", "all_to_one")


class Topology:
    """The containment tree of a blueprint's templates, and the checks that need more than one template."""

    def __init__(
        self,
        nodes: Mapping[NodeId, NodeTemplate],
        fields: Mapping[str, Field],
        types: Mapping[str, Type],
        targets_at: Mapping[tuple[str, int], int],
        reading: Reading,
    ) -> None:
        self._nodes = nodes
        self._fields = fields
        self._types = types
        self._targets_at = targets_at
        self._reading = reading
        self.containers: dict[NodeId, NodeId] = {}
        self._hosted: dict[NodeId, bool] = {}

    def check(self) -> None:
        """Tell every fault among the relationships of the templates."""
        for node in self._nodes.values():
            if node.relationships:
                self._check_relationships(node)
        self._cut_containment_cycles()
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
        seen: dict[NodeId, int] = {}
        for index, relationship in enumerate(node.relationships):
            path = f"node_templates.{node.name}.relationships.{index}"
            at = self._targets_at.get((node.name, index), self._at(node.name))
            self._check_kind(relationship, at, path)
            if relationship.is_a(CONTAINED_IN):
                self._contain(node, relationship, at, path)
            if relationship.is_a(ON_OPERATION):
                self._check_operation(relationship, at, path)
            if relationship.target in seen:
                self._reading.report.tell(
                    faults.TARGET_TWICE, at, f"{relationship.target} is a target already", path=path
                )
            seen[relationship.target] = index

    def _check_kind(self, relationship: Relationship, at: int, path: str) -> None:
        if FAMILIES.isdisjoint(relationship.type_hierarchy):
            self._reading.report.tell(
                faults.RELATIONSHIP_FAMILY, at, f"{relationship.type} derives from none of them", path=path
            )
        connection = relationship.properties.get("connection_type")
        if connection is not None and not isinstance(connection, Call) and connection not in CONNECTION_TYPES:
            self._reading.report.tell(
                faults.CONNECTION_TYPE,
                at,
                f"expected all_to_all or all_to_one, found {connection}",
                path=f"{path}.properties.connection_type",
            )

    def _contain(self, node: NodeTemplate, relationship: Relationship, at: int, path: str) -> None:
        if node.name in self.containers:
            self._reading.report.tell(
                faults.CONTAINED_TWICE, at, f"{node.name} is in {self.containers[node.name]} already", path=path
            )
            return
        self.containers[node.name] = relationship.target

    def _check_operation(self, relationship: Relationship, at: int, path: str) -> None:
        named = relationship.properties.get("operation")
        if named is None:
            if "operation" not in self._types[relationship.type].required:
                self._reading.report.tell(faults.LIFECYCLE_MISSING, at, "the property operation is not set", path=path)
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
            clear.update(trail)

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
        for full, operation in node.operations.items():
            if operation.executor == "host_agent" and not operation.is_nop and not self._is_hosted(node.name):
                self._reading.report.tell(
                    faults.HOST_MISSING,
                    self._at(node.name),
                    f"{full} runs on a host's agent",
                    path=f"node_templates.{node.name}",
                    fix="contain it in a host, or set executor: central_deployment_agent.",
                )
                return

    def _at(self, name: NodeId) -> int:
        return self._fields[name].key_at
