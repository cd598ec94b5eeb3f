"""Which instances a workflow is for: the filters that built-in workflows share (spec 4.4, marked F)."""

from collections.abc import Mapping, Sequence

from groundplan.model.blueprint import Blueprint
from groundplan.model.deployment import NodeInstance
from groundplan.model.ids import InstanceId
from groundplan.model.values import Data, reveal


def select(
    blueprint: Blueprint, instances: Sequence[NodeInstance], parameters: Mapping[str, Data]
) -> frozenset[InstanceId] | None:
    """Return the instances that match all non-empty filters, or None when no filter is given.

    Args:
        parameters: may hold the lists `type_names` (matched through the type's ancestors), `node_ids` and
            `node_instance_ids`.
    """
    types, nodes, ids = (
        frozenset(reveal(parameters.get(name)) or ()) for name in ("type_names", "node_ids", "node_instance_ids")
    )
    if not (types or nodes or ids):
        return None
    return frozenset(
        item.id
        for item in instances
        if (not types or types.intersection(blueprint.nodes[item.node].type_hierarchy))
        and (not nodes or item.node in nodes)
        and (not ids or item.id in ids)
    )
