"""Executions, what came of their tasks, and what is told about them; the legal changes of state among them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from groundplan.model.ids import DeploymentId, ExecutionGroupId, ExecutionId, InstanceId
from groundplan.model.values import Data


class ExecutionStatus(StrEnum):
    """Spec 5.8; `terminated` is shown as "completed"."""

    PENDING = "pending"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    STARTED = "started"
    CANCELLING = "cancelling"
    FORCE_CANCELLING = "force_cancelling"
    KILL_CANCELLING = "kill_cancelling"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether only `resume` can change it."""
        return self in FINAL

    @property
    def shown(self) -> str:
        """How people read it (spec 5.8)."""
        return "completed" if self is ExecutionStatus.TERMINATED else str(self)


FINAL: Final = frozenset({ExecutionStatus.CANCELLED, ExecutionStatus.TERMINATED, ExecutionStatus.FAILED})
WAITING_TO_BEGIN: Final = frozenset({ExecutionStatus.SCHEDULED, ExecutionStatus.QUEUED})
"""Recorded, and no driver may begin it yet."""
STOPPING: Final = frozenset(
    {ExecutionStatus.CANCELLING, ExecutionStatus.FORCE_CANCELLING, ExecutionStatus.KILL_CANCELLING}
)
"""Somebody asked it to end, and its driver has not done so yet."""


class Change(StrEnum):
    """What moves an execution from one status to another (spec 5.8)."""

    BEGIN = "begin"
    """A driver takes it, for the first time or after another one was lost."""
    CANCEL = "cancel"
    FORCE_CANCEL = "force-cancel"
    KILL = "kill"
    RESUME = "resume"
    REQUEUE = "requeue"
    """A resume that waits for its turn."""
    SUCCEED = "succeed"
    FAIL = "fail"
    STOP = "stop"
    """It ends because somebody asked."""


_S = ExecutionStatus
_ALIVE: Final = (_S.PENDING, _S.STARTED, _S.CANCELLING, _S.FORCE_CANCELLING, _S.KILL_CANCELLING)
_NOT_BEGUN: Final = {_S.SCHEDULED: _S.CANCELLED, _S.QUEUED: _S.CANCELLED}
TRANSITIONS: Final[Mapping[Change, Mapping[ExecutionStatus, ExecutionStatus]]] = {
    Change.BEGIN: {
        _S.PENDING: _S.STARTED,
        _S.SCHEDULED: _S.STARTED,
        _S.QUEUED: _S.STARTED,
        _S.STARTED: _S.STARTED,
        **{status: status for status in STOPPING},
    },
    Change.CANCEL: {_S.PENDING: _S.CANCELLING, _S.STARTED: _S.CANCELLING, **_NOT_BEGUN},
    Change.FORCE_CANCEL: {
        **dict.fromkeys((_S.PENDING, _S.STARTED, _S.CANCELLING), _S.FORCE_CANCELLING),
        **_NOT_BEGUN,
    },
    Change.KILL: {**dict.fromkeys(_ALIVE, _S.KILL_CANCELLING), **_NOT_BEGUN},
    Change.RESUME: dict.fromkeys((_S.CANCELLED, _S.FAILED, _S.PENDING, _S.STARTED), _S.STARTED),
    Change.REQUEUE: dict.fromkeys((_S.CANCELLED, _S.FAILED), _S.QUEUED),
    Change.SUCCEED: dict.fromkeys(_ALIVE, _S.TERMINATED),
    Change.FAIL: dict.fromkeys((*_ALIVE, _S.SCHEDULED, _S.QUEUED), _S.FAILED),
    Change.STOP: dict.fromkeys((*_ALIVE, _S.SCHEDULED, _S.QUEUED), _S.CANCELLED),
}
"""Every legal change of status, from what to what; there is no other."""


def after(change: Change, status: ExecutionStatus) -> ExecutionStatus | None:
    """Return the status that a change leads to, or None when it is not allowed from `status`."""
    return TRANSITIONS[change].get(status)


class TaskState(StrEnum):
    """Where a task stands in the record."""

    PENDING = "pending"
    STARTED = "started"
    """An attempt is recorded as begun; without an outcome it may have run."""
    RESCHEDULED = "rescheduled"
    """The last attempt failed and another is due."""
    WAITING = "waiting"
    """It waits for a child execution and holds no thread."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    IGNORED = "ignored"
    """It failed and the workflow goes on."""
    INTERRUPTED = "interrupted"
    """The engine died while it ran, and it is not known to be safe to repeat."""


class Verdict(StrEnum):
    """What follows from an attempt."""

    SUCCEEDED = "succeeded"
    RETRY = "retry"
    """Failed or asked to be repeated; another attempt is allowed."""
    FAILED = "failed"
    """Failed for good: non-recoverable, or the attempts are used up."""
    WAITING = "waiting"
    """Goes on when an execution ends."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why an attempt did not succeed.

    Attributes:
        type: the exception's name, for example `NonRecoverableError`.
        message: what happened, secrets masked.
        recoverable: whether trying again can help.
        detail: longer text (a traceback, the output of a script), secrets masked; may be empty.
    """

    type: str
    message: str
    recoverable: bool = True
    detail: str = ""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How one attempt ended: the only thing an attempt gives back; it never raises.

    Attributes:
        retry_after: seconds to wait before the next attempt, or None for the configured interval.
        asked_to_retry: the operation itself asked (`ctx.operation.retry`); ignoring failures does not end that
            (spec 5.4).
        runtime_properties: for each instance that changed, its whole runtime properties.
        waits_for: the execution whose end finishes the task, for `WAITING`.
        wait_limit: seconds to wait for it at most, or None; the execution goes on when the task has given up.
        forgets: names of secrets that are deleted in the transaction that records the outcome: until then others may
            be led to them by the runtime properties that the outcome clears.
    """

    verdict: Verdict
    result: Data = None
    failure: Failure | None = None
    retry_after: float | None = None
    asked_to_retry: bool = False
    runtime_properties: Mapping[InstanceId, Mapping[str, Data]] = msgspec.field(default_factory=dict)
    waits_for: ExecutionId | None = None
    wait_limit: float | None = None
    forgets: Sequence[str] = ()

    def leaving(self, result: Data, runtime_properties: Mapping[InstanceId, Mapping[str, Data]]) -> "Outcome":
        """Return the outcome with another result and other properties."""
        return msgspec.structs.replace(self, result=result, runtime_properties=runtime_properties)


class EventType(StrEnum):
    """Spec 5.12."""

    WORKFLOW_STARTED = "workflow_started"
    WORKFLOW_SUCCEEDED = "workflow_succeeded"
    WORKFLOW_FAILED = "workflow_failed"
    WORKFLOW_CANCELLED = "workflow_cancelled"
    WORKFLOW_STAGE = "workflow_stage"
    WORKFLOW_NODE_EVENT = "workflow_node_event"
    SENDING_TASK = "sending_task"
    TASK_STARTED = "task_started"
    TASK_SUCCEEDED = "task_succeeded"
    TASK_RESCHEDULED = "task_rescheduled"
    TASK_FAILED = "task_failed"
    PLUGIN_EVENT = "plugin_event"
    LOG = "log"
    REVEALED = "revealed"
    """Somebody had sensitive values shown."""


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing that happened, secrets masked.

    Attributes:
        execution: the execution that it happened in; None for what a person did outside of one.
        deployment: empty where it concerns none.
        level: of a log record (`info`, `warning`...), else empty.
        operation: full name of the operation, or empty.
        target: the other end, in a relationship operation.
    """

    at: datetime
    type: EventType
    message: str
    execution: ExecutionId | None
    deployment: DeploymentId
    level: str = ""
    instance: InstanceId | None = None
    target: InstanceId | None = None
    operation: str = ""

    def retold(self, message: str) -> "Event":
        """Return the event in other words."""
        return msgspec.structs.replace(self, message=message)


@dataclass(frozen=True, kw_only=True, slots=True)
class ParentTask:
    """The task of a parent execution that waits for this one."""

    execution: ExecutionId
    task: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """One run of a workflow on a deployment.

    Attributes:
        error: why it failed, secrets masked; empty otherwise.
        parent: the task that started it as part of a composition, or None.
        stage: number of the workflow's stages planned so far.
        wait_after_fail: seconds from the first failure that running tasks get to end, or None for as long as they need.
        scheduled_for: the occurrence of the schedule that started it, or None.
        group: the execution group that it is one of, or None.
        on_temporal: its Temporal workflow sees to it until it has ended, whichever workers come and go.
    """

    id: ExecutionId
    deployment: DeploymentId
    workflow: str
    status: ExecutionStatus
    created_at: datetime
    parameters: Mapping[str, Data] = field(default_factory=dict)
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: str = ""
    parent: ParentTask | None = None
    is_dry_run: bool = False
    stage: int = 0
    wait_after_fail: float | None = None
    scheduled_for: datetime | None = None
    group: ExecutionGroupId | None = None
    on_temporal: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """Which driver may write for an execution; every write carries the number and is refused when stale."""

    execution: ExecutionId
    driver: str
    """Host name and process id, for example `build7:4711`."""
    fence: int
    heartbeat: datetime
