"""Makes one attempt for a workflow: reads what it needs from the store and leaves its outcome there.

Blocking and without Temporal, so that it can be tested alone; `activities` calls it from threads.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from groundplan.model.execution import Event, Outcome
from groundplan.model.ids import ExecutionId
from groundplan.runtime.attempt import Assignment, Attempts
from groundplan.runtime.library import Library, NoPlan
from groundplan.runtime.policy import timed_out
from groundplan.runtime.temporal.messages import Order
from groundplan.runtime.world import World
from groundplan.state.store import Store

Worlds = Callable[[ExecutionId], World | None]


class OrderRefused(Exception):
    """The execution, its deployment or its task is gone, or the attempt is no longer the one that is waited for."""


class Hands:
    """Makes attempts on one worker."""

    def __init__(
        self,
        *,
        store: Store,
        library: Library,
        attempts: Attempts,
        worlds: Worlds,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._library = library
        self._attempts = attempts
        self._worlds = worlds
        self._clock = clock

    def read(self, order: Order, given_up: threading.Event, tell: Callable[[Event], None]) -> Assignment:
        """Return the attempt that an order asks for.

        Raises:
            OrderRefused: nobody waits for it.
            StoreFault: the store cannot be read now.
        """
        id_ = ExecutionId(order.execution)
        with self._store.snapshot() as snapshot:
            execution, record = snapshot.execution(id_), snapshot.task(id_, order.task)
            if execution is None or record is None or record.attempts != order.number:
                raise OrderRefused
            world = self._worlds(id_)
            if world is None:
                deployment = snapshot.deployment(execution.deployment)
                if deployment is None:
                    raise OrderRefused
                try:
                    world = self._library.world(snapshot, deployment)
                except NoPlan:
                    # It was there when the keeper planned the task, and nobody may wait for it to come back.
                    raise OrderRefused from None
        return Assignment(
            execution=execution,
            world=world,
            task=record.task,
            number=order.number,
            earlier=order.earlier,
            retries=order.retries,
            timeout=order.timeout,
            lost=order.lost,
            given_up=given_up,
            tell=tell,
            clock=self._clock,
        )

    def make(self, assignment: Assignment) -> Outcome:
        """Make the attempt; it never raises."""
        return self._attempts.run(assignment)

    @staticmethod
    def overdue(assignment: Assignment) -> Outcome:
        """Return the outcome of an attempt that took too long."""
        return timed_out(assignment.world.operation(assignment.task), assignment.timeout)

    def is_over(self, order: Order) -> bool:
        """Whether the execution has ended without waiting for the attempt."""
        with self._store.snapshot() as snapshot:
            execution = snapshot.execution(ExecutionId(order.execution))
        return execution is None or execution.status.is_final

    def tell(self, events: Sequence[Event]) -> None:
        """Record what an operation said while it runs.

        Raises:
            StoreFault: the store cannot be written now.
        """
        with self._store.recording() as transaction:
            for event in events:
                transaction.append_event(event)

    def leave(self, order: Order, outcome: Outcome, events: Sequence[Event]) -> None:
        """Leave the outcome for the keeper, with what was said last.

        Raises:
            StoreFault: the store cannot be written now.
        """
        with self._store.recording() as transaction:
            for event in events:
                transaction.append_event(event)
            transaction.leave_outcome(ExecutionId(order.execution), order.task, order.number, outcome)
