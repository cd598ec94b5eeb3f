"""The tables: one row for each node type that AWS makes, finds and removes by itself, and one for each kind of part.

The rows stand in `rows`; this puts them together and finds the one of a node.
"""

from collections.abc import Mapping
from typing import Final, TypeVar

from groundplan.sdk.context import NodeView
from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws.part import Part
from groundplan_aws.resource import Resource
from groundplan_aws.rows import compute, delivery, ec2, iam, identity, parts, storage, traffic, watching

ROWS: Final = (
    *ec2.ROWS,
    *iam.ROWS,
    *compute.ROWS,
    *storage.ROWS,
    *traffic.ROWS,
    *delivery.ROWS,
    *watching.ROWS,
    *identity.ROWS,
)
RESOURCES: Final = {row.node_type: row for row in ROWS}
PARTS: Final = {row.node_type: row for row in parts.ROWS}

_Row = TypeVar("_Row", Resource, Part)


def resource_of(node: NodeView) -> Resource:
    """Return the resource's row of a node by its type or the nearest ancestor that has one.

    Raises:
        NonRecoverableError: none has.
    """
    return _row(RESOURCES, node)


def part_of(node: NodeView) -> Part:
    """Return the part's row of a node. Raises as `resource_of`."""
    return _row(PARTS, node)


def _row(table: Mapping[str, _Row], node: NodeView) -> _Row:
    for name in (node.type, *reversed(node.type_hierarchy)):
        if name in table:
            return table[name]
    raise NonRecoverableError(f"an AWS operation is mapped on {node.name}, whose type {node.type} no row describes")
