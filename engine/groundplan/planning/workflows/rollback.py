"""The rollback workflow (spec 5.5): takes back what a failed install left in the middle."""

from collections.abc import Collection, Sequence

from groundplan.model.blueprint import Blueprint
from groundplan.model.deployment import NodeInstance
from groundplan.model.graph import TaskGraph
from groundplan.model.ids import InstanceId
from groundplan.planning.chains import Chain, Manner
from groundplan.planning.graphs import GraphBuilder, order_chains
from groundplan.planning.lifecycle import Steps
from groundplan.planning.relations import inverted, waits_for


def rollback(
    blueprint: Blueprint,
    instances: Sequence[NodeInstance],
    *,
    selection: Collection[InstanceId] | None = None,
    first: int = 0,
) -> TaskGraph:
    """Plan what brings instances caught in mid-install back to the state before, those that depend on others first.

    Failures are ignored. Instances in any other state are left alone.

    Args:
        instances: all of the deployment, with the states they are in.
        selection: the instances to consider; None for all.
        first: number of the first task.

    Raises:
        PlanningError: `dependency-cycle`.
    """
    steps = Steps(blueprint)
    builder = GraphBuilder(first, Manner(ignore_failure=True))
    chains: dict[InstanceId, Chain] = {}
    for instance in instances:
        if selection is not None and instance.id not in selection:
            continue
        chain = builder.chain(instance.id, steps.roll_back(instance))
        if chain is not None:
            chains[instance.id] = chain
    order_chains(builder, chains, inverted(waits_for(blueprint, instances)))
    return builder.finish()
