"""Executions: started, driven to their end, resumed, cancelled and read."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Final

from groundplan.diagnostics.trouble import Conflict, UsageError
from groundplan.model.blueprint import Blueprint
from groundplan.model.deployment import Deployment, InstanceState
from groundplan.model.execution import (
    FINAL,
    WAITING_TO_BEGIN,
    Change,
    Event,
    EventType,
    Execution,
    ExecutionStatus,
    Lease,
    ParentTask,
    TaskState,
    after,
)
from groundplan.model.ids import DeploymentId, ExecutionGroupId, ExecutionId
from groundplan.model.types import Constraint, Schema
from groundplan.model.update import UPDATE_WORKFLOWS
from groundplan.model.values import Data
from groundplan.planning.inputs import resolve_inputs, supplied_values
from groundplan.planning.workflows.table import BUILT_IN, workflow_stages
from groundplan.runtime.containment import Containment
from groundplan.runtime.keeping import ON_TEMPORAL_FIX
from groundplan.runtime.library import Library, NoPlan
from groundplan.runtime.liveness import is_alive, shown_driver
from groundplan.service import identifiers
from groundplan.service.collecting import collect
from groundplan.service.deployments import InputsRefused, existing, refuse_if_needed
from groundplan.service.entities import Entities
from groundplan.service.finding import find_workflow
from groundplan.service.queue import BEGUN, DEFAULT_LIMIT, VARIABLE, is_lost, read_lines
from groundplan.state.store import Snapshot, Store, TaskRecord, Transaction

_UNINSTALL: Final = "uninstall"
_TAKING_AWAY: Final = frozenset({"stop", _UNINSTALL, "heal", "update"})
_AGAIN: Final = frozenset({TaskState.FAILED, TaskState.RESCHEDULED})
_CUT_OFF: Final = frozenset({TaskState.STARTED, TaskState.INTERRUPTED})


@dataclass(frozen=True, kw_only=True, slots=True)
class NewExecution:
    """What is to be run.

    Attributes:
        parent: the task of a composition that starts it, or None when a person does.
        force: start although the workflow is unavailable, others need the deployment, or something runs in it.
        queue: where something runs in the deployment, or too much in the store, wait for one's turn.
        deferred: somebody else than the caller will drive it: queued, unless it is forced.
        wait_after_fail: see `Execution`.
        scheduled_for: see `Execution`.
        group: the execution group that it is one of: it waits for its turn.
        limit: how many executions may run at once in the store; see `queue.limit`.
        is_one_of_many: its parameters were given to other deployments as well.
    """

    deployment: DeploymentId
    workflow: str
    parameters: Mapping[str, Data] = field(default_factory=dict)
    allow_custom_parameters: bool = False
    force: bool = False
    is_dry_run: bool = False
    parent: ParentTask | None = None
    queue: bool = False
    deferred: bool = False
    wait_after_fail: float | None = None
    scheduled_for: datetime | None = None
    group: ExecutionGroupId | None = None
    limit: int = DEFAULT_LIMIT
    is_one_of_many: bool = False


def start(store: Store, library: Library, new: NewExecution, now: datetime) -> Execution:
    """Record an execution that a driver can take; it does not run yet. One that must wait for its turn is `QUEUED`.

    Raises:
        NotFound: there is no such deployment or workflow.
        UsageError: the parameters are wrong, or the workflow is not available as things stand.
        Conflict: something runs in the deployment, or too much in the store, or others need what the workflow would
            take away.
    """
    with store.transaction() as transaction:
        return start_in(transaction, library, new, now)


def start_in(transaction: Transaction, library: Library, new: NewExecution, now: datetime) -> Execution:
    """Record an execution in a transaction of the caller's; see `start`.

    A cascading workflow is queued for the deployments of the components as well, and for theirs (spec 6.2).
    """
    deployment = existing(transaction, new.deployment)
    blueprint = library.blueprint(transaction, deployment.digest)
    waits = (
        new.group is not None or (new.deferred and not new.force) or (new.queue and _must_wait(transaction, new, now))
    )
    if not waits:
        refuse_to_start(transaction, library, new, now)
    execution = Execution(
        id=identifiers.execution_id(),
        deployment=new.deployment,
        workflow=new.workflow,
        status=ExecutionStatus.QUEUED if waits else ExecutionStatus.PENDING,
        created_at=now,
        started_at=None if waits else now,
        parameters=_parameters(transaction, library, deployment, blueprint, new),
        parent=new.parent,
        is_dry_run=new.is_dry_run,
        wait_after_fail=new.wait_after_fail,
        scheduled_for=new.scheduled_for,
        group=new.group,
    )
    workflow_stages(blueprint, execution)
    if not new.force and not waits and new.parent is None:
        _refuse_unavailable(blueprint, new.workflow, transaction.instance_states(new.deployment))
    transaction.add_execution(execution, claimed=not new.deferred)
    if blueprint.workflows[new.workflow].is_cascading:
        _cascade(transaction, library, new, now)
    return execution


def _cascade(transaction: Transaction, library: Library, new: NewExecution, now: datetime) -> None:
    """Queue the workflow for the deployments that components of this one made, where they have it."""
    for child in transaction.deployments():
        if child.owner is None or child.owner.deployment != new.deployment:
            continue
        if new.workflow in library.blueprint(transaction, child.digest).workflows:
            asked = NewExecution(
                deployment=child.id,
                workflow=new.workflow,
                parameters=new.parameters,
                allow_custom_parameters=True,
                is_dry_run=new.is_dry_run,
                is_one_of_many=True,
                deferred=True,
                wait_after_fail=new.wait_after_fail,
                limit=new.limit,
            )
            start_in(transaction, library, asked, now)


def is_of_cascade(execution: Execution, origin: Execution) -> bool:
    """Whether an execution of a component's deployment was queued with that of the component's own, at one moment."""
    return execution.workflow == origin.workflow and execution.created_at == origin.created_at


def refuse_to_start(snapshot: Snapshot, library: Library, new: NewExecution, now: datetime) -> None:
    """Refuse, unless it is forced, what must not start as things stand.

    Raises:
        NotFound: there is no such deployment.
        Conflict: something runs in the deployment, others need what the workflow would take away, or too much runs.
    """
    deployment = existing(snapshot, new.deployment)
    if new.force:
        return
    _refuse_while_running(snapshot, new.deployment, now)
    _refuse_above_limit(snapshot, new, now)
    blueprint = library.blueprint(snapshot, deployment.digest)
    asker = _asker(snapshot, library, deployment, new.parent)
    parameters = partial(_parameters, snapshot, library, deployment, blueprint, new)
    _refuse_needed(snapshot, deployment, blueprint, new.workflow, asker, parameters)


def refusal(snapshot: Snapshot, library: Library, execution: Execution) -> str:
    """Return why a queued execution cannot begin as things stand now, or nothing; what else runs is not asked."""
    group = None if execution.group is None else snapshot.execution_group(execution.group)
    if execution.stage or (group is not None and group.is_forced):
        return ""  # what began once is resumed
    deployment = existing(snapshot, execution.deployment)
    try:
        blueprint = library.blueprint(snapshot, deployment.digest)
        asker = _origin(snapshot, deployment, execution) or _asker(snapshot, library, deployment, execution.parent)
        _refuse_needed(snapshot, deployment, blueprint, execution.workflow, asker, lambda: execution.parameters)
        if execution.workflow in blueprint.workflows:  # an update need not be
            _refuse_unavailable(blueprint, execution.workflow, snapshot.instance_states(deployment.id))
    except (UsageError, NoPlan) as error:
        return error.message
    return ""


def next_queued(store: Store, library: Library, now: datetime, limit: int) -> Execution | None:
    """Return the queued execution whose turn it is, if any; one that cannot begin any more fails."""
    while True:
        with store.transaction() as transaction:
            found = read_lines(transaction, now, limit).next
            if not found:
                return None
            why = refusal(transaction, library, found[0])
            if not why:
                return found[0]
            fail_in(transaction, found[0].id, why, now)


def take_queued(store: Store, library: Library, id: ExecutionId, now: datetime, limit: int) -> Execution | None:
    """Return a queued execution that somebody wants to begin by hand, or None when it is not queued.

    Raises:
        NotFound: there is no such execution.
        Conflict: its turn has not come.
        UsageError: it cannot begin as things stand.
    """
    with store.snapshot() as snapshot:
        execution = get_in(snapshot, id)
        if execution.status is not ExecutionStatus.QUEUED:
            return None
        lines = read_lines(snapshot, now, limit)
        if execution.id not in {item.id for item in lines.next}:
            first = f"; before it comes {lines.next[0].id}" if lines.next else ""
            raise Conflict(
                f"Execution {execution.id} is queued, and its turn has not come{first}.",
                fix=f"See what it waits for: groundplan executions explain {execution.id}",
            )
        why = refusal(snapshot, library, execution)
    if why:
        raise UsageError(why)
    return execution


def fail_in(transaction: Transaction, id: ExecutionId, why: str, now: datetime) -> None:
    """Record that an execution cannot be driven at all."""
    execution = transaction.execution(id)
    failed = None if execution is None else after(Change.FAIL, execution.status)
    if execution is None or failed is None:
        return
    transaction.set_execution(id, status=failed, error=why, at=now)
    transaction.append_event(
        Event(
            at=now,
            type=EventType.WORKFLOW_FAILED,
            message=f"{execution.workflow!r} workflow execution failed: {why}",
            execution=id,
            deployment=execution.deployment,
        )
    )
    collect(transaction, replace(execution, status=failed))


def _must_wait(snapshot: Snapshot, new: NewExecution, now: datetime) -> bool:
    lines = read_lines(snapshot, now, new.limit)
    return (
        lines.running >= new.limit
        or any(item.deployment == new.deployment for item in lines.waiting)
        or any(not item.status.is_final for item in snapshot.executions(deployment=new.deployment))
    )


def _refuse_above_limit(snapshot: Snapshot, new: NewExecution, now: datetime) -> None:
    if new.parent is not None or new.group is not None:
        return
    running = read_lines(snapshot, now, new.limit).running
    if running >= new.limit:
        raise Conflict(
            f"{running} executions run already, and no more may at once.",
            fix=f"Wait for one's turn with --queue, or set {VARIABLE} to more.",
        )


def _refuse_needed(
    snapshot: Snapshot,
    deployment: Deployment,
    blueprint: Blueprint,
    workflow: str,
    asker: DeploymentId | None,
    parameters: Callable[[], Mapping[str, Data]],
) -> None:
    built_in = _built_in(blueprint, workflow)
    if _TAKING_AWAY.isdisjoint((workflow, built_in)):
        return
    # An uninstall that takes along what stands in the deployment need not spare it.
    recursive = built_in == _UNINSTALL and parameters().get("recursive") is True
    spared = Containment(snapshot).below(deployment.id) if recursive else ()
    refuse_if_needed(snapshot, deployment.id, f"put through {workflow!r}", on_behalf_of=asker, besides=spared)


def prepare_resume(
    store: Store,
    id: ExecutionId,
    now: datetime,
    *,
    reset_operations: bool = False,
    force: bool = False,
    queue: bool = False,
    on_temporal: bool = False,
) -> Execution:
    """Make an execution that failed, was cancelled or lost its driver fit to be driven again (spec 5.8).

    Finished tasks stay finished; failed ones get their attempts anew.

    Args:
        reset_operations: run operations again that were cut off and are not known to be safe to repeat.
        force: although a driver that seems to live has it; whatever that one writes from now on is refused.
        queue: have it wait for its turn, whatever runs in the deployment.
        on_temporal: Temporal will drive it; without, what a Temporal workflow sees to is taken from it by force only.

    Raises:
        NotFound: there is no such execution.
        Conflict: it is being driven, or something else runs in the deployment.
        UsageError: it has succeeded, waits to be started, or is being ended.
    """
    with store.transaction() as transaction:
        execution = get_in(transaction, id)
        lease = transaction.lease(execution.id)
        if lease is not None and is_alive(lease, now) and not force:
            raise Conflict(
                f"Execution {execution.id} is being driven on {shown_driver(lease.driver)}.",
                fix=f"If that process does not do it any more: groundplan executions resume {execution.id} --force",
            )
        if execution.on_temporal and not (on_temporal or force or execution.status.is_final):
            fix = ON_TEMPORAL_FIX.format(id=execution.id)
            raise Conflict(f"Execution {execution.id} is driven on Temporal.", fix=fix)
        resumed = after(Change.REQUEUE if queue else Change.RESUME, execution.status)
        if resumed is None:
            raise _not_resumable(execution)
        if not queue:
            _refuse_while_running(transaction, execution.deployment, now, but=execution.id)
        if lease is not None:
            _revoke_tree(transaction, execution, lease.driver)
        if not on_temporal:
            _take_from_temporal(transaction, execution)
        again = _AGAIN | _CUT_OFF if reset_operations else _AGAIN
        transaction.reset_tasks(
            execution.id,
            [
                record.task.number
                for record in _open_tasks(transaction, execution.id, again | {TaskState.WAITING})
                if record.state in again or _waits_in_vain(transaction, record)
            ],
        )
        transaction.set_execution(execution.id, status=resumed, at=now)
        return get_in(transaction, execution.id)


def _revoke_tree(transaction: Transaction, execution: Execution, driver: str) -> None:
    """Take an execution and its children from a driver: they are its as well, and nobody else would have them soon."""
    lease = transaction.lease(execution.id)
    if lease is not None and lease.driver == driver:
        transaction.revoke(lease)
    for child in transaction.executions(parent=execution.id):
        if not child.status.is_final:
            _revoke_tree(transaction, child, driver)


def _take_from_temporal(transaction: Transaction, execution: Execution) -> None:
    """Have any driver take an execution and its children."""
    if execution.on_temporal:
        transaction.set_on_temporal(execution.id, False)
    for child in transaction.executions(parent=execution.id):
        if not child.status.is_final:
            _take_from_temporal(transaction, child)


def _open_tasks(snapshot: Snapshot, id: ExecutionId, states: Collection[TaskState]) -> Sequence[TaskRecord]:
    """Return the tasks of the stage that the execution is in: what failed before was dealt with by that stage."""
    stages = snapshot.stages(id)
    return snapshot.tasks(id, first=stages[-1].first if stages else 0, states=states)


def _not_resumable(execution: Execution) -> UsageError:
    if execution.status is ExecutionStatus.TERMINATED:
        return UsageError(f"Execution {execution.id} has succeeded; there is nothing to resume.")
    if execution.status in WAITING_TO_BEGIN:
        fix = f"Begin it as its turn comes: groundplan executions resume {execution.id}"
        is_queued = execution.status is ExecutionStatus.QUEUED
        return UsageError(
            f"Execution {execution.id} has not begun: it is {execution.status}.", fix=fix if is_queued else ""
        )
    return UsageError(
        f"Execution {execution.id} is {execution.status}.",
        fix=f"Have it end first: groundplan executions cancel {execution.id} --kill",
    )


def _waits_in_vain(snapshot: Snapshot, record: TaskRecord) -> bool:
    """Whether a task waits for an execution that ended without success: its step is to be done again."""
    if record.state is not TaskState.WAITING or record.waits_for is None:
        return False
    child = snapshot.execution(record.waits_for)
    return child is None or child.status in (ExecutionStatus.FAILED, ExecutionStatus.CANCELLED)


def end(store: Store, id: ExecutionId, how: Change, now: datetime) -> Execution:
    """Ask an execution and those that its tasks wait for to end; without a living driver they end at once.

    Args:
        how: `CANCEL`: no new task starts, running ones finish. `FORCE_CANCEL`: its driver stops at once and running
            operations go on unobserved. `KILL`: running operations are terminated as well.

    Raises:
        NotFound: there is no such execution.
        UsageError: it has ended, or is ending already in that way or a stricter one.
    """
    with store.transaction() as transaction:
        execution = get_in(transaction, id)
        if execution.status.is_final:
            raise UsageError(f"Execution {execution.id} has ended already ({execution.status}).")
        if after(how, execution.status) is None:
            raise UsageError(
                f"Execution {execution.id} is {execution.status} already.",
                fix=f"End it in a stricter way: groundplan executions cancel {execution.id} --kill",
            )
        _end_tree(transaction, execution, how, now)
        return get_in(transaction, execution.id)


_ENDING: Final = {
    Change.CANCEL: "Cancelling",
    Change.FORCE_CANCEL: "Cancelling by force",
    Change.KILL: "Killing",
}


def _end_tree(transaction: Transaction, execution: Execution, how: Change, now: datetime) -> None:
    """End an execution and its children; a driver that has one of them ends it in its own time."""
    asked = after(how, execution.status)
    if asked is not None:
        lease = transaction.lease(execution.id)
        driven = lease is not None and is_alive(lease, now)
        status = asked if driven else ExecutionStatus.CANCELLED
        transaction.set_execution(execution.id, status=status, at=now)
        words = "Cancelled; no driver had it" if status.is_final else _ENDING[how]
        transaction.append_event(
            Event(
                at=now,
                type=EventType.WORKFLOW_CANCELLED,
                message=f"{words}: {execution.workflow!r} workflow execution",
                execution=execution.id,
                deployment=execution.deployment,
            )
        )
    for child in transaction.executions(parent=execution.id):
        if not child.status.is_final:
            _end_tree(transaction, child, how, now)


def get_in(snapshot: Snapshot, id: ExecutionId) -> Execution:
    """Return an execution; a unique beginning of its id is enough.

    Raises:
        NotFound: there is none.
        UsageError: several begin so.
    """
    found = snapshot.execution(id)
    if found is not None:
        return found
    return identifiers.by_beginning(snapshot.executions(), id, noun="execution", listing="executions list")


def get(store: Store, id: ExecutionId) -> Execution:
    """Return an execution; see `get_in`."""
    with store.snapshot() as snapshot:
        return get_in(snapshot, id)


def delete_ended(
    store: Store,
    *,
    before: datetime | None = None,
    keep_last: int | None = None,
    deployment: DeploymentId | None = None,
) -> int:
    """Delete executions that have ended, with their events, and return how many.

    Args:
        before: only those that ended earlier.
        keep_last: how many of the latest stay.

    Raises:
        NotFound: a deployment was named that does not exist.
    """
    with store.transaction() as transaction:
        if deployment is not None:
            existing(transaction, deployment)
        ended = transaction.executions(deployment=deployment, statuses=FINAL)
        kept = ended[-keep_last:] if keep_last else ()
        chosen = [
            item.id
            for item in ended[: len(ended) - len(kept)]
            if before is None or (item.ended_at is not None and item.ended_at < before)
        ]
        if chosen:
            transaction.delete_executions(chosen)
        return len(chosen)


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """An execution with who drives it.

    Attributes:
        driver: name of the living driver, or empty.
        is_lost: it has begun and no living driver has it.
    """

    execution: Execution
    driver: str
    is_lost: bool


def listing(
    store: Store,
    now: datetime,
    deployment: DeploymentId | None = None,
    statuses: Collection[ExecutionStatus] = (),
) -> Sequence[Listed]:
    """Return executions, oldest first, as things really stand: a record alone cannot tell that its driver died.

    Raises:
        NotFound: a deployment was named that does not exist.
    """
    with store.snapshot() as snapshot:
        if deployment is not None:
            existing(snapshot, deployment)
        found = snapshot.executions(deployment=deployment, statuses=statuses)
        leases = snapshot.leases()
    return [listed(item, leases, now) for item in found]


def listed(execution: Execution, leases: Mapping[ExecutionId, Lease], now: datetime) -> Listed:
    """Return an execution with who drives it, given the leases of the same moment."""
    lost, lease = is_lost(execution, leases, now), leases.get(execution.id)
    return Listed(execution=execution, driver="" if lost or lease is None else lease.driver, is_lost=lost)


def get_listed(store: Store, id: ExecutionId, now: datetime) -> Listed:
    """Return an execution with who drives it; see `get_in`."""
    with store.snapshot() as snapshot:
        return listed(get_in(snapshot, id), snapshot.leases(), now)


def _refuse_while_running(
    snapshot: Snapshot, deployment: DeploymentId, now: datetime, but: ExecutionId | None = None
) -> None:
    for other in snapshot.executions(deployment=deployment):
        # An update has begun while it still waits for its turn: its deployment is half the old, half the new one.
        updating = other.status is ExecutionStatus.QUEUED and snapshot.updates(execution=other.id)
        if (other.status in BEGUN or updating) and other.id != but:
            lease = snapshot.lease(other.id)
            driven = lease is not None and is_alive(lease, now)
            where = (
                f", driven on {shown_driver(lease.driver)}"
                if lease is not None and driven
                else ", and no driver has it"
            )
            act = f"events list {other.id} --tail" if driven else f"executions resume {other.id}"
            raise Conflict(
                f"Deployment {deployment!r} has an execution that has not ended: {other.id} ({other.workflow}{where}).",
                fix=f"{'Wait for it' if driven else 'Go on with it'}: groundplan {act}",
            )


def _built_in(blueprint: Blueprint, workflow: str) -> str:
    declared = blueprint.workflows.get(workflow)
    return "" if declared is None else declared.operation.removeprefix(BUILT_IN)


def _asker(
    snapshot: Snapshot, library: Library, deployment: Deployment, task: ParentTask | None
) -> DeploymentId | None:
    """Return the deployment whose component asks for this or is being taken away itself (spec 6.4)."""
    if deployment.owner is None:
        return None
    parent = None if task is None else snapshot.execution(task.execution)
    if parent is not None:
        return parent.deployment
    maker = existing(snapshot, deployment.owner.deployment)
    blueprint = library.blueprint(snapshot, maker.digest)
    going = snapshot.executions(deployment=maker.id, statuses=BEGUN)
    taken = any(
        item.workflow in UPDATE_WORKFLOWS
        or not _TAKING_AWAY.isdisjoint((item.workflow, _built_in(blueprint, item.workflow)))
        for item in going
    )
    return maker.id if taken else None


def _origin(snapshot: Snapshot, deployment: Deployment, execution: Execution) -> DeploymentId | None:
    """Return the maker of a component's deployment whose cascading workflow this is a part of."""
    if deployment.owner is None:
        return None
    maker = deployment.owner.deployment
    return maker if any(is_of_cascade(execution, item) for item in snapshot.executions(deployment=maker)) else None


def _parameters(
    snapshot: Snapshot, library: Library, deployment: Deployment, blueprint: Blueprint, new: NewExecution
) -> Mapping[str, Data]:
    """Return the parameters of a workflow, those with defaults included.

    What was given for an object type must exist in the deployment; what the blueprint has for none need not, nor what
    is given to many deployments at once: each takes from it what it has.
    """
    workflow = find_workflow(blueprint, new.workflow, f"Deployment {new.deployment!r}")
    entities = Entities(snapshot, library, deployment, blueprint, ambient=True)
    given = supplied_values({} if new.is_one_of_many or new.group is not None else new.parameters)

    def exists(type_name: str, value: Data, constraints: Sequence[Constraint]) -> str | None:
        return entities.wrong(type_name, value, constraints) if value in given else None

    resolved = resolve_inputs(
        {name: _nullable(schema) for name, schema in workflow.parameters.items()},
        blueprint.data_types,
        new.parameters,
        evaluate=entities.evaluate,
        exists=exists,
        convert=True,
        allow_unknown=new.allow_custom_parameters,
        noun="parameter",
    )
    if resolved.faults:
        needed = [f"-p {fault.input}=VALUE" for fault in resolved.faults if fault.code == "missing-input"]
        fix = f"Give it with {' '.join(needed)}." if needed else ""
        raise InputsRefused(f"The parameters of workflow {new.workflow!r} cannot be used:", resolved.faults, fix=fix)
    return resolved.values


def _nullable(schema: Schema) -> Schema:
    """A parameter's default that is written as null is a value (the standard types have such); an input's is none."""
    return replace(schema, required=False) if schema.has_default and schema.default is None else schema


def _refuse_unavailable(blueprint: Blueprint, workflow: str, states: Mapping[InstanceState, int]) -> None:
    """Keep the availability rules of a workflow (spec 5.9)."""
    rules = blueprint.workflows[workflow].availability_rules or {}
    allowed = rules.get("node_instances_active")
    activity = _activity(states)
    if rules.get("available") is False:
        raise UsageError(f"Workflow {workflow!r} is not available: the blueprint says so.")
    if allowed and activity not in allowed:
        words = {"all": "every node instance is started", "none": "no node instance is started"}
        raise UsageError(
            f"Workflow {workflow!r} is not available: {words.get(activity, 'some node instances are started')}.",
            fix="Start it anyway with --force.",
        )
    for type_ in rules.get("node_types_required") or ():
        if not any(node.is_a(type_) for node in blueprint.nodes.values()):
            raise UsageError(f"Workflow {workflow!r} is not available: no node is of type {type_!r}.")


def _activity(states: Mapping[InstanceState, int]) -> str:
    if states.keys() <= {InstanceState.STARTED}:
        return "all"
    untouched = states.keys() <= {InstanceState.UNINITIALIZED, InstanceState.DELETED}
    return "none" if untouched else "partial"
