"""`groundplan blueprints`: check, plan, upload and read blueprints."""

import gc
from collections.abc import Sequence
from pathlib import Path

import click

from groundplan.cli.options import as_json, engine, given_inputs, print_json, print_record, print_table
from groundplan.cli.views import records
from groundplan.diagnostics.render import render, to_json
from groundplan.diagnostics.trouble import UsageError
from groundplan.model.blueprint import to_plan
from groundplan.model.ids import BlueprintId
from groundplan.service import blueprints as use_case
from groundplan.service.assembly import Engine, now
from groundplan.service.given import read_given

_FILES = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
_LOCAL = click.option(
    "--allow-local-files", is_flag=True, help="Let imports lead out of the blueprint's folder: for your own blueprints."
)


@click.group()
def blueprints() -> None:
    """Check, upload and read blueprints."""


def _read(opened: Engine, files: Sequence[Path], allow_local_files: bool) -> list[use_case.Compiled]:
    """Read blueprints; of a folder, its main file.

    The garbage collector is off meanwhile: a blueprint holds no cycles, and is held until the process ends. It is
    switched here, not in a library, since the switch is the whole process's.
    """
    gc.disable()
    try:
        mains = (file / use_case.DEFAULT_MAIN if file.is_dir() else file for file in files)
        return [use_case.read(file, opened.fetch, allow_local_files=allow_local_files) for file in mains]
    finally:
        gc.freeze()
        gc.enable()


@blueprints.command()
@_FILES
@_LOCAL
@click.option("--blueprints-only", is_flag=True, help="Pass over YAML files that are no blueprints.")
@as_json
def validate(files: tuple[Path, ...], allow_local_files: bool, blueprints_only: bool, as_json: bool) -> None:
    """Read blueprints (files, or folders with a blueprint.yaml) and show every fault, at its place; stores nothing."""
    if blueprints_only:
        files = tuple(file for file in files if file.is_file() and use_case.is_blueprint(file))
    with engine(quiet=as_json) as opened:
        found = _read(opened, files, allow_local_files)
    if as_json:
        print_json([{"file": str(item.file), "diagnostics": to_json(item.report)} for item in found])
    else:
        for item in found:
            if item.report.diagnostics:
                click.echo(render(item.report), err=True)
            if item.blueprint is not None:
                click.echo(f"{item.file}: valid")
    if any(item.blueprint is None for item in found):
        raise click.exceptions.Exit(2)


@blueprints.command()
@_FILES
@_LOCAL
@as_json
def plan(files: tuple[Path, ...], allow_local_files: bool, as_json: bool) -> None:
    """Show what blueprints are once read: types and operations merged, functions as written."""
    with engine(quiet=as_json) as opened:
        found = _read(opened, files, allow_local_files)
    if as_json:
        print_json([_plan_record(item) for item in found])
    else:
        for item in found:
            _show_plan(item)
    if any(item.blueprint is None for item in found):
        raise click.exceptions.Exit(2)


def _plan_record(item: use_case.Compiled) -> dict[str, object]:
    record: dict[str, object] = {"file": str(item.file)}
    if item.blueprint is not None:
        record["plan"] = to_plan(item.blueprint)
    if item.blueprint is None or item.report.diagnostics:
        record["diagnostics"] = to_json(item.report)
    return record


def _show_plan(item: use_case.Compiled) -> None:
    if item.report.diagnostics:
        click.echo(render(item.report), err=True)
    if item.blueprint is None:
        return
    click.echo(f"{item.file}: {len(item.blueprint.nodes)} node templates, {len(item.blueprint.inputs)} inputs")
    rows = [
        (
            node.name,
            node.type,
            ", ".join(f"{link.type.rpartition('.')[2]} {link.target}" for link in node.relationships),
            ", ".join(
                dict.fromkeys(name.rpartition(".")[2] for name, run in node.operations.items() if not run.is_nop)
            ),
        )
        for node in item.blueprint.nodes.values()
    ]
    print_table(["node", "type", "relationships", "operations"], rows, empty="No node templates.")


@blueprints.command()
@click.argument("folder", default=Path("."), type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Start a blueprint in FOLDER (default: here): one that works, with a script and tests."""
    from groundplan.service.starting import start_blueprint

    for path in start_blueprint(folder):
        click.echo(f"Wrote {path}")
    click.echo(f"Try it: groundplan install {folder / use_case.DEFAULT_MAIN} -i name=Ada")


@blueprints.command()
@click.option("--version", "version", help="Of one version of the language only, for example 1_5; default: of any.")
def schema(version: str | None) -> None:
    """Print the language as a JSON Schema: for editors with the YAML language server."""
    from groundplan.dsl.json_schema import json_schema
    from groundplan.dsl.versions import PREFIX, VERSIONS

    chosen = None if version is None else VERSIONS.get(PREFIX + version.removeprefix(PREFIX))
    if version is not None and chosen is None:
        raise UsageError(f"There is no version {version!r} of the language: {', '.join(VERSIONS)}.")
    print_json(json_schema(chosen))


@blueprints.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write there; default: Mermaid to the screen.")
@click.option(
    "--format", "form", type=click.Choice(("mermaid", "svg", "png")), help="Default: by the ending of --output."
)
@given_inputs
@_LOCAL
def graph(file: Path, output: Path | None, form: str | None, inputs: tuple[str, ...], allow_local_files: bool) -> None:
    """Draw a blueprint: templates, relationships, and the uploaded blueprints that its components name."""
    from groundplan.cli.views.graph import form_of, write

    chosen = form_of(form, output)
    with engine(quiet=output is None) as opened:
        with use_case.opened(file) as main:
            (found,) = _read(opened, [main], allow_local_files)
        if found.report.diagnostics:
            click.echo(render(found.report), err=True)
        if found.blueprint is None:
            raise click.exceptions.Exit(2)
        write(opened, file, found.blueprint, read_given(inputs), chosen, output)


@blueprints.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--all", "whole_tree", is_flag=True, help="PATH is a folder: upload every blueprint in its tree.")
@click.option("-b", "--blueprint-id", help="The id; default: metadata.id in the file, else the folder's name.")
@click.option(
    "-n", "--blueprint-filename", default=use_case.DEFAULT_MAIN, help="The main file, where PATH is a folder."
)
@click.option("--replace", is_flag=True, help="Put other content in the place of what the id has.")
def upload(
    path: Path | None, whole_tree: bool, blueprint_id: str | None, blueprint_filename: str, replace: bool
) -> None:
    """Upload the blueprint at PATH (a YAML file, a folder, or an archive), with the folder that it lies in."""
    if path is None:
        raise UsageError("Name a blueprint, or a folder with --all.")
    if whole_tree and blueprint_id is not None:
        raise UsageError("-b names one blueprint, --all uploads several.")
    with engine() as opened:
        if whole_tree:
            _upload_tree(opened, path, replace)
        else:
            chosen = None if blueprint_id is None else BlueprintId(blueprint_id)
            with use_case.opened(path, blueprint_filename) as file:
                _upload_one(opened, file, chosen, path, replace)


def _upload_tree(opened: Engine, folder: Path, replace: bool) -> None:
    """Upload each blueprint of a tree; one with faults keeps none of the others out."""
    refused = False
    for file in use_case.find_files(folder):
        try:
            _upload_one(opened, file, None, file, replace)
        except use_case.Refused as error:
            click.echo(render(error.report), err=True)
            click.echo(f"Blueprint of {file} refused", err=True)
            refused = True
    if refused:
        raise click.exceptions.Exit(2)


def _upload_one(opened: Engine, file: Path, chosen: BlueprintId | None, shown: Path, replace: bool) -> None:
    done = use_case.upload(opened.store, opened.home, opened.fetch, file, now(), id=chosen, replace=replace)
    if done.report.diagnostics:
        click.echo(render(done.report), err=True)
    click.echo(f"Blueprint {done.blueprint.id} {done.change} ({shown})")


@blueprints.command(name="list")
@as_json
def list_(as_json: bool) -> None:
    """List the uploaded blueprints."""
    with engine(quiet=as_json) as opened:
        found = use_case.listing(opened.store)
    if as_json:
        print_json([records.blueprint(item) for item in found])
        return
    rows = [
        (item.id, (item.description or "").strip()[:60], item.main_file, records.moment(item.updated_at))
        for item in found
    ]
    print_table(["id", "description", "main file", "updated"], rows, empty="No blueprints yet.")


@blueprints.command()
@click.argument("blueprint_id")
@as_json
def get(blueprint_id: str, as_json: bool) -> None:
    """Show an uploaded blueprint."""
    with engine(quiet=as_json) as opened:
        found, plan_ = use_case.plan(opened.store, BlueprintId(blueprint_id))
    if as_json:
        print_json({**records.blueprint(found), "plan": plan_})
        return
    print_record({**records.blueprint(found), "nodes": ", ".join(plan_["nodes"])})


@blueprints.command()
@click.argument("blueprint_id")
@as_json
def inputs(blueprint_id: str, as_json: bool) -> None:
    """Show the inputs that a blueprint takes."""
    with engine(quiet=as_json) as opened:
        _, plan_ = use_case.plan(opened.store, BlueprintId(blueprint_id))
    if as_json:
        print_json(plan_["inputs"])
        return
    rows = [
        (name, item.get("type", "-"), item.get("default", "-"), (item.get("description") or "-").strip())
        for name, item in plan_["inputs"].items()
    ]
    print_table(["name", "type", "default", "description"], rows, empty="It takes no inputs.")


@blueprints.command()
@click.argument("blueprint_id")
def delete(blueprint_id: str) -> None:
    """Forget a blueprint that no deployment uses."""
    with engine() as opened:
        use_case.delete(opened.store, BlueprintId(blueprint_id))
        click.echo(f"Blueprint {blueprint_id} deleted")
