"""The workflow of one execution: a thin, deterministic shell round its keeper.

It holds no graph. It hands attempts out as activities, tells the keeper which have landed, and takes the tasks that
are ready now; timers for what is due later and child workflows for child executions are Temporal's. What an outcome
means is decided in `planning.advance` and `runtime.drive`, behind the exchange.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ChildWorkflowError, WorkflowAlreadyStartedError
from temporalio.workflow import ActivityCancellationType, ChildWorkflowCancellationType, ParentClosePolicy

from groundplan.runtime.temporal.attributes import STATUS, attributes
from groundplan.runtime.temporal.messages import (
    ATTEMPT,
    CONTROL_QUEUE,
    EXCHANGE,
    EXECUTION,
    LOOK,
    MOST,
    Answer,
    Child,
    Flying,
    Landed,
    Order,
    Request,
    Ticket,
    task_queue,
)

_ONCE = RetryPolicy(maximum_attempts=1)
"""What follows from a failed attempt is our policy's decision, and a failed exchange goes to another keeper."""
_EXCHANGE_LIMIT = timedelta(hours=1)
_AFTER_DEADLINE = timedelta(days=7)
"""Workers keep an operation's deadline themselves; its outcome may have to wait until the store is back."""
_LONGEST_PAUSE = 30.0
_LOOK_AGAIN = 60.0
"""Seconds after which children are looked at although nobody told of their end."""
_LOOK_AGAIN_AT_OTHERS = 5.0


@workflow.defn(name=EXECUTION)
class ExecutionWorkflow:
    """One execution, or one of its children."""

    @workflow.init
    def __init__(self, ticket: Ticket) -> None:
        self._ticket = ticket
        self._keeper = ticket.keeper
        self._fence = ticket.fence
        self._sequence = ticket.sequence
        self._children = list(ticket.children)
        self._own: set[str] = set()
        self._landed: list[Landed] = []
        self._flying: dict[int, tuple[int, workflow.ActivityHandle[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = False
        self._giving_up = False
        self._status = ""

    @workflow.run
    async def run(self, ticket: Ticket) -> str:
        """Bring the execution to its end; return how it ended."""
        walk = asyncio.create_task(self._walk())
        try:
            return await asyncio.shield(walk)
        except asyncio.CancelledError:
            # Without this, a workflow that leaves the worker's cache would wait for ever.
            if walk.done():
                raise
            await self._give_up()
            return await walk

    @workflow.signal(name=LOOK)
    def look(self) -> None:
        """Ask the keeper at once: somebody changed something in the store."""
        self._woken = True

    async def _walk(self) -> str:
        while True:
            answer = await self._exchange()
            if answer.ended:
                if self._giving_up:
                    # Once this workflow is closed, nothing tells its activities that they are to end.
                    await workflow.wait_condition(lambda: not self._flying)
                return answer.status
            self._hand_out(answer)
            await self._start_children(answer.children)
            if self._is_to_continue_as_new():
                workflow.continue_as_new(self._next_ticket())
            if not (answer.more and self._room()):
                await self._wait(answer)

    # -- the keeper

    async def _exchange(self) -> Answer:
        self._sequence += 1
        landed, self._landed = self._landed[:MOST], self._landed[MOST:]
        pause = 1.0
        while True:
            self._woken = False
            request = Request(
                execution=self._ticket.execution,
                sequence=self._sequence,
                fence=self._fence,
                room=self._room(),
                retries=self._ticket.retries,
                landed=landed,
                flying=[
                    *(Flying(task=task, number=number) for task, (number, _) in self._flying.items()),
                    *(Flying(task=it.task, number=it.number) for it in self._landed),
                ],
                children=self._children,
                give_up=self._giving_up,
            )
            try:
                answer = await self._ask(request)
            except ActivityError:
                known, self._keeper = self._keeper, ""
                if not known:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            if not answer.held:
                break
            await asyncio.sleep(answer.wake_in or pause)
        self._keeper, self._fence = answer.keeper, answer.fence
        self._children = [child for child in self._children if child in answer.awaited]
        self._tell_status(answer.status)
        return answer

    async def _ask(self, request: Request) -> Answer:
        timing = self._ticket.timing
        answer: Answer = await workflow.execute_activity(
            EXCHANGE,
            request,
            result_type=Answer,
            task_queue=self._keeper or CONTROL_QUEUE,
            schedule_to_start_timeout=timedelta(seconds=timing.keeper_patience) if self._keeper else None,
            start_to_close_timeout=_EXCHANGE_LIMIT,
            heartbeat_timeout=timedelta(seconds=timing.silence),
            retry_policy=_ONCE,
        )
        return answer

    def _tell_status(self, status: str) -> None:
        if status != self._status:
            self._status = status
            workflow.upsert_search_attributes([STATUS.value_set(status)])

    async def _wait(self, answer: Answer) -> None:
        limits = [] if answer.wake_in is None else [answer.wake_in]
        if self._children:
            limits.append(_LOOK_AGAIN if self._own.issuperset(self._children) else _LOOK_AGAIN_AT_OTHERS)
        try:
            await workflow.wait_condition(
                lambda: bool(self._landed or self._woken), timeout=min(limits) if limits else None
            )
        except TimeoutError:
            return

    # -- attempts

    def _room(self) -> int:
        if workflow.info().get_current_history_length() >= self._ticket.timing.longest_history:
            return 0
        return MOST - len(self._flying)

    def _hand_out(self, answer: Answer) -> None:
        for order in answer.orders:
            handle = workflow.start_activity(
                ATTEMPT,
                order,
                result_type=type(None),
                task_queue=task_queue(order.queue),
                start_to_close_timeout=timedelta(seconds=order.timeout) + _AFTER_DEADLINE,
                heartbeat_timeout=timedelta(seconds=self._ticket.timing.silence),
                retry_policy=_ONCE,
                cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            )
            self._flying[order.task] = (order.number, handle)
            self._keep(self._follow(order, handle))

    async def _follow(self, order: Order, handle: workflow.ActivityHandle[None]) -> None:
        lost = False
        try:
            await handle
        except ActivityError:
            lost = True
        del self._flying[order.task]
        self._landed.append(Landed(task=order.task, number=order.number, lost=lost))

    # -- children

    async def _start_children(self, children: list[Child]) -> None:
        for child in children:
            self._children.append(child.execution)
            try:
                handle = await workflow.start_child_workflow(
                    EXECUTION,
                    Ticket(execution=child.execution, retries=self._ticket.retries, timing=self._ticket.timing),
                    id=child.execution,
                    task_queue=CONTROL_QUEUE,
                    result_type=str,
                    parent_close_policy=ParentClosePolicy.ABANDON,
                    cancellation_type=ChildWorkflowCancellationType.ABANDON,
                    search_attributes=attributes(
                        deployment=child.deployment,
                        blueprint=child.blueprint,
                        workflow=child.workflow,
                        status="pending",
                    ),
                )
            except WorkflowAlreadyStartedError:
                continue
            self._own.add(child.execution)
            self._keep(self._follow_child(child.execution, handle))

    async def _follow_child(
        self, execution: str, handle: "workflow.ChildWorkflowHandle[ExecutionWorkflow, str]"
    ) -> None:
        # Its record says what became of it; a workflow that was terminated leaves one that can be resumed.
        with suppress(ChildWorkflowError):
            await handle
        self._own.discard(execution)
        self._woken = True

    # -- the end

    async def _give_up(self) -> None:
        self._giving_up = True
        self._woken = True
        for _, handle in self._flying.values():
            handle.cancel()
        for child in self._children:
            self._keep(_cancel(child))

    def _keep(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _is_to_continue_as_new(self) -> bool:
        info = workflow.info()
        long = info.is_continue_as_new_suggested()
        long = long or info.get_current_history_length() >= self._ticket.timing.longest_history
        return long and not self._flying and not self._landed and not self._giving_up

    def _next_ticket(self) -> Ticket:
        return Ticket(
            execution=self._ticket.execution,
            retries=self._ticket.retries,
            timing=self._ticket.timing,
            keeper=self._keeper,
            fence=self._fence,
            sequence=self._sequence,
            children=self._children,
        )


async def _cancel(execution: str) -> None:
    try:
        await workflow.get_external_workflow_handle(execution).cancel()
    except Exception:
        # It has ended already.
        workflow.logger.debug("nothing to cancel", exc_info=True)
