"""`ctx` of a workflow: nodes, instances and what can be done with them (spec 7.5).

What is shown of instances is what the engine showed when the workflow started or last refreshed; it is recorded, so
that a resumed workflow sees the same again.
"""

import logging
import shutil
import tempfile
from typing import Any, Callable, Dict, Iterator, List, Optional, Set

from . import called
from ._session import Session
from .tasks import WorkflowTask
from .tasks_graph import TaskDependencyGraph

_LEVELS = ((logging.ERROR, "error"), (logging.WARNING, "warning"), (logging.INFO, "info"))
_LONGEST = 60000


class _ToEngine(logging.Handler):
    def __init__(self, session: Session, instance: str) -> None:
        super().__init__()
        self._session = session
        self._instance = instance

    def emit(self, record: logging.LogRecord) -> None:
        level = next((name for least, name in _LEVELS if record.levelno >= least), "debug")
        said = {"type": "said", "level": level, "message": self.format(record)[:_LONGEST], "instance": self._instance}
        self._session.tell(said)


def _logger(session: Session, instance: str = "") -> logging.Logger:
    logger = logging.getLogger("cloudify.workflow.%s" % instance if instance else "cloudify.workflow")
    if not logger.handlers:
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logger.addHandler(_ToEngine(session, instance))
    return logger


class WorkflowNodeRelationship:
    """A relationship between two nodes."""

    def __init__(self, ctx: "WorkflowContext", node: "WorkflowNode", shown: Dict[str, Any]) -> None:
        self._ctx = ctx
        self.source_node = node
        self.type = shown["type"]
        self.type_hierarchy = shown["type_hierarchy"]
        self.target_id = shown["target"]
        self.source_operations = _operations(shown["source_operations"])
        self.target_operations = _operations(shown["target_operations"])

    @property
    def target_node(self) -> "WorkflowNode":
        return self._ctx._nodes[self.target_id]

    def is_derived_from(self, other_relationship: str) -> bool:
        """Whether its type is, or derives from, another."""
        return other_relationship in self.type_hierarchy


class WorkflowNode:
    """A node template."""

    def __init__(self, ctx: "WorkflowContext", shown: Dict[str, Any]) -> None:
        self._ctx = ctx
        self.id = self.name = shown["name"]
        self.type = shown["type"]
        self.type_hierarchy = shown["type_hierarchy"]
        self.operations = _operations(shown["operations"])
        self._relationships = [WorkflowNodeRelationship(ctx, self, item) for item in shown["relationships"]]
        self._properties: Optional[Dict[str, Any]] = None

    @property
    def properties(self) -> Dict[str, Any]:
        """Its properties, evaluated; asked for at first use."""
        if self._properties is None:
            self._properties = self._ctx._session.wonder({"type": "properties", "node": self.id})
        assert self._properties is not None
        return self._properties

    @property
    def relationships(self) -> Iterator[WorkflowNodeRelationship]:
        return iter(self._relationships)

    @property
    def instances(self) -> Iterator["WorkflowNodeInstance"]:
        return iter([item for item in self._ctx.node_instances if item.node_id == self.id])

    @property
    def number_of_instances(self) -> int:
        return len(list(self.instances))

    @property
    def host_node(self) -> Optional["WorkflowNode"]:
        for item in self.instances:
            return item.host.node if item.host is not None else None
        return None

    @property
    def host_id(self) -> Optional[str]:
        return self.host_node.id if self.host_node is not None else None

    @property
    def plugins(self) -> List[Dict[str, Any]]:
        names = sorted({item["plugin"] for item in self.operations.values() if item["plugin"]})
        return [{"name": name} for name in names]

    def get_relationship(self, target_id: str) -> Optional[WorkflowNodeRelationship]:
        """Return the first relationship to a node, or None."""
        return next((item for item in self._relationships if item.target_id == target_id), None)

    def has_operation(self, operation: str) -> bool:
        """Whether it has an operation that does something."""
        return bool(self.operations.get(operation, {}).get("operation"))


class WorkflowNodeInstance:
    """A node instance as it was shown last."""

    def __init__(self, ctx: "WorkflowContext", shown: Dict[str, Any]) -> None:
        self._ctx = ctx
        self.id = shown["id"]
        self.node_id = shown["node"]
        self.modification: Optional[str] = None
        self._show(shown)

    def _show(self, shown: Dict[str, Any]) -> None:
        self.index = shown["index"]
        self.host_id = shown["host"]
        self.state = shown["state"]
        self.runtime_properties = shown["runtime_properties"]
        self.system_properties = shown["system_properties"]
        self.scaling_groups = [{"name": name, "id": id_} for name, id_ in shown["scaling_groups"]]
        self._relationships = [
            WorkflowRelationshipInstance(self._ctx, self, place, item)
            for place, item in enumerate(shown["relationships"])
        ]

    def __repr__(self) -> str:
        return "<instance %s>" % self.id

    @property
    def node(self) -> WorkflowNode:
        return self._ctx._nodes[self.node_id]

    @property
    def host(self) -> Optional["WorkflowNodeInstance"]:
        return self._ctx._instances.get(self.host_id)

    @property
    def relationships(self) -> Iterator["WorkflowRelationshipInstance"]:
        return iter(self._relationships)

    @property
    def contained_instances(self) -> Iterator["WorkflowNodeInstance"]:
        """The instances that are contained in this one directly."""
        return iter(
            [
                item
                for item in self._ctx.node_instances
                for link in item._relationships
                if link.target_id == self.id
                and link.relationship.is_derived_from("cloudify.relationships.contained_in")
            ]
        )

    def get_contained_subgraph(self) -> Set["WorkflowNodeInstance"]:
        """Return it and everything contained in it."""
        found = {self}
        for item in self.contained_instances:
            if item not in found:
                found |= item.get_contained_subgraph()
        return found

    @property
    def logger(self) -> logging.Logger:
        return _logger(self._ctx._session, self.id)

    def execute_operation(
        self,
        operation: str,
        kwargs: Optional[Dict[str, Any]] = None,
        allow_kwargs_override: bool = False,
        send_task_events: bool = True,
        **_: Any,
    ) -> WorkflowTask:
        """Run an operation; a task that does nothing where the node has none of that name."""
        found = self.node.operations.get(operation)
        named = "%s.%s" % (self.id, operation.rpartition(".")[2])
        message = {"type": "operation", "instance": self.id, "operation": operation}
        return self._ctx._operate(named, found, message, kwargs, allow_kwargs_override)

    def set_state(self, state: str) -> WorkflowTask:
        """Set the state."""

        def keep(_: Any) -> None:
            self.state = state

        task = self._ctx._task("%s.set_state" % self.id, {"type": "state", "instance": self.id, "state": state})
        task.after_success = keep
        return self._ctx._begun(task)

    def get_state(self) -> WorkflowTask:
        """Ask for the state as it is now."""
        task = self._ctx._task("%s.get_state" % self.id, {"type": "read", "instance": self.id})

        def keep(shown: Any) -> None:
            task._result = self.state = shown[0]["state"]

        task.after_success = keep
        return self._ctx._begun(task)

    def send_event(self, event: str, additional_context: Any = None) -> WorkflowTask:
        """Tell an event of this instance."""
        return self._ctx._event(event, self.id)


class WorkflowRelationshipInstance:
    """A relationship between two instances."""

    def __init__(self, ctx: "WorkflowContext", source: WorkflowNodeInstance, place: int, shown: List[Any]) -> None:
        self._ctx = ctx
        self._place = place
        self._index = shown[0]
        self.node_instance = source
        self.source_id = source.id
        self.target_id = shown[2]

    @property
    def source_node_instance(self) -> WorkflowNodeInstance:
        return self.node_instance

    @property
    def target_node_instance(self) -> WorkflowNodeInstance:
        return self._ctx._instances[self.target_id]

    @property
    def relationship(self) -> WorkflowNodeRelationship:
        found: WorkflowNodeRelationship = self.node_instance.node._relationships[self._index]
        return found

    def execute_source_operation(
        self,
        operation: str,
        kwargs: Optional[Dict[str, Any]] = None,
        allow_kwargs_override: bool = False,
        send_task_events: bool = True,
        **_: Any,
    ) -> WorkflowTask:
        """Run an operation of the source's side."""
        found = self.relationship.source_operations.get(operation)
        return self._execute(operation, found, "source", kwargs, allow_kwargs_override)

    def execute_target_operation(
        self,
        operation: str,
        kwargs: Optional[Dict[str, Any]] = None,
        allow_kwargs_override: bool = False,
        send_task_events: bool = True,
        **_: Any,
    ) -> WorkflowTask:
        """Run an operation of the target's side."""
        found = self.relationship.target_operations.get(operation)
        return self._execute(operation, found, "target", kwargs, allow_kwargs_override)

    def _execute(self, operation: str, found: Any, side: str, kwargs: Any, override: bool) -> WorkflowTask:
        named = "%s->%s.%s" % (self.source_id, self.target_id, operation.rpartition(".")[2])
        message = {"type": "operation", "instance": self.source_id, "operation": operation}
        message.update(relationship=self._place, side=side)
        return self._ctx._operate(named, found, message, kwargs, override)


class ModificationNodes:
    """The instances that a modification adds or removes, and those that relate to them; `modification` tells which."""

    def __init__(self, node_instances: List[WorkflowNodeInstance]) -> None:
        self._node_instances = node_instances

    @property
    def node_instances(self) -> Iterator[WorkflowNodeInstance]:
        return iter(self._node_instances)

    @property
    def nodes(self) -> Iterator[WorkflowNode]:
        return iter({item.node_id: item.node for item in self._node_instances}.values())


class Modification:
    """A change of counts under way: `finish` or `rollback` ends it."""

    def __init__(self, ctx: "WorkflowContext", shown: Dict[str, Any]) -> None:
        self._ctx = ctx
        self.id = shown["id"]
        self.added = self._nodes(shown["added"], shown["added_related"], "added")
        self.removed = self._nodes(shown["removed"], shown["removed_related"], "removed")

    def _nodes(self, own: List[str], related: List[str], kind: str) -> ModificationNodes:
        found = [self._ctx._instances[each] for each in own + related if each in self._ctx._instances]
        for item in found:
            item.modification = kind if item.id in own else None
        return ModificationNodes(found)

    def finish(self) -> None:
        """Have the new counts hold: what was to go is forgotten."""
        self._end(True)

    def rollback(self) -> None:
        """Have the old counts hold: what was added is forgotten."""
        self._end(False)

    def _end(self, finish: bool) -> None:
        self._ctx._task("modified", {"type": "modified", "finish": finish}).apply().get()
        self._ctx.refresh_node_instances()


class Deployment:
    """`ctx.deployment`."""

    def __init__(self, ctx: "WorkflowContext", shown: Dict[str, Any]) -> None:
        self._ctx = ctx
        self.id = shown["id"]
        self.display_name = shown["display_name"]
        self.scaling_groups = shown["scaling_groups"]

    def start_modification(self, nodes: Dict[str, Dict[str, Any]]) -> Modification:
        """Begin a change of counts, `{"web": {"instances": 3}}`; the instances that come are there, uninitialized."""
        shown = self._ctx._task("modify", {"type": "modify", "counts": nodes}).apply().get()
        self._ctx.refresh_node_instances()
        return Modification(self._ctx, shown)

    def list_started_modifications(self) -> List[Modification]:
        """Return the changes of counts that are under way."""
        shown = self._ctx._task("modifications", {"type": "modifications"}).apply().get()
        return [Modification(self._ctx, item) for item in shown]


class Named:
    """Names and values."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


class WorkflowContext:
    """`ctx`."""

    local = True
    tenant_name = "default_tenant"
    wait_after_fail = None

    def __init__(self, session: Session) -> None:
        hello = session.hello
        self._session = session
        self._graph: Optional[TaskDependencyGraph] = None
        self.execution_id = hello["execution_id"]
        self.workflow_id = hello["workflow_id"]
        self.deployment = Deployment(self, hello["deployment"])
        self.blueprint = Named(**hello["blueprint"])
        self.tenant = {"name": self.tenant_name}
        self.dry_run = hello["dry_run"]
        self.resume = hello["resume"]
        self.logger = _logger(session)
        self._nodes = {item["name"]: WorkflowNode(self, item) for item in hello["nodes"]}
        self._instances: Dict[str, WorkflowNodeInstance] = {}

    @property
    def nodes(self) -> Iterator[WorkflowNode]:
        return iter(list(self._nodes.values()))

    @property
    def node_instances(self) -> Iterator[WorkflowNodeInstance]:
        return iter(list(self._instances.values()))

    def get_node(self, node_id: str) -> Optional[WorkflowNode]:
        """Return a node, or None."""
        return self._nodes.get(node_id)

    def get_node_instance(self, node_instance_id: str) -> Optional[WorkflowNodeInstance]:
        """Return an instance, or None."""
        return self._instances.get(node_instance_id)

    def refresh_node_instances(self) -> None:
        """Have instances shown as they are now; objects that are held already show it too."""
        task = self._task("refresh_node_instances", {"type": "read"})
        shown = task.apply().get()
        kept = {item["id"]: self._instances.get(item["id"]) for item in shown}
        for item in shown:
            known = kept[item["id"]]
            if known is not None:
                known._show(item)
        self._instances = {item["id"]: kept[item["id"]] or WorkflowNodeInstance(self, item) for item in shown}

    def graph_mode(self) -> TaskDependencyGraph:
        """From now on tasks wait to be put into the graph that this returns.

        Raises:
            RuntimeError: it is in graph mode already.
        """
        if self._graph is not None:
            raise RuntimeError("the workflow is in graph mode already")
        self._graph = TaskDependencyGraph(self._session)
        return self._graph

    @property
    def internal(self) -> "WorkflowContext":
        return self

    @property
    def task_graph(self) -> TaskDependencyGraph:
        """The graph of graph mode."""
        if self._graph is None:
            self._graph = TaskDependencyGraph(self._session)
        return self._graph

    def get_tasks_graph(self, name: str) -> None:
        """Graphs are built again on resume: there is none to be had."""

    def send_event(self, event: str, event_type: str = "workflow_stage", args: Any = None, **_: Any) -> WorkflowTask:
        """Tell an event."""
        return self._event(event, "")

    def local_task(
        self,
        local_task: Callable[..., Any],
        node: Any = None,
        info: Any = None,
        kwargs: Optional[Dict[str, Any]] = None,
        task_id: Optional[str] = None,
        name: Optional[str] = None,
        send_task_events: bool = True,
        total_retries: Optional[int] = None,
        **_: Any,
    ) -> WorkflowTask:
        """Run a function in this process, once: what it returned is recorded, and given again on resume."""
        given = dict(kwargs or {})
        named = str(name or getattr(local_task, "__name__", "function"))
        message = {"type": "local", "function": named[:280]}
        task = self._task(named, message, lambda: local_task(**given), total_retries)
        return self._begun(task)

    def execute_task(
        self,
        task_name: str,
        local: bool = True,
        task_queue: Any = None,
        task_target: Any = None,
        kwargs: Optional[Dict[str, Any]] = None,
        node_context: Optional[Dict[str, Any]] = None,
        send_task_events: bool = True,
        total_retries: Optional[int] = None,
        **_: Any,
    ) -> WorkflowTask:
        """Run the function `module.function` of a plugin, for no node, in this process; its result is recorded.

        Raises:
            RuntimeError: it is meant for a node.
        """
        if node_context and node_context.get("node_id"):
            raise RuntimeError("ctx.execute_task calls no operation of a node: use execute_operation of the instance")
        given = dict(kwargs or {})
        return self.local_task(lambda: called.call(self, task_name, given), name=task_name, total_retries=total_retries)

    def update_execution_status(self, new_status: str) -> Any:
        """Refused: the engine keeps the status of executions."""
        raise RuntimeError("ctx.update_execution_status is not there: the engine keeps the status of executions")

    def update_node_instance(self, node_instance: WorkflowNodeInstance) -> WorkflowTask:
        """Put the runtime properties of an instance into the store as they are in the object."""
        message = {
            "type": "update",
            "instance": node_instance.id,
            "runtime_properties": node_instance.runtime_properties,
        }
        return self._begun(self._task("%s.update" % node_instance.id, message))

    def download_resource(self, resource_path: str, target_path: Optional[str] = None) -> str:
        """Return the path of a copy of a file of the blueprint."""
        place = self._session.wonder({"type": "file", "path": resource_path})
        target = target_path or tempfile.mkdtemp()
        return str(shutil.copy(place, target))

    def get_resource(self, resource_path: str) -> bytes:
        """Return the content of a file of the blueprint."""
        with open(self._session.wonder({"type": "file", "path": resource_path}), "rb") as found:
            return found.read()

    # -- tasks

    def _operate(
        self, named: str, found: Any, message: Dict[str, Any], kwargs: Optional[Dict[str, Any]], override: bool
    ) -> WorkflowTask:
        if not found or not found["operation"]:
            return self._begun(self._task(named, None))
        given = dict(kwargs or {})
        clashing = sorted(set(given) & set(found["inputs"]))
        if clashing and not override:
            raise RuntimeError(
                "%s: the blueprint defines %s already; say allow_kwargs_override=True to replace it"
                % (named, ", ".join(clashing))
            )
        message.update(arguments=given, allow_override=bool(override))
        return self._begun(self._task(named, message))

    def _task(
        self,
        named: str,
        message: Optional[Dict[str, Any]],
        function: Optional[Callable[[], Any]] = None,
        total_retries: Optional[int] = None,
    ) -> WorkflowTask:
        return WorkflowTask(self._session, named, message, function, total_retries=total_retries)

    def _event(self, event: str, instance: str) -> WorkflowTask:
        said = {"type": "said", "message": str(event)[:_LONGEST], "instance": instance}
        return self._begun(self._task("event", None, lambda: self._session.tell(said)))

    def _begun(self, task: WorkflowTask) -> WorkflowTask:
        """Start a task, unless it waits for its graph."""
        return task.apply() if self._graph is None else task


def _operations(shown: Dict[str, Any]) -> Dict[str, Any]:
    return {
        name: {"plugin": plugin, "operation": operation, "inputs": dict.fromkeys(inputs)}
        for name, (plugin, operation, inputs) in shown.items()
    }
