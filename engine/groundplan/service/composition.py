"""Deployments made of deployments: the steps of Component, ServiceComponent and SharedResource (spec part 6).

Written for `runtime.children`. Each step is one transaction; what it makes carries the parent's instance or task, so
a repeat finds it. A component changes only the deployment that it made itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from groundplan.diagnostics.render import render
from groundplan.diagnostics.trouble import UsageError
from groundplan.dsl.imports import Fetch
from groundplan.model.deployment import Dependency, DependencyKind, InstanceState, Owner
from groundplan.model.execution import Execution, ExecutionStatus, Failure, Outcome, ParentTask, Verdict
from groundplan.model.ids import BlueprintId, DeploymentId, InstanceId
from groundplan.model.values import Data, Map, Sensitive, Value, reveal
from groundplan.runtime.children import ChildCall
from groundplan.runtime.evaluation import PARENT_LABEL, Evaluator
from groundplan.runtime.library import Library
from groundplan.sdk.errors import NonRecoverableError, OperationRetry
from groundplan.service import blueprints, deployments, executions
from groundplan.service.home import Home
from groundplan.state.store import Snapshot, Store, Transaction

INSTALL: Final = "install"
_POLL_SECONDS: Final = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Config:
    """`resource_config` of a component or shared resource, evaluated (spec 4.3, 6.1)."""

    blueprint: Mapping[str, Data]
    deployment: Mapping[str, Data]
    start_arguments: Mapping[str, Data]

    @property
    def is_external(self) -> bool:
        """Whether the deployment belongs to somebody else."""
        return bool(self.deployment.get("external_resource"))


class Composition:
    """Implements `runtime.children.Children`."""

    def __init__(
        self, *, store: Store, library: Library, home: Home, fetch: Fetch, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._library = library
        self._home = home
        self._fetch = fetch
        self._clock = clock
        self._steps: Mapping[str, Callable[[ChildCall], Outcome]] = {
            "cloudify_types.component.upload_blueprint": self._upload,
            "cloudify_types.component.create": self._create,
            "cloudify_types.component.execute_start": self._execute,
            "cloudify_types.component.delete": self._delete,
            "cloudify_types.component.check_status": self._check_status,
            "cloudify_types.component.refresh": self._refresh,
            "cloudify_types.shared_resource.connect_deployment": self._connect,
            "cloudify_types.shared_resource.disconnect_deployment": self._disconnect,
            "cloudify_types.shared_resource.check_status": self._check_status,
            "cloudify_types.shared_resource.refresh": self._refresh,
            "cloudify_types.blueprint.upload": self._upload,
            "cloudify_types.blueprint.delete": self._delete_blueprint,
        }

    def step(self, call: ChildCall) -> Outcome:
        """Do one step (see `runtime.children`)."""
        step = self._steps.get(call.operation)
        if step is None:
            raise NonRecoverableError(f"The engine has no operation {call.operation!r} for child deployments yet.")
        try:
            return step(call)
        except blueprints.Refused as refused:
            raise NonRecoverableError("The child's blueprint has errors.", detail=render(refused.report)) from refused
        except UsageError as error:
            raise NonRecoverableError(error.message) from error

    # -- the child's blueprint

    def _upload(self, call: ChildCall) -> Outcome:
        config = self._config(call)
        id_ = BlueprintId(str(config.blueprint.get("id") or call.context.instance.id))
        with self._store.snapshot() as snapshot:
            known = snapshot.blueprint(id_)
        noted: dict[str, Data] = {"id": id_}
        if known is None:
            if config.blueprint.get("external_resource"):
                raise NonRecoverableError(f"There is no blueprint {id_!r}, which is to be there already.")
            self._upload_from(call, config, id_)
            noted["uploaded"] = True
        call.context.instance.runtime_properties["blueprint"] = noted
        return self._done(call)

    def _upload_from(self, call: ChildCall, config: _Config, id_: BlueprintId) -> None:
        archive = str(config.blueprint.get("blueprint_archive") or "")
        if not archive:
            raise NonRecoverableError(f"There is no blueprint {id_!r}, and no blueprint_archive says where to get it.")
        folder: Path = call.context.resources.path(archive)
        main = folder / str(config.blueprint.get("main_file_name") or blueprints.DEFAULT_MAIN)
        blueprints.upload(self._store, self._home, self._fetch, main, self._clock(), id=id_)

    def _delete_blueprint(self, call: ChildCall) -> Outcome:
        noted = call.context.instance.runtime_properties.get("blueprint") or {}
        with self._store.transaction() as transaction:
            self._drop_blueprint(transaction, noted)
        call.context.instance.runtime_properties.clear()
        return self._done(call)

    @staticmethod
    def _drop_blueprint(transaction: Transaction, noted: Mapping[str, Data]) -> None:
        id_ = BlueprintId(str(noted.get("id")))
        in_use = any(item.blueprint == id_ for item in transaction.deployments())
        if noted.get("uploaded") and transaction.blueprint(id_) is not None and not in_use:
            blueprints.delete_in(transaction, id_)

    # -- the child deployment

    def _create(self, call: ChildCall) -> Outcome:
        config = self._config(call)
        owner = _owner(call)
        properties = call.context.instance.runtime_properties
        with self._store.transaction() as transaction:
            if config.is_external:
                child = self._target(call, config)
                deployments.existing(transaction, child)
            else:
                child = self._made(transaction, call, config, owner)
            transaction.put_dependency(
                Dependency(
                    id=f"component.{owner.instance}",
                    kind=DependencyKind.COMPONENT,
                    source=owner.deployment,
                    target=child,
                    node=call.template.name,
                )
            )
        properties["deployment"] = {"id": child}
        call.context.logger.info(f"Deployment {child} is there")
        return self._done(call)

    def _made(self, transaction: Transaction, call: ChildCall, config: _Config, owner: Owner) -> DeploymentId:
        """Make the child, or find the one that an earlier attempt of this component made."""
        wanted = self._target(call, config)
        suffixes = [f"-{number}" for number in range(10)] if config.deployment.get("auto_inc_suffix") else [""]
        candidates = [DeploymentId(f"{wanted}{suffix}") for suffix in suffixes]
        for candidate in candidates:
            known = transaction.deployment(candidate)
            if known is not None and known.owner == owner:
                return candidate
        free = next((item for item in candidates if transaction.deployment(item) is None), None)
        if free is None:
            raise NonRecoverableError(_taken(transaction, candidates[0]))
        deployments.create_in(
            transaction,
            self._library,
            deployments.NewDeployment(
                id=free,
                blueprint=BlueprintId(str(self._blueprint_id(call, config))),
                inputs=self._inputs(call),
                labels={PARENT_LABEL: (call.deployment.id,), **_labels(config)},
                owner=owner,
            ),
            self._clock(),
        )
        return free

    def _delete(self, call: ChildCall) -> Outcome:
        properties = call.context.instance.runtime_properties
        owner = _owner(call)
        child = self._target(call, self._config(call))
        with self._store.transaction() as transaction:
            transaction.delete_dependency(f"component.{owner.instance}", owner.deployment)
            if _is_own(transaction, child, owner):
                deployments.delete_in(transaction, child)
                call.context.logger.info(f"Deployment {child} is deleted")
            self._drop_blueprint(transaction, properties.get("blueprint") or {})
        properties.clear()
        return self._done(call)

    # -- its workflows

    def _execute(self, call: ChildCall) -> Outcome:
        config = self._config(call)
        child = self._target(call, config)
        workflow = str(reveal(call.inputs.get("workflow_id")) or INSTALL)
        with self._store.transaction() as transaction:
            if not _is_own(transaction, child, _owner(call)):
                return self._leave_alone(transaction, call, child, workflow, config)
            known = [item for item in transaction.executions(deployment=child) if item.parent == call.task]
            if known and known[-1].status is ExecutionStatus.TERMINATED:
                return self.finish(transaction, call.task, known[-1])
            running = [item for item in transaction.executions(deployment=child) if not item.status.is_final]
            if running and running[-1].parent != call.task:
                raise OperationRetry(
                    f"Execution {running[-1].id} runs in {child}; waiting for it.", retry_after=_POLL_SECONDS
                )
            execution = running[-1] if running else self._started(transaction, call, child, workflow, config)
        call.context.logger.info(f"Waits for {workflow} of {child} (execution {execution.id})")
        return Outcome(verdict=Verdict.WAITING, waits_for=execution.id)

    def _started(
        self, transaction: Transaction, call: ChildCall, child: DeploymentId, workflow: str, config: _Config
    ) -> Execution:
        arguments = config.start_arguments
        parameters = dict(arguments.get("parameters") or {})
        new = executions.NewExecution(
            deployment=child,
            workflow=workflow,
            parameters=parameters,
            allow_custom_parameters=workflow != INSTALL or bool(arguments.get("allow_custom_parameters")),
            force=bool(arguments.get("force")),
            parent=call.task,
        )
        return executions.start_in(transaction, self._library, new, self._clock())

    def _leave_alone(
        self, transaction: Transaction, call: ChildCall, child: DeploymentId, workflow: str, config: _Config
    ) -> Outcome:
        """A deployment that this component did not make is read, never started or stopped."""
        if not config.is_external:
            if transaction.deployment(child) is None and workflow != INSTALL:
                return self._done(call)
            raise NonRecoverableError(_taken(transaction, child))
        if workflow == INSTALL:
            _require_installed(transaction, child)
            self._note_capabilities(transaction, call, child)
        return self._done(call)

    def finish(self, transaction: Transaction, task: ParentTask, child: Execution) -> Outcome:
        """Say how a component's step ends now that its child's execution has ended (see `runtime.children`)."""
        if child.status is not ExecutionStatus.TERMINATED:
            words = "was cancelled" if child.status is ExecutionStatus.CANCELLED else f"failed: {child.error}"
            message = f"Execution {child.id} ({child.workflow} of {child.deployment}) {words}"
            return Outcome(
                verdict=Verdict.FAILED,
                failure=Failure(type="ChildFailed", message=message, recoverable=False),
            )
        record = transaction.task(task.execution, task.task)
        parent = transaction.execution(task.execution)
        if record is None or parent is None or child.workflow != INSTALL:
            return Outcome(verdict=Verdict.SUCCEEDED)
        instance = transaction.instance(parent.deployment, record.task.instance)
        if instance is None:
            return Outcome(verdict=Verdict.SUCCEEDED)
        found = self._capabilities(transaction, child.deployment)
        properties = {**instance.runtime_properties, "capabilities": found}
        return Outcome(verdict=Verdict.SUCCEEDED, runtime_properties={record.task.instance: properties})

    # -- deployments of others

    def _connect(self, call: ChildCall) -> Outcome:
        child = self._target(call, self._config(call))
        owner = _owner(call)
        with self._store.transaction() as transaction:
            if transaction.deployment(child) is None:
                raise NonRecoverableError(f"There is no deployment {child!r} to share.")
            _require_installed(transaction, child)
            transaction.put_dependency(
                Dependency(
                    id=f"sharedresource.{owner.instance}",
                    kind=DependencyKind.SHARED_RESOURCE,
                    source=owner.deployment,
                    target=child,
                    node=call.template.name,
                )
            )
            call.context.instance.runtime_properties["deployment"] = {"id": child}
            self._note_capabilities(transaction, call, child)
        return self._done(call)

    def _disconnect(self, call: ChildCall) -> Outcome:
        owner = _owner(call)
        with self._store.transaction() as transaction:
            transaction.delete_dependency(f"sharedresource.{owner.instance}", owner.deployment)
        call.context.instance.runtime_properties.clear()
        return self._done(call)

    def _check_status(self, call: ChildCall) -> Outcome:
        child = self._target(call, self._config(call))
        with self._store.snapshot() as snapshot:
            found = deployments.status(snapshot, child)
        latest = found.latest
        bad = latest is not None and latest.status in (ExecutionStatus.FAILED, ExecutionStatus.CANCELLED)
        if found.installation != "active" or bad:
            raise NonRecoverableError(f"Deployment {child!r} is not well: {found.installation}.")
        return self._done(call)

    def _refresh(self, call: ChildCall) -> Outcome:
        child = self._target(call, self._config(call))
        with self._store.snapshot() as snapshot:
            deployments.existing(snapshot, child)
            self._note_capabilities(snapshot, call, child)
        return self._done(call)

    # -- what the steps share

    def _config(self, call: ChildCall) -> _Config:
        """Evaluate `resource_config` but the child's inputs; what the operation says goes before what the node says."""
        given = reveal(call.inputs.get("resource_config") or {})
        written = call.template.properties.get("resource_config")
        parts: dict[str, Any] = {}
        for section in ("blueprint", "deployment", "executions_start_args"):
            value = written.get(section) if isinstance(written, Map) else None
            found = reveal(call.evaluate(_without(value, "inputs"), False)) or {}
            parts[section] = {**found, **(given.get(section) or {})}
        return _Config(
            blueprint=parts["blueprint"],
            deployment=parts["deployment"],
            start_arguments=parts["executions_start_args"],
        )

    def _inputs(self, call: ChildCall) -> Mapping[str, Data]:
        """Return the child's inputs: evaluated here, but with each `get_secret` handed on as the function."""
        given = (reveal(call.inputs.get("resource_config") or {}).get("deployment") or {}).get("inputs")
        if given is not None:
            return dict(given)
        config = call.template.properties.get("resource_config")
        section = config.get("deployment") if isinstance(config, Map) else None
        written = section.get("inputs") if isinstance(section, Map) else None
        found = call.evaluate(written, True)
        if isinstance(found, Sensitive):
            found = found.value
        if not isinstance(found or {}, dict):
            raise NonRecoverableError("resource_config.deployment.inputs is not a mapping.")
        return dict(found or {})

    def _target(self, call: ChildCall, config: _Config) -> DeploymentId:
        noted = call.context.instance.runtime_properties.get("deployment")
        if isinstance(noted, dict) and noted.get("id"):
            return DeploymentId(str(noted["id"]))
        return DeploymentId(str(config.deployment.get("id") or call.context.instance.id))

    @staticmethod
    def _blueprint_id(call: ChildCall, config: _Config) -> str:
        noted = call.context.instance.runtime_properties.get("blueprint")
        if isinstance(noted, dict) and noted.get("id"):
            return str(noted["id"])
        return str(config.blueprint.get("id") or call.context.instance.id)

    def _capabilities(self, snapshot: Snapshot, child: DeploymentId) -> dict[str, Data]:
        world = self._library.world(snapshot, deployments.existing(snapshot, child))
        return Evaluator.within(self._library, snapshot).outputs(world, world.blueprint.capabilities, "capabilities")

    def _note_capabilities(self, snapshot: Snapshot, call: ChildCall, child: DeploymentId) -> None:
        call.context.instance.runtime_properties["capabilities"] = self._capabilities(snapshot, child)

    @staticmethod
    def _done(_: ChildCall) -> Outcome:
        return Outcome(verdict=Verdict.SUCCEEDED)


def _owner(call: ChildCall) -> Owner:
    return Owner(deployment=call.deployment.id, instance=InstanceId(call.context.instance.id))


def _is_own(snapshot: Snapshot, child: DeploymentId, owner: Owner) -> bool:
    known = snapshot.deployment(child)
    return known is not None and known.owner == owner


def _taken(snapshot: Snapshot, child: DeploymentId) -> str:
    known = snapshot.deployment(child)
    if known is None:
        return f"Deployment {child!r} is gone."
    owner = "a person" if known.owner is None else f"component {known.owner.instance} of {known.owner.deployment}"
    return (
        f"Deployment {child!r} exists already and was made by {owner}; this component leaves it alone. "
        "Set deployment.external_resource to use it as it is, or choose another id."
    )


def _require_installed(snapshot: Snapshot, child: DeploymentId) -> None:
    waiting = [item.id for item in snapshot.instances(child) if item.state is not InstanceState.STARTED]
    if not waiting:
        return
    running = [item for item in snapshot.executions(deployment=child) if not item.status.is_final]
    if running:
        raise OperationRetry(f"Execution {running[-1].id} runs in {child}; waiting for it.", retry_after=_POLL_SECONDS)
    raise NonRecoverableError(f"Deployment {child!r} is not installed: {', '.join(waiting[:3])} not started.")


def _labels(config: _Config) -> dict[str, tuple[str, ...]]:
    labels: dict[str, tuple[str, ...]] = {}
    for entry in config.deployment.get("labels") or ():
        for key, value in entry.items():
            labels[key] = (*labels.get(key, ()), *(value if isinstance(value, list) else [value]))
    return labels


def _without(value: Value, key: str) -> Value:
    if isinstance(value, Map) and key in value.entries:
        return Map({name: field for name, field in value.entries.items() if name != key}, value.at)
    return value
