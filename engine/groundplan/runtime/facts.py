"""Gathers what a workflow may know when its next stage is planned (`planning.stages.Facts`).

It decides nothing. What earlier tasks returned is opened only when a workflow looks: most never do, and an execution
may have a hundred thousand tasks.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import overload

from groundplan.model.execution import Execution
from groundplan.model.ids import DeploymentId, ExecutionId
from groundplan.planning.stages import Ended, Facts
from groundplan.runtime.containment import Containment
from groundplan.runtime.drive import Drive
from groundplan.state.store import Snapshot


def gather_facts(snapshot: Snapshot, drive: Drive, new_id: Callable[[str], str], now: datetime) -> Facts:
    """Return the facts of an execution that has come to rest; they hold as long as the snapshot.

    Args:
        new_id: makes a random id for an instance of a node or scaling group.
    """
    return Facts(
        execution=drive.execution.id,
        now=now,
        deployment=drive.world.deployment,
        blueprint=drive.world.blueprint,
        instances=drive.world.instances,
        new_id=new_id,
        stage=drive.stage,
        first=drive.task_count,
        failed=drive.failed,
        ended=_Record(snapshot, drive.execution.id),
        contained=lambda: _contained(snapshot, drive.execution),
    )


def _contained(snapshot: Snapshot, execution: Execution) -> Mapping[DeploymentId, Collection[DeploymentId]]:
    """Return the deployments that stand in the execution's; one that has this done to itself is not among them."""
    above = {item.deployment for item in _line(snapshot, execution)}
    children = [item for item in Containment(snapshot).within(execution.deployment) if item not in above]
    return {
        child: {item.source for item in snapshot.dependencies(target=child)}.intersection(children)
        for child in children
    }


def _line(snapshot: Snapshot, execution: Execution | None) -> Iterator[Execution]:
    while execution is not None:
        yield execution
        execution = None if execution.parent is None else snapshot.execution(execution.parent.execution)


class _Record(Sequence[Ended]):
    """The tasks of an execution, read when they are first looked at."""

    def __init__(self, snapshot: Snapshot, execution: ExecutionId) -> None:
        self._snapshot = snapshot
        self._execution = execution

    @cached_property
    def _tasks(self) -> Sequence[Ended]:
        results = self._snapshot.results(self._execution)
        firsts = [stage.first for stage in self._snapshot.stages(self._execution)]
        return [
            Ended(
                task=record.task,
                stage=bisect_right(firsts, record.task.number) - 1,
                state=record.state,
                result=results.get(record.task.number),
                error=record.error,
            )
            for record in self._snapshot.tasks(self._execution)
        ]

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Ended]:
        return iter(self._tasks)

    @overload
    def __getitem__(self, index: int) -> Ended: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Ended]: ...
    def __getitem__(self, index: int | slice) -> Ended | Sequence[Ended]:
        return self._tasks[index]
