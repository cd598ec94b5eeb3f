"""What a store gives: reads of one moment, and transactions that happen whole or not at all.

Everything that the engine knows goes through these protocols; `sql.store` implements them. A store does not decide:
which task is next, what a failure means and who may delete a deployment is settled above.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from groundplan.model.deployment import Dependency, Deployment, InstanceState, NodeInstance
from groundplan.model.execution import Event, Execution, ExecutionStatus, Lease, Outcome, TaskState
from groundplan.model.graph import Task, TaskGraph
from groundplan.model.group import DeploymentGroup, ExecutionGroup
from groundplan.model.ids import BlueprintId, DeploymentId, Digest, ExecutionGroupId, ExecutionId, GroupId, InstanceId
from groundplan.model.plugin import PluginManifest
from groundplan.model.reshape import Reshape
from groundplan.model.schedule import Schedule, ScheduleId, Worker
from groundplan.model.secret import SecretValue
from groundplan.model.update import Update, UpdateId
from groundplan.model.values import Data


class StoreFault(Exception):
    """The store cannot be read or written: damaged, full, read-only, sealed with another key.

    Attributes:
        message: what happened, with the place.
        fix: what to do about it.
        passes: whether it may be over soon without anybody touching the store (a full disk, a server that restarts),
            so that waiting makes sense.
        cure: what ends it, for people who see the execution wait.
    """

    def __init__(self, message: str, *, fix: str = "", passes: bool = False, cure: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.passes = passes
        self.cure = cure


class StaleLease(Exception):
    """Another driver holds the execution; what this one wanted to write was refused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredBlueprint:
    """An uploaded blueprint; its files are kept by digest, its plan beside it.

    Attributes:
        main_file: name of the file that was compiled, relative to the uploaded folder.
    """

    id: BlueprintId
    digest: Digest
    main_file: str
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class FilePart(NamedTuple):
    """A piece of a file.

    Attributes:
        path: below the blueprint's folder, with slashes.
        number: which piece, from 0.
        mode: permissions.
    """

    path: str
    number: int
    mode: int
    content: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredSecret:
    """A secret without its value.

    Attributes:
        is_document: see `model.secret.SecretValue`.
    """

    name: str
    created_at: datetime
    updated_at: datetime
    is_document: bool = False


class TaskRecord(NamedTuple):
    """A task and where it stands.

    Attributes:
        attempts: begun so far.
        earlier: those of them that were begun before the last resume, and count for no limit any more.
        due_at: when a rescheduled task is tried again, or a waiting one gives up.
        waits_for: the execution whose end finishes a waiting task.
        error: message of the last failure, or empty.
    """

    task: Task
    waits: tuple[int, ...]
    state: TaskState = TaskState.PENDING
    attempts: int = 0
    earlier: int = 0
    due_at: datetime | None = None
    waits_for: ExecutionId | None = None
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StageRecord:
    """A stage of an execution that was planned.

    Attributes:
        number: from 1.
        first: number of its first task.
        forgives: see `planning.stages.Stage`.
    """

    number: int
    first: int
    forgives: bool = False


class AttemptStart(NamedTuple):
    """An attempt that may run once this is committed."""

    task: int
    number: int
    at: datetime


class AttemptEnd(NamedTuple):
    """An attempt that ended, and the state that its task gets.

    Attributes:
        number: which attempt; 0 for a task that had none (a state task, a task finished by a child's end).
    """

    task: int
    number: int
    at: datetime
    state: TaskState
    outcome: Outcome
    due_at: datetime | None = None


class InstanceChange(NamedTuple):
    """What changes of a node instance; None leaves a field as it is."""

    state: InstanceState | None = None
    runtime_properties: Mapping[str, Data] | None = None
    system_properties: Mapping[str, Data] | None = None

    def after(self, earlier: "InstanceChange") -> "InstanceChange":
        """Return both changes as one."""
        return InstanceChange(
            earlier.state if self.state is None else self.state,
            earlier.runtime_properties if self.runtime_properties is None else self.runtime_properties,
            earlier.system_properties if self.system_properties is None else self.system_properties,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutionEnd:
    """The end of an execution."""

    status: ExecutionStatus
    at: datetime
    error: str = ""


@dataclass(kw_only=True, slots=True)
class Batch:
    """What happened in one execution since the last commit: outcomes, changes, events and the attempts they release.

    Attributes:
        forgotten: names of secrets that are deleted with it, and with them who made them (`maker_key`).
    """

    lease: Lease
    deployment: DeploymentId
    started: list[AttemptStart] = field(default_factory=list)
    ended: list[AttemptEnd] = field(default_factory=list)
    instances: dict[InstanceId, InstanceChange] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    end: ExecutionEnd | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.started or self.ended or self.instances or self.events or self.end)


def maker_key(secret: str) -> str:
    """Return under which key a deployment remembers which of its instances made a secret."""
    return f"secret:{secret}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Examination:
    """What a store holds, and what is wrong with it.

    Attributes:
        place: where it is, for people.
        revision: of its tables.
        rows: how many were read.
        sealed: how many of their values are sealed.
        faults: a sentence each.
    """

    place: str
    revision: str
    rows: int
    sealed: int
    faults: tuple[str, ...] = ()


class Loader(Protocol):
    """Fills an empty store."""

    def is_empty(self) -> bool:
        """Whether the store has nothing that somebody would miss."""

    def load(self, records: Iterator[Sequence[Any]]) -> int:
        """Write what `Snapshot.dump` yielded, and return how many rows that were.

        Raises:
            UsageError: the records are of another form.
        """


class Snapshot(Protocol):
    """Reads of one moment."""

    def blueprint(self, id: BlueprintId) -> StoredBlueprint | None: ...
    def blueprints(self) -> Sequence[StoredBlueprint]: ...
    def plan(self, digest: Digest) -> Mapping[str, Any] | None: ...
    def has_blueprint_files(self, digest: Digest) -> bool: ...
    def blueprint_files(self, digest: Digest) -> Iterator[FilePart]:
        """Yield the files of a digest in parts, by path and number; read them while the snapshot is open."""

    def deployment(self, id: DeploymentId) -> Deployment | None: ...
    def deployments(self) -> Sequence[Deployment]: ...
    def instances(self, deployment: DeploymentId) -> Sequence[NodeInstance]: ...
    def instance(self, deployment: DeploymentId, id: InstanceId) -> NodeInstance | None: ...
    def instance_states(self, deployment: DeploymentId) -> Mapping[InstanceState, int]:
        """Return how many instances of a deployment are in each state that one is in; cheaper than to read them."""

    def dependencies(
        self, *, source: DeploymentId | None = None, target: DeploymentId | None = None
    ) -> Sequence[Dependency]: ...
    def execution(self, id: ExecutionId) -> Execution | None: ...
    def executions(
        self,
        *,
        deployment: DeploymentId | None = None,
        parent: ExecutionId | None = None,
        group: ExecutionGroupId | None = None,
        statuses: Collection[ExecutionStatus] = (),
    ) -> Sequence[Execution]:
        """Return executions by age, oldest first; without `statuses` those of all."""

    def lease(self, execution: ExecutionId) -> Lease | None: ...
    def leases(self) -> Mapping[ExecutionId, Lease]:
        """Return the leases of all executions that have not ended.

        One without a driver's name stands for somebody who has just recorded the execution in order to drive it.
        """

    def stopping(self, driver: str) -> Mapping[ExecutionId, ExecutionStatus]:
        """Return which executions of a driver somebody asked to end, and how; cheap, for it is asked often."""

    def schedules(self, *, deployment: DeploymentId | None = None, due: datetime | None = None) -> Sequence[Schedule]:
        """Return schedules by age; with `due` the enabled ones whose next occurrence is not later."""

    def schedule(self, deployment: DeploymentId, id: ScheduleId) -> Schedule | None: ...
    def workers(self) -> Sequence[Worker]: ...
    def tasks(
        self, execution: ExecutionId, *, first: int = 0, states: Collection[TaskState] = ()
    ) -> Sequence[TaskRecord]:
        """Return tasks by number, from `first` on; with `states` those that are in one of them."""

    def task(self, execution: ExecutionId, number: int) -> TaskRecord | None: ...
    def results(self, execution: ExecutionId) -> Mapping[int, Data]:
        """Return what the operations of tasks returned, by number, `Sensitive` inside; None is left out."""

    def stages(self, execution: ExecutionId) -> Sequence[StageRecord]: ...
    def events(
        self,
        *,
        execution: ExecutionId | None = None,
        deployment: DeploymentId | None = None,
        group: ExecutionGroupId | None = None,
        after: int = 0,
        newest: bool = False,
        limit: int = 1000,
    ) -> Sequence[tuple[int, Event]]:
        """Return events with their sequence numbers, oldest first; with `newest` the other way round."""

    def secret(self, name: str) -> SecretValue | None: ...
    def secrets(self) -> Sequence[StoredSecret]: ...
    def manifests(self) -> Mapping[str, tuple[str, PluginManifest]]:
        """Return each plugin's name -> (fingerprint of its plugin.yaml, manifest)."""

    def remembered(self, deployment: DeploymentId) -> Mapping[str, str]: ...
    def dump(self, *, without_secrets: bool) -> Iterator[list[Any]]:
        """Yield everything as records of plain JSON, sealed values in clear; read them while the snapshot is open.

        Args:
            without_secrets: leave out secrets, and put a word in the place of sensitive values.
        """

    def updates(
        self, *, deployment: DeploymentId | None = None, execution: ExecutionId | None = None
    ) -> Sequence[Update]:
        """Return records of updates, oldest first; the state of one is told by its execution while that is kept."""

    def update(self, id: UpdateId) -> Update | None: ...
    def deployment_groups(self) -> Sequence[DeploymentGroup]: ...
    def deployment_group(self, id: GroupId) -> DeploymentGroup | None: ...
    def members(self, group: GroupId) -> Sequence[DeploymentId]:
        """Return the deployments of a group, oldest first."""

    def execution_groups(self) -> Sequence[ExecutionGroup]: ...
    def execution_group(self, id: ExecutionGroupId) -> ExecutionGroup | None: ...
    def running_since(self, execution: ExecutionId) -> Mapping[int, datetime]:
        """Return when the latest attempt of each task began that has not ended, by the task's number."""


class Transaction(Snapshot, Protocol):
    """Writes that happen together; its reads see them."""

    def put_blueprint(self, blueprint: StoredBlueprint, plan: Mapping[str, Any]) -> None: ...
    def put_plan(self, digest: Digest, plan: Mapping[str, Any]) -> None:
        """Keep a plan under its digest, without a blueprint of that content."""

    def put_blueprint_files(self, digest: Digest, parts: Iterable[FilePart]) -> None: ...
    def delete_blueprint(self, id: BlueprintId) -> None: ...
    def add_deployment(self, deployment: Deployment, instances: Sequence[NodeInstance]) -> None: ...
    def delete_deployment(self, id: DeploymentId) -> None:
        """Delete a deployment with its instances, dependencies, executions and events."""

    def put_dependency(self, dependency: Dependency) -> None: ...
    def delete_dependency(self, id: str, source: DeploymentId) -> None: ...
    def put_update(self, update: Update) -> None:
        """Keep the record of an update, in place of an older one of its id."""

    def put_deployment_group(self, group: DeploymentGroup) -> None: ...
    def delete_deployment_group(self, id: GroupId) -> None:
        """Delete a group; its deployments stay."""

    def add_members(self, group: GroupId, deployments: Collection[DeploymentId]) -> None:
        """Have deployments belong to a group; those that do already stay in it."""

    def remove_members(self, group: GroupId, deployments: Collection[DeploymentId]) -> None: ...
    def put_execution_group(self, group: ExecutionGroup) -> None: ...
    def add_execution(self, execution: Execution, *, claimed: bool = True) -> None:
        """Record an execution; `claimed` tells workers for a while that somebody is about to drive it."""

    def set_execution(
        self,
        id: ExecutionId,
        *,
        status: ExecutionStatus,
        error: str = "",
        at: datetime,
    ) -> None:
        """Change the status outside of a lease: a request to cancel, a resume."""

    def set_on_temporal(self, id: ExecutionId, on_temporal: bool) -> None:
        """Say whether a Temporal workflow sees to an execution, so that no other driver takes it over."""

    def append_tasks(self, execution: ExecutionId, graph: TaskGraph, *, stage: int, forgives: bool = False) -> None:
        """Record a stage with its tasks; `stage` is its number, from 1."""

    def extend_stage(self, execution: ExecutionId, graph: TaskGraph) -> None:
        """Record further tasks of the stage that the execution is in."""

    def reshape(self, deployment: DeploymentId, reshape: Reshape) -> None:
        """Change what a deployment consists of."""

    def delete_executions(self, ids: Sequence[ExecutionId]) -> None:
        """Delete executions with their tasks, attempts and events, and execution groups of which none is left."""

    def put_schedule(self, schedule: Schedule) -> None: ...
    def delete_schedule(self, deployment: DeploymentId, id: ScheduleId) -> None: ...
    def put_worker(self, worker: Worker) -> None: ...
    def delete_worker(self, name: str) -> None: ...
    def reset_tasks(self, execution: ExecutionId, numbers: Sequence[int]) -> None:
        """Put tasks back to pending; their attempts so far count for no limit any more (spec 5.8)."""

    def acquire(self, execution: ExecutionId, driver: str, now: datetime) -> Lease:
        """Take the lease with the next fencing number; whoever held it before is refused from then on."""

    def heartbeat(self, lease: Lease, now: datetime) -> ExecutionStatus:
        """Renew a lease and return the execution's status as others may have set it.

        Raises:
            StaleLease: another driver took it.
        """

    def lost(self, leases: Sequence[Lease]) -> Sequence[ExecutionId]:
        """Return the executions of leases that are not the newest any more; the others stay so in this transaction."""

    def release(self, lease: Lease) -> None: ...
    def revoke(self, lease: Lease) -> None:
        """Take a lease away from whoever holds it: what they write from then on is refused."""

    def record(self, batch: Batch) -> None:
        """Write a batch.

        Raises:
            StaleLease: the batch's lease is no longer the newest.
        """

    def leave_outcome(self, execution: ExecutionId, task: int, number: int, outcome: Outcome) -> None:
        """Keep the outcome of an attempt until the driver takes it; the first one of an attempt stays."""

    def take_outcomes(
        self, execution: ExecutionId, attempts: Collection[tuple[int, int]]
    ) -> Mapping[tuple[int, int], Outcome]:
        """Return what was left by these attempts (task, number), and keep it no longer."""

    def drop_outcomes(self, execution: ExecutionId) -> None:
        """Forget what was left and never taken."""

    def cut_off(self, execution: ExecutionId) -> Collection[int]:
        """Return the tasks of which an attempt before the present one, and since the last resume, never ended."""

    def append_event(self, event: Event) -> None: ...
    def put_instance(self, deployment: DeploymentId, id: InstanceId, change: InstanceChange) -> None: ...
    def put_secret(self, name: str, value: SecretValue, now: datetime) -> None: ...
    def delete_secret(self, name: str) -> None: ...
    def rekey(self, key: bytes) -> int:
        """Seal every value with another key, and return how many rows that were.

        Drivers that hold a lease are refused from then on, and so is who opened the store with the old key.
        """

    def put_manifest(self, fingerprint: str, manifest: PluginManifest) -> None: ...
    def remember(self, deployment: DeploymentId, key: str, value: str | None) -> None:
        """Keep a fact with a deployment, or forget it (`value` None)."""


class Store(Protocol):
    """A store of one home."""

    @property
    def revision(self) -> str:
        """Which form its tables have."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open reads of one moment; keep it short.

        Raises:
            StoreFault: the store cannot be read.
        """

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Open a transaction that commits at the end of the block and rolls back on an exception.

        Raises:
            StoreFault: the store cannot be written.
        """

    def recording(self) -> AbstractContextManager[Transaction]:
        """Open a transaction of a driver: it writes batches, heartbeats and events for its leases, and decides nothing.

        Transactions of other drivers may run beside it; `transaction` waits for all of them. What it reads of others
        may change before it commits.

        Raises:
            StoreFault: the store cannot be written.
        """

    def loading(self) -> AbstractContextManager[Loader]:
        """Open a transaction that fills the store from elsewhere; it commits at the end of the block."""

    def examine(self) -> Examination:
        """Read the whole store and say what is wrong with it."""

    def close(self) -> None: ...
