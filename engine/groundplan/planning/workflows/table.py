"""The built-in workflows by the operation that the standard types map them to (spec 4.4)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from groundplan.model.blueprint import Blueprint
from groundplan.model.execution import Execution
from groundplan.model.graph import TaskGraph
from groundplan.model.values import Data, reveal
from groundplan.planning.faults import PlanningError
from groundplan.planning.selection import select
from groundplan.planning.stages import Facts, Stages, Workflow
from groundplan.planning.workflows.install import install
from groundplan.planning.workflows.uninstall import uninstall

Stage = Callable[[Facts, Mapping[str, Data]], TaskGraph]
"""Plans one stage from the facts and the workflow's parameters."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FixedStages:
    """A workflow whose stages are known beforehand."""

    stages: Sequence[Stage]
    parameters: Mapping[str, Data]

    def next(self, facts: Facts) -> TaskGraph | None:
        """Plan stage `facts.stage`, or return None after the last."""
        if facts.stage >= len(self.stages):
            return None
        return self.stages[facts.stage](facts, self.parameters)


def _install(facts: Facts, parameters: Mapping[str, Data]) -> TaskGraph:
    selection = select(facts.blueprint, facts.instances, parameters)
    return install(facts.blueprint, facts.instances, selection=selection, first=facts.first)


def _uninstall(facts: Facts, parameters: Mapping[str, Data]) -> TaskGraph:
    return uninstall(
        facts.blueprint,
        facts.instances,
        ignore_failure=bool(reveal(parameters.get("ignore_failure"))),
        selection=select(facts.blueprint, facts.instances, parameters),
        first=facts.first,
    )


def _workflow(*stages: Stage) -> Workflow:
    def given(parameters: Mapping[str, Data]) -> Stages:
        return FixedStages(stages=stages, parameters=parameters)

    return given


WORKFLOWS: Final[Mapping[str, Workflow]] = {
    "cloudify.plugins.workflows.install": _workflow(_install),
    "cloudify.plugins.workflows.uninstall": _workflow(_uninstall),
    "cloudify.plugins.workflows.reinstall": _workflow(_uninstall, _install),
}


def workflow_stages(blueprint: Blueprint, execution: Execution) -> Stages:
    """Return the stages of an execution's workflow.

    Raises:
        PlanningError: `unknown-workflow`, or `unsupported-workflow` for one that is not built in.
    """
    declared = blueprint.workflows.get(execution.workflow)
    if declared is None:
        known = ", ".join(sorted(blueprint.workflows)) or "none"
        raise PlanningError("unknown-workflow", f"There is no workflow {execution.workflow!r}; there are: {known}.")
    workflow = WORKFLOWS.get(declared.operation)
    if workflow is None:
        raise PlanningError(
            "unsupported-workflow",
            f"Workflow {execution.workflow!r} is mapped to {declared.operation!r}, which is not built in; "
            "workflows of plugins and scripts are not supported yet.",
            path=f"workflows.{execution.workflow}",
        )
    return workflow(execution.parameters)
