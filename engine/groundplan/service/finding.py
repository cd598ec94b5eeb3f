"""Finds the workflow that somebody names among those that a blueprint declares, or says which there are.

What is to be done with it is the business of who asks: `executions`, `scheduling`, `preparing`.
"""

from groundplan.diagnostics.suggest import suggest
from groundplan.diagnostics.trouble import NotFound
from groundplan.model.blueprint import Blueprint, Workflow


def find_workflow(blueprint: Blueprint, workflow: str, whose: str) -> Workflow:
    """Return a workflow of a blueprint.

    Args:
        whose: what has it, for people, for example `Deployment 'shop'`.

    Raises:
        NotFound: there is no such workflow.
    """
    found = blueprint.workflows.get(workflow)
    if found is None:
        known = ", ".join(sorted(blueprint.workflows)) or "none"
        near = suggest(workflow, blueprint.workflows)
        fix = f"Did you mean {near!r}?" if near else ""
        raise NotFound(f"{whose} has no workflow {workflow!r}; it has {known}.", fix=fix)
    return found
