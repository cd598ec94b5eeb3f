"""`groundplan install` and `groundplan uninstall`: all steps of a blueprint's life in one command (spec 8.6)."""

from pathlib import Path

import click

from groundplan.cli.options import engine, given_inputs, given_parameters
from groundplan.cli.running import drive, operations_option, retries_option
from groundplan.diagnostics.trouble import Conflict
from groundplan.model.ids import BlueprintId, DeploymentId
from groundplan.service import blueprints, deployments, executions
from groundplan.service.assembly import now
from groundplan.service.given import read_given


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("-b", "--blueprint-id", help="The blueprint's id; default: as `blueprints upload`.")
@click.option("-d", "--deployment-id", help="The deployment's id; default: the blueprint's.")
@click.option(
    "-n", "--blueprint-filename", default=blueprints.DEFAULT_MAIN, help="The main file, where PATH is a folder."
)
@given_inputs
@given_parameters
@retries_option
@operations_option
def install(
    path: Path,
    blueprint_id: str | None,
    deployment_id: str | None,
    blueprint_filename: str,
    inputs: tuple[str, ...],
    parameters: tuple[str, ...],
    task_retries: int | None,
) -> None:
    """Upload the blueprint at PATH, make a deployment of it, and run its install workflow."""
    with engine() as opened, blueprints.opened(path, blueprint_filename) as file:
        chosen = None if blueprint_id is None else BlueprintId(blueprint_id)
        done = blueprints.upload(opened.store, opened.home, opened.fetch, file, now(), id=chosen)
        click.echo(f"Blueprint {done.blueprint.id} {done.change}")
        new = deployments.NewDeployment(
            id=DeploymentId(deployment_id or done.blueprint.id), blueprint=done.blueprint.id, inputs=read_given(inputs)
        )
        made = deployments.create(opened.store, opened.library, new, now())
        click.echo(f"Deployment {made.id} created")
        wanted = executions.NewExecution(
            deployment=made.id, workflow="install", parameters=read_given(parameters, noun="parameter")
        )
        execution = executions.start(opened.store, opened.library, wanted, now())
        drive(opened, execution, task_retries=task_retries, as_json=False)


@click.command()
@click.argument("deployment_id")
@given_parameters
@click.option("-f", "--force", is_flag=True, help="Although others need the deployment.")
@retries_option
@operations_option
def uninstall(deployment_id: str, parameters: tuple[str, ...], force: bool, task_retries: int | None) -> None:
    """Run the uninstall workflow of a deployment, delete it, and delete its blueprint unless others use it."""
    with engine() as opened:
        with opened.store.snapshot() as snapshot:
            deployment = deployments.existing(snapshot, DeploymentId(deployment_id))
        wanted = executions.NewExecution(
            deployment=deployment.id,
            workflow="uninstall",
            parameters=read_given(parameters, noun="parameter"),
            force=force,
        )
        execution = executions.start(opened.store, opened.library, wanted, now())
        drive(opened, execution, task_retries=task_retries, as_json=False)
        deployments.delete(opened.store, opened.home, deployment.id, force=force)
        click.echo(f"Deployment {deployment.id} deleted")
        try:
            blueprints.delete(opened.store, deployment.blueprint)
        except Conflict as conflict:
            click.echo(f"Kept its blueprint. {conflict.message}")
        else:
            click.echo(f"Blueprint {deployment.blueprint} deleted")
