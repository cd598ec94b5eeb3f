"""Starts workflows for what the store has to be driven and nobody follows: queued executions, and lost ones.

What those are is the source's decision (`runtime.serving`); several workers may look, and one workflow is started.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from temporalio.client import Client
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from groundplan.diagnostics.trouble import UsageError
from groundplan.model.execution import Execution, ExecutionStatus
from groundplan.model.ids import ExecutionId
from groundplan.runtime.keeping import HEARTBEAT_SECONDS
from groundplan.runtime.serving import Source
from groundplan.runtime.temporal.messages import Timing
from groundplan.runtime.temporal.starting import is_open, start_workflow
from groundplan.state.store import Store, StoreFault

T = TypeVar("T")
_LOOK_SECONDS = 1.0
_logger = logging.getLogger(__name__)


class Taking:
    """Looks for work as long as its worker serves."""

    def __init__(self, *, client: Client, store: Store, source: Source, timing: Timing, retries: int) -> None:
        self._client = client
        self._store = store
        self._source = source
        self._timing = timing
        self._retries = retries
        self._started: set[ExecutionId] = set()

    async def run(self, is_draining: Callable[[], bool]) -> None:
        """Look once a second until cancelled; a draining worker starts nothing."""
        looks = 0
        while True:
            if looks % HEARTBEAT_SECONDS == 0:
                await self._safely(lambda: self._beat(draining=is_draining()))
            await self._see_closed(
                await self._safely(self._see_ends) or (), although_driven=looks % HEARTBEAT_SECONDS == 0
            )
            looks += 1
            if not is_draining():
                for id_ in await self._safely(lambda: self._source.seek(self._started)) or ():
                    await self._start(id_)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _start(self, id_: ExecutionId) -> None:
        try:
            await start_workflow(
                self._client, self._store, id_, timing=self._timing, retries=self._retries, although_running=False
            )
        except (WorkflowAlreadyStartedError, UsageError):
            # Another worker was quicker, or the execution is gone.
            return
        except (RPCError, StoreFault) as error:
            _logger.warning("Execution %s is not started yet: %s", id_, error.message)
            return
        self._started.add(id_)
        found = await self._safely(lambda: self._read(id_))
        if found is not None:
            self._source.took(found)

    def _see_ends(self) -> list[Execution]:
        """Let go of the executions that have ended; return the others."""
        others = []
        for id_ in list(self._started):
            found = self._read(id_)
            if found is not None and not found.status.is_final:
                others.append(found)
                continue
            self._started.discard(id_)
            if found is not None:
                self._source.ended(found)
        return others

    async def _see_closed(self, executions: Iterable[Execution], *, although_driven: bool) -> None:
        """Let go of the executions whose workflow has ended before them: cancelled, say, and queued anew before a look.

        Args:
            although_driven: look at those that do not wait in the queue as well.
        """
        for execution in executions:
            if execution.status is ExecutionStatus.QUEUED or although_driven:
                try:
                    closed = not await is_open(self._client, execution.id)
                except RPCError as error:
                    _logger.warning("Execution %s is not looked after: %s", execution.id, error.message)
                    continue
                if closed:
                    self._started.discard(execution.id)
                    self._source.lost(execution)

    def _read(self, id_: ExecutionId) -> Execution | None:
        with self._store.snapshot() as snapshot:
            return snapshot.execution(id_)

    def _beat(self, *, draining: bool) -> None:
        with self._store.transaction() as transaction:
            self._source.beat(transaction, len(self._started), draining=draining)

    @staticmethod
    async def _safely(work: Callable[[], T]) -> T | None:
        """Do blocking work in a thread; a store that cannot be used is asked again with the next look."""
        try:
            return await asyncio.to_thread(work)
        except StoreFault as fault:
            _logger.warning("The store is not looked at: %s", fault.message)
            return None
