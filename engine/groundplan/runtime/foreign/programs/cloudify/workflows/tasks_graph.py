"""Graph mode (spec 7.5): tasks with an order, sequences and subgraphs, walked here since handlers decide as they end.

What a task does is the engine's, which records each; this walk only says when one is asked for.
"""

import functools
import heapq
import queue
import time
from typing import Any, Callable, Dict, Iterable, List, Optional, Set, Tuple

from ..exceptions import NonRecoverableError
from . import api
from ._session import Refused, Session
from .tasks import (
    HANDLER_CONTINUE,
    HANDLER_FAIL,
    HANDLER_IGNORE,
    HANDLER_RETRY,
    INFINITE_TOTAL_RETRIES,
    TASK_FAILED,
    TASK_STARTED,
    TASK_SUCCEEDED,
    HandlerResult,
    WorkflowTask,
    forkjoin,
)

__all__ = ["SubgraphTask", "TaskDependencyGraph", "TaskSequence", "forkjoin", "make_or_get_graph"]


class TaskDependencyGraph:
    """Tasks, and which waits for which."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._tasks: Dict[str, Any] = {}
        self._waits: Dict[str, Set[str]] = {}
        self._followers: Dict[str, Set[str]] = {}

    @property
    def tasks(self) -> List[Any]:
        """All tasks, those of subgraphs too."""
        return list(self._tasks.values())

    def tasks_iter(self) -> Iterable[Any]:
        """Yield all tasks."""
        return iter(self.tasks)

    def add_task(self, task: Any) -> None:
        """Add a task; nothing of it runs until `execute`."""
        self._tasks.setdefault(task.id, task)
        self._waits.setdefault(task.id, set())

    def get_task(self, task_id: str) -> Any:
        """Return a task, or None."""
        return self._tasks.get(task_id)

    def remove_task(self, task: Any) -> None:
        """Take a task out again, and every order that names it."""
        if self._tasks.pop(task.id, None) is None:
            return
        if task.containing_subgraph is not None:
            task.containing_subgraph.members.pop(task.id, None)
        for other in self._waits.pop(task.id, set()):
            self._followers.get(other, set()).discard(task.id)
        for other in self._followers.pop(task.id, set()):
            self._waits[other].discard(task.id)

    def add_dependency(self, src_task: Any, dst_task: Any) -> None:
        """Have `src_task` wait for `dst_task`; one on itself is left out.

        Raises:
            RuntimeError: one of them is not in the graph.
        """
        if src_task is dst_task:
            return
        for task in (src_task, dst_task):
            if task.id not in self._tasks:
                raise RuntimeError("%r is not in the graph: add_task comes first" % task)
        self._waits[src_task.id].add(dst_task.id)
        self._followers.setdefault(dst_task.id, set()).add(src_task.id)

    def remove_dependency(self, src_task: Any, dst_task: Any) -> None:
        """Take an order out again."""
        self._waits.get(src_task.id, set()).discard(dst_task.id)
        self._followers.get(dst_task.id, set()).discard(src_task.id)

    def get_dependencies(self, task: Any) -> List[Any]:
        """Return what a task waits for."""
        return [self._tasks[it] for it in self._waits[task.id]]

    def sequence(self) -> "TaskSequence":
        """Return a sequence, to which tasks are added one after the other."""
        return TaskSequence(self)

    def subgraph(self, name: Any) -> "SubgraphTask":
        """Return a new subgraph: tasks that succeed or fail together, one task to what surrounds them."""
        task = SubgraphTask(self, str(name))
        self.add_task(task)
        return task

    def store(self, name: Optional[str] = None, optimize: bool = True) -> None:
        """Each task is recorded when it runs, so there is nothing to keep besides."""

    def optimize(self) -> None:
        """Tasks that do nothing cost nothing."""

    def execute(self) -> None:
        """Run the graph to its end.

        Raises:
            RuntimeError: tasks failed; each is named with its cause.
            ExecutionCancelled: the workflow was cancelled.
        """
        _Walk(self).run()

    def after(self, task: Any) -> List[str]:
        """Return the numbers of the requests that a task waits for."""
        return [it for it in self._waits.get(task.id, ()) if self._tasks[it].is_request]


class TaskSequence:
    """Items one after the other."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.last_fork_join_tasks: Optional[List[Any]] = None

    def add(self, *items: Any) -> None:
        """Add items: tasks, subgraphs, `forkjoin(...)` of tasks, lists of items."""
        for item in items:
            if isinstance(item, (list, tuple)):
                self.add(*item)
                continue
            tasks = list(item.tasks) if isinstance(item, forkjoin) else [item]
            tasks = [task for task in tasks if task is not None]
            if not tasks:
                continue
            for task in tasks:
                self.graph.add_task(task)
                for before in self.last_fork_join_tasks or ():
                    self.graph.add_dependency(task, before)
            self.last_fork_join_tasks = tasks


class SubgraphTask(WorkflowTask):
    """A task that is a graph."""

    def __init__(self, graph: TaskDependencyGraph, name: str) -> None:
        super().__init__(graph.session, name, total_retries=0)
        self.graph = graph
        self.members: Dict[str, Any] = {}
        self.failed_task: Any = None
        self.left: Set[str] = set()
        self.failures: List[str] = []

    @property
    def tasks(self) -> Dict[str, Any]:
        """Its tasks by id."""
        return self.members

    def is_nop(self) -> bool:
        """Whether it has no task that does something."""
        return all(task.is_nop() for task in self.members.values())

    def add_task(self, task: Any) -> None:
        """Add a task.

        Raises:
            RuntimeError: another subgraph has it.
        """
        if task.containing_subgraph not in (None, self):
            raise RuntimeError("%r is in another subgraph already" % task)
        task.containing_subgraph = self
        self.members[task.id] = task
        self.graph.add_task(task)

    def remove_task(self, task: Any) -> None:
        """Take a task out again."""
        self.graph.remove_task(task)

    def add_dependency(self, src_task: Any, dst_task: Any) -> None:
        """Have `src_task` wait for `dst_task`."""
        self.graph.add_dependency(src_task, dst_task)

    def sequence(self) -> TaskSequence:
        """Return a sequence inside."""
        return TaskSequence(self)

    def subgraph(self, name: Any) -> "SubgraphTask":
        """Return a new subgraph inside."""
        task = SubgraphTask(self.graph, str(name))
        self.add_task(task)
        return task


class _Walk:
    """One way through a graph."""

    def __init__(self, graph: TaskDependencyGraph) -> None:
        self._graph = graph
        self._session = graph.session
        self._waits = {key: set(needed) for key, needed in graph._waits.items()}
        self._ended: "queue.Queue[Any]" = queue.Queue()
        self._running: Dict[str, Any] = {}
        self._reached: Set[str] = set()
        self._done: Set[str] = set()
        self._later: List[Tuple[float, int, Any]] = []
        self._errors: List[Tuple[Any, BaseException]] = []
        self._failures: List[str] = []
        self._count = 0

    def run(self) -> None:
        self._session.watchers.append(self._wake)
        try:
            for task in self._graph.tasks:
                self._reach(task)
            while self._running or self._later or not self._ended.empty():
                self._turn()
        finally:
            self._session.watchers.remove(self._wake)
        if api.has_cancel_request():
            raise api.ExecutionCancelled()
        if self._errors:
            self._session.seen(self._failures)
            raise RuntimeError(self._words())
        stuck = [task for task in self._graph.tasks if task.id not in self._reached and not _is_dropped(task)]
        if stuck:
            raise RuntimeError("these tasks wait for each other: %s" % ", ".join(task.name for task in stuck[:10]))

    def _words(self) -> str:
        lines = ["Task failed %r -> %s" % (task.name, error) for task, error in self._errors]
        return lines[0] if len(lines) == 1 else "%d tasks failed:\n%s" % (len(lines), "\n".join(lines))

    def _wake(self) -> None:
        self._ended.put(None)

    def _turn(self) -> None:
        patience = max(0.0, self._later[0][0] - time.monotonic()) if self._later else None
        try:
            task = self._ended.get(timeout=patience)
        except queue.Empty:
            task = None
        if task is not None:
            self._running.pop(task.id, None)
            self._end(task)
        if api.has_cancel_request():
            self._later = []
        while self._later and self._later[0][0] <= time.monotonic():
            self._start(heapq.heappop(self._later)[2])

    def _reach(self, task: Any) -> None:
        """Start a task if nothing holds it up."""
        inside = task.containing_subgraph
        if task.id in self._reached or self._waits.get(task.id) or api.has_cancel_request():
            return
        if inside is not None and (inside.get_state() != TASK_STARTED or inside.failed_task is not None):
            return  # it is reached when the subgraph starts, and never when that has failed
        self._reached.add(task.id)
        self._start(task)

    def _start(self, task: Any) -> None:
        if isinstance(task, SubgraphTask):
            task.set_state(TASK_STARTED)
            task.left = set(task.members)
            if not task.left:
                self._finish_subgraph(task)
            for member in list(task.members.values()):
                self._reach(member)
            return
        task.when_ended = self._ended.put
        self._running[task.id] = task
        task.apply(self._graph.after(task))

    # -- ends

    def _end(self, task: Any) -> None:
        if isinstance(task.error, api.ExecutionCancelled):
            return
        result = self._judge(task)
        if result.action == HANDLER_RETRY:
            self._retry(task, result)
        elif result.action == HANDLER_FAIL:
            self._fail(task)
        else:
            self._release(task)

    def _judge(self, task: Any) -> HandlerResult:
        if task.error is None:
            return self._handle(task.on_success, task)
        if task.on_failure is None or isinstance(task.error, Refused):
            return HandlerResult.fail()
        result = self._handle(task.on_failure, task)
        may_retry = (
            result.retried_task is not None
            or result.ignore_total_retries
            or task.total_retries == INFINITE_TOTAL_RETRIES
            or task.current_retries < task.total_retries
        )
        final = isinstance(task.error, NonRecoverableError) and not isinstance(task, SubgraphTask)
        if result.action == HANDLER_RETRY and (final or not may_retry):
            result = HandlerResult.fail()
        if not isinstance(task, SubgraphTask):
            if result.action == HANDLER_FAIL:
                self._session.judge([task.id], ignored=False)
            return result
        if result.action in (HANDLER_RETRY, HANDLER_IGNORE, HANDLER_CONTINUE):
            self._session.judge(task.failures, ignored=True)
            task.failures = []
        return result

    @staticmethod
    def _handle(handler: Any, task: Any) -> HandlerResult:
        result = handler(task) if handler is not None else HandlerResult.cont()
        if not isinstance(result, HandlerResult):
            raise RuntimeError("the handler of %r gave %r, which is no HandlerResult" % (task, result))
        return result

    def _retry(self, task: Any, result: HandlerResult) -> None:
        again = result.retried_task
        if again is None:
            if isinstance(task, SubgraphTask):
                raise RuntimeError("a subgraph is done again by setting retried_task in its handler")
            again = task.duplicate_for_retry()
        again.current_retries = task.current_retries + 1
        self._take_place(task, again)
        wait = self._wait_before(again, result.retry_after)
        self._reached.add(again.id)
        if wait <= 0:
            self._start(again)
        else:
            self._count += 1
            heapq.heappush(self._later, (time.monotonic() + wait, self._count, again))

    def _wait_before(self, task: Any, asked: Optional[float]) -> float:
        if task.id in self._session.recorded or self._session.hello.get("dry_run"):
            return 0.0
        delays = self._session.hello.get("delays") or [0]
        return float(delays[min(task.current_retries, len(delays)) - 1] if asked is None else asked)

    def _take_place(self, task: Any, again: Any) -> None:
        inside = task.containing_subgraph
        self._graph.add_task(again)
        if inside is not None and again.containing_subgraph is None:
            again.containing_subgraph = inside
            inside.members[again.id] = again
        if inside is not None:
            inside.left.discard(task.id)
            inside.left.add(again.id)
        for follower in self._graph._followers.get(task.id, ()):
            if task.id in self._waits.get(follower, ()):
                self._waits[follower].discard(task.id)
                self._waits[follower].add(again.id)
            self._graph._followers.setdefault(again.id, set()).add(follower)
        # The handler may have added more than the task itself: a subgraph with all that is in it.
        for key, needed in self._graph._waits.items():
            self._waits.setdefault(key, needed - self._done)

    def _fail(self, task: Any) -> None:
        error = task.error or RuntimeError("the handler of its success has it fail")
        failures = task.failures if isinstance(task, SubgraphTask) else [task.id] if task.is_request else []
        inside = task.containing_subgraph
        if inside is None:
            self._errors.append((task, error))
            self._failures += failures
            return
        if inside.failed_task is None:
            inside.failed_task = task
            inside.error = error
        inside.failures += failures
        inside.left.discard(task.id)
        self._drop(inside)
        if not inside.left:
            self._finish_subgraph(inside)

    def _drop(self, subgraph: SubgraphTask) -> None:
        """Leave out what has not started in a subgraph that failed, and in those inside of it."""
        subgraph.left &= self._reached
        for key in list(subgraph.left):
            inner = subgraph.members[key]
            if isinstance(inner, SubgraphTask) and inner.failed_task is None:
                inner.failed_task, inner.error = subgraph.failed_task, subgraph.error
                self._drop(inner)
                if not inner.left:
                    inner.set_state(TASK_FAILED)
                    subgraph.left.discard(key)

    def _finish_subgraph(self, task: SubgraphTask) -> None:
        if task.get_state() != TASK_STARTED:
            return
        task.set_state(TASK_SUCCEEDED if task.failed_task is None else TASK_FAILED)
        self._end(task)

    def _release(self, task: Any) -> None:
        self._done.add(task.id)
        for follower in list(self._graph._followers.get(task.id, ())):
            if follower in self._waits:
                self._waits[follower].discard(task.id)
                self._reach(self._graph._tasks[follower])
        inside = task.containing_subgraph
        if inside is not None:
            inside.left.discard(task.id)
            if not inside.left:
                self._finish_subgraph(inside)


def _is_dropped(task: Any) -> bool:
    """Whether a subgraph round a task failed, so that it is not wanted any more."""
    inside = task.containing_subgraph
    while inside is not None and inside.failed_task is None:
        inside = inside.containing_subgraph
    return inside is not None


def make_or_get_graph(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a function that builds a graph. On resume it is built again, and answered from the record."""

    @functools.wraps(function)
    def build(*args: Any, **kwargs: Any) -> Any:
        kwargs.pop("name", None)
        return function(*args, **kwargs)

    return build
