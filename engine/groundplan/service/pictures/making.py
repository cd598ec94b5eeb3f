"""From a blueprint to the picture of it: templates nest by `contained_in`, components hold what their blueprints hold.

Which blueprint stands behind a component is asked of the caller; `following` answers from a home.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from groundplan.model.blueprint import Blueprint, NodeTemplate, Relationship
from groundplan.model.ids import NodeId
from groundplan.service.pictures.picture import Arrow, Box, Kind, Picture, Stroke

MOST_DEEP: Final = 8
"""Blueprints inside each other that a picture shows."""

_CONTAINED: Final = "cloudify.relationships.contained_in"
_CONNECTED: Final = "cloudify.relationships.connected_to"
_DEPENDS: Final = "cloudify.relationships.depends_on"
_COMPONENTS: Final = (
    "cloudify.nodes.Component",
    "cloudify.nodes.SharedResource",
    "cloudify.nodes.Blueprint",
)
_WORDS: Final = {
    Kind.DATABASE: ("database", "dbms", "db", "rds", "postgres", "postgresql", "sql", "mysql"),
    Kind.STORAGE: ("volume", "objectstorage", "filesystem", "bucket", "s3", "storage", "storageaccount", "ebs", "disk"),
    Kind.NETWORK: (
        *("network", "subnet", "port", "router", "loadbalancer", "virtualip", "securitygroup", "vpc", "route", "nic"),
        *("internetgateway", "natgateway", "elasticip", "routetable", "virtualnetwork", "interface", "ingress"),
    ),
    Kind.WORKLOAD: ("kubernetes", "helm", "container", "docker"),
    Kind.HOST: ("compute", "instances", "virtualmachine", "vm", "server"),
    Kind.SOFTWARE: ("softwarecomponent", "applicationmodule", "webserver", "applicationserver", "messagebusserver"),
}
"""Words between the dots and underscores of type names, by what they tell; the first kind that has one wins."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Behind:
    """What a component stands for.

    Attributes:
        note: in words, for example `blueprint vpc`.
        blueprint: None where it is not known, or stands in the picture further out already.
        open: how to look behind the components of that blueprint.
    """

    note: str
    blueprint: Blueprint | None = None
    open: "Open | None" = None


Open = Callable[[NodeTemplate], Behind]
"""Tells what stands behind a component."""


def picture(title: str, blueprint: Blueprint, open_component: Open) -> Picture:
    """Return the picture of a blueprint."""
    arrows: list[Arrow] = []
    boxes = _Making(blueprint, open_component, arrows, "", 1).boxes()
    return Picture(title=title, boxes=boxes, arrows=tuple(arrows))


def kind_of(hierarchy: Sequence[str]) -> Kind:
    """Return what nodes of a type are, by the type's name and those that it derives from, nearest first."""
    if any(name in hierarchy for name in _COMPONENTS):
        return Kind.COMPONENT
    for name in reversed(hierarchy):
        words = set(name.lower().replace("_", ".").split("."))
        found = next((kind for kind, telling in _WORDS.items() if words.intersection(telling)), None)
        if found is not None:
            return found
    return Kind.OTHER


class _Making:
    """One blueprint in the picture; `prefix` begins the ids of its boxes."""

    def __init__(self, blueprint: Blueprint, open_: Open, arrows: list[Arrow], prefix: str, depth: int) -> None:
        self._blueprint = blueprint
        self._open = open_
        self._arrows = arrows
        self._prefix = prefix
        self._depth = depth
        self._inside: dict[NodeId, list[NodeTemplate]] = {}

    def boxes(self) -> tuple[Box, ...]:
        """Return the outermost boxes; the arrows go to the list of the picture."""
        outermost = []
        for node in self._blueprint.nodes.values():
            container = _container(node, self._blueprint.nodes)
            if container is None:
                outermost.append(node)
            else:
                self._inside.setdefault(container, []).append(node)
            self._arrows += [self._arrow(node, link) for link in node.relationships if not link.is_a(_CONTAINED)]
        return tuple(map(self._box, outermost))

    def _box(self, node: NodeTemplate) -> Box:
        own = self._prefix + node.name
        subtitle, inner = _short(node.type), tuple(map(self._box, self._inside.get(node.name, ())))
        kind = kind_of(node.type_hierarchy)
        if kind is Kind.COMPONENT:
            behind = self._open(node)
            subtitle = f"{subtitle} · {behind.note}" if behind.note else subtitle
            if behind.blueprint is not None and behind.open is not None and self._depth < MOST_DEEP:
                within = _Making(behind.blueprint, behind.open, self._arrows, f"{own}/", self._depth + 1)
                inner += within.boxes()
        count = node.instances.default_instances
        title = f"{node.name} ×{count}" if isinstance(count, int) and count != 1 else str(node.name)
        return Box(id=own, title=title, subtitle=subtitle, kind=kind, boxes=inner)

    def _arrow(self, node: NodeTemplate, link: Relationship) -> Arrow:
        stroke = _stroke(link)
        usual = link.type in (_CONNECTED, _DEPENDS)
        return Arrow(
            source=self._prefix + node.name,
            target=self._prefix + link.target,
            stroke=stroke,
            label="" if usual else _short(link.type),
        )


def _container(node: NodeTemplate, nodes: Mapping[NodeId, NodeTemplate]) -> NodeId | None:
    return next((link.target for link in node.relationships if link.is_a(_CONTAINED) and link.target in nodes), None)


def _stroke(link: Relationship) -> Stroke:
    if link.is_a(_CONNECTED):
        return Stroke.CONNECTED
    return Stroke.DEPENDS if link.is_a(_DEPENDS) else Stroke.OTHER


def _short(name: str) -> str:
    """Return a type's name without what all of the standard ones begin with."""
    for beginning in ("cloudify.nodes.", "cloudify.relationships.", "cloudify."):
        if name.startswith(beginning):
            return name.removeprefix(beginning)
    return name
