"""The uninstall workflow (spec 5.4): every instance after what relates to it."""

from collections.abc import Collection, Sequence

from groundplan.model.blueprint import Blueprint
from groundplan.model.deployment import InstanceState, NodeInstance
from groundplan.model.graph import TaskGraph
from groundplan.model.ids import InstanceId
from groundplan.planning.chains import Chain, Manner
from groundplan.planning.graphs import GraphBuilder, order_chains
from groundplan.planning.lifecycle import Steps
from groundplan.planning.relations import inverted, neighbours, waits_for


def uninstall(
    blueprint: Blueprint,
    instances: Sequence[NodeInstance],
    *,
    ignore_failure: bool = False,
    selection: Collection[InstanceId] | None = None,
    first: int = 0,
) -> TaskGraph:
    """Plan what brings instances to `deleted`.

    Args:
        instances: all of the deployment, with the states they are in.
        ignore_failure: marks every task, so that the workflow goes on after a failure.
        selection: the instances to uninstall; None for all. An existing instance outside it that relates to one
            inside unlinks that relationship first.
        first: number of the first task.

    Raises:
        PlanningError: `dependency-cycle`.
    """
    steps = Steps(blueprint)
    builder = GraphBuilder(first, Manner(ignore_failure=ignore_failure))
    chains: dict[InstanceId, Chain] = {}
    for instance in instances:
        if selection is not None and instance.id not in selection:
            continue
        chain = builder.chain(instance.id, steps.uninstall(instance))
        if chain is not None:
            chains[instance.id] = chain
    order_chains(builder, chains, inverted(waits_for(blueprint, instances)))
    for neighbour, targets in neighbours(instances, chains):
        if neighbour.state in (InstanceState.UNINITIALIZED, InstanceState.DELETED):
            continue
        link = builder.chain(neighbour.id, steps.relationships(neighbour, "unlink", targets)[::-1])
        if link is None:
            continue
        for target in dict.fromkeys(targets):
            builder.wait_for_chains(chains[target], [link])
    return builder.finish()
