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
    """Take a resource that exists into the state of one module: two that manage it would undo each other's work."""
    if len(_chosen(ctx, MODULE, parameters)) > 1:
        raise RuntimeError("a resource belongs to one module: name it in node_ids or node_instance_ids")
    _run(ctx, MODULE, "terraform.import_resource", parameters)


def update_terraform_binary(ctx: Any, **parameters: Any) -> None:
    """Note anew which binary of the machine is used."""
    _run(ctx, TOOL, "cloudify.interfaces.lifecycle.create", parameters)


def _run(ctx: Any, kind: str, operation: str, parameters: dict[str, Any]) -> None:
    """Begin the operation on each instance at once, then wait for all of them."""
    chosen = _chosen(ctx, kind, parameters)
    if not chosen:
        raise RuntimeError(f"no instance of {kind} is meant by node_ids and node_instance_ids")
    given = {name: value for name, value in parameters.items() if name not in _CHOICE}
    begun = [instance.execute_operation(operation, kwargs=given, allow_kwargs_override=True) for instance in chosen]
    for task in begun:
        task.get()


def _chosen(ctx: Any, kind: str, parameters: dict[str, Any]) -> list[Any]:
    nodes, instances = (set(parameters.get(name) or ()) for name in _CHOICE)
    return [
        instance
        for instance in ctx.node_instances
        if kind in instance.node.type_hierarchy
        and (not nodes or instance.node_id in nodes)
        and (not instances or instance.id in instances)
    ]
