"""What every driver does with an execution inside its transactions: takes it, plans its stages, ends it.

How attempts are made and when transactions are opened is the driver's own (`local`, `temporal`); what follows from an
outcome is `drive`'s.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from groundplan.diagnostics.trouble import Conflict, NotFound
from groundplan.model.blueprint import Blueprint
from groundplan.model.execution import (
    Change,
    Event,
    EventType,
    Execution,
    ExecutionStatus,
    Failure,
    Outcome,
    ParentTask,
    Verdict,
    after,
)
from groundplan.model.ids import ExecutionId
from groundplan.model.reshape import Reshape
from groundplan.planning.faults import PlanningError
from groundplan.planning.stages import Stages
from groundplan.planning.workflows.foreign import foreign_workflow
from groundplan.runtime.children import Children
from groundplan.runtime.drive import Drive
from groundplan.runtime.facts import gather_facts
from groundplan.runtime.library import Library, NoPlan
from groundplan.runtime.liveness import driver_name, is_alive, shown_driver
from groundplan.runtime.policy import Policy
from groundplan.state.store import Transaction

HEARTBEAT_SECONDS: Final = 3.0
"""How often a driver renews its leases and looks whether an execution is to be cancelled."""

ON_TEMPORAL_FIX: Final = (
    "Set GROUNDPLAN_TEMPORAL_ADDRESS. If that Temporal is gone for good, drive it without: "
    "groundplan executions resume {id} --force"
)


class Keeping:
    """Takes executions under a lease and gives them back ended."""

    def __init__(
        self,
        *,
        library: Library,
        children: Children,
        policy: Policy,
        new_id: Callable[[str], str],
        stages_of: Callable[[Blueprint, Execution], Stages],
        clock: Callable[[], datetime],
        runs_programs: bool = False,
        on_temporal: bool = False,
    ) -> None:
        """Get ready to take executions.

        Args:
            new_id: makes a random id for an instance of the node or scaling group that it is told.
            stages_of: finds the workflow of an execution.
            runs_programs: whether the driver has dialogues with workflows that are programs (`dialogue`).
            on_temporal: whether Temporal workflows see to what is taken; other drivers leave such executions alone.
        """
        self._library = library
        self._children = children
        self._policy = policy
        self._new_id = new_id
        self._stages_of = stages_of
        self._clock = clock
        self._runs_programs = runs_programs
        self._on_temporal = on_temporal
        self._stages: dict[ExecutionId, Stages] = {}

    def adopt(
        self,
        transaction: Transaction,
        id: ExecutionId,
        *,
        held: int | None = None,
        flying: Mapping[int, int] | None = None,
        retries: int | None = None,
    ) -> Drive:
        """Take an execution, planning its first stage or going on from its record.

        Args:
            held: the fencing number of a lease that may be taken over although its driver lives.
            flying: attempts that still run somewhere, by task; see `Drive.restore`.
            retries: of this execution's operations, where it is not as the policy says.

        Raises:
            Conflict: another driver holds it, or it has ended.
            NotFound: there is no such execution.
            NoPlan: the store lost the plan of its blueprint; see `refuse`.
        """
        execution = transaction.execution(id)
        if execution is None:
            raise NotFound(f"There is no execution {id}.")
        now = self._clock()
        lease = transaction.lease(id)
        if lease is not None and lease.fence != held and is_alive(lease, now):
            raise Conflict(
                f"Execution {id} is being driven on {shown_driver(lease.driver)}.",
                fix=f"Watch it with: groundplan events list {id} --tail",
            )
        begun = after(Change.BEGIN, execution.status)
        if begun is None:
            raise Conflict(f"Execution {id} has ended already ({execution.status}).")
        if execution.on_temporal and not self._on_temporal:
            raise Conflict(f"Execution {id} is driven on Temporal.", fix=ON_TEMPORAL_FIX.format(id=id))
        if execution.on_temporal is not self._on_temporal:
            transaction.set_on_temporal(id, self._on_temporal)
        deployment = transaction.deployment(execution.deployment)
        if deployment is None:
            raise NotFound(f"Deployment {execution.deployment} of execution {id} is gone.")
        if begun is not execution.status:
            transaction.set_execution(id, status=begun, at=now)
            execution = replace(execution, status=begun, started_at=execution.started_at or now)
        world = self._library.world(transaction, deployment)
        self._stages[id] = self._stages_of(world.blueprint, execution)
        drive = Drive(
            execution=execution,
            lease=transaction.acquire(id, driver_name(), now),
            world=world,
            policy=self._policy if retries is None else replace(self._policy, retries=retries),
            taken_over=lease is not None and lease.fence != held,
        )
        if execution.stage:
            cut_off = transaction.cut_off(id) if flying is not None else ()
            drive.restore(transaction.tasks(id), transaction.stages(id), now, flying, cut_off)
        else:
            self.plan(transaction, drive)
        return drive

    def plan(self, transaction: Transaction, drive: Drive) -> bool:
        """Plan the next stage; return whether there was one. What cannot be planned fails the execution."""
        name = drive.execution.workflow
        if not self._runs_programs and foreign_workflow(drive.world.blueprint, name) is not None:
            drive.refuse(f"Workflow {name!r} is a program of its author, and this driver does not run such yet.")
            return False
        facts = gather_facts(transaction, drive, self._new_id, self._clock())
        try:
            stage = self._stages[drive.execution.id].next(facts)
            if stage is not None and stage.reshape is not None:
                self._reshape(transaction, drive, stage.reshape)
        except (PlanningError, NoPlan) as error:
            drive.refuse(error.message)
            return False
        if stage is None:
            return False
        drive.begin(stage, self._clock())
        transaction.append_tasks(drive.execution.id, stage.graph, stage=drive.stage, forgives=stage.forgives)
        return True

    def _reshape(self, transaction: Transaction, drive: Drive, reshape: Reshape) -> None:
        world, content = drive.world, reshape.content
        blueprint = world.blueprint if content is None else self._library.blueprint(transaction, content.digest)
        if not drive.execution.is_dry_run:
            transaction.reshape(drive.execution.deployment, reshape)
        world.reshape(reshape, blueprint)

    def refuse(self, transaction: Transaction, id: ExecutionId, why: str) -> Execution:
        """Record that an execution which `adopt` could not take has failed, and return it so."""
        execution = transaction.execution(id)
        failed = None if execution is None else after(Change.FAIL, execution.status)
        if execution is None or failed is None:
            raise NotFound(f"There is no execution {id} under way.")
        now = self._clock()
        transaction.set_execution(id, status=failed, error=why, at=now)
        message = f"{execution.workflow!r} workflow execution failed: {why}"
        transaction.append_event(
            Event(
                at=now,
                type=EventType.WORKFLOW_FAILED,
                message=message,
                execution=id,
                deployment=execution.deployment,
            )
        )
        ended = replace(execution, status=failed, error=why, ended_at=now)
        self._children.conclude(transaction, ended)
        return ended

    def end(self, transaction: Transaction, drive: Drive) -> Execution:
        """Have the next batch of an idle drive say how its execution ended, and return it so.

        The caller records that batch in the same transaction.
        """
        execution = drive.finish(self._clock())
        kept = execution.is_dry_run or execution.status is not ExecutionStatus.TERMINATED
        if drive.world.is_gone and not kept:
            for key in transaction.remembered(execution.deployment):
                transaction.remember(execution.deployment, key, None)
        self._children.conclude(transaction, execution)
        return execution

    def finish_waiting(self, transaction: Transaction, drive: Drive, task: int, child: Execution | None) -> None:
        """Settle a task whose child execution has ended, or is gone (None)."""
        if child is None:
            failure = Failure(type="NotFound", message="The execution that it waited for is gone", recoverable=False)
            outcome = Outcome(verdict=Verdict.FAILED, failure=failure)
        else:
            outcome = self._children.finish(transaction, ParentTask(execution=drive.execution.id, task=task), child)
        drive.settle(task, outcome, self._clock())
