"""What a store holds of installs, read past the engine: by the database's own words, and without changing its files."""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

from ..proof.postgres import PostgresServer
from ..proof.user import User, eventually
from .marks import Marks

_TASKS: Final = """
    SELECT tasks.execution_id, tasks.number, tasks.instance, tasks.operation, tasks.kind, tasks.state, tasks.attempts,
           tasks.waits
    FROM tasks ORDER BY tasks.execution_id, tasks.number
"""
_ATTEMPTS: Final = "SELECT execution_id, task, number, verdict FROM attempts ORDER BY execution_id, task, number"
_EVENTS: Final = (
    "SELECT execution_id, deployment_id, type, instance, target, operation, message FROM events ORDER BY id"
)
_EXECUTIONS: Final = "SELECT id, deployment_id, workflow, status FROM executions ORDER BY created_at"
_NODES: Final = "SELECT deployment_id, id, node FROM node_instances"
_TOLD: Final = frozenset({"task_started", "task_succeeded", "task_failed", "workflow_node_event", "workflow_succeeded"})

Key = tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A task. `name`: as it marks, `INSTANCE.OPERATION`; `verdicts`: of its attempts, None for one that was lost."""

    name: str
    kind: str
    state: str
    attempts: int
    waits: Sequence[Key]
    verdicts: list[str | None] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the record of a user's home is. `server`: None for SQLite."""

    user: User
    server: PostgresServer | None = None

    @property
    def marks(self) -> Marks:
        return Marks(folder=self.user.folder)

    @property
    def database(self) -> str:
        return self.user.variables["GROUNDPLAN_DATABASE_URL"].rpartition("/")[2]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        if self.server is not None:
            with self.server.connect(self.database) as connection:
                return connection.execute(query.encode()).fetchall()
        # Read-only: the last who closes a database of SQLite would tidy up what a killed process left.
        with closing(sqlite3.connect(f"file:{self.user.home}/state.db?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()

    def settle(self) -> None:
        """Wait until the server has noticed that nobody is there any more: a last commit may be on its way."""
        if self.server is not None:
            query = f"SELECT 1 FROM pg_stat_activity WHERE datname = '{self.database}' AND pid <> pg_backend_pid()"
            eventually(lambda: not self.rows(query), what="the end of the connections of a dead process")

    def tasks(self) -> dict[Key, Recorded]:
        """Return every task with its attempts."""
        found = {
            (execution, number): Recorded(
                name=f"{instance}.{operation.rpartition('.')[2]}",
                kind=kind,
                state=state,
                attempts=attempts,
                waits=[(execution, int(it)) for it in waits.strip("[]").split(",") if it.strip()],
            )
            for execution, number, instance, operation, kind, state, attempts, waits in self.rows(_TASKS)
        }
        for execution, task, _, verdict in self.rows(_ATTEMPTS):
            found[execution, task].verdicts.append(verdict)
        return found

    def executions(self) -> list[tuple[str, str, str, str]]:
        """Return id, deployment, workflow and status of every execution, oldest first."""
        return [(it[0], it[1], it[2], it[3]) for it in self.rows(_EXECUTIONS)]

    def told(self) -> Mapping[tuple[str, str], Sequence[str]]:
        """Return what events tell of each node, by deployment and node, in order; what was told twice once."""
        nodes = {(deployment, instance): node for deployment, instance, node in self.rows(_NODES)}
        told = defaultdict[tuple[str, str], dict[str, None]](dict)
        for _, deployment, type_, instance, _, operation, message in self.rows(_EVENTS):
            if type_ in _TOLD:
                words = message if type_ == "workflow_node_event" else operation
                told[deployment, nodes.get((deployment, instance), "")][f"{type_} {words}"] = None
        return {place: list(words) for place, words in told.items()}

    def first_and_last(self) -> dict[tuple[str, str, str], list[int]]:
        """Return the numbers of the events that tell of a type for a task, by execution, type and its name."""
        found = defaultdict[tuple[str, str, str], list[int]](list)
        for number, (execution, _, type_, instance, _, operation, _) in enumerate(self.rows(_EVENTS)):
            found[execution, type_, f"{instance}.{operation.rpartition('.')[2]}"].append(number)
        return dict(found)
