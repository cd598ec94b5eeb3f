"""`groundplan executions groups`: one workflow on all deployments of a group."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from groundplan.cli.options import as_json, engine, given_parameters, print_json, print_record, print_table
from groundplan.cli.running import retries_option
from groundplan.cli.views import records
from groundplan.cli.views.lines import line
from groundplan.model.execution import Change
from groundplan.model.group import DEFAULT_CONCURRENCY, PAUSED
from groundplan.model.ids import ExecutionGroupId, GroupId
from groundplan.service import execution_groups as use_case
from groundplan.service.assembly import Engine, now
from groundplan.service.given import read_given

F = TypeVar("F", bound=Callable[..., Any])
_LAST_EVENTS: Final = 10
_PAGE: Final = 1000


@click.group()
def groups() -> None:
    """Run a workflow on all deployments of a group, so many at once."""


def concurrency_option(function: F) -> F:
    """Add `--concurrency`."""
    return click.option(
        "--concurrency",
        type=click.IntRange(min=PAUSED),
        default=DEFAULT_CONCURRENCY,
        show_default=True,
        help="How many run at once; 0 begins none.",
    )(function)


def waiting_options(function: F) -> F:
    """Add `--no-wait` and `--timeout`."""
    function = click.option(
        "--timeout", type=click.FloatRange(min=0), help="Seconds to stay with it; then a worker goes on with it."
    )(function)
    return click.option("--no-wait", is_flag=True, help="Only queue them, for a worker to run.")(function)


@groups.command()
@click.argument("workflow")
@click.option("-g", "--deployment-group", required=True, help="On the deployments of this group.")
@given_parameters
@click.option("--allow-custom-parameters", is_flag=True, help="Accept parameters that the workflow does not declare.")
@click.option("-f", "--force", is_flag=True, help="Although it is unavailable, or others need the deployments.")
@click.option("--dry-run", is_flag=True, help="Walk through all tasks; call nothing, change nothing.")
@concurrency_option
@click.option("--success-group", metavar="GROUP", help="Gets the deployments whose execution succeeds.")
@click.option("--failure-group", metavar="GROUP", help="Gets the deployments whose execution fails.")
@waiting_options
@retries_option
@as_json
def start(
    workflow: str,
    deployment_group: str,
    parameters: tuple[str, ...],
    allow_custom_parameters: bool,
    force: bool,
    dry_run: bool,
    concurrency: int,
    success_group: str | None,
    failure_group: str | None,
    no_wait: bool,
    timeout: float | None,
    task_retries: int | None,
    as_json: bool,
) -> None:
    """Run WORKFLOW on all deployments of a group, here, until all have ended. One that fails stops no other.

    Ctrl-C cancels what runs and what waits; it can be resumed.
    """
    new = use_case.NewRun(
        group=GroupId(deployment_group),
        workflow=workflow,
        parameters=read_given(parameters, noun="parameter"),
        allow_custom_parameters=allow_custom_parameters,
        force=force,
        is_dry_run=dry_run,
        concurrency=concurrency,
        success_group=None if success_group is None else GroupId(success_group),
        failure_group=None if failure_group is None else GroupId(failure_group),
    )
    with engine(quiet=as_json) as opened:
        made = use_case.start(opened.store, opened.library, new, now())
        go_on(opened, made.id, no_wait, timeout, task_retries, as_json=as_json)


@groups.command()
@click.argument("execution_group_id")
@click.option(
    "--reset-operations", is_flag=True, help="Run operations again that were cut off and may not be repeatable."
)
@click.option("-f", "--force", is_flag=True, help="Take over those as well whose driver is believed to live.")
@waiting_options
@retries_option
@as_json
def resume(
    execution_group_id: str,
    reset_operations: bool,
    force: bool,
    no_wait: bool,
    timeout: float | None,
    task_retries: int | None,
    as_json: bool,
) -> None:
    """Go on with those of a group that failed, were cancelled, or still wait for their turn."""
    with engine(quiet=as_json) as opened:
        found = use_case.resume(
            opened.store, ExecutionGroupId(execution_group_id), now(), reset_operations=reset_operations, force=force
        )
        go_on(opened, found.group.id, no_wait, timeout, task_retries, as_json=as_json)


def go_on(
    opened: Engine,
    id_: ExecutionGroupId,
    no_wait: bool,
    timeout: float | None,
    task_retries: int | None,
    *,
    as_json: bool,
) -> None:
    """Drive a group of executions, or leave it to workers."""
    from groundplan.cli.running_groups import drive_group, tell_group

    if no_wait:
        tell_group(opened, id_, as_json=as_json)
    else:
        drive_group(opened, id_, task_retries=task_retries, as_json=as_json, timeout=timeout)


@groups.command(name="list")
@click.option("-g", "--deployment-group", help="Only those of one group of deployments.")
@as_json
def list_(deployment_group: str | None, as_json: bool) -> None:
    """List the groups of executions, oldest first."""
    with engine(quiet=as_json) as opened:
        found = use_case.listing(opened.store, now(), None if deployment_group is None else GroupId(deployment_group))
    if as_json:
        print_json([records.execution_group(item) for item in found])
        return
    rows = [
        (
            item.group.id,
            item.group.workflow,
            item.group.group,
            records.shown_status(item.status),
            records.shown_counts(item),
            item.group.concurrency or "paused",
            records.moment(item.group.created_at),
        )
        for item in found
    ]
    columns = ["id", "workflow", "deployment group", "status", "executions", "at once", "created"]
    print_table(columns, rows, empty="No execution groups yet.")


@groups.command()
@click.argument("execution_group_id")
@as_json
def get(execution_group_id: str, as_json: bool) -> None:
    """Show how a group of executions stands; the beginning of its id is enough."""
    with engine(quiet=as_json) as opened:
        found = use_case.get(opened.store, ExecutionGroupId(execution_group_id), now())
    record = records.execution_group(found)
    if as_json:
        print_json(record)
        return
    print_record({**record, "counts": records.shown_counts(found)})


@groups.command()
@click.argument("execution_group_id")
@as_json
def details(execution_group_id: str, as_json: bool) -> None:
    """Show a group of executions with each of them and its last events."""
    with engine(quiet=as_json) as opened:
        found = use_case.get(opened.store, ExecutionGroupId(execution_group_id), now())
        events = use_case.last_events(opened.store, found.group.id, _LAST_EVENTS)
    if as_json:
        print_json(
            {
                **records.execution_group(found),
                "executions": [records.listed(item) for item in found.executions],
                "events": [records.event(number, event) for number, event in events],
            }
        )
        return
    status = records.shown_status(found.status)
    click.echo(f"{found.group.workflow} of group {found.group.group}: {status} ({records.shown_counts(found)})")
    rows = [
        (
            shown["deployment_id"],
            shown["status_display"],
            shown["id"],
            shown["started_at"],
            shown["ended_at"],
            str(shown["error"]).partition("\n")[0],
        )
        for shown in map(records.listed, found.executions)
    ]
    print_table(["deployment", "status", "execution", "started", "ended", "error"], rows, empty="None is left.")
    click.echo("Last events:")
    for _, event in events:
        click.echo(line(event))


@groups.command()
@click.argument("execution_group_id")
@click.option("-f", "--force", is_flag=True, help="Stop at once; operations that run go on, and nobody records how.")
@click.option("-k", "--kill", is_flag=True, help="Stop at once and terminate the operations that run.")
def cancel(execution_group_id: str, force: bool, kill: bool) -> None:
    """End every execution of a group; those that wait for their turn never begin."""
    how = Change.KILL if kill else Change.FORCE_CANCEL if force else Change.CANCEL
    with engine() as opened:
        found = use_case.end(opened.store, ExecutionGroupId(execution_group_id), how, now())
        click.echo(f"Execution group {found.group.id}: {records.shown_counts(found)}")


@groups.command()
@click.argument("execution_group_id")
@click.argument("deployment_group")
def set_success_group(execution_group_id: str, deployment_group: str) -> None:
    """Collect the deployments whose execution succeeds, or did already, in DEPLOYMENT_GROUP."""
    with engine() as opened:
        use_case.set_success_group(opened.store, ExecutionGroupId(execution_group_id), GroupId(deployment_group))
        click.echo(f"What succeeds joins group {deployment_group}")


@groups.command()
@click.argument("execution_group_id")
@click.argument("deployment_group")
def set_failure_group(execution_group_id: str, deployment_group: str) -> None:
    """Collect the deployments whose execution fails, or did already, in DEPLOYMENT_GROUP."""
    with engine() as opened:
        use_case.set_failure_group(opened.store, ExecutionGroupId(execution_group_id), GroupId(deployment_group))
        click.echo(f"What fails joins group {deployment_group}")


@groups.command()
@click.argument("execution_group_id")
@click.argument("concurrency", type=click.IntRange(min=PAUSED))
def set_concurrency(execution_group_id: str, concurrency: int) -> None:
    """Change how many of a group run at once. What runs goes on; with 0 no further one begins."""
    with engine() as opened:
        use_case.set_concurrency(opened.store, ExecutionGroupId(execution_group_id), concurrency)
        words = f"At most {concurrency} run at once" if concurrency else "Paused: what runs goes on, no other begins"
        click.echo(words)
