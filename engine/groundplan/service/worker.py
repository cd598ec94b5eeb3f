"""What a worker does for one store: takes over lost executions, begins queued ones and those of due schedules.

The loop that drives them is `runtime.local`'s. Several workers share a store: each takes what it has room for.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from groundplan.model.execution import Execution, ExecutionStatus
from groundplan.model.ids import ExecutionId
from groundplan.model.schedule import Worker, WorkerState
from groundplan.runtime.library import Library
from groundplan.runtime.liveness import driver_name, lives
from groundplan.service import executions, queue, schedules
from groundplan.state.store import Snapshot, Store, Transaction

Say = Callable[[str], None]
"""Takes one line that is worth telling."""


@dataclass(kw_only=True, slots=True)
class StoreSource:
    """Implements `runtime.serving.Source` for a store.

    Attributes:
        most: how many executions run at once in the store.
        room: how many this worker drives at once by itself; children of theirs are not counted.
        on_temporal: whether Temporal drives them; without, what a Temporal workflow sees to is left to it.
    """

    store: Store
    library: Library
    clock: Callable[[], datetime]
    most: int
    room: int
    say: Say
    on_temporal: bool = False
    worker: Worker = field(init=False)
    _own: set[ExecutionId] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        now = self.clock()
        self.worker = Worker(name=driver_name(), started_at=now, heartbeat=now, limit=self.room)
        with self.store.transaction() as transaction:
            self.beat(transaction, 0, draining=False)

    def leave(self) -> None:
        """Take the worker out of the store."""
        with self.store.transaction() as transaction:
            transaction.delete_worker(self.worker.name)

    # -- what there is to do

    def seek(self, driving: Collection[ExecutionId]) -> Sequence[ExecutionId]:
        with self.store.snapshot() as snapshot:
            is_due = bool(snapshot.schedules(due=self.clock()))
        if is_due:
            for fired in schedules.fire(self.store, self.library, self.clock()):
                self.say(f"schedule {fired.schedule.id} of {fired.schedule.deployment}: {fired.words}")
        free = self.room - len(self._own)
        if free <= 0:
            return []
        with self.store.snapshot() as snapshot:
            lines = queue.read_lines(snapshot, self.clock(), self.most)
            barred = {item.id: executions.refusal(snapshot, self.library, item) for item in lines.next}
        for execution, why in barred.items():
            if why:
                self.refuse(execution, why)
        lost = [item for item in lines.lost if self.on_temporal or not item.on_temporal]
        wanted = [*lost, *(item for item in lines.next if not barred[item.id])]
        return [item.id for item in wanted if item.id not in driving][:free]

    def refuse(self, execution: ExecutionId, why: str) -> None:
        with self.store.transaction() as transaction:
            executions.fail_in(transaction, execution, why, self.clock())
        self.say(f"{execution} cannot be driven: {why}")

    def beat(self, transaction: Transaction, driving: int, *, draining: bool) -> None:
        state = WorkerState.DRAINING if draining else WorkerState.SERVING
        self.worker = replace(self.worker, heartbeat=self.clock(), executions=driving, state=state)
        transaction.put_worker(self.worker)

    # -- what happened

    def took(self, execution: Execution) -> None:
        self._own.add(execution.id)
        again = "goes on with" if execution.stage else "runs"
        self.say(f"{again} {execution.workflow} of {execution.deployment} (execution {execution.id})")

    def lost(self, execution: Execution) -> None:
        self._own.discard(execution.id)
        self.say(f"no longer drives {execution.workflow} of {execution.deployment} (execution {execution.id})")

    def ended(self, execution: Execution) -> None:
        self._own.discard(execution.id)
        why = f": {execution.error}" if execution.status is ExecutionStatus.FAILED else ""
        status = "completed" if execution.status is ExecutionStatus.TERMINATED else str(execution.status)
        self.say(f"{execution.workflow} of {execution.deployment} {status}{why} (execution {execution.id})")


def living(snapshot: Snapshot, now: datetime) -> Sequence[Worker]:
    """Return the workers that serve a store now."""
    return [item for item in snapshot.workers() if lives(item.name, item.heartbeat, now)]
