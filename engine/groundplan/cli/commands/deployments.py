"""`groundplan deployments`: environments made from blueprints."""

from collections.abc import Mapping

import click

from groundplan.cli.commands import updates
from groundplan.cli.commands.deployment_groups import groups
from groundplan.cli.commands.labels import labels as labels_commands
from groundplan.cli.commands.labels import read_labels
from groundplan.cli.options import as_json, engine, given_inputs, print_json, print_record, print_table, reveal_option
from groundplan.cli.views import records
from groundplan.diagnostics.visible import visible
from groundplan.model.ids import BlueprintId, DeploymentId, GroupId
from groundplan.model.values import Data, conceal, reveal
from groundplan.service import deployment_groups, standing
from groundplan.service import deployments as use_case
from groundplan.service.assembly import now
from groundplan.service.given import read_given
from groundplan.service.revealing import note_reveal


@click.group()
def deployments() -> None:
    """Make, read and delete deployments."""


deployments.add_command(updates.update)
deployments.add_command(updates.get_update)
deployments.add_command(updates.history)
deployments.add_command(groups)
deployments.add_command(labels_commands)


@deployments.command()
@click.argument("deployment_id", required=False)
@click.option("-b", "--blueprint-id", required=True, help="The uploaded blueprint.")
@given_inputs
@click.option("--labels", multiple=True, metavar="K:V,K:V", help="Labels. Repeatable.")
@click.option("-n", "--display-name", default="", help="A name for people.")
def create(
    deployment_id: str | None, blueprint_id: str, inputs: tuple[str, ...], labels: tuple[str, ...], display_name: str
) -> None:
    """Make a deployment; its id is the blueprint's unless DEPLOYMENT_ID is given. Nothing runs yet."""
    new = use_case.NewDeployment(
        id=DeploymentId(blueprint_id if deployment_id is None else deployment_id),
        blueprint=BlueprintId(blueprint_id),
        inputs=read_given(inputs),
        labels=read_labels(labels) if labels else {},
        display_name=display_name,
    )
    with engine() as opened:
        made = use_case.create(opened.store, opened.library, new, now())
        click.echo(f"Deployment {made.id} created. Install it: groundplan executions start install -d {made.id}")


@deployments.command(name="list")
@click.option("-g", "--group-id", help="Only those of a group.")
@as_json
def list_(group_id: str | None, as_json: bool) -> None:
    """List deployments with how they stand."""
    with engine(quiet=as_json) as opened:
        found = standing.listing(opened.store)
        if group_id is not None:
            members = set(deployment_groups.members(opened.store, GroupId(group_id)))
            found = [item for item in found if item.deployment.id in members]
    if as_json:
        print_json([records.deployment(item) for item in found])
        return
    rows = [records.deployment_row(item) for item in found]
    print_table(records.DEPLOYMENT_COLUMNS, rows, empty="No deployments yet." if group_id is None else "None in it.")


@deployments.command()
@click.argument("deployment_id")
@as_json
def get(deployment_id: str, as_json: bool) -> None:
    """Show how a deployment stands."""
    with engine(quiet=as_json) as opened, opened.store.snapshot() as snapshot:
        found = standing.status(snapshot, DeploymentId(deployment_id))
    record = records.deployment(found)
    if as_json:
        print_json(record)
        return
    print_record(record)


@deployments.command()
@click.argument("deployment_id")
@reveal_option
@as_json
def inputs(deployment_id: str, reveal: bool, as_json: bool) -> None:
    """Show the inputs that a deployment was made with."""
    with engine(quiet=as_json) as opened:
        with opened.store.snapshot() as snapshot:
            found = dict(use_case.existing(snapshot, DeploymentId(deployment_id)).inputs)
        if reveal:
            note_reveal(opened.store, f"inputs of {deployment_id}", now(), deployment=deployment_id)
    shown = _shown(found, revealed=reveal)
    if as_json:
        print_json(shown)
        return
    for name, value in shown.items():
        click.echo(f'- "{name}":\n    Value: {visible(str(value))}')


@deployments.command()
@click.argument("deployment_id")
@reveal_option
@as_json
def outputs(deployment_id: str, reveal: bool, as_json: bool) -> None:
    """Show a deployment's outputs, as they are now."""
    with engine(quiet=as_json) as opened:
        found = use_case.outputs(opened.store, opened.library, DeploymentId(deployment_id))
        if reveal:
            note_reveal(opened.store, f"outputs of {deployment_id}", now(), deployment=deployment_id)
    _show_values(found, revealed=reveal, as_json=as_json)


@deployments.command()
@click.argument("deployment_id")
@reveal_option
@as_json
def capabilities(deployment_id: str, reveal: bool, as_json: bool) -> None:
    """Show a deployment's capabilities, as they are now."""
    with engine(quiet=as_json) as opened:
        found = use_case.capabilities(opened.store, opened.library, DeploymentId(deployment_id))
        if reveal:
            note_reveal(opened.store, f"capabilities of {deployment_id}", now(), deployment=deployment_id)
    _show_values(found, revealed=reveal, as_json=as_json)


def _show_values(found: Mapping[str, tuple[Data, str | None]], *, revealed: bool, as_json: bool) -> None:
    record = records.values(found, revealed=revealed)
    if as_json:
        print_json(record)
        return
    for name, item in record.items():
        click.echo(f'- "{name}":')
        if item["description"]:
            click.echo(f"    Description: {item['description'].strip()}")
        click.echo(f"    Value: {visible(str(item['value']))}")


def _shown(data: Mapping[str, Data], *, revealed: bool) -> dict[str, Data]:
    shown: dict[str, Data] = reveal(dict(data)) if revealed else conceal(dict(data))
    return shown


@deployments.command()
@click.argument("deployment_id")
@click.option("-f", "--force", is_flag=True, help="Although it is installed or others need it.")
@click.option("--recursive", is_flag=True, help="The deployments that stand in it first.")
def delete(deployment_id: str, force: bool, recursive: bool) -> None:
    """Forget a deployment that is uninstalled and that nothing needs."""
    with engine() as opened:
        gone = use_case.delete(opened.store, opened.home, DeploymentId(deployment_id), force=force, recursive=recursive)
        for each in gone:
            click.echo(f"Deployment {each} deleted")
