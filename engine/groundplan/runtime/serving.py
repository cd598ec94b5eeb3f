"""Where a driver that serves a store finds work: what it may take, and what it tells of itself.

The loop is `local`'s; `service.worker` writes the source, for schedules and the queue are use cases.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from groundplan.model.execution import Execution
from groundplan.model.ids import ExecutionId
from groundplan.state.store import Transaction


class Offer(Protocol):
    """Executions that a driver may take."""

    def seek(self, driving: Collection[ExecutionId]) -> Sequence[ExecutionId]:
        """Return the executions that are to be taken now; those are tried one by one, and some may be gone by then."""

    def refuse(self, execution: ExecutionId, why: str) -> None:
        """Record that an execution cannot be driven at all."""


class Source(Offer, Protocol):
    """What a serving driver asks and tells."""

    def beat(self, transaction: Transaction, driving: int, *, draining: bool) -> None:
        """Write that the worker lives."""

    def took(self, execution: Execution) -> None:
        """Hear of an execution that is driven from now on, a child's among them."""

    def lost(self, execution: Execution) -> None:
        """Hear of an execution that is not driven here any more, although it has not ended."""

    def ended(self, execution: Execution) -> None:
        """Hear of an execution that has ended."""
