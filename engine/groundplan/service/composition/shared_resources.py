"""SharedResource: a node that stands for a deployment of somebody else, used and never changed (spec 6.3)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from groundplan.model.deployment import Dependency, DependencyKind
from groundplan.model.execution import Outcome, Verdict
from groundplan.model.ids import DeploymentId
from groundplan.model.values import reveal
from groundplan.runtime.children import ChildCall
from groundplan.runtime.library import Library
from groundplan.sdk.errors import NonRecoverableError
from groundplan.service import executions
from groundplan.service.composition.awaiting import await_workflow, wait_limit
from groundplan.service.composition.resource_config import (
    evaluate_capabilities,
    owner_of,
    read_config,
    require_installed,
    target_of,
)
from groundplan.state.store import Store

SHARED_RESOURCE = "cloudify.nodes.SharedResource"
_DONE = Outcome(verdict=Verdict.SUCCEEDED)


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedResources:
    """The operations of SharedResource and of the relationships to one."""

    store: Store
    library: Library
    clock: Callable[[], datetime]

    def connect(self, call: ChildCall) -> Outcome:
        """Note the deployment and its capabilities, and that this one depends on it."""
        child = target_of(call, read_config(call))
        owner = owner_of(call)
        with self.store.transaction() as transaction:
            if transaction.deployment(child) is None:
                raise NonRecoverableError(f"There is no deployment {child!r} to share.")
            require_installed(transaction, child)
            transaction.put_dependency(
                Dependency(
                    id=f"sharedresource.{owner.instance}",
                    kind=DependencyKind.SHARED_RESOURCE,
                    source=owner.deployment,
                    target=child,
                    node=call.template.name,
                )
            )
            found = evaluate_capabilities(transaction, self.library, child)
        properties = call.context.instance.runtime_properties
        properties["deployment"] = {"id": child}
        properties["capabilities"] = found
        return _DONE

    def disconnect(self, call: ChildCall) -> Outcome:
        """Depend on the deployment no longer."""
        owner = owner_of(call)
        with self.store.transaction() as transaction:
            transaction.delete_dependency(f"sharedresource.{owner.instance}", owner.deployment)
        call.context.instance.runtime_properties.clear()
        return _DONE

    def execute_workflow(self, call: ChildCall) -> Outcome:
        """Run a workflow of the shared deployment: the operation of a relationship to a SharedResource."""
        target = call.context.target
        if target is None or target.node.type != SHARED_RESOURCE:
            raise NonRecoverableError(f"The relationship's target is not of type {SHARED_RESOURCE} itself.")
        noted = target.instance.runtime_properties.get("deployment") or {}
        child, workflow = DeploymentId(str(noted.get("id"))), str(reveal(call.inputs.get("workflow_id")) or "")
        if not workflow:
            raise NonRecoverableError("The relationship names no workflow_id to run in the shared deployment.")
        new = executions.NewExecution(
            deployment=child,
            workflow=workflow,
            parameters=dict(reveal(call.inputs.get("parameters")) or {}),
            parent=call.task,
        )
        with self.store.transaction() as transaction:
            return await_workflow(transaction, self.library, call.task, new, self.clock(), wait_limit(call))
