"""Install, uninstall and reinstall some instances as the built-in workflows do: planned and ordered by the engine."""

from typing import Any, Iterable, Optional

from ..workflows._session import session
from ..workflows.tasks import WorkflowTask

__all__ = ["install_node_instances", "reinstall_node_instances", "uninstall_node_instances"]


def install_node_instances(
    graph: Any, node_instances: Iterable[Any], related_nodes: Optional[Iterable[Any]] = None, **_: Any
) -> None:
    """Install instances, each after what it relates to; their started neighbours link to them again."""
    _do("install", node_instances, False)


def uninstall_node_instances(
    graph: Any,
    node_instances: Iterable[Any],
    ignore_failure: bool = False,
    related_nodes: Optional[Iterable[Any]] = None,
    **_: Any,
) -> None:
    """Uninstall instances, each after what relates to it; their neighbours unlink first."""
    _do("uninstall", node_instances, ignore_failure)


def reinstall_node_instances(
    graph: Any,
    node_instances: Iterable[Any],
    ignore_failure: bool = False,
    related_nodes: Optional[Iterable[Any]] = None,
    **_: Any,
) -> None:
    """Uninstall and install instances."""
    chosen = list(node_instances)
    _do("uninstall", chosen, ignore_failure)
    _do("install", chosen, False)


def _do(workflow: str, node_instances: Iterable[Any], ignore_failure: bool) -> None:
    chosen = sorted(item.id for item in node_instances)
    message = {"type": "lifecycle", "workflow": workflow, "instances": chosen, "ignore_failure": bool(ignore_failure)}
    WorkflowTask(session(), workflow, message).apply().get()
    session().context.refresh_node_instances()
