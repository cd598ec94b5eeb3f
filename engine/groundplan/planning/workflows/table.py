"""The built-in workflows by the operation that the standard types map them to (spec 4.4)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from groundplan.model.blueprint import Blueprint
from groundplan.model.execution import Execution
from groundplan.model.graph import TaskGraph
from groundplan.model.update import UPDATE_WORKFLOW
from groundplan.model.values import Data, reveal
from groundplan.planning.faults import PlanningError
from groundplan.planning.lifecycle import LIFECYCLE, VALIDATION
from groundplan.planning.selection import select
from groundplan.planning.stages import Facts, Stage, Stages, Workflow
from groundplan.planning.workflows.contained import run_in_contained
from groundplan.planning.workflows.execute_operation import Order, execute_operation
from groundplan.planning.workflows.foreign import AskedFor, foreign_workflow
from groundplan.planning.workflows.heal import heal
from groundplan.planning.workflows.install import install
from groundplan.planning.workflows.parameters import flag
from groundplan.planning.workflows.rollback import rollback
from groundplan.planning.workflows.scale import scale
from groundplan.planning.workflows.uninstall import uninstall
from groundplan.planning.workflows.update import update_stages

Plan = Callable[[Facts, Mapping[str, Data]], TaskGraph]
"""Plans the tasks of one stage from the facts and the workflow's parameters."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FixedStages:
    """A workflow whose stages are known beforehand; it ends when a task fails."""

    stages: Sequence[Plan]
    parameters: Mapping[str, Data]

    def next(self, facts: Facts) -> Stage | None:
        """Plan stage `facts.stage`, or return None after the last."""
        if facts.failed or facts.stage >= len(self.stages):
            return None
        return Stage(graph=self.stages[facts.stage](facts, self.parameters))


def _install(facts: Facts, parameters: Mapping[str, Data]) -> TaskGraph:
    selection = select(facts.blueprint, facts.instances, parameters)
    return install(facts.blueprint, facts.instances, selection=selection, first=facts.first)


def _uninstall(facts: Facts, parameters: Mapping[str, Data]) -> TaskGraph:
    return uninstall(
        facts.blueprint,
        facts.instances,
        ignore_failure=flag(parameters, "ignore_failure", default=False),
        selection=select(facts.blueprint, facts.instances, parameters),
        first=facts.first,
    )


def _uninstall_contained(facts: Facts, parameters: Mapping[str, Data]) -> TaskGraph:
    ignore_failure = flag(parameters, "ignore_failure", default=False)
    return run_in_contained(
        facts.contained(),
        "uninstall",
        {"recursive": True, "ignore_failure": ignore_failure},
        ignore_failure=ignore_failure,
        first=facts.first,
    )


def _uninstall_workflow(parameters: Mapping[str, Data]) -> Stages:
    recursive = flag(parameters, "recursive", default=False)
    return FixedStages(stages=(_uninstall_contained, _uninstall) if recursive else (_uninstall,), parameters=parameters)


def _execute_operation(facts: Facts, parameters: Mapping[str, Data]) -> TaskGraph:
    return execute_operation(
        facts.blueprint,
        facts.instances,
        str(reveal(parameters["operation"])),
        arguments=parameters.get("operation_kwargs"),
        allow_override=flag(parameters, "allow_kwargs_override", default=False),
        order=Order.DEPENDENCY if flag(parameters, "run_by_dependency_order", default=False) else Order.NONE,
        selection=select(facts.blueprint, facts.instances, parameters),
        first=facts.first,
    )


def _one_operation(
    operation: str,
    *,
    arguments: str = "",
    order: Order = Order.DEPENDENCY,
    ordered: bool = True,
    on_relationships: str = "",
    retries: int | None = None,
) -> Plan:
    """Return the stage of a workflow that stands for one operation.

    Args:
        arguments: name of the parameter that holds the operation's arguments.
        order: taken when `run_by_dependency_order` holds.
        ordered: the default of that parameter.
    """

    def plan(facts: Facts, parameters: Mapping[str, Data]) -> TaskGraph:
        return execute_operation(
            facts.blueprint,
            facts.instances,
            operation,
            arguments=parameters.get(arguments),
            allow_override=True,
            order=order if flag(parameters, "run_by_dependency_order", default=ordered) else Order.NONE,
            on_relationships=on_relationships,
            retries=retries,
            selection=select(facts.blueprint, facts.instances, parameters),
            first=facts.first,
        )

    return plan


def _rollback(facts: Facts, parameters: Mapping[str, Data]) -> TaskGraph:
    selection = select(facts.blueprint, facts.instances, parameters)
    return rollback(facts.blueprint, facts.instances, selection=selection, first=facts.first)


def _uninstall_all(facts: Facts, parameters: Mapping[str, Data]) -> TaskGraph:
    selection = select(facts.blueprint, facts.instances, parameters)
    return uninstall(facts.blueprint, facts.instances, ignore_failure=True, selection=selection, first=facts.first)


def _rollback_workflow(parameters: Mapping[str, Data]) -> Stages:
    full = flag(parameters, "full_rollback", default=False)
    return FixedStages(stages=(_rollback, _uninstall_all) if full else (_rollback,), parameters=parameters)


def _workflow(*stages: Plan) -> Workflow:
    def given(parameters: Mapping[str, Data]) -> Stages:
        return FixedStages(stages=stages, parameters=parameters)

    return given


BUILT_IN: Final = "cloudify.plugins.workflows."
"""What the operations of built-in workflows begin with."""
_START: Final = f"{LIFECYCLE}.start"
_STOP: Final = f"{LIFECYCLE}.stop"

WORKFLOWS: Final[Mapping[str, Workflow]] = {
    f"{BUILT_IN}{name}": workflow
    for name, workflow in {
        "install": _workflow(_install),
        "uninstall": _uninstall_workflow,
        "reinstall": _workflow(_uninstall, _install),
        "execute_operation": _workflow(_execute_operation),
        "start": _workflow(_one_operation(_START, arguments="operation_parms")),
        "stop": _workflow(_one_operation(_STOP, arguments="operation_parms", order=Order.REVERSE)),
        "restart": _workflow(
            _one_operation(_STOP, arguments="stop_parms", order=Order.REVERSE),
            _one_operation(_START, arguments="start_parms"),
        ),
        "pull": _workflow(_one_operation(f"{LIFECYCLE}.pull", arguments="operation_parms")),
        "rollback": _rollback_workflow,
        "heal": heal,
        "scale": scale,
        "check_status": _workflow(_one_operation(f"{VALIDATION}.check_status", ordered=False, retries=0)),
        "check_drift": _workflow(_one_operation(f"{LIFECYCLE}.check_drift", on_relationships="check_drift")),
    }.items()
}
"""What the operations note about an instance (its status, its drift) is the driver's to store (spec 5.7)."""


def workflow_stages(blueprint: Blueprint, execution: Execution) -> Stages:
    """Return the stages of an execution's workflow.

    Raises:
        PlanningError: `unknown-workflow`, or `unsupported-workflow` for one that is not built in.
    """
    if execution.workflow == UPDATE_WORKFLOW:
        return update_stages(execution.parameters)
    declared = blueprint.workflows.get(execution.workflow)
    if declared is None:
        known = ", ".join(sorted(blueprint.workflows)) or "none"
        raise PlanningError("unknown-workflow", f"There is no workflow {execution.workflow!r}; there are: {known}.")
    if foreign_workflow(blueprint, execution.workflow) is not None:
        return AskedFor()
    workflow = WORKFLOWS.get(declared.operation)
    if workflow is None:
        raise PlanningError(
            "unsupported-workflow",
            f"Workflow {execution.workflow!r} is mapped to {declared.operation!r}, which is not built in.",
            path=f"workflows.{execution.workflow}",
        )
    return workflow(execution.parameters)
