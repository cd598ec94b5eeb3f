"""Tasks of a workflow: each asks the engine for one thing, once, and holds what came of it (spec 7.5)."""

import threading
from typing import Any, Callable, Dict, List, Optional

from ._session import Answer, Session

__all__ = [
    "TASK_FAILED",
    "TASK_PENDING",
    "TASK_RESCHEDULED",
    "TASK_SENT",
    "TASK_STARTED",
    "TASK_SUCCEEDED",
    "HandlerResult",
    "WorkflowTask",
    "forkjoin",
    "retry_failure_handler",
]

TASK_PENDING = "pending"
TASK_SENDING = "sending"
TASK_SENT = "sent"
TASK_STARTED = "started"
TASK_RESCHEDULED = "rescheduled"
TASK_SUCCEEDED = "succeeded"
TASK_FAILED = "failed"
TERMINATED_STATES = (TASK_SUCCEEDED, TASK_FAILED)
INFINITE_TOTAL_RETRIES = -1

HANDLER_RETRY = "handler_retry"
HANDLER_FAIL = "handler_fail"
HANDLER_IGNORE = "handler_ignore"
HANDLER_CONTINUE = "handler_continue"


class HandlerResult:
    """What a handler of a task's end makes of it."""

    def __init__(
        self,
        action: str,
        ignore_total_retries: bool = False,
        retry_after: Optional[float] = None,
        retried_task: Any = None,
    ) -> None:
        self.action = action
        self.ignore_total_retries = ignore_total_retries
        self.retry_after = retry_after
        self.retried_task = retried_task

    @classmethod
    def retry(cls, ignore_total_retries: bool = False, retry_after: Optional[float] = None) -> "HandlerResult":
        """Do it again."""
        return cls(HANDLER_RETRY, ignore_total_retries=ignore_total_retries, retry_after=retry_after)

    @classmethod
    def fail(cls) -> "HandlerResult":
        """It failed."""
        return cls(HANDLER_FAIL)

    @classmethod
    def cont(cls) -> "HandlerResult":
        """Go on."""
        return cls(HANDLER_CONTINUE)

    @classmethod
    def ignore(cls) -> "HandlerResult":
        """Go on although it failed."""
        return cls(HANDLER_IGNORE)


class forkjoin:  # noqa: N801 - the name that workflows know
    """Tasks of a sequence that run side by side."""

    def __init__(self, *tasks: Any) -> None:
        self.tasks = tasks


class WorkflowTask:
    """One task. Without a message it asks for nothing and ends as soon as it is reached."""

    def __init__(
        self,
        session: Session,
        name: str,
        message: Optional[Dict[str, Any]] = None,
        function: Optional[Callable[[], Any]] = None,
        number: Optional[str] = None,
        total_retries: Optional[int] = None,
    ) -> None:
        self.id = number or session.number()
        self.name = name
        self.on_success: Optional[Callable[[Any], HandlerResult]] = None
        self.on_failure: Optional[Callable[[Any], HandlerResult]] = None
        self.containing_subgraph: Any = None
        self.current_retries = 0
        self.total_retries = session.hello.get("retries", 0) if total_retries is None else total_retries
        self.error: Optional[BaseException] = None
        self.info: Any = None
        self._session = session
        self._message = message
        self._function = function
        self._result: Any = None
        self._state = TASK_PENDING
        self._done = threading.Event()
        self.when_ended: Optional[Callable[[Any], None]] = None
        self.after_success: Optional[Callable[[Any], None]] = None
        self._again = 0

    def __repr__(self) -> str:
        return "<task %s: %s>" % (self.id, self.name)

    @property
    def is_remote(self) -> bool:
        """Whether the engine does it."""
        return self._message is not None and self._function is None

    @property
    def is_request(self) -> bool:
        """Whether the engine records it."""
        return self._message is not None

    def is_nop(self) -> bool:
        """Whether there is nothing to do."""
        return self._message is None and self._function is None

    def get_state(self) -> str:
        """Return where it stands."""
        return self._state

    def set_state(self, state: str) -> None:
        """Say where it stands; kept in this process only."""
        self._state = state

    @property
    def async_result(self) -> "WorkflowTask":
        """The object that gives the result: the task itself."""
        return self

    @property
    def result(self) -> Any:
        """What came of it so far."""
        return self._result if self.error is None else self.error

    def apply(self, after: Optional[List[str]] = None) -> "WorkflowTask":
        """Start it."""
        self._state = TASK_SENT
        if self._message is None:
            self._end_alone()
            return self
        message = dict(self._message, number=self.id)
        if after:
            message["after"] = after[:10000]
        if self.on_failure is not None and message["type"] in ("operation", "local"):
            message["handled"] = True
        self._session.ask(message, self._take, self._function)
        return self

    apply_async = apply

    def _end_alone(self) -> None:
        try:
            if self._function is not None:
                self._result = self._function()
            answer = Answer("succeeded", self._result)
        # Whatever the workflow's own function raises is how its task ended.
        except Exception as error:
            answer = Answer("failed", None, error)
        self._take(answer)

    def _take(self, answer: Answer) -> None:
        self._result, self.error = answer.result, answer.error
        self._state = TASK_SUCCEEDED if answer.error is None else TASK_FAILED
        if answer.error is None and self.after_success is not None:
            self.after_success(answer.result)
        if answer.error is not None and self.when_ended is None:
            self._session.failed(self.id, answer.error)
        self._done.set()
        if self.when_ended is not None:
            self.when_ended(self)

    def get(self, retry_on_failure: bool = True) -> Any:
        """Wait for the end and return the result.

        Raises:
            RecoverableError, NonRecoverableError: it failed.
            ExecutionCancelled: the workflow was cancelled.
        """
        self._done.wait()
        if self.error is not None:
            self._session.seen([self.id])
            raise self.error
        return self._result

    def wait_for_terminated(self, timeout: Optional[float] = None) -> None:
        """Wait for the end."""
        self._done.wait(timeout)

    def duplicate_for_retry(self) -> "WorkflowTask":
        """Return a task that does the same again."""
        base = self.id.rpartition("/")[0] if self.current_retries else self.id
        count = self.current_retries + 1
        again = WorkflowTask(
            self._session,
            self.name,
            self._message,
            self._function,
            number="%s/%d" % (base, count),
            total_retries=self.total_retries,
        )
        again.current_retries = count
        again.on_success, again.on_failure, again.info = self.on_success, self.on_failure, self.info
        again.after_success = self.after_success
        return again


def retry_failure_handler(task: Any) -> HandlerResult:
    """A handler that has a failed task done again."""
    return HandlerResult.retry()
