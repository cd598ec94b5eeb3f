"""Calls a function of a plugin in the workflow's own process (`ctx.execute_task`): for no node, so its `ctx` has none.

An operation of a node instance is not called like this: the engine runs that (`execute_operation`).
"""

import importlib
import inspect
from typing import Any, Dict

from ..exceptions import NonRecoverableError

_SAME = (
    "blueprint",
    "deployment",
    "download_resource",
    "execution_id",
    "get_resource",
    "logger",
    "send_event",
    "tenant_name",
    "workflow_id",
)


class DeploymentContext:
    """`ctx` of a function that is called for a deployment."""

    type = "deployment"

    def __init__(self, workflow: Any) -> None:
        self._workflow = workflow

    def __getattr__(self, name: str) -> Any:
        if name in _SAME:
            return getattr(self._workflow, name)
        raise AttributeError("ctx has no %s in a function that a workflow calls: it is called for no node" % name)


def call(workflow: Any, name: str, inputs: Dict[str, Any]) -> Any:
    """Call `module.function` with the inputs as keywords, and with `ctx` where it takes one."""
    module_name, _, function_name = name.rpartition(".")
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise NonRecoverableError(
            "%s cannot be imported: %s. It is to be a function of an installed Python package, or of the blueprint's "
            "folder plugins/" % (name, error)
        ) from error
    given = dict(inputs)
    if getattr(function, "__operation__", False) or "ctx" in inspect.signature(function).parameters:
        given["ctx"] = DeploymentContext(workflow)
    return function(**given)
