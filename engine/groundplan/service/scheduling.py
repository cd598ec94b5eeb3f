"""Makes schedules of what people and blueprints write; `schedules` keeps them and starts what is due."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, Final

from groundplan.diagnostics.trouble import UsageError
from groundplan.model.blueprint import Blueprint
from groundplan.model.ids import DeploymentId
from groundplan.model.schedule import Arguments, Rule, Schedule, ScheduleId
from groundplan.model.values import Data, reveal
from groundplan.planning.occurrences import check_rule, first, next_after, parse_moment, zone_of
from groundplan.service.finding import find_workflow

_LOCAL: Final = Path("/etc/localtime")
_ZONES: Final = "zoneinfo/"


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSchedule:
    """What a schedule is to be made of, moments and rule as they were written.

    Attributes:
        id: empty for the workflow's name.
        timezone: IANA name; empty for that of this machine.
    """

    deployment: DeploymentId
    workflow: str
    since: str
    id: str = ""
    until: str = ""
    timezone: str = ""
    recurrence: str = ""
    weekdays: tuple[str, ...] = ()
    count: int | None = None
    rrule: str = ""
    parameters: Mapping[str, Data] = field(default_factory=dict)
    arguments: Arguments = field(default_factory=Arguments)
    slip: int = 0
    stop_on_fail: bool = False
    enabled: bool = True


def make_schedule(new: NewSchedule, blueprint: Blueprint, now: datetime) -> Schedule:
    """Return the schedule with its first occurrence.

    Raises:
        NotFound: there is no such workflow.
        UsageError: a moment or the rule cannot be used.
    """
    find_workflow(blueprint, new.workflow, f"Deployment {new.deployment!r}")
    if new.slip < 0:
        raise UsageError(f"A schedule's slip is a number of minutes, not {new.slip}.")
    rule = read_rule(new, now)
    return Schedule(
        id=ScheduleId(new.id or new.workflow),
        deployment=new.deployment,
        workflow=new.workflow,
        rule=rule,
        created_at=now,
        parameters=new.parameters,
        arguments=new.arguments,
        slip=new.slip,
        stop_on_fail=new.stop_on_fail,
        enabled=new.enabled,
        next_at=first(rule),
    )


def change_schedule(old: Schedule, new: NewSchedule, now: datetime) -> Schedule:
    """Return a schedule with what is written in `new` in place of what it had.

    An rrule takes the place of recurrence, weekdays and count, and each of those that of an rrule.

    Raises:
        UsageError: a moment or the rule cannot be used.
    """
    zone = zone_of(new.timezone or old.rule.timezone)
    counted = bool(new.recurrence or new.weekdays or new.count is not None)
    plain = new.rrule and not counted
    rule = Rule(
        since=parse_moment(new.since, now, zone) if new.since else old.rule.since,
        until=parse_moment(new.until, now, zone) if new.until else old.rule.until,
        timezone=new.timezone or old.rule.timezone,
        recurrence="" if plain else new.recurrence or old.rule.recurrence,
        weekdays=() if plain else new.weekdays or old.rule.weekdays,
        count=None if plain else old.rule.count if new.count is None else new.count,
        rrule=new.rrule or ("" if counted else old.rule.rrule),
    )
    check_rule(rule)
    told = new.arguments
    return replace(
        old,
        workflow=new.workflow,
        parameters=new.parameters,
        rule=rule,
        next_at=old.next_at if rule == old.rule else next_after(rule, now),
        arguments=Arguments(
            allow_custom_parameters=told.allow_custom_parameters or old.arguments.allow_custom_parameters,
            force=told.force or old.arguments.force,
            is_dry_run=told.is_dry_run or old.arguments.is_dry_run,
            wait_after_fail=old.arguments.wait_after_fail if told.wait_after_fail is None else told.wait_after_fail,
        ),
    )


def read_rule(new: NewSchedule, now: datetime) -> Rule:
    """Return the rule of what was written.

    Raises:
        UsageError: it cannot be used.
    """
    zone = zone_of(new.timezone) if new.timezone else local_zone(now)
    rule = Rule(
        since=parse_moment(new.since, now, zone),
        until=parse_moment(new.until, now, zone) if new.until else None,
        timezone=new.timezone or _local_name(),
        recurrence=new.recurrence,
        weekdays=new.weekdays,
        count=new.count,
        rrule=new.rrule,
    )
    check_rule(rule)
    return rule


def default_schedules(
    deployment: DeploymentId, blueprint: Blueprint, written: Mapping[str, Any], now: datetime
) -> list[Schedule]:
    """Return the schedules that a blueprint's `deployment_settings.default_schedules` asks for (spec 1.18).

    Args:
        written: the section with its functions evaluated.

    Raises:
        NotFound, UsageError: as `make_schedule`.
    """
    return [make_schedule(_of_blueprint(deployment, name, entry), blueprint, now) for name, entry in written.items()]


def _of_blueprint(deployment: DeploymentId, name: str, entry: Mapping[str, Any]) -> NewSchedule:
    parameters = entry.get("workflow_parameters") or {}
    plain = reveal({key: value for key, value in entry.items() if key != "workflow_parameters"})
    return NewSchedule(
        id=name,
        deployment=deployment,
        workflow=str(plain["workflow"]),
        since=str(plain["since"]),
        until=str(plain.get("until") or ""),
        timezone=str(plain.get("timezone") or ""),
        recurrence=str(plain.get("recurrence") or ""),
        weekdays=tuple(plain.get("weekdays") or ()),
        count=plain.get("count"),
        parameters=parameters,
        arguments=Arguments(**(plain.get("execution_arguments") or {})),
        slip=plain.get("slip") or 0,
        stop_on_fail=bool(plain.get("stop_after_fail")),
        enabled=plain.get("default_enabled") is not False,
    )


def local_zone(now: datetime) -> tzinfo:
    """Return the time zone of this machine: by name where it has one, else its offset at `now`."""
    name = _local_name()
    offset = now.astimezone().tzinfo
    return offset if name == "UTC" and offset is not None else zone_of(name)


def _local_name() -> str:
    """Return the IANA name of this machine's time zone; `UTC` where nothing tells."""
    target = str(_LOCAL.resolve())
    return target.partition(_ZONES)[2] or "UTC"
