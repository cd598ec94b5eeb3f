"""Keeps the progress of executions in the memory of one worker, under their fencing numbers.

A workflow asks it what follows from the attempts that have landed, and is answered with those to make next. It knows
nothing of Temporal: its answers are the same whichever worker gives them, since all that counts is in the store. After
a move, a repeat or trouble with the store, it forgets what it had in memory and reads the record again. The process of
a custom workflow runs beside it, and is forgotten with the rest. What an exchange does is `exchanging`'s.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from weakref import WeakSet, WeakValueDictionary

from groundplan.diagnostics.trouble import Conflict
from groundplan.model.execution import ExecutionStatus
from groundplan.model.ids import ExecutionId
from groundplan.runtime.dialogue.dialogue import Dialogue
from groundplan.runtime.dialogue.workflows import Workflows
from groundplan.runtime.drive import Drive
from groundplan.runtime.keeping import Keeping
from groundplan.runtime.library import Library, NoPlan
from groundplan.runtime.liveness import driver_name
from groundplan.runtime.observer import Observer, Written, tell_commit
from groundplan.runtime.temporal.conversing import Conversing, Said
from groundplan.runtime.temporal.exchanging import Exchanging, Kept
from groundplan.runtime.temporal.messages import Answer, Request
from groundplan.runtime.world import World
from groundplan.state.store import StaleLease, Store, StoreFault, Transaction

_HELD_PAUSE = 5.0
"""Seconds until an execution that another driver holds is asked for again."""
Wake = Callable[[ExecutionId], None]
"""Has the Temporal workflow of an execution make an exchange; called from any thread."""


class _Turn:
    """Whose turn it is with one execution: an exchange's, or that of what its process said."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


class Keeper:
    """Keeps the executions that their workflows brought to this worker."""

    def __init__(
        self,
        *,
        store: Store,
        library: Library,
        keeping: Keeping,
        workflows: Workflows,
        queue: str,
        clock: Callable[[], datetime],
        observer: Observer | None = None,
    ) -> None:
        self._observer = observer
        self._store = store
        self._keeping = keeping
        self._workflows = workflows
        self._clock = clock
        self._exchanging = Exchanging(
            library=library, keeping=keeping, queue=queue, clock=clock, open_dialogue=self._open_dialogue
        )
        self._conversing = Conversing(self._hear)
        self._wake: Wake = _nobody
        self._lock = threading.Lock()
        self._kept: dict[ExecutionId, Kept] = {}
        self._dialogues: WeakSet[Dialogue] = WeakSet()
        self._turns: WeakValueDictionary[ExecutionId, _Turn] = WeakValueDictionary()

    def listen(self, wake: Wake) -> None:
        """Have the Temporal workflow of an execution told when it is to ask although nothing of its own landed."""
        self._wake = wake

    def exchange(self, request: Request) -> Answer:
        """Take what landed, record what follows, and say what is to be done next.

        Raises:
            StaleLease: another worker keeps the execution now.
            StoreFault: the store failed; nothing of this was recorded, and the same request may be made again.
        """
        id_ = ExecutionId(request.execution)
        with self._turn_of(id_) as earlier:
            began = time.monotonic()
            kept = earlier if earlier is not None and _follows(request, earlier) else None
            try:
                with self._store.transaction() as transaction:
                    execution = transaction.execution(id_)
                    if execution is None or execution.status.is_final:
                        return Answer(status="gone" if execution is None else execution.status, ended=True)
                    if kept is None:
                        try:
                            kept = self._exchanging.take(transaction, id_, request)
                        except Conflict:
                            return Answer(status=execution.status, held=True, fence=request.fence, wake_in=_HELD_PAUSE)
                        except NoPlan as error:
                            ended = self._keeping.refuse(transaction, id_, error.message)
                            return Answer(status=ended.status, ended=True)
                    answer = self._exchanging.turn(transaction, kept, request)
                kept.sequence = request.sequence
                self._committed(kept, time.monotonic() - began, len(answer.orders) + len(request.flying))
                if not answer.ended:
                    self._put(id_, kept)
                    if kept.dialogue is not None and kept.dialogue.next_due is not None:
                        self._conversing.expect(id_, kept.dialogue.next_due)
            finally:
                self._close_forgotten(id_, earlier, kept)
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

    def kept(self) -> list[ExecutionId]:
        """Return the executions that are in memory."""
        with self._lock:
            return list(self._kept)

    # -- its end

    def drain(self) -> None:
        """Start no further function of a custom workflow."""
        self._exchanging.draining = True

    @property
    def is_at_work(self) -> bool:
        """Whether a function of a custom workflow runs."""
        with self._lock:
            return any(it.is_at_work for it in self._dialogues)

    def forget(self, execution: ExecutionId) -> None:
        """Drop an execution from memory; its lease stays until it is released or runs out."""
        with self._turn_of(execution) as kept:
            if kept is not None:
                kept.close()

    def release(self, execution: ExecutionId) -> None:
        """Drop an execution from memory and give its lease back.

        Raises:
            StoreFault: the store cannot be written now; the lease runs out by itself.
        """
        with self._turn_of(execution) as kept:
            if kept is not None:
                kept.close()
                with self._store.recording() as transaction:
                    transaction.release(kept.drive.lease)

    def release_all(self) -> None:
        """Give all leases back, so that another worker need not wait for them."""
        self._conversing.close()
        for execution in self.kept():
            self.release(execution)

    # -- custom workflows

    def _open_dialogue(self, drive: Drive, transaction: Transaction) -> Dialogue | None:
        execution = drive.execution.id
        opened = Dialogue.open(
            self._workflows,
            drive,
            transaction,
            post=lambda dialogue, message: self._conversing.post(execution, Said(dialogue, message)),
            wake=lambda: self._conversing.post(execution, None),
            clock=self._clock,
        )
        if opened is not None:
            with self._lock:
                self._dialogues.add(opened)
            self._conversing.begin()
        return opened

    def _hear(self, id_: ExecutionId, said: Sequence[Said]) -> float | None:
        """Make a turn of what the process of a custom workflow said; see `conversing.Hear`."""
        with self._turn_of(id_) as kept:
            for dialogue, message in said:
                dialogue.take(message)
            if kept is None or kept.dialogue is None:
                return None
            began = time.monotonic()
            asks = False
            try:
                with self._store.transaction() as transaction:
                    asks = self._exchanging.hear(transaction, kept)
                self._committed(kept, time.monotonic() - began, 0)
                self._put(id_, kept)
            except StoreFault:
                asks = True
                raise
            finally:
                self._close_forgotten(id_, kept)
                if asks:
                    self._wake(id_)
            return kept.dialogue.next_due

    # -- memory

    @contextmanager
    def _turn_of(self, id_: ExecutionId) -> Iterator[Kept | None]:
        """Take an execution out of memory while one deals with it; what is not put back is forgotten.

        Whatever is raised leaves it forgotten: memory may be ahead of the store then.
        """
        with self._lock:
            turn = self._turns.setdefault(id_, _Turn())
        with turn.lock:
            with self._lock:
                kept = self._kept.pop(id_, None)
            yield kept

    def _put(self, id_: ExecutionId, kept: Kept) -> None:
        with self._lock:
            self._kept[id_] = kept

    def _close_forgotten(self, id_: ExecutionId, *all_kept: Kept | None) -> None:
        with self._lock:
            remembered = self._kept.get(id_)
        for kept in all_kept:
            if kept is not None and kept is not remembered:
                kept.close()

    def _committed(self, kept: Kept, seconds: float, in_flight: int) -> None:
        """Tell who watches, and the process of a custom workflow, of what was committed."""
        if self._observer is not None:
            self._tell(self._observer, kept, seconds, in_flight)
        kept.answer()
        kept.recorded.clear()

    def _tell(self, observer: Observer, kept: Kept, seconds: float, in_flight: int) -> None:
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


def _follows(request: Request, kept: Kept) -> bool:
    """Whether a request goes on where memory stands: it is no repeat, and no other keeper came between."""
    return kept.sequence + 1 == request.sequence and kept.drive.lease.fence == request.fence


def _nobody(_: ExecutionId) -> None:
    """Nobody listens yet."""
