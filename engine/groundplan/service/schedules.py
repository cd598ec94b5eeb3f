"""Schedules: made, changed, read, and at their occurrences turned into executions by whichever worker comes first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from groundplan.diagnostics.trouble import Conflict, NotFound, UsageError
from groundplan.model.execution import Event, EventType, Execution, ExecutionStatus
from groundplan.model.ids import DeploymentId
from groundplan.model.schedule import Schedule, ScheduleId
from groundplan.planning.occurrences import due, next_after
from groundplan.runtime.library import Library, NoPlan
from groundplan.service import executions
from groundplan.service.deployments import existing
from groundplan.service.finding import find_workflow
from groundplan.service.scheduling import NewSchedule, make_schedule
from groundplan.state.store import Snapshot, Store, Transaction


def create(store: Store, library: Library, new: NewSchedule, now: datetime) -> Schedule:
    """Make a schedule.

    Raises:
        NotFound: there is no such deployment or workflow.
        Conflict: the deployment has a schedule of that name.
        UsageError: a moment or the rule cannot be used, or no occurrence lies ahead.
    """
    with store.transaction() as transaction:
        deployment = existing(transaction, new.deployment)
        schedule = make_schedule(new, library.blueprint(transaction, deployment.digest), now)
        if transaction.schedule(schedule.deployment, schedule.id) is not None:
            raise Conflict(
                f"Deployment {new.deployment!r} has a schedule {schedule.id!r} already.",
                fix="Give this one another name (-n), or change that one: groundplan schedules update",
            )
        _refuse_past(schedule, now)
        transaction.put_schedule(schedule)
        return schedule


def _refuse_past(schedule: Schedule, now: datetime) -> None:
    found = due(schedule, now)
    if found.run is None and found.next_at is None:
        raise UsageError(f"Schedule {schedule.id!r} would never run: no occurrence lies ahead.")


def put(store: Store, library: Library, schedule: Schedule) -> None:
    """Store a schedule in place of the one of its name.

    Raises:
        NotFound: there is none of that name, or no such workflow.
    """
    with store.transaction() as transaction:
        get_in(transaction, schedule.deployment, schedule.id)
        deployment = existing(transaction, schedule.deployment)
        find_workflow(
            library.blueprint(transaction, deployment.digest), schedule.workflow, f"Deployment {deployment.id!r}"
        )
        transaction.put_schedule(schedule)


def set_enabled(store: Store, deployment: DeploymentId, id: ScheduleId, now: datetime, *, enabled: bool) -> Schedule:
    """Switch a schedule on or off; what it would have run while it was off is not made up for.

    Raises:
        NotFound: there is none of that name.
    """
    with store.transaction() as transaction:
        found = get_in(transaction, deployment, id)
        ahead = next_after(found.rule, now) if enabled and not found.enabled else found.next_at
        changed = replace(found, enabled=enabled, next_at=ahead)
        transaction.put_schedule(changed)
        return changed


def delete(store: Store, deployment: DeploymentId, id: ScheduleId) -> None:
    """Forget a schedule.

    Raises:
        NotFound: there is none of that name.
    """
    with store.transaction() as transaction:
        get_in(transaction, deployment, id)
        transaction.delete_schedule(deployment, id)


def get(store: Store, deployment: DeploymentId, id: ScheduleId) -> Schedule:
    """Return a schedule; see `get_in`."""
    with store.snapshot() as snapshot:
        return get_in(snapshot, deployment, id)


def get_in(snapshot: Snapshot, deployment: DeploymentId, id: ScheduleId) -> Schedule:
    """Return a schedule.

    Raises:
        NotFound: there is no such deployment, or it has none of that name.
    """
    existing(snapshot, deployment)
    found = snapshot.schedule(deployment, id)
    if found is None:
        raise NotFound(
            f"Deployment {deployment!r} has no schedule {id!r}.",
            fix=f"See those that there are: groundplan schedules list -d {deployment}",
        )
    return found


def listing(store: Store, deployment: DeploymentId | None = None) -> Sequence[Schedule]:
    """Return schedules, oldest first.

    Raises:
        NotFound: a deployment was named that does not exist.
    """
    with store.snapshot() as snapshot:
        if deployment is not None:
            existing(snapshot, deployment)
        return snapshot.schedules(deployment=deployment)


# -- at an occurrence


@dataclass(frozen=True, kw_only=True, slots=True)
class Fired:
    """What came of an occurrence.

    Attributes:
        execution: what was started, or None.
        words: what happened, for the log.
    """

    schedule: Schedule
    execution: Execution | None
    words: str


def fire(store: Store, library: Library, now: datetime) -> Sequence[Fired]:
    """Start what is due, each occurrence once whoever calls, and set every schedule to its next one."""
    with store.transaction() as transaction:
        return [_fire(transaction, library, schedule, now) for schedule in transaction.schedules(due=now)]


def _fire(transaction: Transaction, library: Library, schedule: Schedule, now: datetime) -> Fired:
    found = due(schedule, now)
    after = replace(schedule, next_at=found.next_at)
    before = None if schedule.latest is None else transaction.execution(schedule.latest)
    execution, words = None, ""
    if schedule.stop_on_fail and before is not None and before.status is ExecutionStatus.FAILED:
        after, words = replace(after, enabled=False), f"disabled: execution {before.id} failed"
    elif found.run is None:
        words = f"missed by more than its slip of {schedule.slip} min: skipped"
    elif before is not None and not before.status.is_final:
        words = f"skipped: execution {before.id} has not ended"
    else:
        try:
            execution = _start(transaction, library, schedule, found.run, now)
            after, words = replace(after, latest=execution.id), f"starts execution {execution.id}"
        except (UsageError, NoPlan) as error:
            after = replace(after, enabled=not schedule.stop_on_fail)
            words = f"cannot start: {error.message}"
    transaction.put_schedule(after)
    if execution is None:
        transaction.append_event(
            Event(
                at=now,
                type=EventType.WORKFLOW_STAGE,
                message=f"Schedule {schedule.id!r} of workflow {schedule.workflow!r}: {words}",
                execution=None,
                deployment=schedule.deployment,
            )
        )
    return Fired(schedule=after, execution=execution, words=words)


def _start(
    transaction: Transaction, library: Library, schedule: Schedule, occurrence: datetime, now: datetime
) -> Execution:
    arguments = schedule.arguments
    return executions.start_in(
        transaction,
        library,
        executions.NewExecution(
            deployment=schedule.deployment,
            workflow=schedule.workflow,
            parameters=schedule.parameters,
            allow_custom_parameters=arguments.allow_custom_parameters,
            force=arguments.force,
            is_dry_run=arguments.is_dry_run,
            wait_after_fail=arguments.wait_after_fail,
            scheduled_for=occurrence,
            deferred=True,
        ),
        now,
    )
