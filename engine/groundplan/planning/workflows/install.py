"""The install workflow (spec 5.3): every instance after what it relates to."""

from collections.abc import Collection, Sequence

from groundplan.model.blueprint import Blueprint
from groundplan.model.deployment import InstanceState, NodeInstance
from groundplan.model.graph import TaskGraph
from groundplan.model.ids import InstanceId
from groundplan.planning.chains import Chain
from groundplan.planning.graphs import GraphBuilder, order_chains
from groundplan.planning.lifecycle import Steps
from groundplan.planning.relations import lifecycle_waits, neighbours, partial_orders, waits_for


def install(
    blueprint: Blueprint,
    instances: Sequence[NodeInstance],
    *,
    selection: Collection[InstanceId] | None = None,
    first: int = 0,
) -> TaskGraph:
    """Plan what brings instances to `started`.

    Args:
        instances: all of the deployment, with the states they are in.
        selection: the instances to install; None for all. A started instance outside it that relates to one inside
            establishes that relationship anew, after the target is installed.
        first: number of the first task.

    Raises:
        PlanningError: `dependency-cycle`.
    """
    steps = Steps(blueprint)
    builder = GraphBuilder(first)
    chosen = [item for item in instances if selection is None or item.id in selection]
    chains: dict[InstanceId, Chain] = {}
    for instance in chosen:
        chain = builder.take(instance.id, steps.install(instance))
        if chain is not None:
            chains[instance.id] = chain
    partial = partial_orders(blueprint)
    order_chains(builder, chains, waits_for(blueprint, instances, partial))
    for waiting, needed, operation in lifecycle_waits(chosen, partial):
        if needed in chains:
            builder.wait(chains[waiting], builder.numbers_of(chains[needed], operation))
    for neighbour, targets in neighbours(instances, chains):
        if neighbour.state is not InstanceState.STARTED:
            continue
        link = builder.chain(neighbour.id, steps.relationships(neighbour, "establish", targets))
        if link is not None:
            builder.wait_for_chains(link, [chains[target] for target in dict.fromkeys(targets)])
    return builder.finish()
