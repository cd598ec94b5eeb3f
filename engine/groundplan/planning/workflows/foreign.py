"""Which workflows are programs of their authors: a plugin's Python function, or a script (spec 1.14, 7.3).

They are not planned here: a process of their own asks for tasks one by one (`model.requests`). Whether the code
can be had on this machine is found out when it is started.
"""

from dataclasses import dataclass
from typing import Final

from groundplan.model.blueprint import Blueprint, Plugin
from groundplan.model.graph import TaskGraph
from groundplan.planning.stages import Facts, Stage

RUN_SCRIPT: Final = "script_runner.tasks.execute_workflow"
BUILT_IN: Final = "cloudify.plugins."
SCRIPT_PARAMETERS: Final = ("script_path", "script_source")


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignWorkflow:
    """A workflow that is a program.

    Attributes:
        plugin: the plugin that it is mapped to, as the blueprint declares it.
        function: `module.function` in the plugin's code; empty for a script, which the parameters name.
    """

    plugin: Plugin
    function: str


def foreign_workflow(blueprint: Blueprint, name: str) -> ForeignWorkflow | None:
    """Return the program behind a workflow; None for one that there is not, or that belongs to the built-in ones."""
    declared = blueprint.workflows.get(name)
    if declared is None or declared.operation.startswith(BUILT_IN):
        return None
    plugin = blueprint.plugins.get(declared.plugin) or Plugin(name=declared.plugin)
    if declared.operation == RUN_SCRIPT:
        return ForeignWorkflow(plugin=plugin, function="")
    return ForeignWorkflow(plugin=plugin, function=declared.operation) if "." in declared.operation else None


class AskedFor:
    """The stages of a program: one without tasks, which grows as it asks; then none."""

    def next(self, facts: Facts) -> Stage | None:
        """Return the empty beginning, or None."""
        return None if facts.stage else Stage(graph=TaskGraph(tasks=(), waits=(), first=facts.first))
