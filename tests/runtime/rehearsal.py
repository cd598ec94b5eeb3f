"""A store on disk, a deployment in it, and a driver whose attempts are plain functions."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from groundplan.model.blueprint import Blueprint, Workflow, to_plan
from groundplan.model.deployment import Deployment, NodeInstance
from groundplan.model.execution import (
    Event,
    Execution,
    ExecutionStatus,
    Failure,
    Outcome,
    ParentTask,
    TaskState,
    Verdict,
)
from groundplan.model.ids import BlueprintId, DeploymentId, Digest, ExecutionId
from groundplan.planning.stages import Stages
from groundplan.planning.workflows.table import workflow_stages
from groundplan.runtime.attempt import Assignment
from groundplan.runtime.dialogue.workflows import Workflows
from groundplan.runtime.library import Library
from groundplan.runtime.local import LocalDriver
from groundplan.runtime.observer import Observer
from groundplan.runtime.policy import Policy
from groundplan.state.migrations import upgrade
from groundplan.state.seal import Seal
from groundplan.state.sql.sqlite import Sqlite
from groundplan.state.sql.store import SqlStore
from groundplan.state.store import Batch, StoredBlueprint, TaskRecord, Transaction

from ..planning.builders import instances_of

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = b"k" * 32
DONE = Outcome(verdict=Verdict.SUCCEEDED)

Act = Callable[[Assignment], Outcome]
"""What an attempt does."""


def failed(message: str = "it broke", *, final: bool = False, **more: object) -> Outcome:
    """The outcome of an attempt that failed, for good or not."""
    failure = Failure(type="Trouble", message=message, recoverable=not final)
    return Outcome(verdict=Verdict.FAILED if final else Verdict.RETRY, failure=failure, **more)


def open_store(path: Path) -> SqlStore:
    """The store of a file."""
    return SqlStore(Sqlite(path), Seal(KEY), upgrade)


@dataclass(kw_only=True, slots=True)
class Script:
    """Attempts by instance's node and short name of the operation; those that are not named succeed."""

    acts: Mapping[str, Act] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)

    def run(self, assignment: Assignment) -> Outcome:
        """Make one attempt."""
        name = f"{assignment.task.instance.rpartition('_')[0]} {assignment.task.name}"
        self.ran.append(name)
        act = self.acts.get(name)
        return DONE if act is None else act(assignment)


@dataclass(kw_only=True, slots=True)
class Ending:
    """Children that end a waiting task as their execution ended."""

    told: list[tuple[ParentTask, Execution]] = field(default_factory=list)

    def step(self, call: object) -> Outcome:
        """Not reached: the rehearsal's attempts are its own."""
        raise AssertionError(call)

    def finish(self, transaction: Transaction, task: ParentTask, child: Execution) -> Outcome:
        """End well when the child did."""
        found = transaction.execution(child.id)
        assert found is not None
        assert found.status is child.status
        self.told.append((task, child))
        return DONE if child.status is ExecutionStatus.TERMINATED else failed(f"child {child.status}", final=True)

    def conclude(self, transaction: Transaction, execution: Execution) -> None:
        """Nothing follows from an end here."""


@dataclass(kw_only=True, slots=True)
class Seen:
    """Keeps what was committed, and tells `look` of it."""

    batches: list[Batch] = field(default_factory=list)
    look: Callable[[Batch], None] = lambda _: None

    def committed(self, batch: Batch) -> None:
        """Take a batch."""
        self.batches.append(batch)
        self.look(batch)


class NoHome:
    """Surroundings of what runs no program of anybody: to ask for any is a fault of the test."""


@dataclass(kw_only=True, slots=True)
class Rehearsal:
    """One store, and what tests do with it."""

    store: SqlStore
    library: Library = field(default_factory=Library)
    children: Ending = field(default_factory=Ending)
    seen: Seen = field(default_factory=Seen)
    stages: Stages | None = None
    observer: Observer | None = None
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def workflows(self) -> Workflows:
        """What custom workflows would share."""
        return Workflows(store=self.store, library=self.library, surroundings=NoHome(), new_id=str)

    def deploy(self, plan: Blueprint, name: str = "shop", **inputs: object) -> Deployment:
        """Store a deployment of a blueprint."""
        deployment = Deployment(
            id=DeploymentId(name),
            blueprint=BlueprintId(name),
            digest=Digest(name),
            created_at=NOW,
            inputs=inputs,
            display_name=name,
        )
        stored = StoredBlueprint(
            id=deployment.blueprint, digest=deployment.digest, main_file="b.yaml", created_at=NOW, updated_at=NOW
        )
        with self.store.transaction() as transaction:
            transaction.put_blueprint(stored, to_plan(with_workflows(plan)))
            transaction.add_deployment(deployment, instances_of(plan))
        return deployment

    def start(self, name: str = "shop", workflow: str = "install", *, suffix: str = "", **more: object) -> ExecutionId:
        """Store an execution that is to be driven."""
        count = f"{len(self.executions())}{suffix}"
        execution = Execution(
            id=ExecutionId(f"execution{count}"),
            deployment=DeploymentId(name),
            workflow=workflow,
            status=ExecutionStatus.PENDING,
            created_at=NOW,
            **more,
        )
        with self.store.transaction() as transaction:
            transaction.add_execution(execution)
        return execution.id

    def driver(self, script: Script, **policy: object) -> LocalDriver:
        """A driver that runs a script's attempts; what failed is tried again at once."""
        return LocalDriver(
            store=self.store,
            library=self.library,
            attempts=script,
            children=self.children,
            policy=Policy(**{"delays": (0,), **policy}),
            watch=self.seen,
            new_id=lambda name: f"{name}_new{next(self.numbers)}",
            stages_of=workflow_stages if self.stages is None else lambda *_: self.stages,
            observer=self.observer,
        )

    def drive(self, execution: ExecutionId, script: Script | None = None, **policy: object) -> Execution:
        """Drive an execution to its end; one that has ended is resumed."""
        with self.store.transaction() as transaction:
            found = transaction.execution(execution)
            if found is not None and found.status.is_final:
                transaction.set_execution(execution, status=ExecutionStatus.STARTED, at=NOW)
        return self.driver(script or Script(), **policy).run(execution)

    def executions(self) -> list[Execution]:
        """All executions."""
        with self.store.snapshot() as snapshot:
            return list(snapshot.executions())

    def tasks(self, execution: ExecutionId) -> dict[str, TaskRecord]:
        """The tasks of an execution by node and name."""
        with self.store.snapshot() as snapshot:
            found = snapshot.tasks(execution)
        return {f"{item.task.instance.rpartition('_')[0]} {item.task.name}": item for item in found}

    def states(self, execution: ExecutionId) -> dict[str, TaskState]:
        """Where the tasks of an execution that run something stand."""
        return {name: item.state for name, item in self.tasks(execution).items() if item.task.operation}

    def instances(self, name: str = "shop") -> dict[str, NodeInstance]:
        """The instances of a deployment by node."""
        with self.store.snapshot() as snapshot:
            return {item.node: item for item in snapshot.instances(DeploymentId(name))}

    def events(self, execution: ExecutionId) -> list[Event]:
        """The events of an execution."""
        with self.store.snapshot() as snapshot:
            return [event for _, event in snapshot.events(execution=execution)]


def with_workflows(plan: Blueprint) -> Blueprint:
    """The blueprint with the built-in workflows mapped as the standard types map them."""
    names = ("install", "uninstall", "heal", "scale", "check_status", "check_drift")
    built_in = {
        name: Workflow(name=name, plugin="default_workflows", operation=f"cloudify.plugins.workflows.{name}")
        for name in names
    }
    return replace(plan, workflows=built_in)
