"""What a driver of executions gives, wherever its attempts run, and what it tells of its progress.

`local` drives on this machine, `temporal` on a Temporal service; `service.driving` chooses.
"""

from collections.abc import Callable
from typing import Protocol

from groundplan.model.execution import Execution
from groundplan.model.ids import ExecutionId
from groundplan.state.store import Batch


class Watch(Protocol):
    """Is told what was committed, in order; for progress on a terminal."""

    def committed(self, batch: Batch) -> None:
        """Take a batch after its commit."""


class Driver(Protocol):
    """Has one execution, and all that it starts, brought to its end."""

    def run(self, execution: ExecutionId) -> Execution:
        """Drive an execution to its end, with every child execution that it waits for.

        Raises:
            Conflict: another driver holds it.
            NotFound: there is no such execution.
            StaleLease: another driver took it over meanwhile.
            StoreFault: the store failed; what was committed stands, and the execution can be resumed.
        """

    def request_cancel(self) -> None:
        """Start no further task; those in flight finish. Safe to call from a signal handler."""

    def request_drain(self) -> None:
        """Start no further task and give the executions back, unended, when those in flight have finished."""

    def abandon(self) -> None:
        """Give up the attempts in flight as well; the record keeps them as begun."""


class Serving(Protocol):
    """Serves what others start, until it is asked to stop."""

    def run(self, ready: Callable[[], None]) -> None:
        """Serve; `ready` is called once work is taken.

        Raises:
            UsageError: what it is to serve cannot be reached.
        """

    def request_stop(self) -> None:
        """Take nothing more and end when what runs has finished. Safe to call from a signal handler."""

    def abandon(self) -> None:
        """Give up what runs as well; others make the next attempts."""
