"""Has Temporal drive an execution and follows it by its record: the driver of commands where an address is set.

It makes no attempt itself. Closing it leaves the execution to the workers; `groundplan executions cancel` ends it from
any terminal that reaches the store.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from groundplan.diagnostics.trouble import Conflict, NotFound, UsageError
from groundplan.model.execution import Change, Execution
from groundplan.model.ids import ExecutionId
from groundplan.runtime.driver import Watch
from groundplan.runtime.following import Following
from groundplan.runtime.pausing import RETRY_SECONDS, paused_words, resumed_words
from groundplan.runtime.temporal.address import Address
from groundplan.runtime.temporal.connection import connect
from groundplan.runtime.temporal.messages import CONTROL_QUEUE, LOOK, Timing
from groundplan.runtime.temporal.starting import Handle, start_workflow
from groundplan.state.store import Store, StoreFault

_LOOK_SECONDS = 0.2
_DESCRIBE_EVERY = 10
"""Looks at the record."""
_POLLER_SEEN = timedelta(minutes=1)
_LEAVING = "Ctrl-C leaves it to the workers."
NO_WORKER = "Nobody serves the queue 'default' at {target} yet; start a worker: groundplan worker"


class TemporalDriver:
    """Implements `runtime.driver.Driver`; made for one call of `run`.

    Args:
        say: tells people what is no part of the record.
        ask_to_end: records that an execution, and those that it waits for, are to end, and how.
        retries: attempts after the first, where a blueprint says nothing; None for the workers' own number.
    """

    def __init__(
        self,
        *,
        address: Address,
        store: Store,
        watch: Watch,
        say: Callable[[str], None],
        ask_to_end: Callable[[ExecutionId, Change], object],
        retries: int | None = None,
        timing: Timing | None = None,
    ) -> None:
        self._address = address
        self._store = store
        self._watch = watch
        self._say = say
        self._ask_to_end = ask_to_end
        self._retries = retries
        self._timing = timing or Timing()
        self._cancel_asked = False
        self._abandon_asked = False
        self._drain_asked = False

    def run(self, execution: ExecutionId) -> Execution:
        """Start the execution's workflow, or find it running, and follow it to its end.

        Raises:
            UsageError: the service cannot be used.
            Conflict: the workflow ended before the execution did.
            NotFound: there is no such execution.
            StoreFault: the store cannot be read, and waiting makes no sense, or somebody wanted to leave meanwhile.
        """
        return asyncio.run(self._run(execution))

    def request_cancel(self) -> None:
        """Start no further task; those in flight finish. Safe to call from a signal handler."""
        self._cancel_asked = True

    def request_drain(self) -> None:
        """Follow no longer; the workers go on."""
        self._drain_asked = True

    def abandon(self) -> None:
        """Give up the attempts in flight as well; the record keeps them as begun."""
        self._abandon_asked = True

    async def _run(self, id_: ExecutionId) -> Execution:
        client = await connect(self._address)
        following = Following(self._store, id_, self._watch)
        handle = await self._start(client, id_)
        if not await _is_served(client):
            self._say(NO_WORKER.format(target=self._address.target))
        turns = 0
        while True:
            try:
                found = following.look()
                if found is None:
                    raise NotFound(f"There is no execution {id_}.")
                if found.status.is_final or self._drain_asked:
                    return found
                await self._obey(handle, id_)
                turns += 1
                if turns % _DESCRIBE_EVERY == 0 and await self._is_over(handle, following):
                    # It was closing when this driver found it: the execution had been killed, and was resumed at once.
                    handle = await self._start(client, id_)
            except StoreFault as fault:
                await self._pause(fault)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _pause(self, fault: StoreFault) -> None:
        """Wait until the store can be read again: the workers do the same.

        Raises:
            StoreFault: it does not pass by itself, or somebody wants to leave.
        """
        if not fault.passes:
            raise fault
        began = tried = time.monotonic()
        self._say(paused_words(fault, datetime.now(UTC), _LEAVING))
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._cancel_asked or self._abandon_asked or self._drain_asked:
                raise fault
            if time.monotonic() - tried < RETRY_SECONDS:
                continue
            tried = time.monotonic()
            try:
                with self._store.snapshot():
                    break
            except StoreFault as again:
                if not again.passes:
                    raise
                fault = again
        self._say(resumed_words(time.monotonic() - began))

    async def _start(self, client: Client, id_: ExecutionId) -> Handle:
        return await start_workflow(client, self._store, id_, timing=self._timing, retries=self._retries)

    async def _obey(self, handle: Handle, id_: ExecutionId) -> None:
        if self._cancel_asked:
            self._ask(id_, Change.CANCEL)
            self._cancel_asked = False
            await handle.signal(LOOK)
        if self._abandon_asked:
            self._ask(id_, Change.KILL)
            self._abandon_asked = False
            await handle.cancel()

    def _ask(self, id_: ExecutionId, how: Change) -> None:
        # It has ended meanwhile, or is ending in that way already.
        with suppress(UsageError):
            self._ask_to_end(id_, how)

    async def _is_over(self, handle: Handle, following: Following) -> bool:
        """Whether the workflow has come to its end although the execution goes on.

        Raises:
            Conflict: it did not come to its own end.
        """
        try:
            described = await handle.describe()
        except RPCError:
            # The service is away for a moment, and the store tells how the execution goes on.
            return False
        if described.status in (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW):
            return False
        found = following.look()
        if found is None or found.status.is_final:
            return False
        if described.status is WorkflowExecutionStatus.COMPLETED:
            return True
        status = "unknown" if described.status is None else described.status.name.lower()
        raise Conflict(
            f"The workflow of execution {found.id} has ended in Temporal ({status}) before the execution did.",
            fix=f"Go on with it: groundplan executions resume {found.id}",
        )


async def _is_served(client: Client) -> bool:
    """Whether a worker has asked for workflows of late."""
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=CONTROL_QUEUE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    recent = datetime.now(UTC) - _POLLER_SEEN
    return any(it.last_access_time.ToDatetime(UTC) > recent for it in answer.pollers)
