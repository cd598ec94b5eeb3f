"""What the process of a custom workflow is told first: the execution, the deployment, its nodes and the parameters.

Properties of nodes are told when it asks for them; node instances are requests of its own, whose answers are recorded.
"""

from collections.abc import Iterable
from typing import Any

from groundplan.model.blueprint import NodeTemplate, Operations, Relationship, short_operations
from groundplan.model.values import Data
from groundplan.runtime.drive import Drive
from groundplan.runtime.policy import Policy


def introduce(
    drive: Drive, policy: Policy, parameters: Data, recorded: Iterable[str], *, is_resumed: bool
) -> dict[str, Any]:
    """Return the first message to the process.

    Args:
        recorded: numbers of the requests that are answered from the record.
    """
    world = drive.world
    return {
        "type": "hello",
        "execution_id": drive.execution.id,
        "workflow_id": drive.execution.workflow,
        "deployment": {
            "id": world.deployment.id,
            "display_name": world.deployment.display_name or world.deployment.id,
            "scaling_groups": {
                name: {"members": list(group.members)} for name, group in world.blueprint.scaling_groups.items()
            },
        },
        "blueprint": {"id": world.deployment.blueprint},
        "dry_run": drive.execution.is_dry_run,
        "resume": is_resumed,
        "parameters": parameters,
        "retries": policy.retries,
        "delays": list(policy.delays),
        "recorded": list(recorded),
        "nodes": [_node(template) for template in world.blueprint.nodes.values()],
    }


def _node(template: NodeTemplate) -> dict[str, Any]:
    return {
        "name": template.name,
        "type": template.type,
        "type_hierarchy": list(template.type_hierarchy),
        "operations": _operations(template.operations),
        "relationships": [_relationship(item) for item in template.relationships],
    }


def _relationship(item: Relationship) -> dict[str, Any]:
    return {
        "type": item.type,
        "type_hierarchy": list(item.type_hierarchy),
        "target": item.target,
        "source_operations": _operations(item.source_operations),
        "target_operations": _operations(item.target_operations),
    }


def _operations(operations: Operations) -> dict[str, Any]:
    shown = {name: [each.plugin, each.operation, sorted(each.inputs)] for name, each in operations.items()}
    return shown | {
        bare: [each.plugin, each.operation, sorted(each.inputs)] for bare, each in short_operations(operations)
    }
