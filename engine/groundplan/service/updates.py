"""Updates of deployments: previewed, started, concluded and read (spec 5.10).

An update begins in one transaction: the deployment gets its new content, the instances that are added and the execution
that does the rest, or nothing changes. It is concluded in the transaction that ends the execution, whatever drives it.
What differs is worked out by `preparing`, what runs is planned by `planning.workflows.update`; `asking` reads the
wishes of an update that is started by its workflow id.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import Final

from groundplan.diagnostics.trouble import NotFound
from groundplan.model.blueprint import Blueprint, to_plan
from groundplan.model.deployment import Dependency, DependencyKind
from groundplan.model.execution import Execution, ExecutionStatus
from groundplan.model.ids import DeploymentId, Digest, ExecutionGroupId
from groundplan.model.reshape import Content, Reshape
from groundplan.model.update import UPDATE_WORKFLOW, Entity, Step, Update, UpdateId, UpdateState
from groundplan.model.values import Data
from groundplan.planning.changes.choice import Forecast, forecast
from groundplan.planning.changes.difference import settled
from groundplan.planning.changes.transition import final_inputs
from groundplan.planning.changes.wishes import to_parameters
from groundplan.planning.inputs import resolve_inputs
from groundplan.runtime.evaluation import Evaluator
from groundplan.runtime.library import Library
from groundplan.service import blueprint_files, deployments, executions, identifiers
from groundplan.service.home import Home
from groundplan.service.preparing import NewUpdate, Prepared, prepare
from groundplan.state.store import Store, Transaction

_UPDATE_ID: Final = "update_id"


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


def preview(store: Store, library: Library, new: NewUpdate, now: datetime) -> Preview:
    """Work out an update and keep the record of that; the deployment stays as it is.

    Raises:
        NotFound, UsageError: as `start`.
    """
    numbers = count(1)
    with store.transaction() as transaction:
        prepared = prepare(transaction, library, new, lambda node: f"{node} (new {next(numbers)})")
        update = _record(prepared, new, now, UpdateState.PREVIEW)
        transaction.put_update(update)
        return Preview(
            update=update,
            forecast=forecast(prepared.joined.blueprint, prepared.relinked, prepared.wishes),
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


def start_in(
    transaction: Transaction,
    library: Library,
    home: Home,
    new: NewUpdate,
    now: datetime,
    *,
    group: ExecutionGroupId | None = None,
) -> Execution:
    """Begin an update in a transaction of the caller's; see `start`.

    Args:
        group: its execution waits for its turn among those of this group.
    """
    workflow = new.workflow or UPDATE_WORKFLOW
    asked = executions.NewExecution(
        deployment=new.deployment, workflow="update", force=new.force, parent=new.parent, group=group
    )
    executions.refuse_to_start(transaction, library, asked, now)
    prepared = prepare(transaction, library, new, identifiers.instance_id)
    update = _record(prepared, new, now, UpdateState.UPDATING)
    execution = Execution(
        id=identifiers.execution_id(),
        deployment=new.deployment,
        workflow=workflow,
        status=ExecutionStatus.PENDING if group is None else ExecutionStatus.QUEUED,
        created_at=now,
        started_at=now if group is None else None,
        parameters=_parameters(prepared, new, update),
        parent=new.parent,
        group=group,
    )
    _begin(transaction, library, home, prepared, update)
    _put_schedules(transaction, library, prepared, now)
    transaction.add_execution(execution, claimed=group is None)
    transaction.put_update(replace(update, execution=execution.id))
    return execution


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


def _record(prepared: Prepared, new: NewUpdate, now: datetime, state: UpdateState) -> Update:
    options = {"drift_only": new.drift_only, **new.by_name(), "workflow": new.workflow, "force": new.force}
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


def _transition(prepared: Prepared) -> Digest:
    """Return the name of the content that the deployment has meanwhile; that of the new one when nothing goes."""
    difference = prepared.reshaped.difference
    removed = any(step.entity is Entity.NODE and step.action == "remove" for step in prepared.found.steps)
    loses = any(step.entity is Entity.RELATIONSHIP and step.action == "remove" for step in prepared.found.steps)
    if not (removed or loses or difference.reduced):
        return prepared.digest
    joined = hashlib.sha256(f"{prepared.deployment.digest} to {prepared.digest}\n".encode())
    joined.update(repr(sorted(prepared.joined.inputs)).encode())
    return Digest(joined.hexdigest())


def _parameters(prepared: Prepared, new: NewUpdate, update: Update) -> Mapping[str, Data]:
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


def _begin(transaction: Transaction, library: Library, home: Home, prepared: Prepared, update: Update) -> None:
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


def _put_schedules(transaction: Transaction, library: Library, prepared: Prepared, now: datetime) -> None:
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
