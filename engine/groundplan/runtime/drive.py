"""One execution while it is driven: its progress, what is in flight, and what the next commit will say of it.

It decides nothing about order (`planning.advance`) and runs nothing (`local`); it turns outcomes into records. All of
it happens in the driver's one thread.
"""

import heapq
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from groundplan.model.blueprint import Operation
from groundplan.model.deployment import InstanceState
from groundplan.model.execution import (
    STOPPING,
    Change,
    Event,
    EventType,
    Execution,
    ExecutionStatus,
    Failure,
    Lease,
    Outcome,
    TaskState,
    Verdict,
    after,
)
from groundplan.model.graph import Task, TaskGraph, TaskKind
from groundplan.model.ids import ExecutionId, InstanceId
from groundplan.model.values import Data
from groundplan.planning.advance import Progress, Standing, rebuild
from groundplan.planning.health import NOTED_OPERATIONS, note_outcome, note_state, noted_instance
from groundplan.planning.stages import Stage
from groundplan.runtime.policy import UNLIMITED, Policy
from groundplan.runtime.world import World
from groundplan.sdk.errors import AwaitsOthers
from groundplan.state.store import (
    AttemptEnd,
    AttemptStart,
    Batch,
    ExecutionEnd,
    InstanceChange,
    StageRecord,
    StoreFault,
    TaskRecord,
)

_ENDS: Final = {
    Standing.SUCCEEDED: Change.SUCCEED,
    Standing.FAILED: Change.FAIL,
    Standing.CANCELLED: Change.STOP,
}
_END_EVENTS: Final = {
    ExecutionStatus.TERMINATED: EventType.WORKFLOW_SUCCEEDED,
    ExecutionStatus.FAILED: EventType.WORKFLOW_FAILED,
    ExecutionStatus.CANCELLED: EventType.WORKFLOW_CANCELLED,
}
_FAILURES: Final = frozenset({TaskState.FAILED, TaskState.INTERRUPTED})
INTERRUPTED: Final = "Interrupted"
"""Type of the failure of an operation that was cut off and may not be repeated unasked."""
_WORKER_LOST: Final = "WorkerLost"
_CUT_OFF: Final = frozenset({TaskState.STARTED, TaskState.INTERRUPTED})
_ENDED: Final = frozenset({TaskState.SUCCEEDED, TaskState.FAILED, TaskState.IGNORED, TaskState.INTERRUPTED})
_DONE: Final = Outcome(verdict=Verdict.SUCCEEDED)
_FINISHED: Final = frozenset({TaskState.SUCCEEDED, TaskState.FAILED, TaskState.IGNORED})


class Start(NamedTuple):
    """An attempt whose start is part of the next commit.

    Attributes:
        number: which attempt, from 1.
        earlier: attempts before the last resume.
        lost: an earlier attempt of the task was begun and never got an outcome.
    """

    task: Task
    number: int
    earlier: int
    retries: int
    timeout: float
    lost: bool


class Drive:
    """An execution in the hands of this driver."""

    def __init__(
        self, *, execution: Execution, lease: Lease, world: World, policy: Policy, taken_over: bool = False
    ) -> None:
        self.execution = execution
        self.taken_over = taken_over
        """Another driver had it and was lost."""
        self.lease = lease
        self.world = world
        self.cancelling = execution.status in STOPPING
        self.stage = execution.stage
        self.waiting: dict[int, ExecutionId] = {}
        self._limits: dict[int, datetime] = {}
        self.policy = policy
        self._tasks: dict[int, Task] = {}
        self._attempts: dict[int, int] = {}
        self._earlier: dict[int, int] = {}
        self._lost: set[int] = set()
        self._behind: set[int] = set()
        self._progress = Progress(TaskGraph(tasks=(), waits=()))
        self._ready: deque[int] = deque()
        self._states: deque[int] = deque()
        self._withheld: set[int] = set()
        self._locals: deque[int] = deque()
        self.open_ended = False
        """A custom workflow still runs, and may ask for further tasks."""
        self._due: list[tuple[datetime, int]] = []
        self._failures: list[tuple[Task, str]] = []
        self._in_flight: set[int] = set()
        self._refusal = ""
        self._patience_ends: datetime | None = None
        self._conclusion: Change | None = None
        self._batch = self._new_batch()

    # -- beginning

    def begin(self, stage: Stage, now: datetime) -> None:
        """Take a stage, whose tasks are stored in the same transaction; those before it are closed."""
        self.stage += 1
        if self.stage == 1:
            self._tell(EventType.WORKFLOW_STARTED, f"Starting {self.execution.workflow!r} workflow execution", now)
        if stage.about or (self.stage > 1 and stage.graph.tasks):
            about = f": {stage.about}" if stage.about else ""
            self._tell(EventType.WORKFLOW_STAGE, f"Stage {self.stage} of {self.execution.workflow!r}{about}", now)
        self._progress.close(stage.graph.first, forgive=stage.forgives)
        if stage.forgives:
            self._failures.clear()
            self._patience_ends = None
        self._tasks.update((task.number, task) for task in stage.graph.tasks)
        self._progress.append(stage.graph)
        self._take_ready()

    def extend(self, graph: TaskGraph) -> None:
        """Take further tasks of the stage under way, which are stored in the same transaction."""
        self._tasks.update((task.number, task) for task in graph.tasks)
        self._progress.append(graph)
        self._take_ready()

    def restore(
        self,
        records: Sequence[TaskRecord],
        stages: Sequence[StageRecord],
        now: datetime,
        flying: Mapping[int, int] | None = None,
        cut_off: Collection[int] = (),
    ) -> None:
        """Take over what another driver, or an earlier run of this one, recorded (spec 5.8).

        Args:
            flying: number of the attempt that still runs or has just ended, by task, where attempts outlive their
                driver; one that was begun and is not among them never reached a worker, and is to be made as it is.
                None: whatever was begun is lost.
            cut_off: tasks of which an attempt before the present one never got an outcome.
        """
        graph = TaskGraph(tasks=[it.task for it in records], waits=[it.waits for it in records])
        self._tasks = {record.task.number: record.task for record in records}
        for record in records:
            if record.state is TaskState.PENDING and not record.attempts:
                continue  # as most are, and the first operation waits for all of them
            self._attempts[record.task.number] = record.attempts
            self._earlier[record.task.number] = record.earlier
            if record.state in _CUT_OFF:
                self._lost.add(record.task.number)
        self._progress = self._rebuild(graph, records, stages)
        self._tell(EventType.WORKFLOW_STAGE, f"Resuming {self.execution.workflow!r} workflow execution", now)
        for number in self._progress.advance().ready:
            record = records[number - graph.first]
            if record.state is TaskState.WAITING and record.waits_for is not None:
                self._wait(number, record.waits_for, record.due_at)
            elif record.due_at is not None and record.state is TaskState.RESCHEDULED:
                heapq.heappush(self._due, (record.due_at, number))
            elif flying is not None and record.state is TaskState.STARTED and not _goes_with_its_process(record.task):
                self._take_begun(number, flying.get(number), cut_off)
            else:
                self._queue(number)

    def _take_begun(self, number: int, flying: int | None, cut_off: Collection[int]) -> None:
        if number not in cut_off:
            self._lost.discard(number)
        if flying == self._attempts.get(number, 0):
            self._lost.discard(number)
            self._in_flight.add(number)
        else:
            self._withheld.add(number)
            self._queue(number)

    def _rebuild(self, graph: TaskGraph, records: Sequence[TaskRecord], stages: Sequence[StageRecord]) -> Progress:
        opened = stages[-1].first if stages else 0
        forgiven = max((stage.first for stage in stages if stage.forgives), default=0)
        ends = {it.task.number: it.state for it in records if it.state in _FINISHED}
        for record in records[:opened]:
            if record.state is TaskState.INTERRUPTED:
                ends[record.task.number] = TaskState.FAILED
        progress = rebuild(graph, ends)
        progress.close(forgiven, forgive=True)
        progress.close(opened)
        self._failures = [(self._tasks[number], records[number].error) for number in progress.failed]
        return progress

    # -- what an outcome means

    def settle(self, number: int, outcome: Outcome, now: datetime) -> None:
        """Record how an attempt ended and take the tasks that it releases."""
        task = self._tasks[number]
        self._in_flight.discard(number)
        self.waiting.pop(number, None)
        self._limits.pop(number, None)
        state, due = self._state_after(task, outcome, now)
        self._batch.ended.append(AttemptEnd(number, self._attempts.get(number, 0), now, state, outcome, due))
        reached = task.after if state is TaskState.SUCCEEDED or state is TaskState.IGNORED else None
        if outcome.forgets:
            self._batch.forgotten.extend(outcome.forgets)
        # With the state that it reaches, an instance's properties are one change.
        own = self._keep_properties(outcome, but=None if reached is None else task.instance)
        if task.operation in NOTED_OPERATIONS and state in _ENDED and not self.execution.is_dry_run:
            self._note(task, outcome, now)
        self._tell_end(task, outcome, state, due, now)
        if reached is not None:
            self._set_state(task, reached, now, own)
        if state is TaskState.WAITING and outcome.waits_for is not None:
            self._wait(number, outcome.waits_for, due)
        elif due is not None:
            heapq.heappush(self._due, (due, number))
        else:
            if state in _FAILURES:
                self._begin_patience(now)
                self._failures.append((task, "" if outcome.failure is None else outcome.failure.message))
            self._settle(number, TaskState.FAILED if state in _FAILURES else state)

    def keep(self, number: int, outcome: Outcome, now: datetime) -> None:
        """Finish a task that only holds what a custom workflow was shown: no attempt, no event."""
        self._locals.remove(number)
        self._batch.ended.append(AttemptEnd(number, 0, now, TaskState.SUCCEEDED, outcome))
        self._keep_properties(outcome)
        self._settle(number, TaskState.SUCCEEDED)

    def judge(self, number: int, state: TaskState, outcome: Outcome, now: datetime) -> None:
        """Record what a custom workflow makes of a failure: it went on from it (`IGNORED`), or not (`FAILED`)."""
        self._batch.ended.append(AttemptEnd(task=number, number=0, at=now, state=state, outcome=outcome))

    def _state_after(self, task: Task, outcome: Outcome, now: datetime) -> tuple[TaskState, datetime | None]:
        if outcome.verdict is Verdict.SUCCEEDED:
            return TaskState.SUCCEEDED, None
        if outcome.verdict is Verdict.WAITING:
            limit = outcome.wait_limit
            return TaskState.WAITING, None if limit is None else now + timedelta(seconds=limit)
        if task.ignore_failure and not outcome.asked_to_retry:
            return TaskState.IGNORED, None
        if outcome.verdict is Verdict.RETRY and not self.cancelling:
            operation = self.world.operation(task)
            attempt = self._attempt(task)
            retries = self.policy.retries_of(task, operation)
            unlimited = retries == UNLIMITED or _met_no_store(outcome) or self._awaits_others(task.number, outcome)
            if unlimited or attempt <= retries:
                return TaskState.RESCHEDULED, now + timedelta(seconds=self.policy.delay(operation, outcome, attempt))
        failure = outcome.failure
        interrupted = failure is not None and failure.type == INTERRUPTED
        return TaskState.INTERRUPTED if interrupted else TaskState.FAILED, None

    def _awaits_others(self, number: int, outcome: Outcome) -> bool:
        """Whether an attempt waits for other instances, and something goes on that does not wait like that."""
        if outcome.failure is None or outcome.failure.type != AwaitsOthers.__name__:
            self._behind.discard(number)
            return False
        self._behind.add(number)
        under_way = {*self._in_flight, *self.waiting, *self._ready, *self._states, *(due for _, due in self._due)}
        return not under_way <= self._behind

    def lose(self, number: int, now: datetime, *, limited: bool = True) -> None:
        """Take note that the worker of an attempt is gone, and nobody knows how far it came.

        The attempt stays recorded as begun. The next one follows at once, while the policy allows another.

        Args:
            limited: that it counts for the policy; it does not when somebody has the execution resumed.
        """
        task = self._tasks[number]
        attempt = self._attempt(task)
        retries = self.policy.retries_of(task, self.world.operation(task))
        failure = Failure(type=_WORKER_LOST, message="The worker that ran it is gone", recoverable=True)
        if limited and retries != UNLIMITED and attempt > retries:
            self.settle(number, Outcome(verdict=Verdict.FAILED, failure=replace(failure, recoverable=False)), now)
            return
        self._in_flight.discard(number)
        self._lost.add(number)
        outcome = Outcome(verdict=Verdict.RETRY, failure=failure)
        self._batch.ended.append(
            AttemptEnd(task=number, number=0, at=now, state=TaskState.INTERRUPTED, outcome=outcome)
        )
        self._tell_task(EventType.TASK_RESCHEDULED, "Task rescheduled", task, f" -> {failure.message}", now)
        self._queue(number)

    def runs(self, number: int, attempt: int) -> bool:
        """Whether this attempt of a task is the one that is waited for."""
        return number in self._in_flight and self._attempts[number] == attempt

    def _keep_properties(self, outcome: Outcome, *, but: InstanceId | None = None) -> Mapping[str, Data] | None:
        """Change what an outcome changes, and return what the instance `but` gets, which is left to the caller."""
        own = None
        for instance, properties in outcome.runtime_properties.items():
            if instance == but:
                own = properties
            else:
                self._change_instance(instance, InstanceChange(runtime_properties=properties))
        return own

    def _change_instance(self, instance: InstanceId, change: InstanceChange) -> None:
        self.world.apply(instance, change)
        if self.execution.is_dry_run:
            return
        earlier = self._batch.instances.get(instance)
        self._batch.instances[instance] = change if earlier is None else change.after(earlier)

    def _note(self, task: Task, outcome: Outcome, now: datetime) -> None:
        instance = self.world.instance(noted_instance(task))
        notes = note_outcome(instance.system_properties, task, outcome, now)
        self._change_instance(instance.id, InstanceChange(system_properties=notes))

    # -- what may start

    def start_next(self, now: datetime) -> Start | None:
        """Record the start of the next attempt that may run in a thread, or return None when there is none now."""
        self._wake(now)
        return self._start_from(self._ready, now)

    def start_local(self, now: datetime) -> Start | None:
        """Record the start of the next attempt in the process of a custom workflow, or return None."""
        self._wake(now)
        return self._start_from(self._locals, now)

    def _start_from(self, queue: deque[int], now: datetime) -> Start | None:
        if self.cancelling or not queue:
            return None
        task = self._tasks[queue.popleft()]
        operation = self.world.operation(task)
        if task.number in self._withheld:
            self._withheld.discard(task.number)
        else:
            self._begin_attempt(task, operation, now)
        self._in_flight.add(task.number)
        lost = task.number in self._lost
        self._lost.discard(task.number)
        return Start(
            task,
            self._attempts[task.number],
            self._earlier.get(task.number, 0),
            self.policy.retries_of(task, operation),
            self.policy.timeout_of(operation),
            lost,
        )

    def _begin_attempt(self, task: Task, operation: Operation, now: datetime) -> None:
        number = self._attempts.get(task.number, 0) + 1
        self._attempts[task.number] = number
        self._batch.started.append(AttemptStart(task.number, number, now))
        if task.before is not None:
            self._set_state(task, task.before, now)
        self._tell_task(EventType.TASK_STARTED, "Task started", task, "", now, operation)

    def run_states(self, now: datetime) -> None:
        """Finish every ready task that only sets a state: it needs no thread and no commit of its own."""
        while self._states and not self.cancelling:
            number = self._states.popleft()
            task = self._tasks[number]
            if task.after is not None:
                self._set_state(task, task.after, now)
            self._batch.ended.append(AttemptEnd(number, 0, now, TaskState.SUCCEEDED, _DONE))
            self._settle(number, TaskState.SUCCEEDED)

    def next_due(self) -> datetime | None:
        """Return when the next attempt of a failed task is due, or a waiting task gives up."""
        moments = [*self._limits.values(), *(due for due, _ in self._due[:1])]
        if self._patience_ends is not None:
            moments.append(self._patience_ends)
        return min(moments) if moments else None

    def _begin_patience(self, now: datetime) -> None:
        wait = self.execution.wait_after_fail
        if wait is not None and self._patience_ends is None:
            self._patience_ends = now + timedelta(seconds=wait)

    def loses_patience(self, now: datetime) -> bool:
        """Whether what runs has had its time since the first failure (`wait_after_fail`); then the execution fails."""
        if self._patience_ends is None or now < self._patience_ends:
            return False
        self._patience_ends = None
        self.refuse(f"Not everything had ended {self.execution.wait_after_fail:g} s after the first failure.")
        return True

    def give_up_waiting(self, now: datetime) -> None:
        """End the tasks whose child takes longer than they may wait; the child goes on."""
        for number in [it for it, limit in self._limits.items() if limit <= now]:
            message = f"Execution {self.waiting[number]} has not ended in time; it goes on"
            failure = Failure(type="TimeoutError", message=message, recoverable=False)
            self.settle(number, Outcome(verdict=Verdict.FAILED, failure=failure), now)

    def _wait(self, number: int, child: ExecutionId, limit: datetime | None) -> None:
        self.waiting[number] = child
        if limit is not None:
            self._limits[number] = limit

    def _wake(self, now: datetime) -> None:
        while self._due and self._due[0][0] <= now:
            self._queue(heapq.heappop(self._due)[1])

    def _take_ready(self) -> None:
        for number in self._progress.advance().ready:
            self._queue(number)

    def _settle(self, number: int, state: TaskState) -> None:
        for released in self._progress.settle(number, state):
            self._queue(released)

    def _queue(self, number: int) -> None:
        kind = self._tasks[number].kind
        if kind is TaskKind.STATE:
            self._states.append(number)
        elif kind is TaskKind.LOCAL:
            self._locals.append(number)
        else:
            self._ready.append(number)

    # -- the end

    def cancel(self) -> None:
        """Start nothing more; what runs may finish."""
        self.cancelling = True
        self._progress.cancel()

    def hear_cancel(self, now: datetime) -> None:
        """Tell those who watch that somebody asked from elsewhere."""
        self._tell(EventType.WORKFLOW_STAGE, "Asked to end: running operations finish first", now)

    def abandon(self, how: str, now: datetime) -> None:
        """Give up what is in flight; the record keeps it as begun, and a resume finds it so.

        Args:
            how: what becomes of the operations in flight, as it is told.
        """
        self.cancel()
        for number in sorted(self._in_flight):
            self._tell_task(EventType.TASK_FAILED, "Task", self._tasks[number], f" {how}", now)
        self._in_flight.clear()
        self.waiting.clear()
        self._limits.clear()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left that could change it, but for a further stage."""
        if self.open_ended:
            return False
        if self.cancelling:
            return not self._in_flight and not self.waiting
        return not (self._in_flight or self.waiting or self._ready or self._states or self._locals or self._due)

    def is_quiet_but_for(self, numbers: Collection[int]) -> bool:
        """Whether no attempt runs, but for those of these tasks, and no child is waited for."""
        return not self.waiting and self._in_flight.issubset(numbers)

    def is_in_flight(self, number: int) -> bool:
        """Whether an attempt of a task runs, or it waits for a child."""
        return number in self._in_flight or number in self.waiting

    @property
    def task_count(self) -> int:
        """How many tasks were planned so far."""
        return len(self._tasks)

    @property
    def tasks(self) -> Mapping[int, Task]:
        """The tasks by number; grows with further stages."""
        return self._tasks

    @property
    def ready_count(self) -> int:
        """How many attempts could start now."""
        return len(self._ready) + len(self._locals)

    @property
    def failed(self) -> bool:
        """Whether a task failed that neither ignored its failure nor was forgiven."""
        return bool(self._progress.failed)

    @property
    def refused(self) -> bool:
        """Whether a stage could not be planned."""
        return bool(self._refusal)

    def refuse(self, why: str) -> None:
        """Take note that the next stage cannot be planned: the execution fails when what runs has ended."""
        self._refusal = why

    def conclude(self, change: Change, error: str) -> None:
        """Take the word of a custom workflow for how the execution ends, whatever came of its tasks."""
        self.open_ended = False
        self._conclusion = change
        self._refusal = error

    def finish(self, now: datetime) -> Execution:
        """Record the end of the execution and return it as it ended."""
        standing = self._progress.standing
        if self.cancelling and standing is not Standing.SUCCEEDED:
            standing = Standing.CANCELLED
        change = self._conclusion or (Change.FAIL if self._refusal else _ENDS.get(standing, Change.FAIL))
        status = after(change, self.execution.status)
        assert status is not None, f"an execution that is {self.execution.status} cannot {change}"
        error = self._error() if status is ExecutionStatus.FAILED else ""
        self._batch.end = ExecutionEnd(status=status, at=now, error=error)
        words = {
            ExecutionStatus.TERMINATED: "succeeded",
            ExecutionStatus.FAILED: f"failed: {error}",
            ExecutionStatus.CANCELLED: "cancelled",
        }
        text = f"{self.execution.workflow!r} workflow execution {words[status]}"
        self._tell(_END_EVENTS[status], text, now)
        self.execution = replace(self.execution, status=status, error=error, ended_at=now)
        return self.execution

    def _error(self) -> str:
        if self._conclusion is not None:
            return self._refusal
        lines = [
            f"{task.instance or task.deployment} {task.name}: {message}{self._tried(task)}"
            for task, message in self._failures
        ]
        if self._refusal:
            return "\n".join([self._refusal, *lines])
        return lines[0] if len(lines) == 1 else f"{len(lines)} tasks failed:\n" + "\n".join(lines)

    # -- what is told, and the commit

    def tell(self, event: Event) -> None:
        """Take an event, or a line that an operation logged."""
        if self.execution.is_dry_run:
            event = event.retold(f"{event.message} (dry run)")
        self._batch.events.append(event)

    def take_batch(self) -> Batch:
        """Return what happened since the last call."""
        batch, self._batch = self._batch, self._new_batch()
        return batch

    def _new_batch(self) -> Batch:
        return Batch(lease=self.lease, deployment=self.execution.deployment)

    def _set_state(
        self, task: Task, state: InstanceState, now: datetime, properties: Mapping[str, Data] | None = None
    ) -> None:
        instance = self.world.instance(task.instance)
        notes = instance.system_properties
        if notes and state is not instance.state:
            notes = note_state(notes, state)
        changed = None if notes is instance.system_properties else notes
        self._change_instance(task.instance, InstanceChange(state, properties, changed))
        self.tell(
            Event(
                at=now,
                type=EventType.WORKFLOW_NODE_EVENT,
                message=f"Node instance is {state}",
                execution=self.execution.id,
                deployment=self.execution.deployment,
                instance=task.instance,
            )
        )

    def _tell_end(self, task: Task, outcome: Outcome, state: TaskState, due: datetime | None, now: datetime) -> None:
        if state is TaskState.SUCCEEDED:
            self._tell_task(EventType.TASK_SUCCEEDED, "Task succeeded", task, "", now)
            return
        message = "" if outcome.failure is None else f" -> {outcome.failure.message}"
        if state is TaskState.RESCHEDULED and due is not None:
            total = self.policy.retries_of(task, self.world.operation(task))
            of = "" if total == UNLIMITED else f"/{total}"
            wait = f" [retry {self._attempt(task)}{of} in {(due - now).total_seconds():g} s]"
            self._tell_task(EventType.TASK_RESCHEDULED, "Task rescheduled", task, message + wait, now)
        elif state is TaskState.WAITING:
            self._tell_task(EventType.PLUGIN_EVENT, f"Waits for execution {outcome.waits_for}", task, "", now)
        else:
            ignored = " (ignored)" if state is TaskState.IGNORED else ""
            self._tell_task(EventType.TASK_FAILED, "Task failed", task, message + self._tried(task) + ignored, now)

    def _attempt(self, task: Task) -> int:
        """Return which attempt since the last resume a task is in."""
        return self._attempts.get(task.number, 1) - self._earlier.get(task.number, 0)

    def _tried(self, task: Task) -> str:
        attempt = self._attempt(task)
        return f" [attempt {attempt}]" if attempt > 1 else ""

    def _tell_task(
        self, type_: EventType, verb: str, task: Task, rest: str, now: datetime, operation: Operation | None = None
    ) -> None:
        if task.kind is TaskKind.LOCAL or task.kind is TaskKind.DEPLOYMENT:
            path = task.operation if task.deployment is None else f"{task.operation} of {task.deployment}"
        else:
            path = (operation or self.world.operation(task)).operation
        self.tell(
            Event(
                at=now,
                type=type_,
                message=f"{verb} {path!r}{rest}" if path else f"{verb}{rest}",
                execution=self.execution.id,
                deployment=self.execution.deployment,
                instance=task.instance or None,
                target=None if task.relationship is None else task.relationship.target,
                operation=task.operation,
            )
        )

    def _tell(self, type_: EventType, message: str, now: datetime) -> None:
        self.tell(
            Event(
                at=now,
                type=type_,
                message=message,
                execution=self.execution.id,
                deployment=self.execution.deployment,
            )
        )


def _met_no_store(outcome: Outcome) -> bool:
    """Whether an attempt only met a store that fails for a while, however long that is."""
    return outcome.failure is not None and outcome.failure.recoverable and outcome.failure.type == StoreFault.__name__


def _goes_with_its_process(task: Task) -> bool:
    """Whether an attempt ends with the process of its workflow, begun anew when the execution is taken over."""
    return task.kind is TaskKind.LOCAL
