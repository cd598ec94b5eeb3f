"""Component and ServiceComponent: a node that makes a deployment of its own, runs its workflows and deletes it.

Each step is one transaction; what it makes carries the component's instance, so a repeat finds it. A component changes
only the deployment that it made itself: one of another owner is left alone, whatever its id.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from groundplan.dsl.fetch import Fetch
from groundplan.model.deployment import Dependency, DependencyKind, Owner
from groundplan.model.execution import Outcome, Verdict
from groundplan.model.ids import BlueprintId, DeploymentId
from groundplan.model.labels import PARENT
from groundplan.model.secret import SecretValue
from groundplan.model.values import Data, reveal
from groundplan.runtime.children import ChildCall
from groundplan.runtime.library import Library
from groundplan.sdk.errors import NonRecoverableError, OperationRetry
from groundplan.service import blueprints, deployments, executions
from groundplan.service.composition.awaiting import await_workflow, wait_limit
from groundplan.service.composition.child_updates import find_child_difference, update_child
from groundplan.service.composition.resource_config import (
    POLL_SECONDS,
    ResourceConfig,
    evaluate_capabilities,
    is_own,
    owner_of,
    read_config,
    read_inputs,
    require_installed,
    target_of,
)
from groundplan.service.home import Home
from groundplan.service.standing import status, unwell
from groundplan.state.store import Snapshot, Store, Transaction

INSTALL = "install"
UNINSTALL = "uninstall"
HEAL = "heal"
DONE = Outcome(verdict=Verdict.SUCCEEDED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Components:
    """The operations of Component."""

    store: Store
    library: Library
    home: Home
    fetch: Fetch
    clock: Callable[[], datetime]

    # -- the child's blueprint

    def upload(self, call: ChildCall) -> Outcome:
        """Have the child's blueprint in the store; one that is there is used as it is."""
        config = read_config(call)
        id_ = BlueprintId(str(config.blueprint.get("id") or call.context.instance.id))
        with self.store.snapshot() as snapshot:
            known = snapshot.blueprint(id_)
        noted: dict[str, Data] = {"id": id_}
        if known is None:
            if config.blueprint.get("external_resource"):
                raise NonRecoverableError(f"There is no blueprint {id_!r}, which is to be there already.")
            self._upload_from(call, config, id_)
            call.context.remembered[_own_blueprint(owner_of(call))] = id_
            noted["uploaded"] = True
        call.context.instance.runtime_properties["blueprint"] = noted
        return DONE

    def _upload_from(self, call: ChildCall, config: ResourceConfig, id_: BlueprintId) -> None:
        archive = str(config.blueprint.get("blueprint_archive") or "")
        if not archive:
            raise NonRecoverableError(f"There is no blueprint {id_!r}, and no blueprint_archive says where to get it.")
        source: Path = call.context.resources.path(archive)
        main = str(config.blueprint.get("main_file_name") or blueprints.DEFAULT_MAIN)
        with blueprints.opened(source, main) as file:
            blueprints.upload(self.store, self.home, self.fetch, file, self.clock(), id=id_)

    def delete_blueprint(self, call: ChildCall) -> Outcome:
        """Forget the blueprint of a `cloudify.nodes.Blueprint` that it uploaded itself."""
        with self.store.transaction() as transaction:
            _drop_blueprint(transaction, owner_of(call))
        call.context.instance.runtime_properties.clear()
        return DONE

    # -- the child deployment

    def create(self, call: ChildCall) -> Outcome:
        """Make the child deployment, or find the one that an earlier attempt of this component made."""
        config, owner = read_config(call), owner_of(call)
        if reveal(call.evaluate(call.template.properties.get("plugins"), False)):
            raise NonRecoverableError("A component cannot bring plugins: install them as Python packages instead.")
        with self.store.transaction() as transaction:
            created = self._keep_secrets(transaction, call, owner)
            if config.is_external:
                child = target_of(call, config)
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
        properties = call.context.instance.runtime_properties
        properties["deployment"] = {"id": child}
        if created:
            properties["secrets"] = created
        call.context.logger.info(f"Deployment {child} is there")
        return DONE

    def _keep_secrets(self, transaction: Transaction, call: ChildCall, owner: Owner) -> list[str]:
        """Make the secrets that the component brings; none, when one of them is somebody else's."""
        wanted = reveal(call.evaluate(call.template.properties.get("secrets"), False)) or {}
        own = _made_secrets(transaction, owner)
        known = [name for name in wanted if name not in own and transaction.secret(name) is not None]
        if known:
            raise NonRecoverableError(f"These secrets exist already: {', '.join(known)}.")
        for name, value in wanted.items():
            transaction.put_secret(name, SecretValue(text=str(value)), self.clock())
        if wanted:
            transaction.remember(owner.deployment, _own_secrets(owner), json.dumps(list(wanted)))
        return list(wanted)

    def _made(self, transaction: Transaction, call: ChildCall, config: ResourceConfig, owner: Owner) -> DeploymentId:
        wanted = target_of(call, config)
        suffixes = [f"-{number}" for number in range(10)] if config.deployment.get("auto_inc_suffix") else [""]
        candidates = [DeploymentId(f"{wanted}{suffix}") for suffix in suffixes]
        for candidate in candidates:
            if is_own(transaction, candidate, owner):
                return candidate
        free = next((item for item in candidates if transaction.deployment(item) is None), None)
        if free is None:
            raise NonRecoverableError(_taken(transaction, candidates[0]))
        new = deployments.NewDeployment(
            id=free,
            blueprint=_blueprint_id(call, config),
            inputs=read_inputs(call),
            labels={PARENT: (call.deployment.id,), **_labels(config)},
            owner=owner,
        )
        deployments.create_in(transaction, self.library, new, self.clock())
        return free

    def delete(self, call: ChildCall) -> Outcome:
        """Delete what the component made: its deployment, the blueprint it uploaded, the secrets it brought."""
        properties = call.context.instance.runtime_properties
        owner = owner_of(call)
        child = target_of(call, read_config(call))
        with self.store.transaction() as transaction:
            transaction.delete_dependency(f"component.{owner.instance}", owner.deployment)
            if is_own(transaction, child, owner):
                _refuse_while_running(transaction, child)
                deployments.delete_in(transaction, child)
                call.context.logger.info(f"Deployment {child} is deleted")
            _drop_blueprint(transaction, owner)
            for name in _made_secrets(transaction, owner):
                transaction.delete_secret(name)
            transaction.remember(owner.deployment, _own_secrets(owner), None)
        properties.clear()
        return DONE

    # -- its workflows

    def execute(self, call: ChildCall) -> Outcome:
        """Run a workflow of the child and wait for its end, without holding a thread."""
        config = read_config(call)
        child = target_of(call, config)
        workflow = str(reveal(call.inputs.get("workflow_id")) or INSTALL)
        with self.store.transaction() as transaction:
            if not is_own(transaction, child, owner_of(call)):
                return self._leave_alone(transaction, call, child, workflow, config)
            arguments = config.start_arguments
            new = executions.NewExecution(
                deployment=child,
                workflow=workflow,
                parameters=dict(arguments.get("parameters") or {}),
                allow_custom_parameters=workflow != INSTALL or bool(arguments.get("allow_custom_parameters")),
                force=bool(arguments.get("force")),
                parent=call.task,
            )
            outcome = await_workflow(transaction, self.library, call.task, new, self.clock(), wait_limit(call))
        if outcome.waits_for is not None:
            call.context.logger.info(f"Waits for {workflow} of {child} (execution {outcome.waits_for})")
        return outcome

    def _leave_alone(
        self, transaction: Transaction, call: ChildCall, child: DeploymentId, workflow: str, config: ResourceConfig
    ) -> Outcome:
        """A deployment that this component did not make is read, never started or stopped.

        Of one that was to be its own, nothing is there to uninstall: it never came to be.
        """
        if not config.is_external and workflow != UNINSTALL:
            raise NonRecoverableError(_taken(transaction, child))
        if config.is_external and workflow == INSTALL:
            require_installed(transaction, child)
            found = evaluate_capabilities(transaction, self.library, child)
            call.context.instance.runtime_properties["capabilities"] = found
        return DONE

    # -- how it is

    def check_status(self, call: ChildCall) -> Outcome:
        """Fail unless the child is installed and well, as far as was last looked (spec 6.1)."""
        child = target_of(call, read_config(call))
        with self.store.snapshot() as snapshot:
            reasons = unwell(status(snapshot, child))
        if reasons:
            raise NonRecoverableError(f"Deployment {child!r} is not well: {'; '.join(reasons)}.")
        return DONE

    def heal(self, call: ChildCall) -> Outcome:
        """Heal the child, and wait for its end."""
        config = read_config(call)
        child = target_of(call, config)
        with self.store.transaction() as transaction:
            if not is_own(transaction, child, owner_of(call)):
                raise NonRecoverableError(
                    f"Deployment {child!r} is not this component's own, so it is not healed from here. "
                    f"Heal it itself: groundplan executions start heal -d {child}"
                )
            new = executions.NewExecution(deployment=child, workflow=HEAL, parent=call.task)
            return await_workflow(transaction, self.library, call.task, new, self.clock(), wait_limit(call))

    def refresh(self, call: ChildCall) -> Outcome:
        """Read the child's capabilities again."""
        child = target_of(call, read_config(call))
        with self.store.snapshot() as snapshot:
            found = evaluate_capabilities(snapshot, self.library, child)
        call.context.instance.runtime_properties["capabilities"] = found
        return DONE

    def check_drift(self, call: ChildCall) -> Outcome:
        """Return what of the child is not as the component says or noted it, by name; empty for no drift."""
        config = read_config(call)
        child = target_of(call, config)
        noted = reveal(call.context.instance.runtime_properties.get("capabilities") or {})
        with self.store.snapshot() as snapshot:
            found = reveal(evaluate_capabilities(snapshot, self.library, child))
            drift = (
                {} if config.is_external else find_child_difference(snapshot, call, config, _labels(config)).to_data()
            )
        changed = sorted(name for name in {*noted, *found} if noted.get(name) != found.get(name))
        if changed:
            drift["capabilities"] = changed
        return Outcome(verdict=Verdict.SUCCEEDED, result=drift)

    def update(self, call: ChildCall) -> Outcome:
        """Update the child to the blueprint, inputs and labels that the component gives it now."""
        config = read_config(call)
        child = target_of(call, config)
        if config.is_external:
            return self.refresh(call) if self._exists(child) else DONE
        if config.blueprint.get("id"):
            self.upload(call)
        with self.store.transaction() as transaction:
            if not is_own(transaction, child, owner_of(call)):
                raise NonRecoverableError(_taken(transaction, child))
            difference = find_child_difference(transaction, call, config, _labels(config))
            outcome = update_child(transaction, self.library, self.home, call, config, difference, self.clock())
        return self.refresh(call) if outcome.verdict is Verdict.SUCCEEDED and outcome.waits_for is None else outcome

    def _exists(self, child: DeploymentId) -> bool:
        with self.store.snapshot() as snapshot:
            return snapshot.deployment(child) is not None


def _refuse_while_running(snapshot: Snapshot, child: DeploymentId) -> None:
    going = [item for item in snapshot.executions(deployment=child) if not item.status.is_final]
    if going:
        raise OperationRetry(
            f"Execution {going[0].id} of {child} has not ended; waiting for it.", retry_after=POLL_SECONDS
        )


def _blueprint_id(call: ChildCall, config: ResourceConfig) -> BlueprintId:
    noted = call.context.instance.runtime_properties.get("blueprint")
    known = noted.get("id") if isinstance(noted, dict) else None
    return BlueprintId(str(known or config.blueprint.get("id") or call.context.instance.id))


def _own_blueprint(owner: Owner) -> str:
    return f"component.blueprint:{owner.instance}"


def _own_secrets(owner: Owner) -> str:
    return f"component.secrets:{owner.instance}"


def _made_secrets(snapshot: Snapshot, owner: Owner) -> list[str]:
    """Return the names of the secrets that a component made.

    Not from its runtime properties: scripts of a relationship may write those, and what is named here is deleted.
    """
    names: list[str] = json.loads(snapshot.remembered(owner.deployment).get(_own_secrets(owner), "[]"))
    return names


def _drop_blueprint(transaction: Transaction, owner: Owner) -> None:
    """Forget the blueprint that a component uploaded itself, unless others use it."""
    made = transaction.remembered(owner.deployment).get(_own_blueprint(owner))
    if made is None:
        return
    id_ = BlueprintId(made)
    in_use = any(item.blueprint == id_ for item in transaction.deployments())
    if transaction.blueprint(id_) is not None and not in_use and not blueprints.importers_of(transaction, id_):
        blueprints.delete_in(transaction, id_)
    transaction.remember(owner.deployment, _own_blueprint(owner), None)


def _taken(snapshot: Snapshot, child: DeploymentId) -> str:
    known = snapshot.deployment(child)
    if known is None:
        return f"Deployment {child!r} is gone."
    owner = "a person" if known.owner is None else f"component {known.owner.instance} of {known.owner.deployment}"
    return (
        f"Deployment {child!r} exists already and was made by {owner}; this component leaves it alone. "
        "Set deployment.external_resource to use it as it is, or choose another id."
    )


def _labels(config: ResourceConfig) -> dict[str, tuple[str, ...]]:
    labels: dict[str, tuple[str, ...]] = {}
    for entry in config.deployment.get("labels") or ():
        for key, value in entry.items():
            labels[key] = (*labels.get(key, ()), *(value if isinstance(value, list) else [value]))
    return labels
