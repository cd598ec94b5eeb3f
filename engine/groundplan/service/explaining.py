"""Says why an execution, or one task of it, is not done: the shortest way to the root cause, then every task.

It only reads, so it works while another process drives. What the tasks alone tell is `waiting`'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from groundplan.diagnostics.suggest import suggest
from groundplan.diagnostics.trouble import NotFound
from groundplan.model.execution import STOPPING, Execution, ExecutionStatus, TaskState
from groundplan.model.graph import Task
from groundplan.model.group import PAUSED
from groundplan.model.ids import ExecutionId
from groundplan.runtime.library import Library
from groundplan.runtime.liveness import shown_driver
from groundplan.runtime.policy import UNLIMITED, Policy
from groundplan.service import executions, queue
from groundplan.service.composition.endings import unfinished_words
from groundplan.service.deployments import existing
from groundplan.service.executions import Listed
from groundplan.service.waiting import DONE, Cause, Circumstances, Reason, Waiting
from groundplan.service.worker import living
from groundplan.state.store import Snapshot, TaskRecord

_MOST_HOPS: Final = 20
"""Executions that wait for each other and are followed down."""
_FAULTS: Final = frozenset({Cause.FAILED, Cause.INTERRUPTED})
"""What keeps a cancelled execution from its end even when it is resumed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """Why something is not done.

    Attributes:
        done: how many tasks of the stage that the execution is in are done.
        total: how many it has.
        path: the shortest way to the root cause, which comes last; the first is what was asked about.
        tasks: a reason for each task that is not done; those first that wait for no other one.
    """

    execution: Listed
    done: int
    total: int
    path: Sequence[Reason]
    tasks: Sequence[Reason]


def explain(snapshot: Snapshot, library: Library, id: ExecutionId, task: str, now: datetime, most: int) -> Explanation:
    """Return why an execution, or one task of it, is not done.

    Args:
        task: number of a task, or its name (`vm_a1b2c3.create`); of an instance, a node or an operation, the first one
            that is not done is meant. Empty for the execution as a whole.
        most: how many executions may run at once in the store; see `queue.limit`.

    Raises:
        NotFound: there is no such execution or task.
    """
    reader = _Reader(snapshot, library, now, most)
    execution = executions.get_in(snapshot, id)
    records = _stage(snapshot, execution.id)
    waiting = reader.waiting(execution, records)
    if task:
        number = _find(records, task)
        path = waiting.path(number) if number in waiting.open else [_done(execution, records, number)]
        path = [*path, *reader.below(path[-1], _MOST_HOPS)]
        path += [] if execution.status.is_final else reader.of_driver(execution)
    else:
        path = reader.path(execution, _MOST_HOPS, waiting)
    return Explanation(
        execution=reader.listed(execution),
        done=len(records) - len(waiting.open),
        total=len(records),
        path=path,
        tasks=waiting.reasons(),
    )


def _stage(snapshot: Snapshot, id: ExecutionId) -> Sequence[TaskRecord]:
    """Return the tasks of the stage that an execution is in; what failed before was dealt with by that stage."""
    stages = snapshot.stages(id)
    return snapshot.tasks(id, first=stages[-1].first if stages else 0)


def _done(execution: Execution, records: Sequence[TaskRecord], number: int) -> Reason:
    record = next(item for item in records if item.task.number == number)
    return Reason(
        execution=execution.id,
        task=number,
        name=record.task.label,
        cause=Cause.ENDED,
        words=f"is done ({record.state}); nothing waits",
    )


def _find(records: Sequence[TaskRecord], named: str) -> int:
    """Return the number of the task that is meant."""
    found = [item for item in records if named in _names(item.task)]
    if not found:
        known = {name for item in records for name in _names(item.task)}
        near = suggest(named, sorted(known))
        raise NotFound(
            f"The stage that the execution is in has no task {named!r}.",
            fix=f"Did you mean {near!r}?" if near else "See its tasks: groundplan executions graph EXECUTION",
        )
    return next((item for item in found if item.state not in DONE), found[0]).task.number


def _names(task: Task) -> tuple[str, ...]:
    node = task.instance.rpartition("_")[0]
    return str(task.number), task.label, task.instance, node, f"{node}.{task.short}", f"{node}.{task.name}"


class _Reader:
    """Reads executions at one moment, and follows those that wait for each other."""

    def __init__(self, snapshot: Snapshot, library: Library, now: datetime, most: int) -> None:
        self._snapshot = snapshot
        self._library = library
        self._now = now
        self._most = most
        self._leases = snapshot.leases()

    def listed(self, execution: Execution) -> Listed:
        """Return an execution with who drives it."""
        return executions.listed(execution, self._leases, self._now)

    def waiting(self, execution: Execution, records: Sequence[TaskRecord]) -> Waiting:
        """Return what the tasks of an execution wait for."""
        world = self._library.world(self._snapshot, existing(self._snapshot, execution.deployment))

        def attempts_of(task: Task) -> str:
            """Say what the blueprint declares; what its driver was told otherwise is not recorded."""
            retries = task.retries if task.retries is not None else world.operation(task).max_retries
            if retries is None:
                return f" of {Policy().retries + 1} by default"
            return " without limit" if retries == UNLIMITED else f" of {retries + 1}"

        return Waiting(
            records,
            Circumstances(
                execution=execution.id,
                now=self._now,
                driven=bool(self.listed(execution).driver),
                stopping=execution.status in STOPPING,
                ended=execution.status.is_final,
                began=self._snapshot.running_since(execution.id),
                cancelled=self._cancelled_children(execution, records),
                attempts_of=attempts_of,
                child=self._shown,
            ),
        )

    def _cancelled_children(self, execution: Execution, records: Sequence[TaskRecord]) -> dict[int, ExecutionId]:
        """Return the children whose cancelling is what their tasks failed with, by task."""
        errors = {item.task.number: item.error for item in records if item.state is TaskState.FAILED}
        children = (
            self._snapshot.executions(parent=execution.id, statuses=[ExecutionStatus.CANCELLED]) if errors else ()
        )
        return {
            child.parent.task: child.id
            for child in children
            if child.parent is not None and errors.get(child.parent.task) == unfinished_words(child)
        }

    def _shown(self, id_: ExecutionId) -> str:
        found = self._snapshot.execution(id_)
        if found is None:
            return f"execution {id_}, which is gone"
        return f"execution {id_} ({found.workflow} of {found.deployment}, {found.status.shown})"

    def path(self, execution: Execution, hops: int, waiting: Waiting | None = None) -> list[Reason]:
        """Return the way from an execution to what holds it up."""
        own = self._whole(execution)
        if own.cause in (Cause.ENDED, Cause.QUEUED) or not hops:
            return [own, *self.below(own, hops)]
        tasks = waiting or self.waiting(execution, _stage(self._snapshot, execution.id))
        reasons = tasks.reasons()
        has_faults = any(item.cause in _FAULTS for item in reasons)
        if execution.status is ExecutionStatus.CANCELLED and not has_faults:
            parent = self._cancelled_parent(execution)
            return [own] if parent is None else [own, *self.path(parent, hops - 1)]
        if own.cause is Cause.DRIVER_LOST or not reasons:
            return [own]
        front = reasons[0]
        return [own, front, *self.below(front, hops)]

    def _cancelled_parent(self, execution: Execution) -> Execution | None:
        """Return the execution that one was started by, if it was cancelled as well."""
        parent = None if execution.parent is None else self._snapshot.execution(execution.parent.execution)
        return parent if parent is not None and parent.status is ExecutionStatus.CANCELLED else None

    def below(self, reason: Reason, hops: int) -> list[Reason]:
        """Follow a reason down to the execution that it waits for."""
        child = None if reason.child is None or not hops else self._snapshot.execution(reason.child)
        if child is not None and reason.cause is Cause.STOPPED:
            # It has ended, and what waited for it is to be resumed, which begins the step anew.
            return [replace(self._whole(child), fix="")]
        return [] if child is None else self.path(child, hops - 1)

    def of_driver(self, execution: Execution) -> list[Reason]:
        """Return the reason that an execution has none that goes on with it, if that is so."""
        own = self._whole(execution)
        return [own] if own.cause is Cause.DRIVER_LOST else []

    def _whole(self, execution: Execution) -> Reason:
        """Return how an execution stands as a whole."""
        name, id_ = f"{execution.workflow} of {execution.deployment}", execution.id
        own = Reason(execution=id_, task=None, name=name, cause=Cause.TASKS, words="")
        resume = f"groundplan executions resume {id_}"
        match execution.status:
            case ExecutionStatus.TERMINATED:
                return replace(own, cause=Cause.ENDED, words="has succeeded; nothing waits")
            case ExecutionStatus.FAILED:
                return replace(own, cause=Cause.FAILED, words=f"failed: {execution.error}", fix=resume)
            case ExecutionStatus.CANCELLED:
                parent = self._cancelled_parent(execution)
                words = "was cancelled"
                if parent is not None:
                    words += f", as was what started it: {parent.workflow} of {parent.deployment}"
                return replace(own, cause=Cause.STOPPED, words=words, fix=resume)
            case ExecutionStatus.QUEUED:
                return self._queued(own, execution)
        listed = self.listed(execution)
        if listed.is_lost:
            return self._lost(own, execution)
        driven = f"is driven on {shown_driver(listed.driver)}" if listed.driver else "is about to be driven"
        if execution.status in STOPPING:
            return replace(own, cause=Cause.STOPPED, words=f"{driven} and asked to end: what runs finishes first")
        return replace(own, words=driven)

    def _lost(self, own: Reason, execution: Execution) -> Reason:
        lease = self._leases.get(execution.id)
        who = "no process drives it"
        if lease is not None and lease.driver:
            last = f"{lease.heartbeat:%H:%M:%S} UTC"
            who = f"its driver ({shown_driver(lease.driver)}) is gone; its last sign was at {last}"
        if living(self._snapshot, self._now):
            return replace(own, cause=Cause.DRIVER_LOST, words=f"waits for a worker to take it over: {who}")
        fix = f"groundplan executions resume {execution.id}, or start `groundplan worker`"
        return replace(own, cause=Cause.DRIVER_LOST, words=f"is not driven: {who}", fix=fix)

    def _queued(self, own: Reason, execution: Execution) -> Reason:
        """Return what keeps a queued execution from its turn."""
        queued = replace(own, cause=Cause.QUEUED)
        begun = self._snapshot.executions(statuses=queue.BEGUN)
        lines = queue.read_lines(self._snapshot, self._now, self._most)
        place = [item.id for item in lines.waiting].index(execution.id) + 1
        for other in begun:
            if other.deployment == execution.deployment:
                words = f"is queued behind {self._shown(other.id)} in its deployment"
                return replace(queued, words=words, child=other.id)
        group = None if execution.group is None else self._snapshot.execution_group(execution.group)
        if group is not None and queue.rooms(self._snapshot, begun, [execution])[group.id] <= 0:
            if group.concurrency == PAUSED:
                fix = f"groundplan executions groups set-concurrency {group.id} 5"
                return replace(queued, words=f"is queued: its execution group {group.id} is paused", fix=fix)
            words = f"is queued: {group.concurrency} of its execution group {group.id} run, and no more may at once"
            return replace(queued, words=words)
        if lines.running >= self._most:
            words = f"is queued in place {place}: {lines.running} executions run, and no more may at once"
            return replace(queued, words=words, fix=f"end some of them, or set {queue.VARIABLE} to more")
        if living(self._snapshot, self._now):
            return replace(queued, words=f"is queued in place {place}; a worker with room takes it")
        again = f"groups resume {group.id}" if group is not None else f"resume {execution.id}"
        fix = f"groundplan executions {again}, or start `groundplan worker`"
        return replace(queued, words=f"is queued in place {place}, and no worker serves this store", fix=fix)
