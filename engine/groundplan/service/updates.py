"""Updates of deployments: previewed, started, concluded and read (spec 5.10).

An update begins in one transaction: the deployment gets its new content, the instances that are added and the execution
that does the rest, or nothing changes. It is concluded in the transaction that ends the execution, whatever drives it.
What differs is found by `planning.changes`, what runs is planned by `planning.workflows.update`.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from typing import Final

from groundplan.diagnostics.suggest import suggest
from groundplan.diagnostics.trouble import NotFound, UsageError
from groundplan.model.blueprint import Blueprint, to_plan
from groundplan.model.deployment import Dependency, DependencyKind, Deployment, InstanceState, NodeInstance
from groundplan.model.execution import Execution, ExecutionStatus, ParentTask
from groundplan.model.ids import BlueprintId, DeploymentId, Digest, InstanceId
from groundplan.model.reshape import Content, Reshape
from groundplan.model.update import UPDATE_WORKFLOW, UPDATE_WORKFLOWS, Entity, Step, Update, UpdateId, UpdateState
from groundplan.model.values import Data
from groundplan.planning.changes.difference import Reshaped, find_difference, settled
from groundplan.planning.changes.steps import Form, Steps, Unsupported, find_steps
from groundplan.planning.changes.transition import final_inputs, join
from groundplan.planning.inputs import resolve_inputs
from groundplan.planning.workflows.update import Forecast, Wishes, forecast, to_parameters
from groundplan.runtime.evaluation import Evaluator
from groundplan.runtime.library import Library
from groundplan.runtime.world import World
from groundplan.service import blueprint_files, blueprints, deployments, executions, identifiers
from groundplan.service.home import Home
from groundplan.state.store import Snapshot, Store, Transaction

_GONE: Final = frozenset({InstanceState.UNINITIALIZED, InstanceState.DELETED})
_UPDATE_ID: Final = "update_id"
_FLAGS: Final = (
    "drift_only",
    "skip_install",
    "skip_uninstall",
    "skip_reinstall",
    "skip_drift_check",
    "skip_heal",
    "force_reinstall",
    "ignore_failure",
)
_PARAMETERS: Final[Mapping[str, tuple[str, tuple[type, ...]]]] = {
    "blueprint_id": ("blueprint", (str,)),
    "inputs": ("inputs", (dict,)),
    "workflow_id": ("workflow", (str,)),
    "reinstall_list": ("reinstall", (list,)),
    "auto_correct_types": ("convert", (bool,)),
    **{name: (name, (bool,)) for name in _FLAGS},
}
"""Parameters of an update that is started by its workflow id: the fields of `NewUpdate` that they are, and types."""
_TRUTHS: Final = {"true": True, "false": False}


@dataclass(frozen=True, kw_only=True, slots=True)
class NewUpdate:
    """What a deployment is to become, and how.

    Attributes:
        blueprint: None for the blueprint that it has.
        content: what that blueprint says, where it is not uploaded; for previews only.
        inputs: laid over the current ones.
        drift_only: neither blueprint nor inputs change; what has drifted is set right.
        workflow: the workflow that does it instead of the built-in one; empty for that.
        reinstall: instances that are reinstalled whatever has changed.
        convert: make integers, floats and booleans of texts where those are declared (`auto_correct_types`).
        force: although others need the deployment, or something runs in it.
        by: who asks.
    """

    deployment: DeploymentId
    blueprint: BlueprintId | None = None
    content: Blueprint | None = None
    inputs: Mapping[str, Data] = field(default_factory=dict)
    drift_only: bool = False
    workflow: str = ""
    reinstall: tuple[InstanceId, ...] = ()
    skip_install: bool = False
    skip_uninstall: bool = False
    skip_reinstall: bool = False
    skip_drift_check: bool = False
    skip_heal: bool = False
    force_reinstall: bool = False
    ignore_failure: bool = False
    convert: bool = False
    force: bool = False
    by: str = ""
    parent: ParentTask | None = None


class UpdateRefused(UsageError):
    """Something differs that an update cannot change; `unsupported` has each difference."""

    def __init__(self, deployment: DeploymentId, unsupported: Sequence[Unsupported]) -> None:
        lines = [f"  - {item.message} (in {item.path}) = fix: {item.fix}" for item in unsupported]
        super().__init__("\n".join([f"Deployment {deployment!r} cannot be updated so:", *lines]))
        self.unsupported = unsupported


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What an update will do.

    Attributes:
        update: its record, in state `preview`.
        forecast: what becomes of instances; those that are added have no ids yet, `NODE (new 1)` stands for one.
        dependents: deployments that need this one; without `force` the update is refused.
        labels: those that are added.
    """

    update: Update
    forecast: Forecast
    dependents: Sequence[Dependency]
    labels: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Prepared:
    """An update that is worked out and not yet begun."""

    deployment: Deployment
    blueprint: BlueprintId
    digest: Digest
    old: Blueprint
    new: Form
    joined: Form
    found: Steps
    reshaped: Reshaped
    instances: Sequence[NodeInstance]
    counts: Mapping[str, int]
    labels: Mapping[str, tuple[str, ...]]
    wishes: Wishes
    notes: tuple[str, ...]


def preview(store: Store, library: Library, new: NewUpdate, now: datetime) -> Preview:
    """Work out an update and keep the record of that; the deployment stays as it is.

    Raises:
        NotFound, UsageError: as `start`.
    """
    numbers = count(1)
    with store.transaction() as transaction:
        prepared = _prepare(transaction, library, new, lambda node: f"{node} (new {next(numbers)})")
        update = _record(prepared, new, now, UpdateState.PREVIEW)
        transaction.put_update(update)
        return Preview(
            update=update,
            forecast=forecast(prepared.joined.blueprint, _relinked(prepared), prepared.wishes),
            dependents=transaction.dependencies(target=new.deployment),
            labels={key: values for key, values in prepared.labels.items() if key not in prepared.deployment.labels},
        )


def start(store: Store, library: Library, home: Home, new: NewUpdate, now: datetime) -> Execution:
    """Begin an update: record its execution, for a driver to take.

    Raises:
        NotFound: there is no such deployment, blueprint, workflow or instance.
        UpdateRefused: something differs that an update cannot change.
        UsageError: nothing is to be updated, or inputs or values of the new blueprint are wrong.
        Conflict: something runs in the deployment, or others need it.
    """
    with store.transaction() as transaction:
        return start_in(transaction, library, home, new, now)


def start_in(transaction: Transaction, library: Library, home: Home, new: NewUpdate, now: datetime) -> Execution:
    """Begin an update in a transaction of the caller's; see `start`."""
    workflow = new.workflow or UPDATE_WORKFLOW
    asked = executions.NewExecution(deployment=new.deployment, workflow="update", force=new.force, parent=new.parent)
    executions.refuse_to_start(transaction, library, asked, now)
    prepared = _prepare(transaction, library, new, identifiers.instance_id)
    update = _record(prepared, new, now, UpdateState.UPDATING)
    execution = Execution(
        id=identifiers.execution_id(),
        deployment=new.deployment,
        workflow=workflow,
        status=ExecutionStatus.PENDING,
        created_at=now,
        started_at=now,
        parameters=_parameters(prepared, new, update),
        parent=new.parent,
    )
    _begin(transaction, library, home, prepared, update)
    _put_schedules(transaction, library, prepared, now)
    transaction.add_execution(execution)
    transaction.put_update(replace(update, execution=execution.id))
    return execution


def is_update(store: Store, library: Library, asked: executions.NewExecution) -> bool:
    """Whether a workflow that is to be started stands for an update: by its id, and the blueprint has none of that id.

    Raises:
        NotFound: there is no such deployment.
    """
    if asked.workflow not in UPDATE_WORKFLOWS:
        return False
    with store.snapshot() as snapshot:
        deployment = deployments.existing(snapshot, asked.deployment)
        return asked.workflow not in library.blueprint(snapshot, deployment.digest).workflows


def wished(asked: executions.NewExecution, by: str) -> NewUpdate:
    """Return the update that the parameters of a workflow ask for: `blueprint_id`, `inputs` and the flags of spec 5.10.

    Raises:
        UsageError: a parameter is unknown or of another type; a dry run or a place in the queue is asked for.
    """
    if asked.is_dry_run or asked.queue:
        raise UsageError(
            "An update can neither be queued nor run dry.",
            fix="See what it would do: groundplan deployments update --preview",
        )
    found: dict[str, object] = {}
    for name, value in asked.parameters.items():
        attribute, types = _PARAMETERS.get(name, (name, ()))
        if not types:
            near = suggest(name, _PARAMETERS)
            known = f"Did you mean {near!r}?" if near else f"It has {', '.join(_PARAMETERS)}."
            raise UsageError(f"An update has no parameter {name!r}.", fix=known)
        given = _TRUTHS.get(str(value), value) if bool in types else value
        if not isinstance(given, types):
            raise UsageError(f"Parameter {name!r} of an update cannot be {value!r}.")
        found[attribute] = tuple(given) if isinstance(given, list) else given
    return NewUpdate(deployment=asked.deployment, force=asked.force, by=by, **found)  # type: ignore[arg-type]


def conclude(transaction: Transaction, library: Library, execution: Execution) -> None:
    """Finish the update that an execution carried out, in the transaction that ends it; others are left alone.

    When it succeeded, what was removed is forgotten and the deployment has the new blueprint alone. Otherwise
    everything stays, so that the execution can be resumed or another update can begin from there.
    """
    id_ = execution.parameters.get(_UPDATE_ID)
    update = transaction.update(UpdateId(str(id_))) if id_ else None
    if update is None or update.execution != execution.id:
        return
    transaction.put_update(replace(update, state=UpdateState.of(execution.status)))
    if execution.status is not ExecutionStatus.TERMINATED:
        return
    deployment = deployments.existing(transaction, execution.deployment)
    if deployment.digest != update.transition:
        return
    blueprint = library.blueprint(transaction, update.digest)
    instances = transaction.instances(deployment.id)
    gone = frozenset(item.id for item in instances if item.node not in blueprint.nodes)
    content = Content(
        blueprint=update.new_blueprint,
        digest=update.digest,
        inputs=final_inputs(blueprint, deployment.inputs),
        labels=deployment.labels,
    )
    scaling = replace(
        deployment.scaling,
        counts={
            name: number
            for name, number in deployment.scaling.counts.items()
            if name in blueprint.nodes or name in blueprint.scaling_groups
        },
    )
    reshape = Reshape(
        removed=gone, relinked=tuple(settled(blueprint, instances, gone)), content=content, scaling=scaling
    )
    transaction.reshape(deployment.id, reshape)
    _refresh_dependencies(transaction, library, deployment.id)


def listing(store: Store, deployment: DeploymentId | None = None) -> Sequence[Update]:
    """Return the updates of a deployment, or of all, oldest first.

    Raises:
        NotFound: there is no such deployment.
    """
    with store.snapshot() as snapshot:
        if deployment is not None:
            deployments.existing(snapshot, deployment)
        return snapshot.updates(deployment=deployment)


def get(store: Store, id: UpdateId) -> Update:
    """Return the record of an update.

    Raises:
        NotFound: there is none.
    """
    with store.snapshot() as snapshot:
        found = snapshot.update(id)
    if found is None:
        raise NotFound(f"There is no update {id!r}.", fix="See those that there are: groundplan deployments history")
    return found


# -- working it out


def _prepare(snapshot: Snapshot, library: Library, new: NewUpdate, name: Callable[[str], str]) -> _Prepared:
    deployment = deployments.existing(snapshot, new.deployment)
    _refuse_nothing(new)
    old = Form(blueprint=library.blueprint(snapshot, deployment.digest), inputs=deployment.inputs)
    blueprint, digest = _wanted(snapshot, deployment, new)
    after = new.content or library.blueprint(snapshot, digest)
    _refuse_workflow(after, new)
    form = Form(blueprint=after, inputs=_inputs(deployment, after, new))
    found = find_steps(old, form)
    if found.unsupported:
        raise UpdateRefused(new.deployment, found.unsupported)
    joined = join(old, form)
    labels = deployments.added_labels(deployment.labels, after)
    world = World(replace(deployment, inputs=form.inputs, digest=digest, labels=labels), after, ())
    evaluator = Evaluator.within(library, snapshot)
    deployments.try_values(world, evaluator, "updated")
    instances = snapshot.instances(new.deployment)
    counts = {
        name: number
        for name, number in deployments.counts_of(world, evaluator).items()
        if name not in old.blueprint.nodes and name not in old.blueprint.scaling_groups
    }
    reshaped = find_difference(
        old.blueprint, after, found.steps, instances, counts, name, finish=_is_unfinished(snapshot, deployment.id)
    )
    wishes, notes = _wishes(new, reshaped, instances)
    return _Prepared(
        deployment=deployment,
        blueprint=blueprint,
        digest=digest,
        old=old.blueprint,
        new=form,
        joined=joined,
        found=found,
        reshaped=reshaped,
        instances=instances,
        counts={**deployment.scaling.counts, **counts},
        labels=labels,
        wishes=wishes,
        notes=(*found.notes, *notes),
    )


def _refuse_nothing(new: NewUpdate) -> None:
    named = new.blueprint is not None or new.content is not None
    if new.drift_only and (named or new.inputs):
        raise UsageError("A drift-only update changes neither blueprint nor inputs.", fix="Leave out one or the other.")
    if not (new.drift_only or named or new.inputs or new.reinstall):
        raise UsageError(
            f"Nothing says what is to become of deployment {new.deployment!r}.",
            fix="Name a blueprint (-b or -p), inputs (-i), or --drift-only.",
        )


def _wanted(snapshot: Snapshot, deployment: Deployment, new: NewUpdate) -> tuple[BlueprintId, Digest]:
    """Return the blueprint that the deployment is to have, and its content."""
    if new.content is not None:
        return new.blueprint or deployment.blueprint, Digest("")
    if new.blueprint is not None:
        return new.blueprint, blueprints.existing(snapshot, new.blueprint).digest
    last = _last(snapshot, deployment.id)
    if last is not None and last.transition == deployment.digest:
        # An update before this one did not end well: what it was to bring about is what is wanted.
        return deployment.blueprint, last.digest
    return deployment.blueprint, deployment.digest


def _last(snapshot: Snapshot, deployment: DeploymentId) -> Update | None:
    """Return the newest update that is more than a preview."""
    found = [item for item in snapshot.updates(deployment=deployment) if item.execution is not None]
    return found[-1] if found else None


def _is_unfinished(snapshot: Snapshot, deployment: DeploymentId) -> bool:
    last = _last(snapshot, deployment)
    return last is not None and last.state is not UpdateState.SUCCESSFUL


def _inputs(deployment: Deployment, blueprint: Blueprint, new: NewUpdate) -> Mapping[str, Data]:
    """Return the inputs after the update: those given over the current ones that the blueprint still declares."""
    current = {
        name: value for name, value in deployment.inputs.items() if name in blueprint.inputs and value is not None
    }
    resolved = resolve_inputs(blueprint.inputs, blueprint.data_types, {**current, **new.inputs}, convert=new.convert)
    if resolved.faults:
        raise deployments.InputsRefused(
            f"The inputs of deployment {deployment.id!r} cannot be used with the new blueprint:", resolved.faults
        )
    return resolved.values


def _refuse_workflow(blueprint: Blueprint, new: NewUpdate) -> None:
    if new.workflow and new.workflow not in blueprint.workflows:
        known = ", ".join(sorted(blueprint.workflows)) or "none"
        raise NotFound(f"The new blueprint has no workflow {new.workflow!r}; it has {known}.")


def _wishes(new: NewUpdate, reshaped: Reshaped, instances: Sequence[NodeInstance]) -> tuple[Wishes, tuple[str, ...]]:
    known = {item.id for item in instances}
    unknown = [id_ for id_ in new.reinstall if id_ not in known]
    if unknown:
        raise NotFound(
            f"Deployment {new.deployment!r} has no node instance {unknown[0]!r}.",
            fix=f"See those that there are: groundplan node-instances list -d {new.deployment}",
        )
    installed = any(item.state not in _GONE for item in instances) or not instances
    notes = () if installed else ("Nothing of the deployment is installed, so nothing is installed now.",)
    wishes = Wishes(
        difference=reshaped.difference,
        reinstall=new.reinstall,
        skip_install=new.skip_install or not installed,
        skip_uninstall=new.skip_uninstall,
        skip_reinstall=new.skip_reinstall,
        skip_drift_check=new.skip_drift_check,
        skip_heal=new.skip_heal,
        force_reinstall=new.force_reinstall,
        ignore_failure=new.ignore_failure,
    )
    return wishes, notes


def _relinked(prepared: _Prepared) -> list[NodeInstance]:
    changed = {item.id: item for item in prepared.reshaped.relinked}
    return [changed.get(item.id, item) for item in prepared.instances]


def _record(prepared: _Prepared, new: NewUpdate, now: datetime, state: UpdateState) -> Update:
    options = {name: getattr(new, name) for name in (*_FLAGS, "workflow", "force")}
    return Update(
        id=UpdateId(identifiers.execution_id()),
        deployment=new.deployment,
        state=state,
        created_at=now,
        by=new.by,
        execution=None,
        old_blueprint=prepared.deployment.blueprint,
        new_blueprint=prepared.blueprint,
        digest=prepared.digest,
        transition=_transition(prepared),
        old_inputs=prepared.deployment.inputs,
        new_inputs=prepared.new.inputs,
        steps=prepared.found.steps,
        difference=prepared.reshaped.difference,
        options={**options, "reinstall_list": list(new.reinstall)},
        notes=prepared.notes,
    )


def _transition(prepared: _Prepared) -> Digest:
    """Return the name of the content that the deployment has meanwhile; that of the new one when nothing goes."""
    difference = prepared.reshaped.difference
    removed = any(step.entity is Entity.NODE and step.action == "remove" for step in prepared.found.steps)
    loses = any(step.entity is Entity.RELATIONSHIP and step.action == "remove" for step in prepared.found.steps)
    if not (removed or loses or difference.reduced):
        return prepared.digest
    joined = hashlib.sha256(f"{prepared.deployment.digest} to {prepared.digest}\n".encode())
    joined.update(repr(sorted(prepared.joined.inputs)).encode())
    return Digest(joined.hexdigest())


def _parameters(prepared: _Prepared, new: NewUpdate, update: Update) -> Mapping[str, Data]:
    given = {
        _UPDATE_ID: update.id,
        "modified_entity_ids": _entities(update.steps),
        **to_parameters(prepared.wishes),
    }
    if not new.workflow:
        return given
    declared = prepared.new.blueprint.workflows[new.workflow]
    resolved = resolve_inputs(
        declared.parameters, prepared.new.blueprint.data_types, given, allow_unknown=True, noun="parameter"
    )
    if resolved.faults:
        raise deployments.InputsRefused(f"Workflow {new.workflow!r} cannot carry out an update:", resolved.faults)
    return resolved.values


def _entities(steps: Sequence[Step]) -> dict[str, Data]:
    """Return the paths of the steps by what they are about, as custom workflows get them."""
    found: dict[str, Data] = {}
    for step in steps:
        found.setdefault(step.entity, []).append(":".join(step.path))
    return found


# -- beginning it


def _begin(transaction: Transaction, library: Library, home: Home, prepared: _Prepared, update: Update) -> None:
    if update.transition != update.digest:
        transaction.put_plan(update.transition, to_plan(prepared.joined.blueprint))
        blueprint_files.join(
            transaction, home, update.transition, newer=update.digest, older=prepared.deployment.digest
        )
    content = Content(
        blueprint=prepared.blueprint,
        digest=update.transition,
        inputs=prepared.joined.inputs,
        labels=prepared.labels,
    )
    reshape = Reshape(
        added=prepared.reshaped.added,
        relinked=prepared.reshaped.relinked,
        content=content,
        scaling=replace(prepared.deployment.scaling, counts=prepared.counts),
    )
    transaction.reshape(prepared.deployment.id, reshape)
    deployments.note_capability_uses(transaction, library, prepared.deployment.id)


def _put_schedules(transaction: Transaction, library: Library, prepared: _Prepared, now: datetime) -> None:
    """Add the schedules that the new blueprint asks for and the old did not so; none is deleted."""
    before, after = (_scheduled(blueprint) for blueprint in (prepared.old, prepared.new.blueprint))
    world = library.world(transaction, deployments.existing(transaction, prepared.deployment.id))
    evaluator = Evaluator.within(library, transaction)
    for schedule in deployments.schedules_of(world, evaluator, now) if before != after else ():
        if before.get(schedule.id) != after.get(schedule.id):
            transaction.put_schedule(schedule)


def _scheduled(blueprint: Blueprint) -> Mapping[str, Data]:
    settings = blueprint.deployment_settings
    written = settings.get("default_schedules") if isinstance(settings, dict) else None
    return written if isinstance(written, dict) else {}


def _refresh_dependencies(transaction: Transaction, library: Library, id: DeploymentId) -> None:
    """Depend for capabilities on what the blueprint uses now, and on nothing else."""
    for item in transaction.dependencies(source=id):
        if item.kind is DependencyKind.CAPABILITY:
            transaction.delete_dependency(item.id, id)
    deployments.note_capability_uses(transaction, library, id)
