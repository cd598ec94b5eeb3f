"""The table of the engine's own operations, and what their trouble means (`runtime.children.Children`)."""

from collections.abc import Callable, Mapping
from datetime import datetime

from groundplan.diagnostics.render import render
from groundplan.diagnostics.trouble import UsageError
from groundplan.dsl.fetch import Fetch
from groundplan.model.execution import Execution, Outcome, ParentTask
from groundplan.model.graph import Task
from groundplan.runtime.children import ChildCall
from groundplan.runtime.library import Library
from groundplan.sdk.errors import NonRecoverableError
from groundplan.service import executions, updates
from groundplan.service.blueprints import Refused
from groundplan.service.collecting import collect
from groundplan.service.composition.awaiting import await_workflow
from groundplan.service.composition.components import Components
from groundplan.service.composition.endings import ending
from groundplan.service.composition.passwords import Passwords
from groundplan.service.composition.shared_resources import SharedResources
from groundplan.service.home import Home
from groundplan.state.store import Store, Transaction


class Composition:
    """Implements `runtime.children.Children`."""

    def __init__(
        self, *, store: Store, library: Library, home: Home, fetch: Fetch, clock: Callable[[], datetime]
    ) -> None:
        components = Components(store=store, library=library, home=home, fetch=fetch, clock=clock)
        shared = SharedResources(store=store, library=library, clock=clock)
        passwords = Passwords(store=store, clock=clock)
        self._store, self._library, self._clock = store, library, clock
        self._steps: Mapping[str, Callable[[ChildCall], Outcome]] = {
            "cloudify_types.component.upload_blueprint": components.upload,
            "cloudify_types.component.create": components.create,
            "cloudify_types.component.execute_start": components.execute,
            "cloudify_types.component.delete": components.delete,
            "cloudify_types.component.check_status": components.check_status,
            "cloudify_types.component.heal": components.heal,
            "cloudify_types.component.check_drift": components.check_drift,
            "cloudify_types.component.refresh": components.refresh,
            "cloudify_types.component.update": components.update,
            "cloudify_types.blueprint.upload": components.upload,
            "cloudify_types.blueprint.delete": components.delete_blueprint,
            "cloudify_types.shared_resource.connect_deployment": shared.connect,
            "cloudify_types.shared_resource.disconnect_deployment": shared.disconnect,
            "cloudify_types.shared_resource.execute_workflow": shared.execute_workflow,
            "cloudify_types.shared_resource.check_status": components.check_status,
            "cloudify_types.shared_resource.check_drift": components.check_drift,
            "cloudify_types.shared_resource.refresh": components.refresh,
            "cloudify_types.password_secret.validate": passwords.validate,
            "cloudify_types.password_secret.create": passwords.create,
            "cloudify_types.password_secret.delete": passwords.delete,
        }

    def step(self, call: ChildCall) -> Outcome:
        """Do one step (see `runtime.children`)."""
        step = self._steps.get(call.operation)
        if step is None:
            raise NonRecoverableError(f"The engine has no operation {call.operation!r} yet.")
        try:
            return step(call)
        except Refused as refused:
            raise NonRecoverableError("The child's blueprint has errors.", detail=render(refused.report)) from refused
        except UsageError as error:
            raise NonRecoverableError(error.message) from error

    def run(self, parent: ParentTask, task: Task) -> Outcome:
        """Run a workflow of a deployment that belongs to no component (see `runtime.children`)."""
        assert task.deployment is not None, "a task that runs a workflow of a deployment names it"
        new = executions.NewExecution(
            deployment=task.deployment,
            workflow=task.operation,
            parameters=task.arguments,
            allow_custom_parameters=True,
            parent=parent,
        )
        try:
            with self._store.transaction() as transaction:
                return await_workflow(transaction, self._library, parent, new, self._clock())
        except UsageError as error:
            raise NonRecoverableError(error.message) from error

    def finish(self, transaction: Transaction, task: ParentTask, child: Execution) -> Outcome:
        """Say how a step that waited ends (see `runtime.children`)."""
        return ending(transaction, self._library, task, child)

    def conclude(self, transaction: Transaction, execution: Execution) -> None:
        """Finish the update that an execution carried out, and collect its result (see `runtime.children`)."""
        updates.conclude(transaction, self._library, execution)
        collect(transaction, execution)
