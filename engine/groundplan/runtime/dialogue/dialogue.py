"""The conversation with one custom workflow: its requests become tasks, the ends of tasks its answers.

Everything the process asks for is recorded before it is answered, with number and name; a workflow that is run again
is answered from the record as long as both agree. What was asked is kept by `asked`, what needs no operation is given
by `granting`.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from groundplan.diagnostics.trouble import UsageError
from groundplan.model.execution import Change, Event, EventType, Failure, Outcome, TaskState, Verdict
from groundplan.model.graph import Task, TaskGraph
from groundplan.model.ids import InstanceId
from groundplan.model.requests import AnyRequest, LifecycleRequest, ModifiedRequest, ModifyRequest, Request
from groundplan.model.values import Data, reveal, sensitive_texts
from groundplan.planning.evaluate import EvaluationFault
from groundplan.planning.workflows.foreign import ForeignWorkflow, foreign_workflow
from groundplan.planning.workflows.requested import is_settled_at_once, requested
from groundplan.runtime.dialogue.asked import Asked, Requests
from groundplan.runtime.dialogue.granting import grant
from groundplan.runtime.dialogue.introducing import introduce
from groundplan.runtime.dialogue.launching import make_process
from groundplan.runtime.dialogue.workflows import Workflows
from groundplan.runtime.drive import INTERRUPTED, Drive, Start
from groundplan.runtime.foreign.messages import Ended, Judged, Ran, Said
from groundplan.runtime.foreign.workflow_process import Gone, Heard, WorkflowProcess
from groundplan.runtime.masking import Masker
from groundplan.runtime.recordable import recordable
from groundplan.sdk.errors import NonRecoverableError
from groundplan.state.store import Batch, TaskRecord, Transaction

MOST_TASKS: Final = 1_000_000
_CHANGED: Final = "the workflow changed since it started"
Post = Callable[["Dialogue", Heard], None]
"""Hands what a process says to the driver's thread, which gives it to the dialogue's `take`."""


class Dialogue:
    """One custom workflow under way."""

    def __init__(
        self,
        *,
        house: Workflows,
        drive: Drive,
        workflow: ForeignWorkflow,
        records: Iterable[TaskRecord],
        results: Mapping[int, Data],
        post: Post,
        wake: Callable[[], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._house = house
        self._drive = drive
        self._workflow = workflow
        self._post = post
        self._wake = wake
        self._clock = clock
        self._masker = Masker()
        self._process: WorkflowProcess | None = None
        self.is_begun = False
        """Whether its process was started, or could not be."""
        self._requests = Requests()
        self._waiting: deque[AnyRequest] = deque()
        self._held: dict[str, Start] = {}
        self._running: dict[str, Start] = {}
        self._ended: Ended | None = None
        self._refused_any = False
        self._kill_at: float | None = None
        self._cancel_told = False
        self._is_over = False
        drive.open_ended = True
        for record in records:
            self._masker.learn(sensitive_texts(results.get(record.task.number)))
            self._requests.remember(record, results)
        self._is_resumed = self._requests.unmet > 0

    @classmethod
    def open(
        cls,
        house: Workflows,
        drive: Drive,
        transaction: Transaction,
        *,
        post: Post,
        wake: Callable[[], None],
        clock: Callable[[], datetime],
    ) -> "Dialogue | None":
        """Return the dialogue of an execution, its process not started yet; None when its workflow is no program.

        Args:
            transaction: the one in which the execution is taken; what is recorded of it is read.
            post: hands on what the process says.
            wake: has the driver take another turn.
        """
        execution = drive.execution
        workflow = foreign_workflow(drive.world.blueprint, execution.workflow)
        if workflow is None:
            return None
        return cls(
            house=house,
            drive=drive,
            workflow=workflow,
            records=transaction.tasks(execution.id),
            results=transaction.results(execution.id),
            post=post,
            wake=wake,
            clock=clock,
        )

    # -- the process

    def begin(self) -> None:
        """Start the process; call it when the lease is committed."""
        self.is_begun = True
        if self._is_over:
            return
        house, drive = self._house, self._drive
        try:
            parameters = house.evaluator.parameters(drive.world, drive.execution.parameters)
            self._masker.learn(sensitive_texts(parameters))
            given = reveal(parameters)
            process = make_process(house, drive, self._workflow, given, self._masker, self._hear)
        except (NonRecoverableError, EvaluationFault) as fault:
            self._conclude(Change.FAIL, fault.message)
            return
        self._process = process
        self._send(introduce(drive, drive.policy, given, self._requests, is_resumed=self._is_resumed))
        process.start()

    def _hear(self, message: Heard) -> None:
        self._post(self, message)

    # -- what it says

    def take(self, message: Heard) -> None:
        """Take one message of the process."""
        if isinstance(message, Gone):
            self._gone(message)
            return
        if self._process is not None:
            self._process.taken()
        if self._is_over:
            return
        if isinstance(message, Request):
            self._ask(message)
        elif isinstance(message, Ran):
            self._ran(message)
        elif isinstance(message, Judged):
            self._judge(message)
        elif isinstance(message, Said):
            self._say(message)
        elif isinstance(message, Ended):
            self._ended = message

    def _ask(self, request: AnyRequest) -> None:
        known = self._requests.get(request.number)
        if known is None:
            if self._requests.count >= MOST_TASKS:
                self._refuse(request.number, f"a workflow has at most {MOST_TASKS} tasks")
            elif self._drive.cancelling:
                self._cancel(request.number)
            else:
                self._waiting.append(request)
        elif known.is_met:
            self._refuse(request.number, f"request {request.number} was made already")
        elif known.name != self._shown(request.name):
            self._change(f"request {request.number} was {known.name!r}, now it is {self._shown(request.name)!r}")
        else:
            self._requests.meet(request.number)
            if request.number in self._held:
                self.run(self._held.pop(request.number))
            if not known.left:
                self._answer(request.number)

    def _change(self, how: str) -> None:
        self._conclude(Change.FAIL, f"{_CHANGED}: {how}")
        self._stop()

    def _ran(self, message: Ran) -> None:
        start = self._running.pop(message.number, None)
        if start is None:
            return
        try:
            result = self._masker.mark(recordable(message.result, f"the result of {start.task.operation}"))
            outcome = Outcome(verdict=Verdict.SUCCEEDED, result=result)
        except NonRecoverableError as error:
            failure = Failure(type="NonRecoverableError", message=error.message, recoverable=False)
            outcome = Outcome(verdict=Verdict.FAILED, failure=failure)
        if message.error:
            failure = Failure(
                type=message.error_type or "Exception",
                message=self._shown(message.error),
                recoverable=message.recoverable,
                detail=self._shown(message.detail),
            )
            verdict = Verdict.RETRY if message.recoverable else Verdict.FAILED
            outcome = Outcome(verdict=verdict, failure=failure, retry_after=message.retry_after)
        self._drive.settle(start.task.number, outcome, self._clock())

    def _judge(self, message: Judged) -> None:
        """Keep what became of failures: what the workflow went on from is not run again by a resume."""
        state = TaskState.IGNORED if message.ignored else TaskState.FAILED
        for number in message.numbers:
            asked = self._requests.get(number)
            if asked is None or asked.left or not asked.failures:
                continue
            first = next(iter(asked.failures.values()))
            for task in [*asked.failures, *(sorted(asked.dropped) if message.ignored else ())]:
                outcome = Outcome(verdict=Verdict.FAILED, failure=asked.failures.get(task, first))
                self._drive.judge(task, state, outcome, self._clock())

    def _say(self, message: Said) -> None:
        if not self._requests.unmet:  # else it was said before, in an earlier run
            self._tell(message)

    def _tell(self, message: Said) -> None:
        instance = InstanceId(message.instance) if self._drive.world.knows(message.instance) else None
        self._drive.tell(
            Event(
                at=self._clock(),
                type=EventType.LOG if message.level else EventType.PLUGIN_EVENT,
                level=message.level,
                message=self._shown(message.message),
                execution=self._drive.execution.id,
                deployment=self._drive.execution.deployment,
                instance=instance,
            )
        )

    def _shown(self, text: str) -> str:
        """Return a text as it may be kept: masked, and without the NUL that a database refuses."""
        return self._masker.mask(text.replace("\0", "\\0"))

    # -- tasks

    def plan(self, transaction: Transaction) -> None:
        """Record what was asked for since the last call, in the transaction that records everything else."""
        tasks: list[Task] = []
        waits: list[tuple[int, ...]] = []
        kept: list[tuple[Task, Outcome]] = []
        if self._waiting:
            # Nothing is written when another driver has the execution by now.
            transaction.heartbeat(self._drive.lease, self._clock())
        instances = {it.id: it for it in self._drive.world.instances} if self._waiting else {}
        while self._waiting:
            request = self._waiting.popleft()
            first = self._requests.count
            if self._drive.cancelling:
                self._cancel(request.number)
                continue
            if request.number in self._requests:
                self._refuse(request.number, f"request {request.number} was made already")
                continue
            try:
                graph = requested(
                    self._drive.world.blueprint,
                    instances,
                    request,
                    first,
                    name=self._shown(request.name),
                    mark=self._masker.mark,
                )
                outcome = grant(request, self._drive, transaction, house=self._house, masker=self._masker)
                _check_size(request, graph)
            except (UsageError, EvaluationFault, NonRecoverableError) as error:
                self._refuse(request.number, error.message)
                continue
            if isinstance(request, ModifyRequest | ModifiedRequest):
                instances = {it.id: it for it in self._drive.world.instances}
            after = self._requests.done_before(request)
            own = [tuple(it) if it else after for it in graph.waits]
            tasks += graph.tasks
            waits += own
            self._requests.add(request.number, Asked(name=self._shown(request.name), is_met=True))
            for task, needed in zip(graph.tasks, own, strict=True):
                self._requests.know(request.number, task, needed)
                if is_settled_at_once(task):
                    kept.append((task, outcome))
        if not tasks:
            return
        appended = TaskGraph(tasks=tasks, waits=waits, first=tasks[0].number)
        transaction.extend_stage(self._drive.execution.id, appended)
        self._drive.extend(appended)
        for task, outcome in kept:
            self._drive.keep(task.number, outcome, self._clock())

    def run(self, start: Start) -> None:
        """Have the process run one of its functions; the start is committed."""
        number = self._requests.number_of(start.task.number)
        if self._is_over:
            return
        if start.lost:
            self._drive.settle(start.task.number, _interrupted("The engine ended"), self._clock())
            self._wake()
        elif self._drive.execution.is_dry_run:
            self._running[number] = start
            self._ran(Ran(number=number))
            self._wake()
        elif not self._requests[number].is_met:
            self._held[number] = start
        else:
            self._running[number] = start
            self._send({"type": "run", "number": number, "attempt": start.number - start.earlier})

    def committed(self, batch: Batch) -> None:
        """Answer the requests whose tasks ended, now that it is committed."""
        for ended in batch.ended:
            number = self._requests.end(ended)
            if number is not None:
                self._answer(number)

    def _answer(self, number: str) -> None:
        asked = self._requests[number]
        self._masker.learn(sensitive_texts(asked.result))
        told: dict[str, Any] = {
            "type": "answer",
            "number": number,
            "state": "succeeded",
            "result": reveal(asked.result),
        }
        if asked.failures:
            told["state"] = "failed"
            told["error"] = asked.words
            told["recoverable"] = all(failure.recoverable for failure in asked.failures.values())
        self._send(told)

    # -- its end

    def follow(self) -> None:
        """Tell the process of a cancel, and see to it that it ends; call it in each turn."""
        if self._is_over or not self._drive.cancelling:
            return
        if not self._cancel_told:
            self._cancel_told = True
            self._send({"type": "cancel"})
        for number, asked in self._requests.items():
            if asked.is_met and asked.left and not any(self._drive.is_in_flight(task) for task in asked.left):
                asked.left.clear()
                self._cancel(number)
        own = {it.task.number for it in (*self._running.values(), *self._held.values())}
        if self._kill_at is None and self._drive.is_quiet_but_for(own):
            self._kill_at = time.monotonic() + self._house.grace
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._stop()

    @property
    def next_due(self) -> float | None:
        """When `follow` must be called at the latest, on the monotonic clock."""
        return None if self._is_over else self._kill_at

    @property
    def is_at_work(self) -> bool:
        """Whether a function runs in the process."""
        return bool(self._running) and not self._is_over

    def close(self) -> None:
        """End the process at once, whatever it does; nothing of it counts any more."""
        if not self._is_over:
            self._is_over = True
            self._drive.conclude(Change.STOP, "")
        self._stop()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.stop()

    def _gone(self, gone: Gone) -> None:
        if self._is_over:
            return
        for start in (*self._running.values(), *self._held.values()):
            self._drive.settle(start.task.number, _interrupted("The workflow's process ended"), self._clock())
        self._running.clear()
        self._held.clear()
        self._conclude(*self._verdict(gone, self._ended))

    def _verdict(self, gone: Gone, ended: Ended | None) -> tuple[Change, str]:
        """Return how the execution ends, and its error."""
        was_cancelled = ended is not None and ended.verdict == "cancelled"
        if gone.trouble:
            return Change.FAIL, gone.trouble
        if ended is not None and ended.verdict == "failed":
            self._tell(Said(message=ended.detail or ended.error, level="error"))
            return Change.FAIL, ended.error or "the workflow failed"
        if was_cancelled or (self._drive.cancelling and (ended is None or self._refused_any)):
            return Change.STOP, ""
        if ended is None:
            how = f"exit code {gone.code}" if gone.code >= 0 else f"signal {-gone.code}"
            last = f":\n{gone.errors}" if gone.errors else ""
            return Change.FAIL, f"the process of the workflow ended with {how}{last}"
        if self._requests.unmet:
            left = self._requests.first_unmet()
            return Change.FAIL, f"{_CHANGED}: it asked for {left!r} then, and did not now"
        return Change.SUCCEED, ""

    def _conclude(self, change: Change, error: str) -> None:
        """Have the execution end so, once what runs has ended; nothing more starts."""
        self._is_over = True
        if change is not Change.SUCCEED:
            self._drive.cancel()
        self._drive.conclude(change, self._shown(error))
        self._wake()

    def _refuse(self, number: str, why: str) -> None:
        self._send({"type": "answer", "number": number, "state": "refused", "error": why})

    def _cancel(self, number: str) -> None:
        self._refused_any = True
        self._send({"type": "answer", "number": number, "state": "cancelled"})

    def _send(self, message: dict[str, Any]) -> None:
        if self._process is not None:
            self._process.send(message)


def _interrupted(what: str) -> Outcome:
    words = (
        f"{what} while this function ran, and it is not known to be safe to repeat. "
        "See what it did, then: groundplan executions resume --reset-operations"
    )
    return Outcome(verdict=Verdict.FAILED, failure=Failure(type=INTERRUPTED, message=words, recoverable=False))


def _check_size(request: AnyRequest, graph: TaskGraph) -> None:
    """Refuse what could not be recorded."""
    for task in graph.tasks if not isinstance(request, LifecycleRequest) else ():
        recordable(task.arguments, "the arguments")
