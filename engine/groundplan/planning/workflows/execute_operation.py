"""Runs one operation on chosen instances (spec 5.7): execute_operation, and the workflows that are one of its uses."""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum

from groundplan.model.blueprint import Blueprint
from groundplan.model.deployment import NodeInstance
from groundplan.model.graph import TaskGraph
from groundplan.model.ids import InstanceId
from groundplan.model.values import Data
from groundplan.planning.chains import Chain, Manner
from groundplan.planning.faults import PlanningError
from groundplan.planning.graphs import GraphBuilder, order_chains
from groundplan.planning.lifecycle import Steps
from groundplan.planning.relations import inverted, waits_for


class Order(StrEnum):
    """In which order instances take their turn."""

    NONE = "none"
    DEPENDENCY = "dependency"
    """After what they relate to."""
    REVERSE = "reverse"
    """After what relates to them."""


def execute_operation(
    blueprint: Blueprint,
    instances: Sequence[NodeInstance],
    operation: str,
    *,
    arguments: Mapping[str, Data] | None = None,
    allow_override: bool = False,
    order: Order = Order.NONE,
    on_relationships: str = "",
    retries: int | None = None,
    ignore_failure: bool = False,
    selection: Collection[InstanceId] | None = None,
    first: int = 0,
) -> TaskGraph:
    """Plan one operation on every selected instance whose node has it; the others are passed over.

    States are not touched. An instance that is passed over keeps the order between those on both sides of it.

    Args:
        operation: full name, for example `cloudify.interfaces.lifecycle.start`.
        arguments: laid over the operation's inputs.
        allow_override: whether an argument may replace an input that the blueprint defines.
        on_relationships: name of a relationship operation to run after it, for example `check_drift`; empty for none.
        retries: attempts after the first; None leaves what is declared.
        ignore_failure: marks every task, so that the workflow goes on after a failure.
        selection: None for all.

    Raises:
        PlanningError: `operation-arguments` when an argument would replace an input; `dependency-cycle`.
    """
    arguments = arguments or {}
    if not allow_override:
        _refuse_overrides(blueprint, instances, operation, arguments, selection)
    steps = Steps(blueprint)
    builder = GraphBuilder(first, Manner(ignore_failure=ignore_failure, retries=retries, arguments=arguments))
    chains: dict[InstanceId, Chain] = {}
    for instance in instances:
        if selection is not None and instance.id not in selection:
            continue
        linked = steps.relationships(instance, on_relationships) if on_relationships else []
        chain = builder.chain(instance.id, [steps.operation(instance, operation), *linked])
        if chain is not None:
            chains[instance.id] = chain
    if order is not Order.NONE:
        waits = waits_for(blueprint, instances)
        order_chains(builder, chains, inverted(waits) if order is Order.REVERSE else waits)
    return builder.finish()


def _refuse_overrides(
    blueprint: Blueprint,
    instances: Sequence[NodeInstance],
    operation: str,
    arguments: Mapping[str, Data],
    selection: Collection[InstanceId] | None,
) -> None:
    nodes = {item.node for item in instances if selection is None or item.id in selection}
    for node in sorted(nodes):
        declared = blueprint.nodes[node].operations.get(operation)
        clashing = sorted(arguments.keys() & declared.inputs.keys()) if declared is not None else ()
        if clashing:
            raise PlanningError(
                "operation-arguments",
                f"The blueprint defines {', '.join(clashing)} for {operation!r} of node {node!r} already.",
                path=f"node_templates.{node}",
                fix="leave them out, or set allow_kwargs_override.",
            )
