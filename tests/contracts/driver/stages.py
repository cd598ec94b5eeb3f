"""The drivers that the suite runs on, each with a store on disk and attempts that are plain functions of the test."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from groundplan.model.execution import Execution, ExecutionStatus
from groundplan.model.ids import ExecutionId
from groundplan.planning.workflows.table import workflow_stages
from groundplan.runtime.driver import Driver
from groundplan.runtime.keeping import Keeping
from groundplan.runtime.policy import Policy
from groundplan.runtime.temporal.address import Address
from groundplan.runtime.temporal.connection import connect
from groundplan.runtime.temporal.driver import TemporalDriver
from groundplan.runtime.temporal.hands import Hands
from groundplan.runtime.temporal.keeper import Keeper
from groundplan.runtime.temporal.messages import Timing
from groundplan.runtime.temporal.worker import Service, keeper_queue, serve
from groundplan.service import executions

from ...runtime.rehearsal import Rehearsal, Script

TIMING = Timing(silence=4.0, keeper_patience=3.0)


@dataclass(kw_only=True)
class LocalStage:
    """Executions driven in this process."""

    name = "local"

    rehearsal: Rehearsal

    def driver(self, script: Script, **policy: object) -> Driver:
        """A driver for one execution."""
        return self.rehearsal.driver(script, **policy)

    @contextmanager
    def working(self, script: Script, **policy: object) -> Iterator[None]:
        """Nothing to start: the driver does the work itself."""
        yield


@dataclass(kw_only=True)
class TemporalStage:
    """Executions driven by Temporal and a worker in a thread of this process."""

    name = "temporal"

    rehearsal: Rehearsal
    target: str
    queues: tuple[str, ...] = ("default",)
    timing: Timing = TIMING
    build: str = ""
    promote: bool = False
    said: list[str] | None = None

    def driver(self, script: Script, **policy: object) -> Driver:
        """A driver for one execution; what it needs of the policy is the worker's."""
        said = [] if self.said is None else self.said
        return TemporalDriver(
            address=Address(target=self.target),
            store=self.rehearsal.store,
            watch=self.rehearsal.seen,
            say=said.append,
            ask_to_end=lambda id_, how: executions.end(self.rehearsal.store, id_, how, datetime.now(UTC)),
            timing=self.timing,
        )

    @contextmanager
    def working(self, script: Script, **policy: object) -> Iterator[None]:
        """Have a worker serve meanwhile."""
        ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        thread = threading.Thread(target=lambda: asyncio.run(self._serve(script, policy, ready)), daemon=True)
        thread.start()
        loop, stop = ready.result(30)
        try:
            yield
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(60)
            assert not thread.is_alive()

    async def _serve(self, script: Script, policy: dict[str, object], ready: "Future[object]") -> None:
        try:
            rehearsal, stop = self.rehearsal, asyncio.Event()
            chosen = Policy(**{"delays": (0,), **policy})
            keeping = Keeping(
                library=rehearsal.library,
                children=rehearsal.children,
                policy=chosen,
                new_id=lambda name: f"{name}_new{next(rehearsal.numbers)}",
                stages_of=workflow_stages if rehearsal.stages is None else lambda *_: rehearsal.stages,
                clock=_now,
                on_temporal=True,
            )
            queue = keeper_queue()
            keeper = Keeper(
                store=rehearsal.store,
                library=rehearsal.library,
                keeping=keeping,
                workflows=rehearsal.workflows,
                queue=queue,
                clock=_now,
            )
            hands = Hands(
                store=rehearsal.store, library=rehearsal.library, attempts=script, worlds=keeper.world, clock=_now
            )
            client = await connect(Address(target=self.target))
            await serve(
                client,
                service=Service(queues=self.queues, slots=chosen.workers, build=self.build, promote=self.promote),
                queue=queue,
                keeper=keeper,
                hands=hands,
                stop=stop,
                ready=lambda: ready.set_result((asyncio.get_running_loop(), stop)),
            )
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise


Stage = LocalStage | TemporalStage


def drive(stage: Stage, execution: ExecutionId, script: Script | None = None, **policy: object) -> Execution:
    """Drive an execution to its end; one that has ended is resumed."""
    chosen = script or Script()
    with stage.rehearsal.store.transaction() as transaction:
        found = transaction.execution(execution)
        if found is not None and found.status.is_final:
            transaction.set_execution(execution, status=ExecutionStatus.STARTED, at=_now())
    with stage.working(chosen, **policy):
        return stage.driver(chosen, **policy).run(execution)


def _now() -> datetime:
    return datetime.now(UTC)
