"""The two activities: an exchange with the keeper, and an attempt. Both beat while a thread does the work.

Nothing that is raised here carries words of its own: they would stand in Temporal's history, where operators read
them. What went wrong is told on the worker's log.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError

from groundplan.model.execution import Event, Outcome
from groundplan.runtime.attempt import Assignment
from groundplan.runtime.temporal.hands import Hands, OrderRefused
from groundplan.runtime.temporal.keeper import Keeper
from groundplan.runtime.temporal.messages import ATTEMPT, EXCHANGE, Answer, Order, Request
from groundplan.runtime.workers import Workers
from groundplan.state.store import StaleLease, StoreFault

T = TypeVar("T")
_BEAT_SECONDS = 1.0
_STORE_PAUSE = 2.0
_logger = logging.getLogger(__name__)


class Activities:
    """What one worker does for workflows.

    Args:
        clerks: threads for the store's sake; short work.
        workers: threads that run operations.
    """

    def __init__(self, *, keeper: Keeper, hands: Hands, clerks: Executor, workers: Workers) -> None:
        self._keeper = keeper
        self._hands = hands
        self._clerks = clerks
        self._workers = workers

    @activity.defn(name=EXCHANGE)
    async def exchange(self, request: Request) -> Answer:
        """Tell the keeper what landed; see `keeper.Keeper.exchange`."""
        try:
            return await self._patiently(lambda: self._keeper.exchange(request), _nothing)
        except StaleLease:
            raise ApplicationError("Another worker keeps the execution", type="StaleLease") from None
        # Its words may hold values, and Temporal keeps what it is told in a history.
        except Exception as error:
            _logger.exception("Exchange of execution %s", request.execution)
            raise ApplicationError(
                "The exchange failed; the worker's log says why", type=type(error).__name__
            ) from None

    @activity.defn(name=ATTEMPT)
    async def attempt(self, order: Order) -> None:
        """Make one attempt and leave its outcome in the store."""
        given_up, said = threading.Event(), _Said()
        try:
            assignment = await self._patiently(lambda: self._hands.read(order, given_up, said.add), _nothing)
            outcome = await self._run(assignment, said)
            await self._patiently(lambda: self._hands.leave(order, outcome, said.take()), _nothing)
        except OrderRefused:
            raise ApplicationError("Nobody waits for this attempt", type="OrderRefused") from None
        # As in `exchange`: no words of it may stand in a history.
        except Exception as error:
            _logger.exception("Attempt %s of task %s, execution %s", order.number, order.task, order.execution)
            raise ApplicationError("The attempt failed; the worker's log says why", type=type(error).__name__) from None
        except asyncio.CancelledError:
            # The execution was killed, the worker is to stop, or the service lost sight of it: another attempt may
            # follow. Only an operation whose execution was ended by force goes on, unobserved.
            if not await self._goes_on(order):
                given_up.set()
            raise

    async def _goes_on(self, order: Order) -> bool:
        details = activity.cancellation_details()
        if details is None or not details.not_found:
            return False
        try:
            return await asyncio.to_thread(self._hands.is_over, order)
        except StoreFault:
            return False

    async def _run(self, assignment: Assignment, said: "_Said") -> Outcome:
        loop = asyncio.get_running_loop()
        landed: asyncio.Future[Outcome] = loop.create_future()

        def job() -> None:
            outcome = self._hands.make(assignment)
            # The loop may be closed by then: the operation was given up, and the worker has ended.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_set, landed, outcome)

        self._workers.submit(job)
        try:
            return await asyncio.wait_for(self._beating(landed, lambda: self._flush(said)), assignment.timeout)
        except TimeoutError:
            assignment.given_up.set()
            self._workers.give_up_one()
            return self._hands.overdue(assignment)
        except asyncio.CancelledError:
            self._workers.give_up_one()
            raise

    async def _flush(self, said: "_Said") -> None:
        events = said.take()
        if events:
            await self._patiently(lambda: self._hands.tell(events), _nothing)

    async def _patiently(self, work: Callable[[], T], meanwhile: Callable[[], Awaitable[None]]) -> T:
        """Do blocking work in a thread, again and again while the store cannot be used."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                return await self._beating(loop.run_in_executor(self._clerks, work), meanwhile)
            except StoreFault as fault:
                _logger.warning("Waiting for the store: %s", fault.message)
                await self._beating(asyncio.ensure_future(asyncio.sleep(_STORE_PAUSE)), meanwhile)

    @staticmethod
    async def _beating(future: "asyncio.Future[T]", meanwhile: Callable[[], Awaitable[None]]) -> T:
        while True:
            done, _ = await asyncio.wait({future}, timeout=_BEAT_SECONDS)
            if done:
                return future.result()
            activity.heartbeat()
            await meanwhile()


class _Said:
    """What an operation says while it runs, until it is recorded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: list[Event] = []

    def add(self, event: Event) -> None:
        with self._lock:
            self._events.append(event)

    def take(self) -> list[Event]:
        with self._lock:
            events, self._events = self._events, []
        return events


def _set(landed: "asyncio.Future[Outcome]", outcome: Outcome) -> None:
    if not landed.done():
        landed.set_result(outcome)


async def _nothing() -> None:
    """There is nothing to do meanwhile."""
