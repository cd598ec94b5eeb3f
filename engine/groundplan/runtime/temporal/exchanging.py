"""What one exchange with an execution's workflow records and answers, inside of its transaction.

What is remembered between two of them, and who may take part, is the `keeper`'s.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from groundplan.model.execution import ExecutionStatus, Failure, Outcome, TaskState, Verdict
from groundplan.model.ids import ExecutionId
from groundplan.runtime.dialogue.dialogue import Dialogue
from groundplan.runtime.drive import Drive, Start
from groundplan.runtime.evaluation import Evaluator
from groundplan.runtime.keeping import Keeping
from groundplan.runtime.library import Library
from groundplan.runtime.temporal.messages import Answer, Child, Landed, Order, Request
from groundplan.runtime.temporal.queues import NoQueue, deployment_queue, task_queue_name
from groundplan.state.store import Batch, Transaction

_TALK_PAUSE = 15.0
"""Seconds until a custom workflow's execution asks although nothing landed: its keeper and the process may be dead."""
Open = Callable[[Drive, Transaction], Dialogue | None]
"""Opens the dialogue of an execution whose workflow is a program."""


@dataclass(kw_only=True, slots=True)
class Kept:
    """An execution in memory, as it stood after an exchange.

    Attributes:
        sequence: of that exchange.
        dialogue: with the process of its workflow, if that is a program.
        recorded: what the exchange under way wrote.
        local: attempts that its process is to make once they are committed.
        due: when the workflow will ask again by itself, as far as it knows.
    """

    drive: Drive
    queue: str
    sequence: int
    dialogue: Dialogue | None
    recorded: list[Batch] = field(default_factory=list)
    local: list[Start] = field(default_factory=list)
    due: datetime | None = None

    def record(self, transaction: Transaction) -> None:
        """Write what happened since the last call."""
        batch = self.drive.take_batch()
        if not batch.is_empty:
            transaction.record(batch)
            self.recorded.append(batch)

    def answer(self) -> None:
        """Tell the process of its workflow what is committed now."""
        if self.dialogue is None:
            return
        for batch in self.recorded:
            self.dialogue.committed(batch)
        if not self.dialogue.is_begun:
            self.dialogue.begin()
        starts, self.local = self.local, []
        for start in starts:
            self.dialogue.run(start)

    def close(self) -> None:
        """End the process of its workflow: whoever keeps the execution next starts it anew."""
        if self.dialogue is not None:
            self.dialogue.close()


class Exchanging:
    """Makes the exchanges of one keeper."""

    def __init__(
        self, *, library: Library, keeping: Keeping, queue: str, clock: Callable[[], datetime], open_dialogue: Open
    ) -> None:
        self._library = library
        self._keeping = keeping
        self._queue = queue
        self._clock = clock
        self._open_dialogue = open_dialogue
        self.draining = False
        """Functions of custom workflows are started no more."""

    def take(self, transaction: Transaction, id_: ExecutionId, request: Request) -> Kept:
        """Take an execution from its record.

        Raises:
            Conflict: another driver holds it.
        """
        if request.fence:
            landed = {it.task: it.number for it in request.landed}
            flying = {it.task: it.number for it in request.flying} | landed
        else:
            flying = _begun(transaction, id_)
        drive = self._keeping.adopt(transaction, id_, held=request.fence, flying=flying, retries=request.retries)
        if not request.fence:
            self._take_from_another(transaction, drive, flying)
        return Kept(
            drive=drive,
            queue=deployment_queue(transaction, drive.world),
            sequence=request.sequence,
            dialogue=self._open_dialogue(drive, transaction),
        )

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

    def turn(self, transaction: Transaction, kept: Kept, request: Request) -> Answer:
        """Take what landed, record what follows, and say what is to be done next."""
        drive, now = kept.drive, self._clock()
        status = transaction.heartbeat(drive.lease, now)
        self._land(transaction, drive, request.landed)
        drive.give_up_waiting(now)
        self._obey(kept, status, give_up=request.give_up)
        self._look_at_children(transaction, drive)
        self._talk(transaction, kept)
        if self._is_over(transaction, kept):
            ended = self._keeping.end(transaction, drive)
            kept.record(transaction)
            transaction.drop_outcomes(drive.execution.id)
            return Answer(status=ended.status, ended=True)
        # A workflow that knows no fencing number yet has handed nothing out, and is held to that: what is begun in the
        # record was another's, until it says otherwise.
        orders, more = self._orders(transaction, kept, request.room if request.fence else 0)
        kept.record(transaction)
        return Answer(
            status=ExecutionStatus.CANCELLING if drive.cancelling else ExecutionStatus.STARTED,
            keeper=self._queue,
            fence=drive.lease.fence,
            orders=orders,
            children=self._new_children(transaction, drive, request.children),
            awaited=[*drive.waiting.values()],
            more=more,
            wake_in=self._wake_in(kept),
        )

    def hear(self, transaction: Transaction, kept: Kept) -> bool:
        """Record what the process of a workflow said; return whether the execution's Temporal workflow is to ask."""
        drive = kept.drive
        self._talk(transaction, kept)
        drive.run_states(self._clock())
        kept.record(transaction)
        due = drive.next_due()
        is_due_sooner = due is not None and (kept.due is None or due < kept.due)
        return drive.is_idle or is_due_sooner or (drive.ready_count > 0 and not drive.cancelling)

    def _talk(self, transaction: Transaction, kept: Kept) -> None:
        """Plan what the process of a workflow asked for, and start what runs in that process."""
        if kept.dialogue is None:
            return
        kept.dialogue.follow()
        kept.dialogue.plan(transaction)
        while not self.draining and (start := kept.drive.start_local(self._clock())) is not None:
            kept.local.append(start)

    def _obey(self, kept: Kept, status: ExecutionStatus, *, give_up: bool) -> None:
        drive, now = kept.drive, self._clock()
        if give_up or status is ExecutionStatus.KILL_CANCELLING:
            kept.close()
            drive.abandon("is killed", now)
        elif status is ExecutionStatus.FORCE_CANCELLING or drive.loses_patience(now):
            kept.close()
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

    def _is_over(self, transaction: Transaction, kept: Kept) -> bool:
        """Run what needs no worker and plan further stages, until something is to be waited for or nothing is left."""
        drive = kept.drive
        while True:
            drive.run_states(self._clock())
            if not drive.is_idle:
                return False
            if drive.cancelling or drive.refused:
                return True
            # A stage is planned from the record, which must hold the last outcomes of the stage before.
            kept.record(transaction)
            if not self._keeping.plan(transaction, drive):
                return True

    def _orders(self, transaction: Transaction, kept: Kept, room: int) -> tuple[list[Order], bool]:
        orders: list[Order] = []
        while len(orders) < room:
            start = kept.drive.start_next(self._clock())
            if start is None:
                return orders, False
            order = self._order(transaction, kept, start)
            if order is not None:
                orders.append(order)
        return orders, True

    def _order(self, transaction: Transaction, kept: Kept, start: Start) -> Order | None:
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

    def _wake_in(self, kept: Kept) -> float | None:
        due = kept.due = kept.drive.next_due()
        left = None if due is None else max(0.0, (due - self._clock()).total_seconds())
        if kept.dialogue is None:
            return left
        return _TALK_PAUSE if left is None else min(left, _TALK_PAUSE)


def _begun(transaction: Transaction, id_: ExecutionId) -> dict[int, int]:
    """Return the attempts that are recorded as begun and not as ended, by task."""
    records = transaction.tasks(id_)
    return {it.task.number: it.attempts for it in records if it.state is TaskState.STARTED}
