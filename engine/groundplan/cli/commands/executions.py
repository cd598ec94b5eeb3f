"""`groundplan executions`: run workflows and look after them."""

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import click

from groundplan.cli.commands.execution_groups import groups
from groundplan.cli.commands.explanations import explain
from groundplan.cli.commands.task_graphs import graph
from groundplan.cli.options import as_json, engine, given_parameters, print_json, print_record, print_table
from groundplan.cli.running import drive, operations_option, retries_option, tell_who_goes_on
from groundplan.cli.views import records
from groundplan.diagnostics.trouble import UsageError
from groundplan.model.execution import Change, Execution, ExecutionStatus
from groundplan.model.ids import DeploymentId, ExecutionId
from groundplan.model.schedule import Arguments
from groundplan.planning.occurrences import parse_ago, parse_moment
from groundplan.service import asking, schedules, updates
from groundplan.service import executions as use_case
from groundplan.service.assembly import Engine, now
from groundplan.service.distribution import read_address
from groundplan.service.given import read_given
from groundplan.service.scheduling import NewSchedule, local_zone


@click.group()
def executions() -> None:
    """Run workflows, and resume, cancel or read their executions."""


executions.add_command(groups)
executions.add_command(explain)
executions.add_command(graph)


@executions.command()
@click.argument("workflow")
@click.option("-d", "--deployment-id", required=True, help="The deployment to run it on.")
@given_parameters
@click.option("--allow-custom-parameters", is_flag=True, help="Accept parameters that the workflow does not declare.")
@click.option("-f", "--force", is_flag=True, help="Although it is unavailable, or others need the deployment.")
@click.option("--dry-run", is_flag=True, help="Walk through all tasks; call nothing, change nothing.")
@click.option("--queue", is_flag=True, help="Wait for one's turn where something runs in the deployment.")
@click.option("--schedule", "moment", default="", metavar="TIME", help="Run it later: 2026-03-29 02:30, 02:30 or +4h.")
@click.option("--timeout", type=click.FloatRange(min=0), help="Seconds to stay with it; then a worker goes on with it.")
@click.option(
    "--wait-after-fail", type=click.FloatRange(min=0), help="Seconds that running operations get after a failure."
)
@retries_option
@operations_option
@as_json
def start(
    workflow: str,
    deployment_id: str,
    parameters: tuple[str, ...],
    allow_custom_parameters: bool,
    force: bool,
    dry_run: bool,
    queue: bool,
    moment: str,
    timeout: float | None,
    wait_after_fail: float | None,
    task_retries: int | None,
    as_json: bool,
) -> None:
    """Run WORKFLOW here, with live progress, until it ends. Ctrl-C cancels it; it can be resumed."""
    if queue and (dry_run or force or moment):
        raise UsageError("--queue goes neither with --dry-run and --force nor with --schedule.")
    new = use_case.NewExecution(
        deployment=DeploymentId(deployment_id),
        workflow=workflow,
        parameters=read_given(parameters, noun="parameter"),
        allow_custom_parameters=allow_custom_parameters,
        force=force,
        is_dry_run=dry_run,
        queue=queue,
        wait_after_fail=wait_after_fail,
    )
    with engine(quiet=as_json) as opened:
        if moment:
            _schedule(opened, new, moment, as_json=as_json)
            return
        wanted = replace(new, limit=opened.limit)
        if asking.is_update(opened.store, opened.library, wanted):
            asked = asking.wished(wanted, getpass.getuser())
            execution = updates.start(opened.store, opened.library, opened.home, asked, now())
        else:
            execution = use_case.start(opened.store, opened.library, wanted, now())
        if execution.status is ExecutionStatus.QUEUED:
            _tell_queued(opened, execution, as_json=as_json)
            return
        drive(opened, execution, task_retries=task_retries, as_json=as_json, timeout=timeout)


def _schedule(opened: Engine, new: use_case.NewExecution, moment: str, *, as_json: bool) -> None:
    """Have an execution started once, later: a schedule of its own with one occurrence (spec 5.8)."""
    made = schedules.create(
        opened.store,
        opened.library,
        NewSchedule(
            id=f"{new.workflow}_{now():%Y%m%dT%H%M%S%f}",
            deployment=new.deployment,
            workflow=new.workflow,
            since=moment,
            count=1,
            parameters=new.parameters,
            arguments=Arguments(
                allow_custom_parameters=new.allow_custom_parameters,
                force=new.force,
                is_dry_run=new.is_dry_run,
                wait_after_fail=new.wait_after_fail,
            ),
        ),
        now(),
    )
    if as_json:
        print_json(records.schedule(made))
    else:
        click.echo(f"Scheduled: {made.workflow} of {made.deployment} at {records.moment(made.next_at)} ({made.id})")
    tell_who_goes_on(opened, "A worker starts it then", "it will not run")


def _tell_queued(opened: Engine, execution: Execution, *, as_json: bool) -> None:
    if as_json:
        print_json(records.execution(execution))
    else:
        click.echo(f"Queued: {execution.workflow} of {execution.deployment} (execution {execution.id})")
    tell_who_goes_on(
        opened,
        "A worker runs it in its turn",
        "it runs in its turn when the process that drives another execution has ended that one",
    )


@executions.command()
@click.argument("execution_id")
@click.option(
    "--reset-operations", is_flag=True, help="Run operations again that were cut off and may not be repeatable."
)
@click.option("-f", "--force", is_flag=True, help="Take it over although its driver is believed to live.")
@retries_option
@operations_option
@as_json
def resume(execution_id: str, reset_operations: bool, force: bool, task_retries: int | None, as_json: bool) -> None:
    """Go on with an execution that failed, was cancelled, or whose process ended. Finished tasks stay finished.

    One that is queued begins, if its turn has come.
    """
    id_ = ExecutionId(execution_id)
    with engine(quiet=as_json) as opened:
        execution = None
        if not (reset_operations or force):
            execution = use_case.take_queued(opened.store, opened.library, id_, now(), opened.limit)
        execution = execution or use_case.prepare_resume(
            opened.store,
            id_,
            now(),
            reset_operations=reset_operations,
            force=force,
            on_temporal=read_address(opened.environment) is not None,
        )
        drive(opened, execution, task_retries=task_retries, as_json=as_json)


_STATUSES: Final = {name: item for item in ExecutionStatus for name in (item.value, item.shown)}
"""What people may call them: as machines read them, and as people do."""
_SORTS: Final = ("created_at", "started_at", "ended_at", "workflow_id", "deployment_id", "status", "id")


@executions.command(name="list")
@click.option("-d", "--deployment-id", help="Only those of one deployment.")
@click.option("--status", "statuses", multiple=True, type=click.Choice([*_STATUSES]), help="Only such. Repeatable.")
@click.option("--sort-by", type=click.Choice(_SORTS), default="created_at", show_default=True)
@click.option("--descending", is_flag=True, help="The other way round.")
@click.option("-o", "--pagination-offset", type=click.IntRange(min=0), default=0, help="How many to leave out first.")
@click.option("-s", "--pagination-size", type=click.IntRange(min=1), default=1000, show_default=True)
@as_json
def list_(
    deployment_id: str | None,
    statuses: tuple[str, ...],
    sort_by: str,
    descending: bool,
    pagination_offset: int,
    pagination_size: int,
    as_json: bool,
) -> None:
    """List executions, oldest first. One whose process was killed shows as "driver lost"."""
    chosen = None if deployment_id is None else DeploymentId(deployment_id)
    with engine(quiet=as_json) as opened:
        listed = use_case.listing(opened.store, now(), chosen, [_STATUSES[item] for item in statuses])
        found = [records.listed(item) for item in listed]
        found.sort(key=lambda item: item[sort_by] or "", reverse=descending)
        shown = found[pagination_offset : pagination_offset + pagination_size]
        if as_json:
            print_json(shown)
        else:
            _show(shown, len(found))
        if any(item["driver_lost"] for item in shown):
            tell_who_goes_on(opened, "A worker sees to what waits", "go on by hand: groundplan executions resume ID")
        elif any(item["status"] == ExecutionStatus.QUEUED for item in shown):
            tell_who_goes_on(opened, "A worker sees to what waits", "begin it by hand: groundplan executions resume ID")


def _show(shown: Sequence[Mapping[str, Any]], total: int) -> None:
    columns = ["id", "workflow_id", "status_display", "deployment_id", "is_dry_run", "created_at", "started_at"]
    rows = [[item[name] for name in (*columns, "scheduled_for")] for item in shown]
    headings = ["id", "workflow", "status", "deployment", "dry run", "created", "started", "scheduled for"]
    print_table(headings, rows, empty="No executions yet." if not total else "None of them here.")
    if len(shown) != total:
        click.echo(f"Showing {len(shown)} of {total} executions")


@executions.command()
@click.argument("execution_id")
@as_json
def get(execution_id: str, as_json: bool) -> None:
    """Show an execution; the beginning of its id is enough."""
    with engine(quiet=as_json) as opened:
        found = use_case.get_listed(opened.store, ExecutionId(execution_id), now())
    record = records.listed(found)
    if as_json:
        print_json(record)
        return
    print_record(record)


@executions.command()
@click.option("--to", "moment", default="", metavar="TIME", help="Those that ended before a moment: 2026-03-29 02:30.")
@click.option("--before", "ago", default="", metavar="LENGTH", help='Those that ended longer ago: "2 weeks".')
@click.option("--keep-last", type=click.IntRange(min=1), help="All but so many of the latest.")
@click.option("-d", "--deployment-id", help="Only those of one deployment.")
def delete(moment: str, ago: str, keep_last: int | None, deployment_id: str | None) -> None:
    """Delete executions that have ended, with their events."""
    if sum([bool(moment), bool(ago), keep_last is not None]) != 1:
        raise UsageError("Say which by one of --to, --before and --keep-last.")
    before = parse_moment(moment, now(), local_zone(now())) if moment else parse_ago(ago, now()) if ago else None
    chosen = None if deployment_id is None else DeploymentId(deployment_id)
    with engine() as opened:
        count = use_case.delete_ended(opened.store, before=before, keep_last=keep_last, deployment=chosen)
    click.echo(f"{count} executions deleted")


@executions.command()
@click.argument("execution_id")
@click.option("-f", "--force", is_flag=True, help="Stop at once; operations that run go on, and nobody records how.")
@click.option("-k", "--kill", is_flag=True, help="Stop at once and terminate the operations that run.")
def cancel(execution_id: str, force: bool, kill: bool) -> None:
    """End an execution, with those of child deployments: no further task starts, those that run finish first."""
    how = Change.KILL if kill else Change.FORCE_CANCEL if force else Change.CANCEL
    with engine() as opened:
        found = use_case.end(opened.store, ExecutionId(execution_id), how, now())
        click.echo(f"Execution {found.id} is {found.status}")
