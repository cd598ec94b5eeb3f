"""A driver's batch as columns: sealed, in plain types, each row of a table once; the dialects' writers write them.

What a batch means for the tables is said here, so that the databases cannot drift apart; how it is written quickly is
`sqlite_writer`'s and `postgresql_writer`'s.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple, Protocol, TypeAlias

from sqlalchemy import Connection

from groundplan.model.execution import Event, Failure
from groundplan.model.graph import TaskGraph
from groundplan.model.ids import DeploymentId, ExecutionId, InstanceId
from groundplan.state.seal import Seal
from groundplan.state.sql import rows
from groundplan.state.sql.codec import seal_data, to_json, to_text
from groundplan.state.store import AttemptEnd, AttemptStart, InstanceChange

plain: Final = str.__str__
"""Makes text of a state's name: drivers of databases take long to look at texts of other types."""


# Rows are plain tuples: there are many, and each name that a row carries would cost as much as the row.
StartRow: TypeAlias = tuple[int, int, float]
"""An attempt that begins: its task, its number, when."""
EndRow: TypeAlias = tuple[int, int, float, str, str | None]
"""An attempt that ended: its task, its number, when, the verdict, the failure as JSON."""
TaskRow: TypeAlias = tuple[int, str, float | None, str | None, str, bytes | None]
"""What a task is after one of its attempts ended: number, state, when it is due, what it waits for, error, result."""
InstanceRow: TypeAlias = tuple[str, str | None, bytes | None, str | None]
"""What changes of an instance: id, state, runtime properties, system properties; None leaves a column as it is."""
EventRow: TypeAlias = tuple[str | None, str, float, str, str, str | None, str | None, str, str]
"""An event, in the order of the table's columns after its id."""


class GraphRow(NamedTuple):
    """A task that was planned; the columns that it leaves out have the same value in each."""

    number: int
    kind: str
    instance: str
    operation: str
    details: str
    waits: str


class Columns(NamedTuple):
    """All that a batch writes besides its lease."""

    starts: Sequence[StartRow] = ()
    ends: Sequence[EndRow] = ()
    tasks: Sequence[TaskRow] = ()
    instances: Sequence[InstanceRow] = ()
    events: Sequence[EventRow] = ()


class Writer(Protocol):
    """Writes many rows at once, in the transaction of its caller."""

    def write(
        self,
        connection: Connection,
        execution: ExecutionId,
        deployment: DeploymentId,
        columns: Columns,
        *,
        fence: int | None = None,
        beside: bool = False,
    ) -> bool:
        """Write what a batch says; no two rows of one kind are of the same thing.

        Args:
            fence: the number that the execution's lease must have; it keeps it in the caller's transaction.
            beside: other drivers may write beside this transaction, so that events must be put in order.

        Returns:
            Whether the lease has that number. If not, the caller must not commit.
        """

    def is_whole(self, columns: Columns) -> bool:
        """Whether `write_whole` can write what a batch says, and saves time by it."""

    def write_whole(
        self, connection: Connection, execution: ExecutionId, deployment: DeploymentId, columns: Columns, *, fence: int
    ) -> bool:
        """Write what a batch says in a transaction of its own, on a connection that has none, beside other drivers'.

        Returns:
            Whether the lease has that number; if not, nothing was written.
        """

    def append(self, connection: Connection, execution: ExecutionId, graph: Iterable[GraphRow]) -> None:
        """Add the tasks of a stage."""


def start_rows(started: Iterable[AttemptStart]) -> list[StartRow]:
    """Return the rows of attempts that begin."""
    return [(start.task, start.number, start.at.timestamp()) for start in started]


def end_rows(ended: Iterable[AttemptEnd]) -> list[EndRow]:
    """Return the rows of attempts that ended; of several ends of one, the last one counts."""
    found = {
        (end.task, end.number): (
            end.task,
            end.number,
            end.at.timestamp(),
            plain(end.outcome.verdict),
            None if end.outcome.failure is None else _failure_json(end.outcome.failure),
        )
        for end in ended
        if end.number
    }
    return list(found.values())


def task_rows(seal: Seal, execution: ExecutionId, ended: Iterable[AttemptEnd]) -> list[TaskRow]:
    """Return what their tasks are after attempts ended; of several of one task, the last one counts."""
    return list({end.task: _task_row(seal, execution, end) for end in ended}.values())


def instance_rows(
    seal: Seal, deployment: DeploymentId, changes: Mapping[InstanceId, InstanceChange]
) -> list[InstanceRow]:
    """Return the rows of instances that change."""
    return [_instance_row(seal, deployment, instance, change) for instance, change in changes.items()]


def event_rows(events: Iterable[Event]) -> list[EventRow]:
    """Return the rows of events."""
    found: list[EventRow] = []
    moment: datetime | None = None
    at = 0.0
    for event in events:
        # Most events of a batch happened at the same moment.
        if event.at is not moment:
            moment, at = event.at, event.at.timestamp()
        found.append(
            (
                event.execution,
                event.deployment,
                at,
                plain(event.type),
                event.level,
                event.instance,
                event.target,
                event.operation,
                to_text(event.message),
            )
        )
    return found


def graph_rows(seal: Seal, execution: ExecutionId, graph: TaskGraph) -> Iterable[GraphRow]:
    """Yield the rows of planned tasks."""
    for task, waits in zip(graph.tasks, graph.waits, strict=True):
        details = rows.task_text(execution, task, seal)
        yield GraphRow(
            task.number, plain(task.kind), task.instance, task.operation, details, f"[{','.join(map(str, waits))}]"
        )


def _task_row(seal: Seal, execution: ExecutionId, end: AttemptEnd) -> TaskRow:
    outcome = end.outcome
    result = outcome.result
    return (
        end.task,
        plain(end.state),
        None if end.due_at is None else end.due_at.timestamp(),
        outcome.waits_for,
        "" if outcome.failure is None else to_text(outcome.failure.message),
        None if result is None else seal_data(seal, result, rows.result_owner(execution, end.task)),
    )


def _instance_row(seal: Seal, deployment: DeploymentId, instance: InstanceId, change: InstanceChange) -> InstanceRow:
    properties, system = change.runtime_properties, change.system_properties
    return (
        instance,
        None if change.state is None else plain(change.state),
        None if properties is None else seal_data(seal, properties, rows.instance_owner(deployment, instance)),
        None if system is None else to_json(system),
    )


def _failure_json(failure: Failure) -> str:
    words = {"type": failure.type, "message": failure.message, "detail": failure.detail}
    return to_json({name: to_text(text) for name, text in words.items()})
