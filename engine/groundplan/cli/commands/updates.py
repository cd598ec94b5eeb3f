"""`groundplan deployments update`, `get-update` and `history`: give a deployment another blueprint or other inputs."""

import getpass
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from groundplan.cli.options import as_json, engine, given_inputs, print_json, print_table
from groundplan.cli.running import drive, operations_option, retries_option
from groundplan.cli.views import records, updates
from groundplan.model.blueprint import Blueprint
from groundplan.model.ids import BlueprintId, DeploymentId, InstanceId
from groundplan.model.update import UpdateId
from groundplan.service import blueprints as uploading
from groundplan.service import deployments
from groundplan.service import updates as use_case
from groundplan.service.assembly import Engine, now
from groundplan.service.given import read_given
from groundplan.service.preparing import NewUpdate

_IGNORED = {
    "install_first": "--install-first does nothing: what goes is uninstalled before what is added is installed.",
    "dont_update_plugins": "--dont-update-plugins does nothing: plugins are Python packages and stay as installed.",
    "reevaluate_active_statuses": "--reevaluate-active-statuses does nothing: the state of an update is always read "
    "from its execution.",
    "runtime_only_evaluation": "--runtime-only-evaluation does nothing: functions are always evaluated at run time.",
}


_F = TypeVar("_F", bound=Callable[..., Any])
_WISHES = (
    click.option(
        "-w", "--workflow-id", default="", help="A workflow of the new blueprint to run instead of the built-in."
    ),
    click.option("--skip-install", is_flag=True, help="Do not install what is added."),
    click.option("--skip-uninstall", is_flag=True, help="Do not uninstall what is removed."),
    click.option("--skip-reinstall", is_flag=True, help="Reinstall nothing but --reinstall-list."),
    click.option("--skip-drift-check", is_flag=True, help="Take every instance whose template changes for drifted."),
    click.option("--skip-heal", is_flag=True, help="Do not look for instances that are unwell."),
    click.option("--force-reinstall", is_flag=True, help="Reinstall where an update would do."),
    click.option("--ignore-failure", is_flag=True, help="Go on when something cannot be uninstalled."),
    click.option("--drift-only", is_flag=True, help="Change nothing but what has drifted."),
    click.option("--auto-correct-types", is_flag=True, help="Make numbers, true and false of texts where declared."),
    click.option("-f", "--force", is_flag=True, help="Although others need the deployment, or something runs in it."),
    click.option("--install-first", is_flag=True, help="Accepted; does nothing."),
    click.option("--dont-update-plugins", is_flag=True, help="Accepted; does nothing."),
    click.option("--reevaluate-active-statuses", is_flag=True, help="Accepted; does nothing."),
    click.option("--runtime-only-evaluation", is_flag=True, help="Accepted; does nothing."),
)


def wishes(function: _F) -> _F:
    """Add the options that say how an update is done."""
    for option in reversed(_WISHES):
        function = option(function)
    return function


def as_update(wished: dict[str, Any], **more: Any) -> NewUpdate:
    """Return the update that those options ask for, and say which of them do nothing.

    Args:
        more: further fields of the update.
    """
    for name, words in _IGNORED.items():
        if wished.pop(name):
            click.echo(words, err=True)
    workflow, convert = wished.pop("workflow_id"), wished.pop("auto_correct_types")
    return NewUpdate(workflow=workflow, convert=convert, by=getpass.getuser(), **wished, **more)


@click.command()
@click.argument("deployment_id")
@click.option("-b", "--blueprint-id", help="The uploaded blueprint that the deployment is to have.")
@click.option(
    "-p",
    "--blueprint-path",
    type=click.Path(path_type=Path),
    help="Upload this first (file, folder, archive), under the id of -b; default: in place of the deployment's own.",
)
@click.option("-n", "--blueprint-filename", default=uploading.DEFAULT_MAIN, help="The main file, where -p is a folder.")
@given_inputs
@click.option("--preview", is_flag=True, help="Show what would be done; change nothing.")
@click.option("-r", "--reinstall-list", multiple=True, metavar="INSTANCE", help="Reinstall this too. Repeatable.")
@wishes
@retries_option
@operations_option
@as_json
def update(
    deployment_id: str,
    blueprint_id: str | None,
    blueprint_path: Path | None,
    blueprint_filename: str,
    inputs: tuple[str, ...],
    preview: bool,
    reinstall_list: tuple[str, ...],
    task_retries: int | None,
    as_json: bool,
    **wished: Any,
) -> None:
    """Give a deployment another blueprint or other inputs, and do what that takes, with live progress, until it ends.

    What is removed is uninstalled, what has changed is updated or reinstalled, what is added is installed. See it
    beforehand with --preview.
    """
    with engine(quiet=as_json) as opened:
        wanted = None if blueprint_id is None else BlueprintId(blueprint_id)
        content = None
        if blueprint_path is not None and preview:
            content = _read(opened, blueprint_path, blueprint_filename)
        elif blueprint_path is not None:
            wanted = _upload(opened, blueprint_path, blueprint_filename, wanted, deployment_id, quiet=as_json)
        new = as_update(
            wished,
            deployment=DeploymentId(deployment_id),
            blueprint=wanted,
            content=content,
            inputs=read_given(inputs),
            reinstall=tuple(InstanceId(part.strip()) for text in reinstall_list for part in text.split(",")),
        )
        if preview:
            _preview(opened, new, as_json=as_json)
            return
        execution = use_case.start(opened.store, opened.library, opened.home, new, now())
        if not as_json:
            click.echo(f"Update {execution.parameters['update_id']} of {deployment_id} (execution {execution.id})")
        drive(opened, execution, task_retries=task_retries, as_json=as_json)


def _read(opened: Engine, path: Path, main_file: str) -> Blueprint:
    """Read a blueprint that is only to be previewed; nothing is uploaded."""
    with uploading.opened(path, main_file) as file:
        compiled = uploading.read(file, opened.fetch)
    if compiled.blueprint is None:
        raise uploading.Refused(compiled.report)
    return compiled.blueprint


def _upload(
    opened: Engine, path: Path, main_file: str, wanted: BlueprintId | None, deployment: str, *, quiet: bool
) -> BlueprintId:
    with opened.store.snapshot() as snapshot:
        own = deployments.existing(snapshot, DeploymentId(deployment)).blueprint
    id_ = wanted or own
    with uploading.opened(path, main_file) as file:
        done = uploading.upload(opened.store, opened.home, opened.fetch, file, now(), id=id_, replace=id_ == own)
    if not quiet:
        click.echo(f"Blueprint {done.blueprint.id} {done.change}")
    return done.blueprint.id


def _preview(opened: Engine, new: NewUpdate, *, as_json: bool) -> None:
    found = use_case.preview(opened.store, opened.library, new, now())
    if as_json:
        print_json(updates.preview_record(found))
    else:
        _say(updates.preview_lines(found))


@click.command(name="get-update")
@click.argument("update_id")
@as_json
def get_update(update_id: str, as_json: bool) -> None:
    """Show an update: what differed, and what became of node instances."""
    with engine(quiet=as_json) as opened:
        found = use_case.get(opened.store, UpdateId(update_id))
    if as_json:
        print_json(updates.update_record(found))
    else:
        _say(updates.update_lines(found))


@click.command()
@click.option("-d", "--deployment-id", help="Only those of one deployment.")
@as_json
def history(deployment_id: str | None, as_json: bool) -> None:
    """List updates of deployments, previews included, oldest first."""
    with engine(quiet=as_json) as opened:
        chosen = None if deployment_id is None else DeploymentId(deployment_id)
        found = use_case.listing(opened.store, chosen)
    if as_json:
        print_json([updates.update_record(item) for item in found])
        return
    rows = [
        (
            item.id,
            item.deployment,
            item.state,
            item.execution,
            records.moment(item.created_at),
            item.by,
            item.old_blueprint,
            item.new_blueprint,
        )
        for item in found
    ]
    print_table(
        ["id", "deployment", "state", "execution", "created", "by", "old blueprint", "new blueprint"],
        rows,
        empty="No updates yet.",
    )


def _say(lines: Sequence[str]) -> None:
    click.echo("\n".join(lines))
