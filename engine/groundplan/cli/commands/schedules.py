"""`groundplan schedules`: workflows that run by themselves, at moments or again and again."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import click

from groundplan.cli.options import as_json, engine, given_parameters, print_json, print_record, print_table
from groundplan.cli.running import tell_who_goes_on
from groundplan.cli.views import records
from groundplan.diagnostics.trouble import UsageError
from groundplan.model.ids import DeploymentId
from groundplan.model.schedule import Arguments, ScheduleId
from groundplan.planning.occurrences import parse_moment, preview, zone_of
from groundplan.service import schedules as use_case
from groundplan.service.assembly import now
from groundplan.service.given import read_given
from groundplan.service.scheduling import NewSchedule, change_schedule, local_zone

F = TypeVar("F", bound=Callable[..., Any])


def _rule_options(function: F) -> F:
    """Add what says when, and how executions are started."""
    for option in reversed(
        (
            click.option("-s", "--since", default="", help="First moment: 2026-03-29 02:30, 02:30 (today), or +4h."),
            click.option("-u", "--until", default="", help="No moment is later; written as --since."),
            click.option("--tz", "timezone", default="", help="Time zone, for example Europe/Berlin. Default: local."),
            click.option("-r", "--recurrence", default="", help="Number and unit (min, h, d, w, mo, y): 2 days."),
            click.option("-c", "--count", type=click.IntRange(min=1), help="How many times at most."),
            click.option(
                "--weekdays", default="", help="mo to su by commas; 1mo, l-fr for the first, last of a month."
            ),
            click.option("--rrule", default="", help="RFC 5545 in place of the three before: FREQ=DAILY;INTERVAL=3."),
            click.option("--slip", type=click.IntRange(min=0), help="Minutes that a run may be late. Default: 0."),
            click.option("--stop-on-fail/--no-stop-on-fail", default=None, help="Disable it after a failed run."),
            click.option("--allow-custom-parameters", is_flag=True, help="Accept undeclared parameters."),
            click.option("-f", "--force", is_flag=True, help="As `executions start --force`."),
            click.option("--dry-run", is_flag=True, help="As `executions start --dry-run`."),
            click.option("--wait-after-fail", type=click.FloatRange(min=0), help="As of `executions start`."),
        )
    ):
        function = option(function)
    return function


@click.group()
def schedules() -> None:
    """Have workflows run by themselves. A worker starts them: `groundplan worker`."""


@schedules.command()
@click.argument("deployment_id")
@click.argument("workflow")
@click.option("-n", "--schedule-name", default="", help="Default: the workflow's name.")
@_rule_options
@given_parameters
@as_json
def create(
    deployment_id: str, workflow: str, schedule_name: str, parameters: tuple[str, ...], as_json: bool, **written: Any
) -> None:
    """Have WORKFLOW of a deployment run at moments to come."""
    if not written["since"]:
        raise UsageError("Say when it runs for the first time: --since.")
    given = read_given(parameters, noun="parameter")
    new = _new(DeploymentId(deployment_id), workflow, schedule_name, written, given)
    with engine(quiet=as_json) as opened:
        made = use_case.create(opened.store, opened.library, new, now())
        if as_json:
            print_json(records.schedule(made))
        else:
            click.echo(f"Schedule {made.id} of {made.deployment} created; next: {records.moment(made.next_at)}")
        tell_who_goes_on(opened, "A worker sees to it", "nothing of it will run")


def _new(
    deployment: DeploymentId, workflow: str, name: str, written: dict[str, Any], parameters: dict[str, Any]
) -> NewSchedule:
    return NewSchedule(
        id=name,
        deployment=deployment,
        workflow=workflow,
        parameters=parameters,
        since=written["since"],
        until=written["until"],
        timezone=written["timezone"],
        recurrence=written["recurrence"],
        weekdays=tuple(day.strip() for day in written["weekdays"].split(",") if day.strip()),
        count=written["count"],
        rrule=written["rrule"],
        slip=written["slip"] or 0,
        stop_on_fail=bool(written["stop_on_fail"]),
        arguments=Arguments(
            allow_custom_parameters=written["allow_custom_parameters"],
            force=written["force"],
            is_dry_run=written["dry_run"],
            wait_after_fail=written["wait_after_fail"],
        ),
    )


@schedules.command()
@click.argument("deployment_id")
@click.argument("schedule_name")
@click.option("-w", "--workflow", default="", help="Another workflow.")
@_rule_options
@given_parameters
@as_json
def update(
    deployment_id: str, schedule_name: str, workflow: str, parameters: tuple[str, ...], as_json: bool, **written: Any
) -> None:
    """Change what is named of a schedule; the rest stays."""
    with engine(quiet=as_json) as opened:
        old = use_case.get(opened.store, DeploymentId(deployment_id), ScheduleId(schedule_name))
        given = read_given(parameters, noun="parameter") if parameters else dict(old.parameters)
        new = _new(old.deployment, workflow or old.workflow, old.id, written, given)
        changed = change_schedule(old, new, now())
        changed = replace(
            changed,
            slip=old.slip if written["slip"] is None else written["slip"],
            stop_on_fail=old.stop_on_fail if written["stop_on_fail"] is None else written["stop_on_fail"],
        )
        use_case.put(opened.store, opened.library, changed)
    if as_json:
        print_json(records.schedule(changed))
    else:
        click.echo(f"Schedule {changed.id} of {changed.deployment} updated; next: {records.moment(changed.next_at)}")


@schedules.command()
@click.argument("deployment_id")
@click.argument("schedule_name")
def enable(deployment_id: str, schedule_name: str) -> None:
    """Have a schedule run again; what it missed meanwhile is not made up for."""
    _switch(deployment_id, schedule_name, enabled=True)


@schedules.command()
@click.argument("deployment_id")
@click.argument("schedule_name")
def disable(deployment_id: str, schedule_name: str) -> None:
    """Have a schedule start nothing until it is enabled."""
    _switch(deployment_id, schedule_name, enabled=False)


def _switch(deployment_id: str, schedule_name: str, *, enabled: bool) -> None:
    with engine() as opened:
        name = ScheduleId(schedule_name)
        found = use_case.set_enabled(opened.store, DeploymentId(deployment_id), name, now(), enabled=enabled)
    click.echo(f"Schedule {found.id} of {found.deployment} is {'enabled' if enabled else 'disabled'}")


@schedules.command()
@click.argument("deployment_id")
@click.argument("schedule_name")
def delete(deployment_id: str, schedule_name: str) -> None:
    """Forget a schedule; executions that it started stay."""
    with engine() as opened:
        use_case.delete(opened.store, DeploymentId(deployment_id), ScheduleId(schedule_name))
    click.echo(f"Schedule {schedule_name} of {deployment_id} deleted")


@schedules.command()
@click.argument("deployment_id")
@click.argument("schedule_name")
@click.option("--preview", "count", type=click.IntRange(min=0, max=1000), default=0, help="Show the next N moments.")
@as_json
def get(deployment_id: str, schedule_name: str, count: int, as_json: bool) -> None:
    """Show a schedule."""
    with engine(quiet=as_json) as opened:
        found = use_case.get(opened.store, DeploymentId(deployment_id), ScheduleId(schedule_name))
    ahead = [records.moment(at) for at in preview(found.rule, now(), count)]
    record = records.schedule(found)
    if as_json:
        print_json({**record, **({"preview": ahead} if count else {})})
        return
    print_record(record)
    for each in ahead:
        click.echo(f"  {each}")


@schedules.command(name="list")
@click.option("-d", "--deployment-id", help="Only those of one deployment.")
@click.option("-s", "--since", default="", help="Only those whose next run is not earlier.")
@click.option("-u", "--until", default="", help="Only those whose next run is not later.")
@click.option("--tz", "timezone", default="", help="Time zone of --since and --until. Default: local.")
@as_json
def list_(deployment_id: str | None, since: str, until: str, timezone: str, as_json: bool) -> None:
    """List schedules, oldest first."""
    zone = zone_of(timezone) if timezone else local_zone(now())
    begin = parse_moment(since, now(), zone) if since else None
    end = parse_moment(until, now(), zone) if until else None
    with engine(quiet=as_json) as opened:
        chosen = None if deployment_id is None else DeploymentId(deployment_id)
        found = [
            item
            for item in use_case.listing(opened.store, chosen)
            if (begin is None or (item.next_at is not None and item.next_at >= begin))
            and (end is None or (item.next_at is not None and item.next_at <= end))
        ]
        shown = [records.schedule(item) for item in found]
        if as_json:
            print_json(shown)
        else:
            _show(shown)
        if any(item.enabled and item.next_at is not None for item in found):
            tell_who_goes_on(opened, "A worker sees to them", "nothing of them will run")


def _show(shown: Sequence[dict[str, Any]]) -> None:
    columns = ("id", "deployment_id", "workflow_id", "next_occurrence", "since", "until", "stop_on_fail", "enabled")
    headings = ["id", "deployment", "workflow", "next", "since", "until", "stop on fail", "enabled"]
    print_table(headings, [[item[name] for name in columns] for item in shown], empty="No schedules yet.")


@schedules.command()
@click.argument("field", type=click.Choice(["deployment_id", "workflow_id", "enabled"]))
@as_json
def summary(field: str, as_json: bool) -> None:
    """Count schedules by FIELD."""
    with engine(quiet=as_json) as opened:
        counts = Counter(str(records.schedule(item)[field]) for item in use_case.listing(opened.store))
    if as_json:
        print_json([{field: value, "schedules": count} for value, count in counts.items()])
    else:
        print_table([field, "schedules"], list(counts.items()), empty="No schedules yet.")
