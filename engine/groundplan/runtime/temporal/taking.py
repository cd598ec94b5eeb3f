"""Starts workflows for what the store has to be driven and nobody follows: queued executions, and lost ones.

What those are is the source's decision (`runtime.serving`); several workers may look, and one workflow is started.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from temporalio.client import Client
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from groundplan.diagnostics.trouble import UsageError
from groundplan.model.execution import Execution
from groundplan.model.ids import ExecutionId
from groundplan.runtime.keeping import HEARTBEAT_SECONDS
from groundplan.runtime.serving import Source
from groundplan.runtime.temporal.messages import Timing
from groundplan.runtime.temporal.starting import start_workflow
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
            looks += 1
            await self._safely(self._see_ends)
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

    def _see_ends(self) -> None:
        for id_ in list(self._started):
            found = self._read(id_)
            if found is None or found.status.is_final:
                self._started.discard(id_)
                if found is not None:
                    self._source.ended(found)

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
