"""How often an operation is tried and how long to wait in between (spec 5.6); numbers only, time is the driver's."""

from dataclasses import dataclass

from groundplan.model.blueprint import Operation
from groundplan.model.execution import Failure, Outcome, Verdict
from groundplan.model.graph import Task

UNLIMITED = -1


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """The engine's defaults, which operations and tasks override.

    Attributes:
        retries: attempts after the first; `UNLIMITED` (-1) without end.
        delays: seconds before the second, third... attempt; the last one repeats.
        timeout: seconds an attempt may take where the operation says nothing.
        workers: operations that run at once.
    """

    retries: int = 5
    delays: tuple[float, ...] = (2, 5, 10, 20, 30)
    timeout: float = 3600
    workers: int = 32

    def retries_of(self, task: Task, operation: Operation) -> int:
        """Return how many attempts may follow the first one."""
        if task.retries is not None:
            return task.retries
        return self.retries if operation.max_retries is None else operation.max_retries

    def delay(self, operation: Operation, outcome: Outcome, attempt: int) -> float:
        """Return the seconds to wait after attempt number `attempt` (from 1) ended with `outcome`."""
        if outcome.retry_after is not None:
            return outcome.retry_after
        if operation.retry_interval is not None:
            return operation.retry_interval
        return self.delays[min(attempt, len(self.delays)) - 1] if self.delays else 0.0

    def timeout_of(self, operation: Operation) -> float:
        """Return the seconds that one attempt may take."""
        return self.timeout if operation.timeout is None else operation.timeout


def timed_out(operation: Operation, seconds: float) -> Outcome:
    """Return the outcome of an attempt that nobody waits for any more, since it took longer than `seconds`."""
    recoverable = bool(operation.timeout_recoverable)
    message = f"The attempt took longer than {seconds:g} s and was given up"
    return Outcome(
        verdict=Verdict.RETRY if recoverable else Verdict.FAILED,
        failure=Failure(type="TimeoutError", message=message, recoverable=recoverable),
    )
