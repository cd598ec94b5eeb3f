"""Drives executions on this machine: one loop owns the progress and the writing, a pool of threads runs attempts.

The loop takes what came in, advances in memory, writes outcomes and the starts that they release in one transaction,
and hands attempts to the threads only after the commit. Child executions are driven by the same loop; one that ends
finishes the task that waits for it in the transaction of its end. What comes next is decided by `planning.advance`.
"""

import gc
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from math import inf
from queue import Empty, SimpleQueue
from typing import Final

from groundplan.diagnostics.trouble import Conflict, NotFound
from groundplan.model.blueprint import Blueprint
from groundplan.model.execution import (
    Execution,
    ExecutionStatus,
    ParentTask,
)
from groundplan.model.graph import TaskKind
from groundplan.model.ids import ExecutionId
from groundplan.planning.faults import PlanningError
from groundplan.planning.stages import Stages
from groundplan.planning.workflows.table import workflow_stages
from groundplan.runtime.attempt import Attempts
from groundplan.runtime.children import Children
from groundplan.runtime.dialogue.dialogue import Dialogue
from groundplan.runtime.dialogue.workflows import Workflows
from groundplan.runtime.drive import Drive, Start
from groundplan.runtime.driver import Watch
from groundplan.runtime.flights import Flights
from groundplan.runtime.keeping import HEARTBEAT_SECONDS, Keeping
from groundplan.runtime.library import Library, NoPlan
from groundplan.runtime.liveness import driver_name, is_alive
from groundplan.runtime.observer import Observer, Written, tell_commit
from groundplan.runtime.pausing import RETRY_SECONDS, has_landed, paused_words, resumed_words
from groundplan.runtime.policy import Policy
from groundplan.runtime.serving import Offer, Source
from groundplan.runtime.turn import Heard, Report, Turn
from groundplan.state.store import StaleLease, Store, StoreFault, Transaction

SEEK_SECONDS: Final = 1.0
"""Between two looks of a serving driver for more to do."""
_LOOK_SECONDS: Final = 0.5
"""Between two looks whether somebody asked an execution to end; a look is one small read."""
_SWITCH_SECONDS: Final = 0.002
"""After which a thread lets the others in: less often, threads with little to do would only wait for each other."""
_SHORT_SWITCH_SECONDS: Final = 0.0005
"""Likewise while commits take long: an operation that computes without pause has the loop wait so for each row."""
_LONG_COMMIT_SECONDS: Final = 0.02
_UNCOLLECTED: Final = 10_000
"""Objects made before the youngest are looked through for cycles: attempts leave none, and there are many in a turn."""
_MOST_REPORTS: Final = 10_000
"""Taken in one turn: operations that log without end must not keep the loop from committing."""


class LocalDriver:
    """Drives one execution and all that it starts; made for one call of `run`."""

    def __init__(
        self,
        *,
        store: Store,
        library: Library,
        attempts: Attempts,
        children: Children,
        policy: Policy,
        watch: Watch,
        new_id: Callable[[str], str],
        stages_of: Callable[[Blueprint, Execution], Stages] = workflow_stages,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        workflows: Workflows | None = None,
        say: Callable[[str], None] = lambda _: None,
        retry_seconds: float = RETRY_SECONDS,
        observer: Observer | None = None,
        beside: Offer | None = None,
    ) -> None:
        """Get ready to drive.

        Args:
            beside: what `run` drives beside its execution, until that and all of it has ended.
            say: tells people what is no part of the record: that the store fails, and that it is back.
            retry_seconds: between two tries while the store fails.
        """
        self._say = say
        self._retry_seconds = retry_seconds
        self._observer = observer
        self._store = store
        self._keeping = Keeping(
            library=library,
            children=children,
            policy=policy,
            new_id=new_id,
            stages_of=stages_of,
            clock=clock,
            runs_programs=workflows is not None,
        )
        self._workflows = workflows
        self._dialogues: dict[ExecutionId, Dialogue] = {}
        self._watch = watch
        self._clock = clock
        self._next_answer = inf
        self._reports: SimpleQueue[Report | None] = SimpleQueue()
        self._flights = Flights(attempts=attempts, workers=policy.workers, post=self._reports.put, clock=clock)
        self._drives: dict[ExecutionId, Drive] = {}
        self._elsewhere: dict[ExecutionId, ParentTask] = {}
        self._fences: dict[ExecutionId, set[int]] = {}
        self._ended: dict[ExecutionId, Execution] = {}
        self._kept: list[Report] = []
        self._last_beat = 0.0
        self._last_look = 0.0
        self._woken = False
        self._cancel_asked = False
        self._abandon_asked = False
        self._drain_asked = False
        self._source: Source | None = None
        self._offer = beside
        self._last_seek = 0.0
        self._lost: Collection[ExecutionId] = ()

    def run(self, execution: ExecutionId) -> Execution:
        """Drive an execution to its end, with every child execution that it waits for.

        Raises:
            Conflict: another driver holds it.
            NotFound: there is no such execution.
            StaleLease: another driver took it over meanwhile.
            StoreFault: the store failed for good, or somebody left while it failed; what was committed stands, and the
                execution can be resumed. While it fails in a way that may pass, the execution pauses.
        """
        with self._at_work():
            # What is read and planned stays as long as the execution: no use in walking through it again and again.
            gc.disable()
            try:
                with self._store.transaction() as transaction:
                    self._adopt(transaction, execution)
            finally:
                gc.freeze()
                gc.enable()
            self._turn(Turn(reports=[]), look=False)
            # A child that a parent gave up waiting for goes on until it ends, and so does an operation that nobody
            # observes any more.
            while (self._drives or self._flights.outlive) and not self._is_drained:
                self._turn(Turn(reports=self._collect()))
                if execution in self._lost:
                    raise StaleLease(f"Another driver took over execution {execution}.")
            return self._ended[execution] if execution in self._ended else self._drives[execution].execution

    def serve(self, source: Source) -> None:
        """Drive whatever a source gives until `request_drain` or `abandon`; leases are given back at the end.

        Raises:
            StoreFault: as from `run`.
        """
        self._source = self._offer = source
        with self._at_work():
            while not (self._is_drained or self._abandon_asked):
                self._turn(Turn(reports=self._collect()))

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        before, collecting = sys.getswitchinterval(), gc.get_threshold()
        sys.setswitchinterval(_SWITCH_SECONDS)
        gc.set_threshold(_UNCOLLECTED, *collecting[1:])
        try:
            yield
        finally:
            sys.setswitchinterval(before)
            gc.set_threshold(*collecting)
            gc.unfreeze()
            self._let_go()
            self._flights.close()

    def request_drain(self) -> None:
        """Start nothing and take nothing; when what is in flight has ended, give every execution back unended."""
        self._drain_asked = True
        self._reports.put(None)

    @property
    def _is_drained(self) -> bool:
        at_work = len(self._flights) or self._flights.outlive
        return self._drain_asked and not at_work and not any(it.is_at_work for it in self._dialogues.values())

    def request_cancel(self) -> None:
        """Start no further task; those in flight finish. Safe to call from a signal handler."""
        self._cancel_asked = True
        self._reports.put(None)

    def abandon(self) -> None:
        """Give up the attempts in flight as well; the record keeps them as begun."""
        self._abandon_asked = True
        self._reports.put(None)

    # -- one turn of the loop

    def _turn(self, turn: Turn, *, look: bool = True) -> None:
        try:
            if self._offer is not None:
                self._take_more(self._offer)
            if look:
                self._look()
            if turn.reports or self._is_due():
                self._step(turn)
        except StoreFault as fault:
            if not fault.passes:
                raise
            self._pause(fault, turn)

    def _take_more(self, offer: Offer) -> None:
        clock = time.monotonic()
        if self._drain_asked or self._cancel_asked or clock - self._last_seek < SEEK_SECONDS:
            return
        self._last_seek = clock
        for execution in offer.seek(self._drives):
            try:
                with self._store.transaction() as transaction:
                    drive = self._adopt(transaction, execution)
            except (Conflict, NotFound):  # another worker was quicker, or somebody deleted it
                self._drives.pop(execution, None)
                self._dialogues.pop(execution, None)
            except (PlanningError, NoPlan) as error:
                offer.refuse(execution, error.message)
            except StoreFault:
                self._drives.pop(execution, None)
                raise
            else:
                self._woken = True
                if self._source is not None:
                    self._source.took(drive.execution)

    def _step(self, turn: Turn) -> None:
        self._woken = False
        self._obey()
        now = self._clock()
        turn.reports += self._flights.overdue()
        for report in turn.reports:
            self._take(report, turn, now)
        for drive in self._drives.values():
            drive.give_up_waiting(now)
            if drive.loses_patience(now):
                self._cut_off(drive, ExecutionStatus.FORCE_CANCELLING)
            drive.run_states(now)
        for dialogue in self._dialogues.values():
            dialogue.follow()
        begun = time.monotonic()
        with self._store.transaction() if self._decides() else self._store.recording() as transaction:
            if self._source is not None or len(self._drives) > 1:
                self._part_with_lost(transaction)
            self._beat(transaction)
            for event in self._flights.dropped:
                transaction.append_event(event)
            for dialogue in self._dialogues.values():
                dialogue.plan(transaction)
            self._end_idle(transaction, turn)
            turn.starts.extend(self._starts())
            for drive in self._drives.values():
                self._record(transaction, drive, turn)
        took = time.monotonic() - begun
        self._flights.window.committed(took)
        is_long = self._flights.window.commit > _LONG_COMMIT_SECONDS
        sys.setswitchinterval(_SHORT_SWITCH_SECONDS if is_long else _SWITCH_SECONDS)
        if self._observer is not None:
            self._tell(self._observer, turn, took)
        self._flights.dropped.clear()
        for batch in turn.batches:
            self._watch.committed(batch)
            if batch.lease.execution in self._dialogues:
                self._dialogues[batch.lease.execution].committed(batch)
        for drive in turn.ended:
            del self._drives[drive.execution.id]
            self._dialogues.pop(drive.execution.id, None)
            self._end_of(drive.execution)
        for dialogue in self._dialogues.values():
            if not dialogue.is_begun:
                dialogue.begin()
        for drive, start in turn.starts:
            self._dispatch(drive, start)

    def _tell(self, observer: Observer, turn: Turn, seconds: float) -> None:
        """Tell who watches of a commit, and of what is under way after it."""
        written = Written(
            seconds=seconds,
            outcomes=sum(len(batch.ended) for batch in turn.batches),
            ready=sum(drive.ready_count for drive in self._drives.values()),
            in_flight=len(self._flights) + len(turn.starts),
            executions=len(self._drives) - len(turn.ended),
        )
        told = [(drive.execution, drive.tasks, batch) for drive, batch in zip(turn.recorded, turn.batches, strict=True)]
        tell_commit(observer, told, written, frozenset(it.execution.id for it in turn.recorded if it.taken_over))

    def _end_of(self, execution: Execution) -> None:
        if self._source is None:
            self._ended[execution.id] = execution
        else:
            self._source.ended(execution)
            # What waited for this end need not wait for the next look as well.
            self._last_seek, self._woken = -SEEK_SECONDS, True

    def _decides(self) -> bool:
        """Whether the turn depends on what other drivers do: it plans, ends, or takes over children."""
        return (
            bool(self._dialogues)
            or time.monotonic() - self._last_beat >= HEARTBEAT_SECONDS
            or any(
                drive.is_idle or not self._elsewhere.keys() >= set(drive.waiting.values())
                for drive in self._drives.values()
            )
        )

    # -- while the store fails

    def _pause(self, fault: StoreFault, turn: Turn) -> None:
        """Keep what comes in until the store can be used again, and go on from what it holds then."""
        began = time.monotonic()
        self._say(paused_words(fault, self._clock()))
        self._flights.put_back(turn.taken)
        while True:
            self._wait(turn)
            if self._leaves(turn):
                raise fault
            try:
                self._take_up(turn)
            except StoreFault as again:
                if not again.passes:
                    raise
                fault = again
            else:
                self._say(resumed_words(time.monotonic() - began))
                return

    def _wait(self, turn: Turn) -> None:
        until = time.monotonic() + self._retry_seconds
        with suppress(Empty):
            while (left := until - time.monotonic()) > 0:
                report = self._reports.get(timeout=left)
                if report is None:
                    return
                turn.late.append(report)

    def _leaves(self, turn: Turn) -> bool:
        """Whether somebody wants to leave: at once when asked twice, else when no operation runs any more."""
        told = {(it.execution, it.task) for it in (*turn.reports, *turn.late) if it.outcome is not None}
        return self._abandon_asked or ((self._cancel_asked or self._drain_asked) and self._flights.are_among(told))

    def _take_up(self, turn: Turn) -> None:
        """Take every execution anew from its record; what is in memory may not have been written."""
        held, ended, lost = self._drives, list[Execution](), list[Execution]()
        for dialogue in self._dialogues.values():
            dialogue.close()
        try:
            with self._store.transaction() as transaction:
                landed = has_landed(transaction, turn.batches)
                self._drives, self._elsewhere, self._dialogues = {}, {}, {}
                for drive in held.values():
                    self._take_up_one(transaction, drive, ended, lost)
                for drive in list(self._drives.values()):
                    for task, child in list(drive.waiting.items()):
                        self._await(transaction, drive, task, child)
        except StoreFault:
            self._drives = held
            raise
        self._lost = {execution.id for execution in lost}
        for execution in ended:
            self._end_of(execution)
        for execution in lost:
            if self._source is not None:
                self._source.lost(execution)
        self._keep_reports(turn, landed=landed)
        for dialogue in self._dialogues.values():
            dialogue.begin()

    def _take_up_one(
        self, transaction: Transaction, drive: Drive, ended: list[Execution], lost: list[Execution]
    ) -> None:
        own = drive.execution.id
        execution, lease = transaction.execution(own), transaction.lease(own)
        if execution is not None and execution.status.is_final:
            ended.append(execution)
        elif lease is not None and lease.fence in self._fences[own]:
            self._hold(
                transaction, self._keeping.adopt(transaction, own, held=lease.fence, flying=self._flights.of(own))
            )
        elif drive.execution.parent is None:
            lost.append(drive.execution)

    def _keep_reports(self, turn: Turn, *, landed: bool) -> None:
        """Keep what came in and is not recorded yet; a custom workflow begins again and is answered from the record."""
        self._kept = [it for it in turn.reports if not (landed and it.event)] + turn.late
        self._kept = [it for it in self._kept if it.heard is None]
        if landed:
            self._flights.dropped.clear()
            if self._observer is not None:
                self._tell(self._observer, turn, 0.0)
            for batch in turn.batches:
                self._watch.committed(batch)
        self._flights.keep(self._drives)
        self._woken, self._last_look = True, 0.0

    def _hold(self, transaction: Transaction, drive: Drive) -> None:
        self._open_dialogue(transaction, drive)
        self._drives[drive.execution.id] = drive
        self._fences.setdefault(drive.execution.id, set()).add(drive.lease.fence)

    # -- what comes in

    def _collect(self) -> list[Report]:
        reports = list[Report | None](self._kept)
        self._kept = []
        with suppress(Empty):
            reports.append(self._reports.get(timeout=0 if reports or self._woken else self._patience()))
            until = time.monotonic() + self._flights.window.commit
            while len(reports) < _MOST_REPORTS:
                # What is about to end shares the commit; nobody waits for a lone operation.
                try:
                    reports.append(self._reports.get_nowait())
                except Empty:
                    is_late = len(reports) >= len(self._flights) or time.monotonic() >= until
                    reports.append(self._reports.get(timeout=0 if is_late else self._flights.window.lull))
        self._woken = self._woken or None in reports
        return [report for report in reports if report is not None]

    def _is_due(self) -> bool:
        """Whether there is something to do although no report came in; a turn takes the store's write lock."""
        now, clock = self._clock(), time.monotonic()
        return (
            self._woken
            or clock - self._last_beat >= HEARTBEAT_SECONDS
            or clock >= min(self._flights.deadline, self._next_answer)
            or any(due is not None and due <= now for due in (drive.next_due() for drive in self._drives.values()))
        )

    def _patience(self) -> float:
        now, moments = self._clock(), [_LOOK_SECONDS]
        for drive in self._drives.values():
            due = drive.next_due()
            if due is not None:
                moments.append((due - now).total_seconds())
        dues = (it.next_due for it in self._dialogues.values())
        self._next_answer = min((due for due in dues if due is not None), default=inf)
        return max(0.0, min(*moments, min(self._flights.deadline, self._next_answer) - time.monotonic()))

    def _take(self, report: Report, turn: Turn, now: datetime) -> None:
        flight = None if report.outcome is None else self._flights.take(report)
        drive = self._drives.get(report.execution)
        if drive is None:
            return
        if report.event is not None:
            drive.tell(report.event)
        if report.heard is not None:
            report.heard.dialogue.take(report.heard.message)
        if report.outcome is not None and flight is not None:
            turn.taken[report.execution, report.task] = flight
            drive.settle(report.task, report.outcome, now)

    def _part_with_lost(self, transaction: Transaction) -> None:
        """Let go of executions that another driver took over, so that the others' records are not refused with them."""
        self._lost = transaction.lost([drive.lease for drive in self._drives.values()])
        for execution in self._lost:
            drive = self._drives.pop(execution)
            self._cut_off(drive, ExecutionStatus.KILL_CANCELLING)
            self._dialogues.pop(execution, None)
            if self._source is not None:
                self._source.lost(drive.execution)

    def _obey(self) -> None:
        if self._cancel_asked:
            for drive in self._drives.values():
                drive.cancel()
            if not self._drives:
                self._flights.leave_unobserved()
        if self._abandon_asked and self._source is None:
            for drive in self._drives.values():
                self._cut_off(drive, ExecutionStatus.KILL_CANCELLING)

    def _look(self) -> None:
        """See whether somebody asked for an end from elsewhere."""
        clock = time.monotonic()
        if clock - self._last_look < _LOOK_SECONDS or not self._drives:
            return
        self._last_look = clock
        with self._store.snapshot() as snapshot:
            asked = snapshot.stopping(driver_name())
        for execution, status in asked.items():
            drive = self._drives.get(execution)
            if drive is None:
                continue
            self._woken = True
            if status is not ExecutionStatus.CANCELLING:
                self._cut_off(drive, status)
            elif not drive.cancelling:
                drive.hear_cancel(self._clock())
                self._cancel_tree(drive)

    def _cut_off(self, drive: Drive, status: ExecutionStatus) -> None:
        """End a drive at once: killed, its operations end as well; else they go on and nobody takes their outcomes."""
        if drive.execution.id in self._dialogues:
            self._dialogues[drive.execution.id].close()
        self._flights.cut_off(drive, status)
        if status is ExecutionStatus.KILL_CANCELLING:
            drive.abandon("is killed", self._clock())
        else:
            drive.abandon("goes on unobserved; its outcome will not be recorded", self._clock())

    def _let_go(self) -> None:
        """After trouble, end the attempts in flight and give the leases back, so that a resume need not wait."""
        self._flights.let_go()
        for dialogue in self._dialogues.values():
            dialogue.close()
        # A store that cannot be written keeps the leases; they end with their heartbeat.
        with suppress(StoreFault):
            self._release()

    def _release(self) -> None:
        if self._drives:
            with self._store.transaction() as transaction:
                for drive in self._drives.values():
                    transaction.release(drive.lease)

    # -- beginnings

    def _adopt(self, transaction: Transaction, id: ExecutionId) -> Drive:
        drive = self._keeping.adopt(transaction, id)
        self._hold(transaction, drive)
        for task, child in list(drive.waiting.items()):
            self._await(transaction, drive, task, child)
        return drive

    def _open_dialogue(self, transaction: Transaction, drive: Drive) -> None:
        if self._workflows is None:
            return
        execution = drive.execution.id
        opened = Dialogue.open(
            self._workflows,
            drive,
            transaction,
            post=lambda dialogue, said: self._reports.put(Report(execution=execution, heard=Heard(dialogue, said))),
            wake=lambda: self._reports.put(None),
            clock=self._clock,
        )
        if opened is not None:
            self._dialogues[execution] = opened

    def _await(self, transaction: Transaction, drive: Drive, task: int, child: ExecutionId) -> None:
        """Have the end of a child execution finish a task: drive the child here unless another driver does."""
        parent = ParentTask(execution=drive.execution.id, task=task)
        execution = transaction.execution(child)
        if execution is None or execution.status.is_final:
            self._keeping.finish_waiting(transaction, drive, task, execution)
            return
        self._elsewhere[child] = parent
        if child in self._drives or execution.on_temporal:
            return
        lease = transaction.lease(child)
        if lease is None or not is_alive(lease, self._clock()):
            try:
                adopted = self._adopt(transaction, child)
            except NoPlan as error:
                del self._elsewhere[child]
                refused = self._keeping.refuse(transaction, child, error.message)
                self._keeping.finish_waiting(transaction, drive, task, refused)
                return
            if drive.cancelling:
                self._cancel_tree(adopted)

    # -- ends

    def _end_idle(self, transaction: Transaction, turn: Turn) -> None:
        """Take over the children that are awaited now, finish what is idle, and tell those who wait for it."""
        changed = True
        while changed:
            changed = False
            for drive in list(self._drives.values()):
                if drive in turn.ended:
                    continue
                drive.run_states(self._clock())
                for task, child in list(drive.waiting.items()):
                    if child not in self._elsewhere:
                        self._record(transaction, drive, turn)
                        self._await(transaction, drive, task, child)
                        changed = True
                if drive.is_idle:
                    if not self._goes_on(transaction, drive, turn):
                        self._end(transaction, drive, turn)
                        turn.ended.append(drive)
                    changed = True

    def _goes_on(self, transaction: Transaction, drive: Drive, turn: Turn) -> bool:
        if drive.cancelling or drive.refused:
            return False
        # A stage is planned from the record, which must hold the last outcomes of the stage before.
        self._record(transaction, drive, turn)
        return self._keeping.plan(transaction, drive)

    @staticmethod
    def _record(transaction: Transaction, drive: Drive, turn: Turn) -> None:
        batch = drive.take_batch()
        if not batch.is_empty:
            transaction.record(batch)
            turn.batches.append(batch)
            turn.recorded.append(drive)

    def _end(self, transaction: Transaction, drive: Drive, turn: Turn) -> None:
        execution = self._keeping.end(transaction, drive)
        self._record(transaction, drive, turn)
        parent = self._elsewhere.pop(execution.id, None)
        if parent is not None and parent.execution in self._drives:
            self._keeping.finish_waiting(transaction, self._drives[parent.execution], parent.task, execution)

    def _beat(self, transaction: Transaction) -> None:
        clock = time.monotonic()
        if clock - self._last_beat < HEARTBEAT_SECONDS:
            return
        self._last_beat = clock
        if self._source is not None:
            self._source.beat(transaction, len(self._drives), draining=self._drain_asked)
        for drive in list(self._drives.values()):
            transaction.heartbeat(drive.lease, self._clock())
        for child, parent in list(self._elsewhere.items()):
            if child not in self._drives and parent.execution in self._drives:
                self._look_at(transaction, child, parent)

    def _look_at(self, transaction: Transaction, child: ExecutionId, parent: ParentTask) -> None:
        """See to a child that another driver has: it may have ended, or its driver may have died."""
        execution = transaction.execution(child)
        lease = transaction.lease(child)
        over = execution is None or execution.status.is_final
        if over or lease is None or not is_alive(lease, self._clock()):
            del self._elsewhere[child]
            self._await(transaction, self._drives[parent.execution], parent.task, child)

    def _cancel_tree(self, drive: Drive) -> None:
        drive.cancel()
        for child in drive.waiting.values():
            if child in self._drives:
                self._cancel_tree(self._drives[child])

    # -- attempts

    def _starts(self) -> Iterable[tuple[Drive, Start]]:
        if self._drain_asked:
            return
        free = self._flights.free
        now = self._clock()
        drives = list(self._drives.values())
        for drive in drives:
            # In the process of a custom workflow, so they take no worker.
            while (local := drive.start_local(now)) is not None:
                yield drive, local
        while free > 0 and drives:
            for drive in list(drives):
                start = drive.start_next(now) if free > 0 else None
                if start is None:
                    drives.remove(drive)
                    continue
                free -= 1
                yield drive, start

    def _dispatch(self, drive: Drive, start: Start) -> None:
        if start.task.kind is TaskKind.LOCAL:
            self._dialogues[drive.execution.id].run(start)
        else:
            self._flights.launch(drive, start)
