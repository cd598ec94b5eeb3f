"""Keeps the progress of executions in the memory of one worker, under their fencing numbers.

A workflow asks it what follows from the attempts that have landed, and is answered with those to make next. It knows
nothing of Temporal: its answers are the same whichever worker gives them, since all that counts is in the store. After
a move, a repeat or trouble with the store, it forgets what it had in memory and reads the record again.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from groundplan.diagnostics.trouble import Conflict
from groundplan.model.execution import ExecutionStatus, Failure, Outcome, TaskState, Verdict
from groundplan.model.ids import ExecutionId
from groundplan.runtime.drive import Drive, Start
from groundplan.runtime.evaluation import Evaluator
from groundplan.runtime.keeping import Keeping
from groundplan.runtime.library import Library
from groundplan.runtime.liveness import driver_name
from groundplan.runtime.observer import Observer, Written, tell_commit
from groundplan.runtime.temporal.messages import Answer, Child, Landed, Order, Request
from groundplan.runtime.temporal.queues import NoQueue, deployment_queue, task_queue_name
from groundplan.runtime.world import World
from groundplan.state.store import Batch, StaleLease, Store, Transaction

_HELD_PAUSE = 5.0
"""Seconds until an execution that another driver holds is asked for again."""


@dataclass(kw_only=True, slots=True)
class _Kept:
    """An execution in memory, as it stood after an exchange."""

    drive: Drive
    queue: str
    sequence: int
    recorded: list[Batch] = field(default_factory=list)
    """What the exchange under way wrote."""


class Keeper:
    """Keeps the executions that their workflows brought to this worker."""

    def __init__(
        self,
        *,
        store: Store,
        library: Library,
        keeping: Keeping,
        queue: str,
        clock: Callable[[], datetime],
        observer: Observer | None = None,
    ) -> None:
        self._observer = observer
        self._store = store
        self._library = library
        self._keeping = keeping
        self._queue = queue
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[ExecutionId, _Kept] = {}

    def exchange(self, request: Request) -> Answer:
        """Take what landed, record what follows, and say what is to be done next.

        Raises:
            StaleLease: another worker keeps the execution now.
            StoreFault: the store failed; nothing of this was recorded, and the same request may be made again.
        """
        id_ = ExecutionId(request.execution)
        with self._lock:
            kept = self._kept.pop(id_, None)
        # Whatever is raised leaves it forgotten: memory may be ahead of the store then.
        began = time.monotonic()
        with self._store.transaction() as transaction:
            execution = transaction.execution(id_)
            if execution is None or execution.status.is_final:
                return Answer(status="gone" if execution is None else execution.status, ended=True)
            if kept is None or kept.sequence + 1 != request.sequence or kept.drive.lease.fence != request.fence:
                try:
                    kept = self._take(transaction, id_, request)
                except Conflict:
                    return Answer(status=execution.status, held=True, fence=request.fence, wake_in=_HELD_PAUSE)
            answer = self._turn(transaction, kept, request)
        if self._observer is not None:
            self._tell(self._observer, kept, time.monotonic() - began, len(answer.orders) + len(request.flying))
        kept.recorded.clear()
        kept.sequence = request.sequence
        if not answer.ended:
            with self._lock:
                self._kept[id_] = kept
        return answer

    def world(self, execution: ExecutionId) -> World | None:
        """Return the deployment of an execution as it stands in memory, when it is kept here."""
        with self._lock:
            kept = self._kept.get(execution)
        return None if kept is None else kept.drive.world

    def beat(self) -> None:
        """Renew the leases.

        Raises:
            StoreFault: the store failed; leases that are not renewed for long are taken by others.
        """
        with self._lock:
            all_kept = list(self._kept.items())
        for id_, kept in all_kept:
            try:
                with self._store.recording() as transaction:
                    transaction.heartbeat(kept.drive.lease, self._clock())
            except StaleLease:
                self.forget(id_)

    def stopping(self) -> Mapping[ExecutionId, ExecutionStatus]:
        """Return the executions kept here that somebody asked to end and that have not heard of it.

        Raises:
            StoreFault: the store cannot be read now.
        """
        with self._store.snapshot() as snapshot:
            asked = snapshot.stopping(driver_name())
        with self._lock:
            heard = {id_ for id_, kept in self._kept.items() if kept.drive.cancelling}
            return {
                id_: status
                for id_, status in asked.items()
                if id_ in self._kept and not (status is ExecutionStatus.CANCELLING and id_ in heard)
            }

    def forget(self, execution: ExecutionId) -> None:
        """Drop an execution from memory; its lease stays until it is released or runs out."""
        with self._lock:
            self._kept.pop(execution, None)

    def kept(self) -> list[ExecutionId]:
        """Return the executions that are in memory."""
        with self._lock:
            return list(self._kept)

    def release(self, execution: ExecutionId) -> None:
        """Drop an execution from memory and give its lease back.

        Raises:
            StoreFault: the store cannot be written now; the lease runs out by itself.
        """
        with self._lock:
            kept = self._kept.pop(execution, None)
        if kept is not None:
            with self._store.recording() as transaction:
                transaction.release(kept.drive.lease)

    def release_all(self) -> None:
        """Give all leases back, so that another worker need not wait for them."""
        for execution in self.kept():
            self.release(execution)

    # -- one exchange

    def _take(self, transaction: Transaction, id_: ExecutionId, request: Request) -> _Kept:
        if request.fence:
            landed = {it.task: it.number for it in request.landed}
            flying = {it.task: it.number for it in request.flying} | landed
        else:
            flying = _begun(transaction, id_)
        drive = self._keeping.adopt(transaction, id_, held=request.fence, flying=flying, retries=request.retries)
        if not request.fence:
            self._take_from_another(transaction, drive, flying)
        return _Kept(drive=drive, queue=deployment_queue(transaction, drive.world), sequence=request.sequence)

    def _take_from_another(self, transaction: Transaction, drive: Drive, begun: Mapping[int, int]) -> None:
        """See to what an earlier workflow, or another driver, had begun: this one knows nothing of it."""
        outcomes = transaction.take_outcomes(drive.execution.id, [*begun.items()])
        for task, number in begun.items():
            outcome = outcomes.get((task, number))
            if not drive.runs(task, number):
                continue
            if outcome is None:
                drive.lose(task, self._clock(), limited=False)
            else:
                drive.settle(task, outcome, self._clock())

    def _turn(self, transaction: Transaction, kept: _Kept, request: Request) -> Answer:
        drive, now = kept.drive, self._clock()
        status = transaction.heartbeat(drive.lease, now)
        self._land(transaction, drive, request.landed)
        drive.give_up_waiting(now)
        self._obey(drive, status, give_up=request.give_up)
        self._look_at_children(transaction, drive)
        if self._is_over(transaction, kept):
            ended = self._keeping.end(transaction, drive)
            self._record(transaction, kept)
            transaction.drop_outcomes(drive.execution.id)
            return Answer(status=ended.status, ended=True)
        # A workflow that knows no fencing number yet has handed nothing out, and is held to that: what is begun in the
        # record was another's, until it says otherwise.
        orders, more = self._orders(transaction, kept, request.room if request.fence else 0)
        self._record(transaction, kept)
        return Answer(
            status=ExecutionStatus.CANCELLING if drive.cancelling else ExecutionStatus.STARTED,
            keeper=self._queue,
            fence=drive.lease.fence,
            orders=orders,
            children=self._new_children(transaction, drive, request.children),
            awaited=[*drive.waiting.values()],
            more=more,
            wake_in=self._wake_in(drive),
        )

    def _obey(self, drive: Drive, status: ExecutionStatus, *, give_up: bool) -> None:
        now = self._clock()
        if give_up or status is ExecutionStatus.KILL_CANCELLING:
            drive.abandon("is killed", now)
        elif status is ExecutionStatus.FORCE_CANCELLING:
            drive.abandon("goes on unobserved; its outcome will not be recorded", now)
        elif status is ExecutionStatus.CANCELLING and not drive.cancelling:
            drive.hear_cancel(now)
            drive.cancel()

    def _land(self, transaction: Transaction, drive: Drive, landed: list[Landed]) -> None:
        due = [it for it in landed if drive.runs(it.task, it.number)]
        outcomes = transaction.take_outcomes(drive.execution.id, [(it.task, it.number) for it in due])
        for it in due:
            outcome = outcomes.get((it.task, it.number))
            # Lost in Temporal's eyes only, when the worker died between leaving the outcome and saying so.
            if outcome is None:
                drive.lose(it.task, self._clock())
            else:
                drive.settle(it.task, outcome, self._clock())

    def _look_at_children(self, transaction: Transaction, drive: Drive) -> None:
        for task, child in list(drive.waiting.items()):
            execution = transaction.execution(child)
            if execution is None or execution.status.is_final:
                self._keeping.finish_waiting(transaction, drive, task, execution)

    def _is_over(self, transaction: Transaction, kept: _Kept) -> bool:
        """Run what needs no worker and plan further stages, until something is to be waited for or nothing is left."""
        drive = kept.drive
        while True:
            drive.run_states(self._clock())
            if not drive.is_idle:
                return False
            if drive.cancelling or drive.refused:
                return True
            # A stage is planned from the record, which must hold the last outcomes of the stage before.
            self._record(transaction, kept)
            if not self._keeping.plan(transaction, drive):
                return True

    def _orders(self, transaction: Transaction, kept: _Kept, room: int) -> tuple[list[Order], bool]:
        orders: list[Order] = []
        while len(orders) < room:
            start = kept.drive.start_next(self._clock())
            if start is None:
                return orders, False
            order = self._order(transaction, kept, start)
            if order is not None:
                orders.append(order)
        return orders, True

    def _order(self, transaction: Transaction, kept: _Kept, start: Start) -> Order | None:
        drive = kept.drive
        try:
            evaluator = Evaluator.within(self._library, transaction)
            queue = task_queue_name(drive.world, start.task, evaluator, kept.queue)
        except NoQueue as error:
            failure = Failure(type="NoQueue", message=str(error), recoverable=False)
            drive.settle(start.task.number, Outcome(verdict=Verdict.FAILED, failure=failure), self._clock())
            drive.run_states(self._clock())
            return None
        return Order(
            execution=drive.execution.id,
            task=start.task.number,
            number=start.number,
            earlier=start.earlier,
            retries=start.retries,
            timeout=start.timeout,
            lost=start.lost,
            queue=queue,
        )

    @staticmethod
    def _new_children(transaction: Transaction, drive: Drive, known: list[str]) -> list[Child]:
        found = []
        for id_ in dict.fromkeys(drive.waiting.values()):
            execution = None if id_ in known else transaction.execution(id_)
            deployment = None if execution is None else transaction.deployment(execution.deployment)
            if execution is not None and deployment is not None:
                found.append(
                    Child(
                        execution=id_,
                        deployment=execution.deployment,
                        blueprint=deployment.blueprint,
                        workflow=execution.workflow,
                    )
                )
        return found

    def _wake_in(self, drive: Drive) -> float | None:
        due = drive.next_due()
        return None if due is None else max(0.0, (due - self._clock()).total_seconds())

    @staticmethod
    def _record(transaction: Transaction, kept: _Kept) -> None:
        batch = kept.drive.take_batch()
        if not batch.is_empty:
            transaction.record(batch)
            kept.recorded.append(batch)

    def _tell(self, observer: Observer, kept: _Kept, seconds: float, in_flight: int) -> None:
        """Tell who watches of an exchange that was committed."""
        drive = kept.drive
        with self._lock:
            executions = len(self._kept)
        written = Written(
            seconds=seconds,
            outcomes=sum(len(batch.ended) for batch in kept.recorded),
            ready=drive.ready_count,
            in_flight=in_flight,
            executions=executions + 1,
        )
        told = [(drive.execution, drive.tasks, batch) for batch in kept.recorded]
        tell_commit(observer, told, written, frozenset({drive.execution.id} if drive.taken_over else ()))


def _begun(transaction: Transaction, id_: ExecutionId) -> dict[int, int]:
    """Return the attempts that are recorded as begun and not as ended, by task."""
    records = transaction.tasks(id_)
    return {it.task.number: it.attempts for it in records if it.state is TaskState.STARTED}
