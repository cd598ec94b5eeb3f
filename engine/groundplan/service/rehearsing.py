"""What a dry run walked through: the operations that the workflow would run, in the order in which they began."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundplan.model.execution import EventType
from groundplan.model.ids import ExecutionId, InstanceId
from groundplan.runtime.library import Library
from groundplan.service.deployments import existing
from groundplan.state.store import Snapshot, Store

_PAGE = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One operation that would run.

    Attributes:
        target: the other end, of a relationship's operation.
        implementation: plugin and path of the function or script behind it.
        number: of its task.
    """

    number: int
    instance: InstanceId
    target: InstanceId | None
    operation: str
    implementation: str


def steps(store: Store, library: Library, id: ExecutionId) -> Sequence[Step]:
    """Return the steps of a dry run that has ended."""
    with store.snapshot() as snapshot:
        execution = snapshot.execution(id)
        assert execution is not None
        world = library.world(snapshot, existing(snapshot, execution.deployment))
        order = {key: place for place, key in enumerate(_begun(snapshot, id))}
        found = []
        for record in snapshot.tasks(id):
            task = record.task
            target = None if task.relationship is None else task.relationship.target
            if not task.operation or (task.instance, target, task.operation) not in order:
                continue
            operation = world.operation(task)
            found.append(
                Step(
                    number=task.number,
                    instance=task.instance,
                    target=target,
                    operation=task.operation,
                    implementation=f"{operation.plugin}.{operation.operation}",
                )
            )
    return sorted(found, key=lambda item: order[item.instance, item.target, item.operation])


def _begun(snapshot: Snapshot, id: ExecutionId) -> list[tuple[InstanceId, InstanceId | None, str]]:
    """Return what began, in order."""
    found: list[tuple[InstanceId, InstanceId | None, str]] = []
    after, page = 0, snapshot.events(execution=id, limit=_PAGE)
    while page:
        found += [
            (event.instance, event.target, event.operation)
            for _, event in page
            if event.type is EventType.TASK_STARTED and event.instance is not None
        ]
        after = page[-1][0]
        page = snapshot.events(execution=id, after=after, limit=_PAGE)
    return found
