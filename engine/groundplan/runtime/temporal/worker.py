"""Serves executions on one machine: dials out to Temporal and the store, and listens nowhere.

Several Temporal workers in one process: one for workflows and exchanges with whoever keeps an execution (only where the
queue `default` is served), one for exchanges with this keeper, and one for the attempts of each queue.
"""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

from groundplan.model.execution import ExecutionStatus
from groundplan.model.ids import ExecutionId
from groundplan.runtime.attempt import Attempts
from groundplan.runtime.dialogue.workflows import Workflows
from groundplan.runtime.keeping import HEARTBEAT_SECONDS, Keeping
from groundplan.runtime.library import Library
from groundplan.runtime.observer import Observer
from groundplan.runtime.serving import Source
from groundplan.runtime.temporal.activities import Activities
from groundplan.runtime.temporal.address import Address
from groundplan.runtime.temporal.connection import connect
from groundplan.runtime.temporal.hands import Hands
from groundplan.runtime.temporal.keeper import Keeper
from groundplan.runtime.temporal.messages import CONTROL_QUEUE, DEFAULT_QUEUE, LOOK, Timing, task_queue
from groundplan.runtime.temporal.starting import is_open
from groundplan.runtime.temporal.taking import Taking
from groundplan.runtime.temporal.versions import make_current, versioned
from groundplan.runtime.temporal.workflow import ExecutionWorkflow
from groundplan.runtime.workers import Workers
from groundplan.state.store import Store, StoreFault

_THROTTLE = timedelta(seconds=1)
"""Between two heartbeats that really reach the service."""
_GRACE = timedelta(seconds=30)
"""What runs when a worker is asked to stop may go on for so long; what is not done then is another attempt's."""
_LOOK_SECONDS = 0.5
_MIND_SECONDS = 5.0
_OBEY_SECONDS = 0.2
_CLERKS = 16
_EXCHANGES = 8
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """What a worker serves.

    Attributes:
        queues: of attempts; workflows as well when `default` is among them.
        slots: operations at once, for each queue.
        build: names the version of this worker, for Temporal's worker versioning; empty for none.
        promote: make that build the current one; the first ever becomes it anyway.
    """

    queues: Sequence[str]
    slots: int
    build: str = ""
    promote: bool = False


class QueueWorker:
    """Implements `runtime.driver.Serving` on Temporal."""

    def __init__(
        self,
        *,
        address: Address,
        store: Store,
        library: Library,
        attempts: Attempts,
        keeping: Keeping,
        workflows: Workflows,
        queues: Sequence[str],
        slots: int,
        build: str,
        promote: bool,
        source: Source | None,
        timing: Timing,
        retries: int,
        clock: Callable[[], datetime],
        observer: Observer | None = None,
    ) -> None:
        self._source = source
        self._timing = timing
        self._retries = retries
        self._store = store
        self._address = address
        self._service = Service(queues=queues, slots=slots, build=build, promote=promote)
        self._queue = keeper_queue()
        self._keeper = Keeper(
            store=store,
            library=library,
            keeping=keeping,
            workflows=workflows,
            queue=self._queue,
            clock=clock,
            observer=observer,
        )
        self._hands = Hands(store=store, library=library, attempts=attempts, worlds=self._keeper.world, clock=clock)
        self._stop_asked = False
        self._abandon_asked = False

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until asked to stop; `ready` is called once everything is polled.

        Raises:
            UsageError: the Temporal service cannot be used.
        """
        asyncio.run(self._run(ready))

    def request_stop(self) -> None:
        """Take nothing more and end when what runs has finished. Safe to call from a signal handler."""
        self._stop_asked = True

    def abandon(self) -> None:
        """Give up what runs as well; others make the next attempts."""
        self._abandon_asked = True

    async def _run(self, ready: Callable[[], None]) -> None:
        stop = asyncio.Event()
        client = await connect(self._address)
        serving = asyncio.create_task(
            serve(
                client,
                service=self._service,
                queue=self._queue,
                keeper=self._keeper,
                hands=self._hands,
                stop=stop,
                ready=ready,
            )
        )
        looking = asyncio.create_task(self._look(client))
        while not serving.done():
            if self._stop_asked or _has_failed(looking):
                stop.set()
            if self._abandon_asked:
                serving.cancel()
            await asyncio.wait({serving}, timeout=_OBEY_SECONDS)
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await serving
        if _has_failed(looking):
            await looking

    async def _look(self, client: Client) -> None:
        if self._source is not None:
            taking = Taking(
                client=client, store=self._store, source=self._source, timing=self._timing, retries=self._retries
            )
            await taking.run(lambda: self._stop_asked or self._abandon_asked)


def keeper_queue() -> str:
    """Return a task queue that is this process's alone."""
    return f"{CONTROL_QUEUE}-keeper-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


async def serve(
    client: Client,
    *,
    service: Service,
    queue: str,
    keeper: Keeper,
    hands: Hands,
    stop: asyncio.Event,
    ready: Callable[[], None],
) -> None:
    """Serve until `stop` is set; then what runs may finish, and executions move to other workers.

    Args:
        queue: that of the keeper, from `keeper_queue`.
        ready: called once everything is polled.

    Raises:
        Exception: what it does beside, such as renewing leases, has met a fault of ours; it ends as if it were stopped.
    """
    # The library warns, with a traceback, of each attempt that is cancelled; those that failed we tell ourselves.
    logging.getLogger("temporalio.activity").setLevel(logging.ERROR)
    clerks = ThreadPoolExecutor(_CLERKS, thread_name_prefix="groundplan-clerk")
    workers = Workers(service.slots * len(service.queues))
    activities = Activities(keeper=keeper, hands=hands, clerks=clerks, workers=workers)
    try:
        async with AsyncExitStack() as stack:
            beside = [asyncio.create_task(work(client, keeper)) for work in (_beat, _mind, _wake)]
            beside.append(asyncio.create_task(_end(stop)))
            for task in beside:
                stack.callback(task.cancel)
            stack.push_async_callback(_wait_for_functions, keeper)
            for worker in _workers(client, service, queue, activities):
                await stack.enter_async_context(worker)
            if service.build:
                await make_current(client, service.build, although_another_is=service.promote)
            ready()
            # One of them that breaks ends the worker: its leases would run out, or nobody be told, without a word.
            done, _ = await asyncio.wait(beside, return_when=asyncio.FIRST_COMPLETED)
            keeper.drain()
            for task in done:
                await task
    finally:
        workers.close()
        await asyncio.to_thread(keeper.release_all)
        clerks.shutdown(wait=False, cancel_futures=True)


def _workers(client: Client, service: Service, queue: str, activities: Activities) -> list[Worker]:
    version = versioned(service.build)
    workers = [
        Worker(
            client,
            task_queue=task_queue(name),
            activities=[activities.attempt],
            max_concurrent_activities=service.slots,
            max_heartbeat_throttle_interval=_THROTTLE,
            default_heartbeat_throttle_interval=_THROTTLE,
            graceful_shutdown_timeout=_GRACE,
            deployment_config=version,
        )
        for name in service.queues
    ]
    if DEFAULT_QUEUE not in service.queues:
        return workers
    own = Worker(
        client,
        task_queue=queue,
        activities=[activities.exchange],
        max_concurrent_activities=_EXCHANGES,
        max_heartbeat_throttle_interval=_THROTTLE,
        default_heartbeat_throttle_interval=_THROTTLE,
        # Of no build: an execution goes over to another one step by step, and finishes with the keeper that it has.
    )
    control = Worker(
        client,
        task_queue=CONTROL_QUEUE,
        workflows=[ExecutionWorkflow],
        activities=[activities.exchange],
        max_concurrent_activities=_EXCHANGES,
        max_heartbeat_throttle_interval=_THROTTLE,
        default_heartbeat_throttle_interval=_THROTTLE,
        # An exchange outside of the keeper's own queue is a take-over; which worker does it is left to chance.
        disable_eager_activity_execution=True,
        deployment_config=version,
    )
    return [own, *workers, control]


def _has_failed(task: "asyncio.Task[None]") -> bool:
    return task.done() and not task.cancelled() and task.exception() is not None


async def _end(stop: asyncio.Event) -> None:
    await stop.wait()


async def _beat(client: Client, keeper: Keeper) -> None:
    """Renew the keeper's leases, and wake the executions that somebody asked to end."""
    looks = 0
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        looks += 1
        try:
            if looks * _LOOK_SECONDS >= HEARTBEAT_SECONDS:
                looks = 0
                await asyncio.to_thread(keeper.beat)
            asked = await asyncio.to_thread(keeper.stopping)
        except StoreFault as fault:
            _logger.warning("Leases are not renewed: %s", fault.message)
            continue
        for execution, status in asked.items():
            await _pass_on(client, execution, status)


async def _wake(client: Client, keeper: Keeper) -> None:
    """Have the executions ask whose custom workflow wants something; each once, however often that is said."""
    loop, wanted = asyncio.get_running_loop(), asyncio.Event()
    executions: dict[ExecutionId, None] = {}

    def note(execution: ExecutionId) -> None:
        executions[execution] = None
        wanted.set()

    def wake(execution: ExecutionId) -> None:
        # The loop may be closed by then: the worker has ended, and another keeper goes on.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(note, execution)

    keeper.listen(wake)
    while True:
        await wanted.wait()
        wanted.clear()
        asked, executions = executions, {}
        for execution in asked:
            await _look(client, execution)


async def _wait_for_functions(keeper: Keeper) -> None:
    """Let functions of custom workflows that run when the worker is stopped come to their end, for a while."""
    deadline = asyncio.get_running_loop().time() + _GRACE.total_seconds()
    while keeper.is_at_work and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(_LOOK_SECONDS)


async def _mind(client: Client, keeper: Keeper) -> None:
    """Give back the executions whose workflow was closed by somebody else: nothing asks for them any more."""
    while True:
        await asyncio.sleep(_MIND_SECONDS)
        for execution in keeper.kept():
            try:
                if not await is_open(client, execution):
                    await asyncio.to_thread(keeper.release, execution)
            except (RPCError, StoreFault) as error:
                _logger.warning("Execution %s is not looked after: %s", execution, error.message)


async def _pass_on(client: Client, execution: ExecutionId, status: ExecutionStatus) -> None:
    if status is not ExecutionStatus.KILL_CANCELLING:
        await _look(client, execution)
        return
    try:
        # Killed, its activities are to hear of it, which only a cancelled workflow tells them.
        await client.get_workflow_handle(execution).cancel()
    except RPCError as error:
        _logger.warning("Execution %s cannot be told that it is to end: %s", execution, error.message)


async def _look(client: Client, execution: ExecutionId) -> None:
    try:
        await client.get_workflow_handle(execution).signal(LOOK)
    except RPCError as error:
        _logger.warning("Execution %s cannot be told to look into the store: %s", execution, error.message)
