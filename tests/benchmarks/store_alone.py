"""What a store takes by itself: the batches of an install, with no scheduler and no operation round them.

Run by `bench_execution` in the home of a deployment `d`; prints operations a second.
"""

import time
from datetime import UTC, datetime

from groundplan.model.deployment import InstanceState
from groundplan.model.execution import (
    Event,
    EventType,
    Execution,
    ExecutionStatus,
    Outcome,
    TaskState,
    Verdict,
)
from groundplan.model.graph import Task, TaskGraph, TaskKind
from groundplan.model.ids import DeploymentId, ExecutionId
from groundplan.service.assembly import open_engine
from groundplan.state.store import AttemptEnd, AttemptStart, Batch, InstanceChange

WIDTH, BATCHES = 50, 40
D, E = DeploymentId("d"), ExecutionId("alone")


def main() -> None:
    """Record batches of 50 operations each."""
    now = datetime.now(UTC)
    with open_engine() as engine:
        store = engine.store
        with store.transaction() as transaction:
            instances = transaction.instances(D)[:WIDTH]
            transaction.add_execution(
                Execution(id=E, deployment=D, workflow="x", status=ExecutionStatus.STARTED, created_at=now)
            )
            tasks = [
                Task(
                    number=number, kind=TaskKind.OPERATION, instance=instances[number % WIDTH].id, operation="i.create"
                )
                for number in range(WIDTH * (BATCHES + 1))
            ]
            transaction.append_tasks(E, TaskGraph(tasks=tasks, waits=[()] * len(tasks)), stage=1)
            lease = transaction.acquire(E, "bench:1:1", now)
        values = {f"text_{each}": "x" * 95 for each in range(10)}
        done = Outcome(verdict=Verdict.SUCCEEDED, result="create")

        def batch(turn: int) -> Batch:
            numbers = range(turn * WIDTH, (turn + 1) * WIDTH)
            words = [EventType.TASK_SUCCEEDED, *[EventType.WORKFLOW_NODE_EVENT] * 2, EventType.TASK_STARTED]
            return Batch(
                lease=lease,
                deployment=D,
                started=[AttemptStart(number + WIDTH, 1, now) for number in numbers],
                ended=[AttemptEnd(number, 1, now, TaskState.SUCCEEDED, done) for number in numbers]
                if turn >= 0
                else [],
                instances={
                    item.id: InstanceChange(state=InstanceState.CREATED, runtime_properties=values)
                    for item in instances
                },
                events=[
                    Event(
                        at=now, type=word, message="Task succeeded 'nop'", execution=E, deployment=D, instance=item.id
                    )
                    for item in instances
                    for word in words
                ],
            )

        with store.recording() as transaction:
            transaction.record(batch(-1))
        begin = time.perf_counter()
        for turn in range(BATCHES):
            with store.recording() as transaction:
                transaction.record(batch(turn))
        print(WIDTH * BATCHES / (time.perf_counter() - begin))


if __name__ == "__main__":
    main()
