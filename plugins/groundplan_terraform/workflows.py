"""Workflows of the published plugin: one operation on the modules that the parameters name, or on all of them.

They run in a process of their own, as any workflow that is a program; `ctx` is its context. What is done says `tasks`.
"""

from typing import Any, Final

MODULE: Final = "cloudify.nodes.terraform.Module"
TOOL: Final = "cloudify.nodes.terraform"
_CHOICE: Final = ("node_ids", "node_instance_ids")


def refresh_resources(ctx: Any, **parameters: Any) -> None:
    """Note how the resources are now."""
    _run(ctx, MODULE, "terraform.refresh", parameters)


def terraform_plan(ctx: Any, **parameters: Any) -> None:
    """Note what an apply would change."""
    _run(ctx, MODULE, "terraform.plan", parameters)


def reload_resources(ctx: Any, **parameters: Any) -> None:
    """Apply with another source or other variables."""
    _run(ctx, MODULE, "terraform.reload", parameters)


def import_resource(ctx: Any, **parameters: Any) -> None:
    """Take a resource that exists into the state."""
    _run(ctx, MODULE, "terraform.import_resource", parameters)


def update_terraform_binary(ctx: Any, **parameters: Any) -> None:
    """Note anew which binary of the machine is used."""
    _run(ctx, TOOL, "cloudify.interfaces.lifecycle.create", parameters)


def _run(ctx: Any, kind: str, operation: str, parameters: dict[str, Any]) -> None:
    """Begin the operation on each instance at once, then wait for all of them."""
    nodes, instances = (set(parameters.pop(name, None) or ()) for name in _CHOICE)
    chosen = [
        instance
        for instance in ctx.node_instances
        if kind in instance.node.type_hierarchy
        and (not nodes or instance.node_id in nodes)
        and (not instances or instance.id in instances)
    ]
    if not chosen:
        raise RuntimeError(f"no instance of {kind} is meant by node_ids and node_instance_ids")
    begun = [
        instance.execute_operation(operation, kwargs=parameters, allow_kwargs_override=True) for instance in chosen
    ]
    for task in begun:
        task.get()
