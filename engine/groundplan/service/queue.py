"""What waits for a driver: queued executions that may begin, and executions whose driver was lost.

It decides from one moment's reads; who takes something does so under a lease, so that one of several gets it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from groundplan.diagnostics.trouble import UsageError
from groundplan.model.execution import STOPPING, Execution, ExecutionStatus, Lease
from groundplan.model.ids import ExecutionGroupId, ExecutionId
from groundplan.runtime.liveness import is_alive
from groundplan.state.store import Snapshot

VARIABLE: Final = "GROUNDPLAN_MAX_EXECUTIONS"
DEFAULT_LIMIT: Final = 20
BEGUN: Final = frozenset({ExecutionStatus.PENDING, ExecutionStatus.STARTED, *STOPPING})
"""Executions that have, or had, a driver and have not ended."""


def limit(environment: Mapping[str, str]) -> int:
    """Return how many executions may run at once in a store, those of child deployments not counted (spec 5.8).

    Raises:
        UsageError: the variable has no whole number from 1 on.
    """
    text = environment.get(VARIABLE, "").strip()
    if not text:
        return DEFAULT_LIMIT
    if not text.isascii() or not text.isdigit() or not int(text):
        raise UsageError(f"{VARIABLE} is {text!r}; a whole number from 1 on is expected.")
    return int(text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lines:
    """What waits for a driver.

    Attributes:
        lost: begun, and no living driver has them or their parent's; oldest first.
        next: queued ones that may begin now, in the order of their creation; of a group as many as run at once.
        waiting: all that are queued.
        running: how many are driven now, those of child deployments not counted.
    """

    lost: Sequence[Execution]
    next: Sequence[Execution]
    waiting: Sequence[Execution]
    running: int


def read_lines(snapshot: Snapshot, now: datetime, most: int) -> Lines:
    """Return what waits for a driver, given how many may run at once."""
    begun = snapshot.executions(statuses=BEGUN)
    queued = snapshot.executions(statuses=[ExecutionStatus.QUEUED])
    leases = snapshot.leases() if begun else {}
    undriven = {item.id for item in begun if is_lost(item, leases, now)}
    known = {item.id for item in begun}
    running = sum(item.parent is None and item.id not in undriven for item in begun)
    return Lines(
        lost=[item for item in begun if item.id in undriven and not _of(item, known)],
        next=_startable(begun, queued, most - running, rooms(snapshot, begun, queued)),
        waiting=queued,
        running=running,
    )


def is_lost(execution: Execution, leases: Mapping[ExecutionId, Lease], now: datetime) -> bool:
    """Whether an execution has begun and no living driver has it."""
    lease = leases.get(execution.id)
    return execution.status in BEGUN and (lease is None or not is_alive(lease, now))


def _of(execution: Execution, known: set[ExecutionId]) -> bool:
    """Whether its parent goes on: whoever drives that one drives this one as well."""
    return execution.parent is not None and execution.parent.execution in known


def rooms(
    snapshot: Snapshot, begun: Sequence[Execution], queued: Sequence[Execution]
) -> dict[ExecutionGroupId | None, int]:
    """Return how many more executions of each group that waits may begin, given its concurrency."""
    found: dict[ExecutionGroupId | None, int] = {}
    for id_ in {item.group for item in queued if item.group is not None}:
        group = snapshot.execution_group(id_)
        if group is not None:
            found[id_] = group.concurrency - sum(item.group == id_ for item in begun)
    return found


def _startable(
    begun: Sequence[Execution],
    queued: Sequence[Execution],
    free: int,
    room: dict[ExecutionGroupId | None, int],
) -> list[Execution]:
    busy = {item.deployment for item in begun}
    chosen: list[Execution] = []
    for item in queued:
        if item.deployment in busy or len(chosen) >= free or room.get(item.group, 1) <= 0:
            continue
        busy.add(item.deployment)
        chosen.append(item)
        if item.group in room:
            room[item.group] -= 1
    return chosen
