"""Runs a workflow in the deployments that stand in this one (spec 5.4: `uninstall` with `recursive`).

Their own instances are planned by their own executions; here are only the tasks that wait for those.
"""

from collections.abc import Collection, Mapping

from groundplan.model.graph import Task, TaskGraph, TaskKind
from groundplan.model.ids import DeploymentId, InstanceId
from groundplan.model.values import Data
from groundplan.planning.faults import PlanningError
from groundplan.planning.order import Cycle, in_order


def run_in_contained(
    contained: Mapping[DeploymentId, Collection[DeploymentId]],
    workflow: str,
    parameters: Mapping[str, Data],
    *,
    ignore_failure: bool = False,
    first: int = 0,
) -> TaskGraph:
    """Plan one task for each deployment, after those of the deployments that need it.

    Args:
        contained: the deployments, each with those of them that need it.
        first: number of the first task.

    Raises:
        PlanningError: `dependency-cycle`, naming the deployments that need each other.
    """
    try:
        ordered = in_order(contained)
    except Cycle as cycle:
        raise PlanningError(
            "dependency-cycle", f"These deployments need each other, so none can be first: {cycle}."
        ) from None
    numbers = {deployment: first + index for index, deployment in enumerate(ordered)}
    tasks = [
        Task(
            number=numbers[deployment],
            kind=TaskKind.DEPLOYMENT,
            instance=InstanceId(""),
            operation=workflow,
            deployment=deployment,
            arguments=parameters,
            ignore_failure=ignore_failure,
        )
        for deployment in ordered
    ]
    waits = [[numbers[other] for other in contained[deployment]] for deployment in ordered]
    return TaskGraph(tasks=tasks, waits=waits, first=first)
