"""The table of resources: one row for each node type that AWS makes, finds and removes by itself, of all services.

The rows stand in `rows`; this puts them together and finds the one of a node.
"""

from typing import Final

from groundplan.sdk.context import NodeView
from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws.resource import Resource
from groundplan_aws.rows import compute, delivery, ec2, iam, storage, traffic

ROWS: Final = (*ec2.ROWS, *iam.ROWS, *compute.ROWS, *storage.ROWS, *traffic.ROWS, *delivery.ROWS)
RESOURCES: Final = {row.node_type: row for row in ROWS}


def resource_of(node: NodeView) -> Resource:
    """Return the row of a node by its type or the nearest ancestor that has one.

    Raises:
        NonRecoverableError: none has.
    """
    for name in (node.type, *reversed(node.type_hierarchy)):
        if name in RESOURCES:
            return RESOURCES[name]
    raise NonRecoverableError(f"an AWS operation is mapped on {node.name}, whose type {node.type} no row describes")
