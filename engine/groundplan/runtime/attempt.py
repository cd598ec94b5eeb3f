"""One task becomes one outcome: evaluates the inputs, finds the function, calls it, and never raises.

Which attempt is due and what follows from its outcome is the driver's and the scheduler's business.
"""

import hashlib
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final, NamedTuple

from groundplan.model.blueprint import Operation, Plugin
from groundplan.model.deployment import NodeInstance
from groundplan.model.execution import Event, EventType, Execution, Failure, Outcome, ParentTask, Verdict
from groundplan.model.graph import Side, Task, TaskKind
from groundplan.model.ids import InstanceId
from groundplan.model.values import Data, Value, is_inert, is_sensitive, reveal, sensitive_texts
from groundplan.planning.faults import PlanningError
from groundplan.runtime.calls import Calls
from groundplan.runtime.children import ChildCall, Children
from groundplan.runtime.context import AttemptContext, Place
from groundplan.runtime.evaluation import EvaluationFault, Evaluator
from groundplan.runtime.foreign.hosted import NotResumable, NotThere, run_hosted
from groundplan.runtime.foreign.machine import Machine
from groundplan.runtime.masking import Masker
from groundplan.runtime.observer import Attempted, Observer
from groundplan.runtime.pausing import RETRY_SECONDS
from groundplan.runtime.recordable import recordable
from groundplan.runtime.registry import Registry
from groundplan.runtime.surroundings import Surroundings
from groundplan.runtime.world import World
from groundplan.sdk.context import CurrentOperation, PluginView
from groundplan.sdk.errors import NonRecoverableError, OperationError, OperationRetry, RecoverableError
from groundplan.sdk.operation import traits
from groundplan.state.store import Store, StoreFault

_CUT_OFF: Final = (
    "The engine ended while this operation ran, and it is not known to be safe to repeat. "
    "See what it did, then: groundplan executions resume --reset-operations"
)
ENGINE_PLUGIN: Final = "cfy_extensions"
"""The plugin whose operations are steps of composition, done by the engine itself."""


class Assignment(NamedTuple):
    """An attempt to be made.

    Attributes:
        number: which attempt of the task, from 1.
        earlier: attempts before the last resume, which count for no limit.
        retries: attempts that may follow the first one, -1 without limit.
        timeout: seconds it may take.
        lost: an earlier attempt of the task was begun and never got an outcome.
        given_up: set when nobody waits for its outcome any more.
        tell: takes what the operation says while it runs.
    """

    execution: Execution
    world: World
    task: Task
    number: int
    earlier: int
    retries: int
    timeout: float
    lost: bool
    given_up: threading.Event
    tell: Callable[[Event], None]
    clock: Callable[[], datetime]

    @property
    def id(self) -> str:
        """Unique in the store: execution, task and attempt."""
        return f"{self.execution.id}-{self.task.number}-{self.number}"


class Attempts:
    """Makes attempts; shared by all threads of a driver."""

    def __init__(
        self,
        *,
        registry: Registry,
        children: Children,
        store: Store,
        surroundings: Surroundings,
        evaluator: Evaluator,
        observer: Observer | None = None,
    ) -> None:
        self._registry = registry
        self._children = children
        self._store = store
        self._surroundings = surroundings
        self._evaluator = evaluator
        self._observer = observer
        self._lock = threading.Lock()
        self._maskers: dict[str, Masker] = {}

    def run(self, assignment: Assignment) -> Outcome:
        """Make one attempt. Whatever happens comes back as an outcome."""
        if assignment.execution.is_dry_run:
            return Outcome(verdict=Verdict.SUCCEEDED)
        masker = self._masker(assignment)
        if self._observer is None:
            return self._attempt(assignment, masker)
        return self._observed(assignment, masker, self._observer)

    def _observed(self, assignment: Assignment, masker: Masker, observer: Observer) -> Outcome:
        execution, task, number = assignment.execution, assignment.task, assignment.number
        calls = Calls(traceparent=lambda call: observer.traceparent(execution, task.number, number, call))
        began = time.time_ns()
        with calls.collecting():
            outcome = self._attempt(assignment, masker)
        observer.attempted(
            Attempted(
                execution=execution,
                task=task,
                plugin=assignment.world.operation(task).plugin,
                number=number,
                retry=number - assignment.earlier - 1,
                outcome=outcome,
                began=began,
                ended=time.time_ns(),
                calls=calls.masked(masker.mask),
                given_up=assignment.given_up.is_set(),
            )
        )
        return outcome

    def _attempt(self, assignment: Assignment, masker: Masker) -> Outcome:
        changes: Changes = {}
        try:
            found = self._run(assignment, masker, changes)
            step = found if isinstance(found, Outcome) else None
            result = masker.mark(recordable(found if step is None else step.result, "the result"))
            own = {instance: _recorded(instance, properties, masker) for instance, properties in changes.items()}
        # SystemExit as well: an operation that calls exit() ends its attempt, not the thread that runs it.
        except BaseException as error:
            return _failed(error, masker).leaving(None, _what_is_left(changes, masker))
        if step is None:
            return Outcome(verdict=Verdict.SUCCEEDED, result=result, runtime_properties=own)
        return step.leaving(result, {**own, **step.runtime_properties})

    def _masker(self, assignment: Assignment) -> Masker:
        known = self._maskers.get(assignment.execution.id)
        if known is not None:
            return known
        with self._lock:
            return self._maskers.setdefault(assignment.execution.id, Masker())

    def _run(self, assignment: Assignment, masker: Masker, changes: "Changes") -> Data | Outcome:
        self._surroundings.check()
        world, task = assignment.world, assignment.task
        if task.kind is TaskKind.DEPLOYMENT:
            return self._children.run(ParentTask(execution=assignment.execution.id, task=task.number), task)
        operation = world.operation(task)
        plugin = world.blueprint.plugins.get(operation.plugin) or Plugin(name=operation.plugin)
        inputs = self._evaluator.steadily(world, lambda it, now: it.inputs(now, task))
        if inputs:
            masker.learn(sensitive_texts(inputs))
        context = self._context(assignment, operation, plugin, masker)
        try:
            if task.kind is TaskKind.CHILD:
                return self._child(assignment, operation, context, inputs)
            return self._call(assignment, operation, plugin, context, inputs)
        finally:
            try:
                changes.update(context.changes(trusted=task.kind is TaskKind.CHILD))
            finally:
                context.close()

    def _machine(self, assignment: Assignment, plugin: Plugin) -> Machine:
        surroundings, world = self._surroundings, assignment.world
        # Names of nodes are their author's: they are no names of folders.
        instance = hashlib.sha256(_place(assignment.task).own.encode()).hexdigest()[:32]
        return Machine(
            scratch=surroundings.scratch,
            resource_folders=surroundings.folders(world.deployment),
            namespaces=surroundings.imported(world.blueprint),
            sandboxed=surroundings.sandboxed,
            unconfined=surroundings.unconfined,
            hidden=surroundings.hidden,
            lasting=surroundings.lasting / world.deployment.id / instance,
            cache=surroundings.cache / self._registry.manifest(plugin).name if self._registry.knows(plugin) else None,
        )

    def _call(
        self,
        assignment: Assignment,
        operation: Operation,
        plugin: Plugin,
        context: AttemptContext,
        inputs: Mapping[str, Data],
    ) -> Data:
        if not self._registry.knows(plugin):
            return self._call_hosted(assignment, operation, plugin, context, inputs)
        function = self._registry.function(plugin, operation.operation)
        promised = traits(function)
        if assignment.lost and not (promised.repeatable or promised.finds_lost_attempt):
            raise Interrupted(_CUT_OFF)
        return function(context, **reveal(inputs))

    def _call_hosted(
        self,
        assignment: Assignment,
        operation: Operation,
        plugin: Plugin,
        context: AttemptContext,
        inputs: Mapping[str, Data],
    ) -> Data:
        """Call a function of a plugin that none of ours stands for, in a process of its own."""
        try:
            return run_hosted(context, plugin, operation.operation, reveal(inputs), lost=assignment.lost)
        except NotResumable:
            raise Interrupted(_CUT_OFF) from None
        except NotThere as missing:
            raise NonRecoverableError(f"{self._registry.unknown(plugin)} {missing.message}") from None

    def _child(
        self, assignment: Assignment, operation: Operation, context: AttemptContext, inputs: Mapping[str, Data]
    ) -> Outcome:
        world, instance = assignment.world, assignment.world.instance(assignment.task.instance)
        evaluator = self._evaluator

        def evaluate(value: Value, hand_on: bool) -> Data:
            path = f"node_templates.{instance.node}.properties"
            way = evaluator.handed_on if hand_on else evaluator.value
            return way(world, instance, value, path)

        return self._children.step(
            ChildCall(
                task=ParentTask(execution=assignment.execution.id, task=assignment.task.number),
                deployment=world.deployment,
                operation=operation.operation,
                inputs=inputs,
                context=context,
                template=world.template(instance.id),
                evaluate=evaluate,
            )
        )

    def _context(
        self,
        assignment: Assignment,
        operation: Operation,
        plugin: Plugin,
        masker: Masker,
    ) -> AttemptContext:
        world, task, execution = assignment.world, assignment.task, assignment.execution
        evaluator = self._evaluator

        def properties(instance: NodeInstance) -> Mapping[str, Data]:
            settled = evaluator.steadily(world, lambda it, now: it.settled_properties(now, instance))
            if settled is not None:
                return settled
            return _learnt(masker, evaluator.steadily(world, lambda it, now: it.properties(now, instance)))

        def read_runtime(instance: NodeInstance) -> Mapping[str, Data]:
            if is_inert(instance.runtime_properties):
                return instance.runtime_properties
            found = evaluator.steadily(world, lambda it, now: it.runtime_properties(now, now.instance(instance.id)))
            return _learnt(masker, found)

        return AttemptContext(
            world=world,
            place=_place(task),
            execution_id=execution.id,
            workflow_id=execution.workflow,
            operation=CurrentOperation(
                name=task.operation,
                retry_number=assignment.number - assignment.earlier - 1,
                max_retries=assignment.retries,
                attempt_id=assignment.id,
                timeout=assignment.timeout,
                relationship="" if task.relationship is None else str(task.relationship.side),
                lost_attempt=f"{execution.id}-{task.number}-{assignment.number - 1}" if assignment.lost else "",
            ),
            plugin=lambda: self._plugin_view(plugin, world, masker),
            machine=lambda: self._machine(assignment, plugin),
            store=self._store,
            masker=masker,
            given_up=assignment.given_up,
            check_world=self._surroundings.check,
            say=_sayer(assignment, masker),
            properties=properties,
            read_runtime=read_runtime,
            resource_tags=lambda: _learnt(masker, self._evaluator.resource_tags(world)),
        )

    def _plugin_view(self, plugin: Plugin, world: World, masker: Masker) -> PluginView:
        known = plugin.name != ENGINE_PLUGIN and self._registry.knows(plugin)
        manifest = self._registry.manifest(plugin) if known else None
        return PluginView(
            name=plugin.name,
            package_name=plugin.package_name or "",
            properties=_learnt(masker, self._evaluator.plugin_properties(world, plugin)) if plugin.properties else {},
            settings=self._surroundings.settings(manifest.name) if manifest else {},
            sandboxed=self._surroundings.sandboxed,
        )


Changes = dict[InstanceId, Mapping[str, Data]]


class Interrupted(NonRecoverableError):
    """The engine died while the operation ran, and nobody knows how far it came."""


def _learnt(masker: Masker, found: dict[str, Data]) -> dict[str, Data]:
    """Return data made for an attempt as plain data; what is secret in it is masked from now on."""
    if not is_sensitive(found):
        return found
    masker.learn(sensitive_texts(found))
    return {name: reveal(item) for name, item in found.items()}


def _place(task: Task) -> Place:
    ref = task.relationship
    if ref is None:
        return Place(own=task.instance)
    own = ref.source if ref.side is Side.SOURCE else ref.target
    return Place(own=own, source=ref.source, target=ref.target)


def _sayer(assignment: Assignment, masker: Masker) -> Callable[[EventType, str, str], None]:
    task, execution = assignment.task, assignment.execution

    def say(type_: EventType, level: str, message: str) -> None:
        if assignment.given_up.is_set():
            return
        assignment.tell(
            Event(
                at=assignment.clock(),
                type=type_,
                level=level,
                message=masker.mask(_readable(message)),
                execution=execution.id,
                deployment=execution.deployment,
                instance=task.instance,
                target=None if task.relationship is None else task.relationship.target,
                operation=task.operation,
            )
        )

    return say


def _readable(message: object) -> str:
    """Return what was logged as text that can be stored: operations log exceptions, and bytes that were no text."""
    return str(message).encode(errors="replace").decode()


def _recorded(instance: InstanceId, properties: Mapping[str, Data], masker: Masker) -> Mapping[str, Data]:
    marked: Mapping[str, Data] = masker.mark(recordable(properties, f"runtime_properties of {instance}"))
    return marked


def _what_is_left(changes: Changes, masker: Masker) -> Changes:
    """Return what a failed attempt had changed so far (spec 5.6), without what cannot be recorded."""
    left: Changes = {}
    for instance, properties in changes.items():
        with suppress(NonRecoverableError):
            left[instance] = _recorded(instance, properties, masker)
    return left


def _failed(error: BaseException, masker: Masker) -> Outcome:
    """Turn what an operation raised into an outcome (spec 5.6): what is not known to be final may be tried again.

    A store that fails for a while is nobody's failure: steps of components, and whoever reads a secret, try again.
    """
    away = isinstance(error, StoreFault) and error.passes
    final = not away and isinstance(error, NonRecoverableError | EvaluationFault | PlanningError | StoreFault)
    message = error.message if isinstance(error, OperationError | EvaluationFault) else str(error)
    if isinstance(error, SystemExit):
        message = f"The operation called exit({error.code!r})"
    expected = isinstance(error, OperationError | EvaluationFault | PlanningError | StoreFault)
    detail = getattr(error, "detail", "") if expected else "".join(traceback.format_exception(error))
    return Outcome(
        verdict=Verdict.FAILED if final else Verdict.RETRY,
        failure=Failure(
            type=type(error).__name__,
            message=masker.mask(_readable(message or type(error).__name__)),
            recoverable=not final,
            detail=masker.mask(_readable(detail)),
        ),
        retry_after=RETRY_SECONDS if away else error.retry_after if isinstance(error, RecoverableError) else None,
        asked_to_retry=away or isinstance(error, OperationRetry),
    )
