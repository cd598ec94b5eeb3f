"""What the driver and the process of a custom workflow say to each other: requests become tasks, outcomes answers.

Everything the process asks for is recorded before it is answered, with number and name; a workflow that is run again
is answered from the record as long as both agree. It owns no loop and no transaction: a driver calls it in its one
thread (`local`). How the process is run is `foreign.workflow_process`' work, which tasks a request means `planning`'s.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from groundplan.diagnostics.trouble import UsageError
from groundplan.model.blueprint import NodeTemplate, Operations, Relationship, short_operations
from groundplan.model.deployment import NodeInstance
from groundplan.model.execution import Change, Event, EventType, Failure, Outcome, TaskState, Verdict
from groundplan.model.graph import Task, TaskGraph
from groundplan.model.ids import InstanceId, NodeId
from groundplan.model.requests import (
    AnyRequest,
    LifecycleRequest,
    ModificationsRequest,
    ModifiedRequest,
    ModifyRequest,
    ReadRequest,
    Request,
    UpdateRequest,
)
from groundplan.model.values import Data, quote_marks, reveal, sensitive_texts
from groundplan.planning.evaluate import EvaluationFault
from groundplan.planning.workflows.foreign import SCRIPT_PARAMETERS, ForeignWorkflow
from groundplan.planning.workflows.modifying import (
    Standing,
    begin_modification,
    finish_modification,
    shown_modification,
    take_back_modification,
)
from groundplan.planning.workflows.requested import is_settled_at_once, requested
from groundplan.runtime.drive import INTERRUPTED, Drive, Start
from groundplan.runtime.evaluation import Evaluator
from groundplan.runtime.foreign.machine import Machine
from groundplan.runtime.foreign.messages import Ended, FileWanted, Judged, PropertiesWanted, Ran, Said
from groundplan.runtime.foreign.workflow_process import Gone, Hear, Heard, Program, WorkflowProcess
from groundplan.runtime.library import Library
from groundplan.runtime.masking import Masker
from groundplan.runtime.observer import Observer
from groundplan.runtime.policy import Policy
from groundplan.runtime.recordable import recordable
from groundplan.runtime.surroundings import Surroundings
from groundplan.sdk.errors import NonRecoverableError
from groundplan.state.store import AttemptEnd, Batch, Store, TaskRecord, Transaction

GRACE_SECONDS: Final = 30.0
"""How long a cancelled workflow may take to end once nothing of it runs any more."""
MOST_TASKS: Final = 1_000_000
_ENDS: Final = frozenset({TaskState.SUCCEEDED, TaskState.FAILED, TaskState.IGNORED, TaskState.INTERRUPTED})
_BAD: Final = frozenset({TaskState.FAILED, TaskState.INTERRUPTED})
_CHANGED: Final = "the workflow changed since it started"


@dataclass(kw_only=True, slots=True)
class _Asked:
    """A request that was recorded.

    Attributes:
        tasks: its tasks by number, with what each of them waits for.
        left: numbers of those that have not ended and still may run.
        failures: of those that failed.
        ignored: whether the failure of any of them that failed is nobody's trouble.
        is_met: whether the workflow that runs now has asked for it.
    """

    name: str
    tasks: dict[int, tuple[Task, tuple[int, ...]]] = field(default_factory=dict)
    left: set[int] = field(default_factory=set)
    failures: dict[int, Failure] = field(default_factory=dict)
    dropped: set[int] = field(default_factory=set)
    result: Data = None
    is_met: bool = False

    def end(self, number: int, state: TaskState, failure: Failure | None, result: Data) -> None:
        """Take the end of a task."""
        self.left.discard(number)
        task, _ = self.tasks[number]
        if len(self.tasks) == 1:
            self.result = result
        is_lifecycle = self.name.startswith(("install ", "uninstall "))
        if state in _BAD or (state is TaskState.IGNORED and not (is_lifecycle and task.ignore_failure)):
            self.failures[number] = failure or Failure(type="Failed", message="it failed")
            self._drop(number)

    def _drop(self, failed: int) -> None:
        """Leave out what waits for a task that failed: it never starts."""
        lost = {failed}
        for number, (_, waits) in self.tasks.items():  # in ascending order of what depends on what, or again
            if number in self.left and not lost.isdisjoint(waits):
                lost.add(number)
        while True:
            more = {it for it in self.left - lost if not lost.isdisjoint(self.tasks[it][1])}
            if not more:
                break
            lost |= more
        self.dropped |= lost & self.left
        self.left -= lost


class Workflows:
    """Starts dialogues; one for a driver.

    Attributes:
        grace: seconds that a cancelled workflow may take to end.
    """

    def __init__(
        self,
        *,
        store: Store,
        library: Library,
        surroundings: Surroundings,
        policy: Policy,
        new_id: Callable[[str], str],
        grace: float | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.library = library
        self.surroundings = surroundings
        self.policy = policy
        self.new_id = new_id
        self.observer = observer
        self.grace = GRACE_SECONDS if grace is None else grace
        self.evaluator = Evaluator.of_store(library, store)

    def open(
        self,
        drive: Drive,
        workflow: ForeignWorkflow,
        transaction: Transaction,
        post: Callable[[Heard], None],
        wake: Callable[[], None],
        clock: Callable[[], datetime],
    ) -> "Dialogue":
        """Return the dialogue of an execution, with what is recorded of it; its process is not started yet.

        Args:
            post: hands what the process says to the driver's thread, which gives it to `take`.
            wake: has the driver take another turn.
        """
        execution = drive.execution.id
        return Dialogue(
            house=self,
            drive=drive,
            workflow=workflow,
            records=transaction.tasks(execution),
            results=transaction.results(execution),
            post=post,
            wake=wake,
            clock=clock,
        )


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
        post: Callable[[Heard], None],
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
        self._asked: dict[str, _Asked] = {}
        self._of: dict[int, str] = {}
        self._count = 0
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
            self._remember(record, results)
        self._unmet = len(self._asked)
        self._is_resumed = bool(self._asked)

    # -- the process

    def begin(self) -> None:
        """Start the process; call it when the lease is committed."""
        self.is_begun = True
        surroundings, world = self._house.surroundings, self._drive.world
        machine = Machine(
            scratch=surroundings.scratch,
            resource_folders=surroundings.folders(world.deployment),
            sandboxed=surroundings.sandboxed,
            unconfined=surroundings.unconfined,
            hidden=surroundings.hidden,
        )
        try:
            surroundings.check()
            parameters = self._house.evaluator.parameters(world, self._drive.execution.parameters)
        except (NonRecoverableError, EvaluationFault) as fault:
            self._conclude(Change.FAIL, fault.message)
            return
        self._masker.learn(sensitive_texts(parameters))
        given = reveal(parameters)
        self._process = WorkflowProcess(machine, self._program(given), self._hearing(), self._trace())
        self._process.send(self._hello(given))
        self._process.start()

    def _trace(self) -> Mapping[str, str]:
        """Return the variables by which the process takes part in the execution's trace."""
        observer = self._house.observer
        return {} if observer is None else {"TRACEPARENT": observer.traceparent(self._drive.execution)}

    def _program(self, parameters: Mapping[str, Data]) -> Program:
        plugin = self._workflow.plugin
        source = plugin.source or ""
        folders = (f"plugins/{source}",) if source and "://" not in source else ()
        if self._workflow.function:
            return Program(function=self._workflow.function, folders=folders)
        script, text = (str(parameters.get(name) or "") for name in SCRIPT_PARAMETERS)
        return Program(script=script, source=text, folders=folders)

    def _hearing(self) -> Hear:
        """Return what hears the process: questions about what does not change are answered in the reader's thread."""

        def hear(message: Heard) -> None:
            if isinstance(message, PropertiesWanted | FileWanted):
                assert self._process is not None
                self._process.send(self._told(message))
                self._process.taken()
            else:
                self._post(message)

        return hear

    def _told(self, wanted: PropertiesWanted | FileWanted) -> dict[str, Any]:
        assert self._process is not None
        try:
            if isinstance(wanted, FileWanted):
                return {"type": "told", "of": wanted.path, "value": self._process.place_of(wanted.path)}
            if wanted.node not in self._drive.world.blueprint.nodes:
                raise NonRecoverableError(f"there is no node {wanted.node!r}")
            found = self._house.evaluator.node_properties(self._drive.world, NodeId(wanted.node))
        except (NonRecoverableError, EvaluationFault) as fault:
            of = wanted.path if isinstance(wanted, FileWanted) else wanted.node
            return {"type": "told", "of": of, "error": fault.message}
        self._masker.learn(sensitive_texts(found))
        return {"type": "told", "of": wanted.node, "value": reveal(found)}

    def _hello(self, parameters: Data) -> dict[str, Any]:
        drive, world = self._drive, self._drive.world
        policy = self._house.policy
        return {
            "type": "hello",
            "execution_id": drive.execution.id,
            "workflow_id": drive.execution.workflow,
            "deployment": {
                "id": world.deployment.id,
                "display_name": world.deployment.display_name or world.deployment.id,
                "scaling_groups": {
                    name: {"members": list(group.members)} for name, group in world.blueprint.scaling_groups.items()
                },
            },
            "blueprint": {"id": world.deployment.blueprint},
            "dry_run": drive.execution.is_dry_run,
            "resume": self._is_resumed,
            "parameters": parameters,
            "retries": policy.retries,
            "delays": list(policy.delays),
            "recorded": list(self._asked),
            "nodes": [_node(template) for template in world.blueprint.nodes.values()],
        }

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
        known = self._asked.get(request.number)
        if known is None:
            if self._count >= MOST_TASKS:
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
            known.is_met = True
            self._unmet -= 1
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
            asked = self._asked.get(number)
            if asked is None or asked.left or not asked.failures:
                continue
            first = next(iter(asked.failures.values()))
            for task in [*asked.failures, *(sorted(asked.dropped) if message.ignored else ())]:
                outcome = Outcome(verdict=Verdict.FAILED, failure=asked.failures.get(task, first))
                self._drive.judge(task, state, outcome, self._clock())

    def _say(self, message: Said) -> None:
        if not self._unmet:  # else it was said before, in an earlier run
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
            first = self._count
            if self._drive.cancelling:
                self._cancel(request.number)
                continue
            if request.number in self._asked:
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
                outcome = self._outcome_of(request, transaction)
                _check_size(request, graph)
            except (UsageError, EvaluationFault, NonRecoverableError) as error:
                self._refuse(request.number, error.message)
                continue
            if isinstance(request, ModifyRequest | ModifiedRequest):
                instances = {it.id: it for it in self._drive.world.instances}
            after = self._done_before(request)
            own = [tuple(it) if it else after for it in graph.waits]
            tasks += graph.tasks
            waits += own
            asked = _Asked(name=self._shown(request.name), is_met=True)
            self._asked[request.number] = asked
            for task, needed in zip(graph.tasks, own, strict=True):
                self._know(request.number, asked, task, needed)
                if is_settled_at_once(task):
                    kept.append((task, outcome))
        if not tasks:
            return
        appended = TaskGraph(tasks=tasks, waits=waits, first=tasks[0].number)
        transaction.extend_stage(self._drive.execution.id, appended)
        self._drive.extend(appended)
        for task, outcome in kept:
            self._drive.keep(task.number, outcome, self._clock())

    def _done_before(self, request: AnyRequest) -> tuple[int, ...]:
        """Return the tasks that a request says it waited for, without those that hold up what waits for them."""
        found: list[int] = []
        for number in request.after:
            asked = self._asked.get(number)
            if asked is not None and not asked.left and not asked.failures and not asked.dropped:
                found += asked.tasks if len(asked.tasks) == 1 else [max(asked.tasks)]
        return tuple(sorted(set(found)))

    def _outcome_of(self, request: AnyRequest, transaction: Transaction) -> Outcome:
        """Return what a request that runs nothing gives: what there is to see, or the change that it makes."""
        done = Verdict.SUCCEEDED
        if isinstance(request, ReadRequest):
            return Outcome(verdict=done, result=self._seen(transaction, request.instance))
        if isinstance(request, UpdateRequest) and not self._drive.execution.is_dry_run:
            return Outcome(verdict=done, runtime_properties=self._updated(request, transaction))
        if isinstance(request, ModifyRequest | ModifiedRequest | ModificationsRequest):
            return Outcome(verdict=done, result=self._modify(request, transaction))
        return Outcome(verdict=done)

    def _modify(
        self, request: ModifyRequest | ModifiedRequest | ModificationsRequest, transaction: Transaction
    ) -> Data:
        """Change what the deployment consists of, in the transaction that records the request."""
        world, execution = self._drive.world, self._drive.execution
        standing = Standing(blueprint=world.blueprint, deployment=world.deployment, instances=world.instances)
        if isinstance(request, ModificationsRequest):
            begun = world.deployment.scaling.modification
            return [] if begun is None else [shown_modification(begun, world.instances)]
        if not self._drive.is_quiet_but_for(()):
            raise NonRecoverableError("a modification begins and ends when no task of the workflow runs")
        shown: Data = None
        if isinstance(request, ModifyRequest):
            reshape, shown = begin_modification(standing, execution.id, request.counts, self._house.new_id)
        elif request.finish:
            reshape = finish_modification(standing, execution.id, self._house.new_id)
        else:
            reshape = take_back_modification(standing, execution.id)
        if not execution.is_dry_run:
            transaction.reshape(execution.deployment, reshape)
        world.reshape(reshape, world.blueprint)
        return shown

    def _updated(self, request: UpdateRequest, transaction: Transaction) -> dict[InstanceId, Mapping[str, Data]]:
        """Return the runtime properties that an instance gets; what was not changed stays as it was stored."""
        world = self._drive.world
        instance = world.instance(InstanceId(request.instance))
        given = recordable(request.runtime_properties, f"runtime_properties of {instance.id}")
        raw = instance.runtime_properties
        evaluator = Evaluator.within(self._house.library, transaction)
        shown = reveal(evaluator.runtime_properties(world, instance))
        properties = {
            key: raw[key] if key in shown and shown[key] == value else quote_marks(value)
            for key, value in given.items()
        }
        return {instance.id: self._masker.mark(properties)}

    def _seen(self, transaction: Transaction, only: str) -> Data:
        world = self._drive.world
        evaluator = Evaluator.within(self._house.library, transaction)
        chosen = [world.instance(InstanceId(only))] if only else world.instances
        return [_instance(it, evaluator.runtime_properties(world, it)) for it in chosen]

    def run(self, start: Start) -> None:
        """Have the process run one of its functions; the start is committed."""
        number = self._of[start.task.number]
        if self._is_over:
            return
        if start.lost:
            self._drive.settle(start.task.number, _interrupted("The engine ended"), self._clock())
            self._wake()
        elif self._drive.execution.is_dry_run:
            self._running[number] = start
            self._ran(Ran(number=number))
            self._wake()
        elif not self._asked[number].is_met:
            self._held[number] = start
        else:
            self._running[number] = start
            self._send({"type": "run", "number": number, "attempt": start.number - start.earlier})

    def committed(self, batch: Batch) -> None:
        """Answer the requests whose tasks ended, now that it is committed."""
        for ended in batch.ended:
            number = self._of.get(ended.task)
            if number is not None and ended.state in _ENDS:
                self._take_end(number, ended)

    def _take_end(self, number: str, ended: AttemptEnd) -> None:
        asked = self._asked[number]
        if ended.task not in asked.left:
            return
        outcome = ended.outcome
        asked.end(ended.task, ended.state, outcome.failure, outcome.result)
        if not asked.left and asked.is_met:
            self._answer(number)

    def _answer(self, number: str) -> None:
        asked = self._asked[number]
        self._masker.learn(sensitive_texts(asked.result))
        told: dict[str, Any] = {
            "type": "answer",
            "number": number,
            "state": "succeeded",
            "result": reveal(asked.result),
        }
        if asked.failures:
            failures = list(asked.failures.values())
            words = [
                failure.message if len(asked.tasks) == 1 else f"{asked.tasks[task][0].instance}: {failure.message}"
                for task, failure in asked.failures.items()
            ]
            told["state"] = "failed"
            told["error"] = "; ".join(words)
            told["recoverable"] = all(failure.recoverable for failure in failures)
        self._send(told)

    # -- its end

    def follow(self) -> None:
        """Tell the process of a cancel, and see to it that it ends; call it in each turn."""
        if self._is_over or not self._drive.cancelling:
            return
        if not self._cancel_told:
            self._cancel_told = True
            self._send({"type": "cancel"})
        for number in [it for it, asked in self._asked.items() if asked.is_met and asked.left]:
            if not any(self._drive.is_in_flight(task) for task in self._asked[number].left):
                self._asked[number].left.clear()
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
        return bool(self._running)

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
        if self._unmet:
            left = next(asked.name for asked in self._asked.values() if not asked.is_met)
            return Change.FAIL, f"{_CHANGED}: it asked for {left!r} then, and did not now"
        return Change.SUCCEED, ""

    def _conclude(self, change: Change, error: str) -> None:
        """Have the execution end so, once what runs has ended; nothing more starts."""
        self._is_over = True
        if change is not Change.SUCCEED:
            self._drive.cancel()
        self._drive.conclude(change, self._shown(error))
        self._wake()

    # -- the record

    def _remember(self, record: TaskRecord, results: Mapping[int, Data]) -> None:
        number, _, name = record.task.request.partition(" ")
        asked = self._asked.setdefault(number, _Asked(name=name))
        self._know(number, asked, record.task, record.waits)
        self._masker.learn(sensitive_texts(results.get(record.task.number)))
        if record.state in _ENDS - {TaskState.INTERRUPTED}:
            failure = Failure(type="Failed", message=record.error or "it failed")
            asked.end(record.task.number, record.state, failure, results.get(record.task.number))

    def _know(self, number: str, asked: _Asked, task: Task, waits: tuple[int, ...]) -> None:
        asked.tasks[task.number] = (task, waits)
        asked.left.add(task.number)
        self._of[task.number] = number
        self._count = max(self._count, task.number + 1)

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


def _node(template: NodeTemplate) -> dict[str, Any]:
    return {
        "name": template.name,
        "type": template.type,
        "type_hierarchy": list(template.type_hierarchy),
        "operations": _operations(template.operations),
        "relationships": [_relationship(item) for item in template.relationships],
    }


def _relationship(item: Relationship) -> dict[str, Any]:
    return {
        "type": item.type,
        "type_hierarchy": list(item.type_hierarchy),
        "target": item.target,
        "source_operations": _operations(item.source_operations),
        "target_operations": _operations(item.target_operations),
    }


def _operations(operations: Operations) -> dict[str, Any]:
    shown = {name: [each.plugin, each.operation, sorted(each.inputs)] for name, each in operations.items()}
    return shown | {
        bare: [each.plugin, each.operation, sorted(each.inputs)] for bare, each in short_operations(operations)
    }


def _instance(item: NodeInstance, runtime_properties: Mapping[str, Data]) -> dict[str, Data]:
    return {
        "id": item.id,
        "node": item.node,
        "index": item.index,
        "host": item.host,
        "state": item.state,
        "runtime_properties": runtime_properties,
        "system_properties": dict(item.system_properties),
        "relationships": [[it.index, it.target_node, it.target] for it in item.relationships],
        "scaling_groups": [[it.name, it.id] for it in item.scaling_groups],
    }
