"""Schedules: when a workflow of a deployment is to run by itself, and the workers that see to it.

Which moments a rule means is computed by `planning.occurrences`; `service.schedules` keeps schedules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from groundplan.model.ids import DeploymentId, ExecutionId
from groundplan.model.values import Data

ScheduleId = NewType("ScheduleId", str)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Which moments a schedule means (spec 1.18); without `recurrence`, `weekdays` and `rrule` it means one.

    Attributes:
        until: no moment is later.
        timezone: IANA name; days, weeks, months and years are counted on the clocks there.
        recurrence: number and unit, for example `2 days`; empty for none.
        weekdays: `mo` to `su`, before it `1` to `4` or `l-` for the first to fourth or last of the month.
        count: how many moments there are at most, or None.
        rrule: an RRULE of RFC 5545 in place of the three before; empty for none.
    """

    since: datetime
    until: datetime | None = None
    timezone: str = "UTC"
    recurrence: str = ""
    weekdays: tuple[str, ...] = ()
    count: int | None = None
    rrule: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Arguments:
    """How a schedule starts its executions."""

    allow_custom_parameters: bool = False
    force: bool = False
    is_dry_run: bool = False
    wait_after_fail: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """A workflow that runs by itself.

    Attributes:
        slip: minutes that an occurrence may be late; it is skipped a minute after that.
        stop_on_fail: disabled once an execution of it has failed.
        next_at: the next occurrence, or None when there is none any more.
        latest: the latest execution that it started, or None.
    """

    id: ScheduleId
    deployment: DeploymentId
    workflow: str
    rule: Rule
    created_at: datetime
    parameters: Mapping[str, Data] = field(default_factory=dict)
    arguments: Arguments = field(default_factory=Arguments)
    slip: int = 0
    stop_on_fail: bool = False
    enabled: bool = True
    next_at: datetime | None = None
    latest: ExecutionId | None = None


class WorkerState(StrEnum):
    """What a worker does."""

    SERVING = "serving"
    DRAINING = "draining"
    """It takes nothing more and hands on what it has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Worker:
    """A process that serves the store.

    Attributes:
        name: as in the leases it holds: host, process id, beginning.
        executions: how many it drives now, those of child deployments included.
        limit: how many it takes by itself at most.
    """

    name: str
    started_at: datetime
    heartbeat: datetime
    state: WorkerState = WorkerState.SERVING
    executions: int = 0
    limit: int = 0
