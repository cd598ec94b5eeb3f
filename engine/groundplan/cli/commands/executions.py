"""`groundplan executions`: run workflows and look after them."""

import click

from groundplan.cli.options import as_json, engine, given_parameters, print_json, print_table
from groundplan.cli.running import drive, retries_option
from groundplan.cli.views import records
from groundplan.model.execution import Change
from groundplan.model.ids import DeploymentId, ExecutionId
from groundplan.service import executions as use_case
from groundplan.service.assembly import now
from groundplan.service.given import read_given


@click.group()
def executions() -> None:
    """Run workflows, and resume, cancel or read their executions."""


@executions.command()
@click.argument("workflow")
@click.option("-d", "--deployment-id", required=True, help="The deployment to run it on.")
@given_parameters
@click.option("--allow-custom-parameters", is_flag=True, help="Accept parameters that the workflow does not declare.")
@click.option("-f", "--force", is_flag=True, help="Although it is unavailable, or others need the deployment.")
@click.option("--dry-run", is_flag=True, help="Walk through all tasks; call nothing, change nothing.")
@retries_option
@as_json
def start(
    workflow: str,
    deployment_id: str,
    parameters: tuple[str, ...],
    allow_custom_parameters: bool,
    force: bool,
    dry_run: bool,
    task_retries: int | None,
    as_json: bool,
) -> None:
    """Run WORKFLOW here, with live progress, until it ends. Ctrl-C cancels it; it can be resumed."""
    new = use_case.NewExecution(
        deployment=DeploymentId(deployment_id),
        workflow=workflow,
        parameters=read_given(parameters, noun="parameter"),
        allow_custom_parameters=allow_custom_parameters,
        force=force,
        is_dry_run=dry_run,
    )
    with engine(quiet=as_json) as opened:
        execution = use_case.start(opened.store, opened.library, new, now())
        drive(opened, execution, task_retries=task_retries, as_json=as_json)


@executions.command()
@click.argument("execution_id")
@click.option(
    "--reset-operations", is_flag=True, help="Run operations again that were cut off and may not be repeatable."
)
@click.option("-f", "--force", is_flag=True, help="Take it over although its driver is believed to live.")
@retries_option
@as_json
def resume(execution_id: str, reset_operations: bool, force: bool, task_retries: int | None, as_json: bool) -> None:
    """Go on with an execution that failed, was cancelled, or whose process ended. Finished tasks stay finished."""
    with engine(quiet=as_json) as opened:
        execution = use_case.prepare_resume(
            opened.store, ExecutionId(execution_id), now(), reset_operations=reset_operations, force=force
        )
        drive(opened, execution, task_retries=task_retries, as_json=as_json)


@executions.command(name="list")
@click.option("-d", "--deployment-id", help="Only those of one deployment.")
@as_json
def list_(deployment_id: str | None, as_json: bool) -> None:
    """List executions, oldest first."""
    with engine(quiet=as_json) as opened:
        chosen = None if deployment_id is None else DeploymentId(deployment_id)
        found = use_case.listing(opened.store, chosen)
    if as_json:
        print_json([records.execution(item) for item in found])
        return
    rows = [
        (
            item.id,
            item.workflow,
            records.shown_status(item.status),
            item.deployment,
            records.moment(item.created_at),
            records.moment(item.ended_at),
        )
        for item in found
    ]
    print_table(["id", "workflow", "status", "deployment", "created", "ended"], rows, empty="No executions yet.")


@executions.command()
@click.argument("execution_id")
@as_json
def get(execution_id: str, as_json: bool) -> None:
    """Show an execution; the beginning of its id is enough."""
    with engine(quiet=as_json) as opened:
        found = use_case.get(opened.store, ExecutionId(execution_id))
    record = records.execution(found)
    if as_json:
        print_json(record)
        return
    for key, value in record.items():
        click.echo(f"{key + ':':18}{value if value not in (None, '') else '-'}")


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
