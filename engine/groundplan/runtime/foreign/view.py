"""An attempt's context as plain data: what scripts and templates may read, and nothing else of the engine.

Changing the view changes nothing; `commands` has the calls and the writing.
"""

from typing import Any

from groundplan.model.values import Data, reveal
from groundplan.sdk.context import Instance, Neighbour, NodeView, OperationContext


class Attributes(dict[str, Any]):
    """One level of `ctx`'s own names; below it stands an author's data, in plain dictionaries."""


def view(ctx: OperationContext) -> Attributes:
    """Return the names of spec 7.1 with their values, secrets in the clear.

    In a relationship operation `source` and `target` are there, otherwise `node` and `instance`.
    """
    shown = Attributes(
        type="node-instance" if ctx.source is None else "relationship-instance",
        execution_id=ctx.execution_id,
        workflow_id=ctx.workflow_id,
        tenant_name="default_tenant",
        blueprint=Attributes(id=ctx.deployment.blueprint_id),
        deployment=_deployment(ctx),
        operation=_operation(ctx),
        plugin=_plugin(ctx),
    )
    if ctx.source is None or ctx.target is None:
        shown.update(node=_node(ctx.node), instance=_own_instance(ctx))
    else:
        for name, end in (("source", ctx.source), ("target", ctx.target)):
            shown[name] = Attributes(node=_node(end.node), instance=_instance(end.instance))
    return shown


def _deployment(ctx: OperationContext) -> Attributes:
    deployment = ctx.deployment
    return Attributes(
        id=deployment.id,
        display_name=deployment.display_name,
        tenant_name="default_tenant",
        labels={key: list(values) for key, values in deployment.labels.items()},
        resource_tags=_plain(deployment.resource_tags),
    )


def _operation(ctx: OperationContext) -> Attributes:
    operation = ctx.operation
    return Attributes(
        name=operation.name,
        retry_number=operation.retry_number,
        max_retries=operation.max_retries,
        relationship=operation.relationship,
    )


def _plugin(ctx: OperationContext) -> Attributes:
    plugin = ctx.plugin
    return Attributes(name=plugin.name, package_name=plugin.package_name, properties=_plain(plugin.properties))


def _node(node: NodeView) -> Attributes:
    return Attributes(
        id=node.name,
        name=node.name,
        type=node.type,
        type_hierarchy=list(node.type_hierarchy),
        properties=_plain(node.properties),
    )


def _instance(instance: Instance) -> Attributes:
    return Attributes(
        id=instance.id,
        index=instance.index,
        host_ip=instance.host_ip,
        runtime_properties=_plain(instance.runtime_properties),
    )


def _own_instance(ctx: OperationContext) -> Attributes:
    shown = _instance(ctx.instance)
    shown["relationships"] = [_relationship(neighbour) for neighbour in ctx.neighbours if neighbour.outgoing]
    return shown


def _relationship(neighbour: Neighbour) -> Attributes:
    return Attributes(
        type=neighbour.type,
        type_hierarchy=list(neighbour.type_hierarchy),
        target=Attributes(node=_node(neighbour.node), instance=_instance(neighbour.instance)),
    )


def _plain(data: Any) -> dict[str, Data]:
    plain: dict[str, Data] = reveal(dict(data))
    return plain
