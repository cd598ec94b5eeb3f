"""`groundplan deployments groups`: deployments that belong together."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from groundplan.cli.commands.execution_groups import concurrency_option, go_on, waiting_options
from groundplan.cli.commands.labels import group_labels
from groundplan.cli.commands.updates import as_update, wishes
from groundplan.cli.options import as_json, engine, given_inputs, print_json, print_table
from groundplan.cli.running import retries_option
from groundplan.cli.views import records
from groundplan.diagnostics.trouble import UsageError
from groundplan.model.ids import BlueprintId, DeploymentId, GroupId
from groundplan.service import deployment_groups as use_case
from groundplan.service import group_updates, standing
from groundplan.service.assembly import now
from groundplan.service.given import read_given

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def groups() -> None:
    """Keep deployments together, to run a workflow on all of them."""


groups.add_command(group_labels)


def _wanted(function: F) -> F:
    """Add the options that say what a group is."""
    function = click.option("--description", help="Words for people.")(function)
    function = given_inputs(function)
    return click.option("-b", "--default-blueprint", help="What deployments are made of in the group.")(function)


def _selected(function: F) -> F:
    """Add the options that select deployments that exist."""
    function = click.option("--from-group", help="Those of another group.")(function)
    return click.option("-d", "--deployment-id", "deployments", multiple=True, help="One by its id. Repeatable.")(
        function
    )


@groups.command()
@click.argument("name")
@_wanted
def create(name: str, default_blueprint: str | None, inputs: tuple[str, ...], description: str | None) -> None:
    """Make the group NAME, without deployments."""
    with engine() as opened:
        made = use_case.create(opened.store, GroupId(name), _as_wanted(default_blueprint, inputs, description), now())
        click.echo(f"Group {made.id} created. Add deployments: groundplan deployments groups extend {made.id}")


@groups.command()
@click.argument("name")
@_wanted
def update(name: str, default_blueprint: str | None, inputs: tuple[str, ...], description: str | None) -> None:
    """Change what the group NAME is. Its deployments stay as they are."""
    with engine() as opened:
        use_case.update(opened.store, GroupId(name), _as_wanted(default_blueprint, inputs, description))
        click.echo(f"Group {name} updated")


def _as_wanted(blueprint: str | None, inputs: tuple[str, ...], description: str | None) -> use_case.Wanted:
    return use_case.Wanted(
        blueprint=None if blueprint is None else BlueprintId(blueprint),
        inputs=read_given(inputs) if inputs else None,
        description=description,
    )


@groups.command()
@click.argument("name")
@_selected
@click.option("--count", type=click.IntRange(min=1), help="Make so many of the group's blueprint and inputs.")
@click.option("--into-environments", metavar="GROUP", help="Make one in each deployment of another group.")
@as_json
def extend(
    name: str,
    deployments: tuple[str, ...],
    from_group: str | None,
    count: int | None,
    into_environments: str | None,
    as_json: bool,
) -> None:
    """Add deployments to the group NAME: some that exist, or new ones. All are added or none."""
    if count is not None and into_environments is not None:
        raise UsageError("--count and --into-environments both say how many to make: give one of them.")
    selection = _selection(deployments, from_group)
    if not (deployments or from_group or count or into_environments):
        raise UsageError("Say which deployments: -d, --from-group, --count or --into-environments.")
    extension = use_case.Extension(
        selection=selection,
        count=count or 0,
        into_environments=None if into_environments is None else GroupId(into_environments),
    )
    with engine(quiet=as_json) as opened:
        joined, made = use_case.extend(opened.store, opened.library, GroupId(name), extension, now())
    if as_json:
        print_json({"id": name, "joined": joined, "created": made})
        return
    click.echo(f"Group {name} extended: {len(joined)} joined, {len(made)} made")
    for each in made:
        click.echo(f"  {each}")


@groups.command()
@click.argument("name")
@_selected
def shrink(name: str, deployments: tuple[str, ...], from_group: str | None) -> None:
    """Take deployments out of the group NAME. They are not deleted."""
    if not (deployments or from_group):
        raise UsageError("Say which deployments: -d or --from-group.")
    with engine() as opened:
        gone = use_case.shrink(opened.store, GroupId(name), _selection(deployments, from_group))
        click.echo(f"Group {name} shrunk: {len(gone)} taken out")


def _selection(deployments: tuple[str, ...], from_group: str | None) -> use_case.Selection:
    return use_case.Selection(
        deployments=[DeploymentId(each) for each in deployments],
        from_group=None if from_group is None else GroupId(from_group),
    )


@groups.command(name="list")
@as_json
def list_(as_json: bool) -> None:
    """List the groups."""
    with engine(quiet=as_json) as opened:
        found = use_case.listing(opened.store)
    if as_json:
        print_json([records.deployment_group(group, count) for group, count in found])
        return
    rows = [(group.id, count, group.description, group.blueprint or "") for group, count in found]
    print_table(["id", "deployments", "description", "default blueprint"], rows, empty="No deployment groups yet.")


@groups.command()
@click.argument("name")
@as_json
def details(name: str, as_json: bool) -> None:
    """Show the group NAME with its deployments, and how they stand."""
    with engine(quiet=as_json) as opened, opened.store.snapshot() as snapshot:
        group = use_case.existing(snapshot, GroupId(name))
        found = [standing.status(snapshot, each) for each in snapshot.members(group.id)]
    if as_json:
        members = [records.deployment(item) for item in found]
        print_json(
            {**records.deployment_group(group, len(found)), "deployment_ids": [it["id"] for it in members]}
            | {"members": members}
        )
        return
    click.echo(f"{group.id}: {group.description or 'a group'}, {len(found)} deployments")
    if group.blueprint is not None:
        click.echo(f"New ones are made of blueprint {group.blueprint}")
    rows = [records.deployment_row(item) for item in found]
    print_table(records.DEPLOYMENT_COLUMNS, rows, empty="It has no deployments.")


@groups.command()
@click.argument("name")
@click.option("--delete-deployments", is_flag=True, help="Delete its deployments as well.")
@click.option("-f", "--force", is_flag=True, help="Those too that are installed or that others need.")
def delete(name: str, delete_deployments: bool, force: bool) -> None:
    """Delete the group NAME. Its deployments stay, unless it is said otherwise."""
    if force and not delete_deployments:
        raise UsageError("--force is about deployments: it goes with --delete-deployments.")
    with engine() as opened:
        gone = use_case.delete(
            opened.store, opened.home, GroupId(name), with_deployments=delete_deployments, force=force
        )
        rest = f", and {len(gone)} deployments" if delete_deployments else "; its deployments stay"
        click.echo(f"Group {name} deleted{rest}")


@groups.command(name="update-deployments")
@click.argument("name")
@click.option("-b", "--blueprint-id", help="The uploaded blueprint that they are to have.")
@given_inputs
@wishes
@concurrency_option
@waiting_options
@retries_option
@as_json
def update_deployments(
    name: str,
    blueprint_id: str | None,
    inputs: tuple[str, ...],
    concurrency: int,
    no_wait: bool,
    timeout: float | None,
    task_retries: int | None,
    as_json: bool,
    **wished: Any,
) -> None:
    """Give all deployments of the group NAME another blueprint or other inputs, here, until all have ended.

    All updates begin or none does; one that fails then stops no other. See what it would do to one of them with
    `groundplan deployments update DEPLOYMENT --preview`.
    """
    wanted = as_update(
        wished,
        deployment=DeploymentId(""),
        blueprint=None if blueprint_id is None else BlueprintId(blueprint_id),
        inputs=read_given(inputs),
    )
    new = group_updates.GroupUpdate(group=GroupId(name), wanted=wanted, concurrency=concurrency)
    with engine(quiet=as_json) as opened:
        made = group_updates.start(opened.store, opened.library, opened.home, new, now())
        go_on(opened, made.id, no_wait, timeout, task_retries, as_json=as_json)
