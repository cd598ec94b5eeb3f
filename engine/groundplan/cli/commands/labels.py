"""`groundplan deployments labels`, and the same for all deployments of a group."""

from collections import Counter
from collections.abc import Mapping, Sequence

import click

from groundplan.cli.options import as_json, engine, print_json, print_table
from groundplan.diagnostics.trouble import UsageError
from groundplan.model.ids import DeploymentId, GroupId
from groundplan.service import deployment_groups, deployments, relabelling
from groundplan.service.assembly import Engine


def read_labels(texts: Sequence[str], *, bare_keys: bool = False) -> Mapping[str, tuple[str, ...]]:
    """Return labels written as `key:value,key:value`.

    Args:
        bare_keys: a key may stand alone.

    Raises:
        UsageError: one is not written so.
    """
    labels: dict[str, tuple[str, ...]] = {}
    for pair in (part for text in texts for part in text.split(",") if part.strip()):
        key, colon, value = (part.strip() for part in pair.partition(":"))
        if not key or not (value or (bare_keys and not colon)):
            raise UsageError(f"{pair!r} is not a label.", fix="Write key:value.")
        labels[key.lower()] = (*labels.get(key.lower(), ()), *([value] if value else []))
    if not labels:
        raise UsageError("No label is given.", fix="Write key:value,key:value.")
    return labels


@click.group(name="labels")
def labels() -> None:
    """Label a deployment."""


@labels.command(name="list")
@click.argument("deployment_id")
@as_json
def list_(deployment_id: str, as_json: bool) -> None:
    """List the labels of a deployment."""
    with engine(quiet=as_json) as opened, opened.store.snapshot() as snapshot:
        found = deployments.existing(snapshot, DeploymentId(deployment_id)).labels
    if as_json:
        print_json([{"key": key, "values": list(values)} for key, values in sorted(found.items())])
        return
    rows = [(key, ", ".join(values)) for key, values in sorted(found.items())]
    print_table(["key", "values"], rows, empty="It has no labels.")


@labels.command()
@click.argument("labels")
@click.argument("deployment_id")
def add(labels: str, deployment_id: str) -> None:
    """Give a deployment LABELS: key:value,key:value. Those that it has stay."""
    with engine() as opened:
        changed = relabelling.add_labels(opened.store, [DeploymentId(deployment_id)], read_labels([labels]))
        click.echo(f"Deployment {deployment_id} {'labelled' if changed else 'has these labels already'}")


@labels.command()
@click.argument("labels")
@click.argument("deployment_id")
def delete(labels: str, deployment_id: str) -> None:
    """Take LABELS from a deployment: key:value for one value, key for all of its values."""
    wanted = read_labels([labels], bare_keys=True)
    with engine() as opened:
        relabelling.remove_labels(opened.store, [DeploymentId(deployment_id)], wanted)
        click.echo(f"Deployment {deployment_id} has other labels now")


@click.group(name="labels")
def group_labels() -> None:
    """Label all deployments that are in a group now."""


@group_labels.command(name="list")
@click.argument("name")
@as_json
def list_of_group(name: str, as_json: bool) -> None:
    """List the labels of the deployments in the group NAME, and how many have each."""
    with engine(quiet=as_json) as opened, opened.store.snapshot() as snapshot:
        members = [deployments.existing(snapshot, it) for it in deployment_groups.inhabited(snapshot, GroupId(name))]
    found = Counter((key, value) for item in members for key, values in item.labels.items() for value in values)
    if as_json:
        print_json(
            [{"key": key, "value": value, "deployments": count} for (key, value), count in sorted(found.items())]
        )
        return
    rows = [(key, value, f"{count} of {len(members)}") for (key, value), count in sorted(found.items())]
    print_table(["key", "value", "deployments"], rows, empty="None of them has labels.")


@group_labels.command(name="add")
@click.argument("labels")
@click.argument("name")
def add_to_group(labels: str, name: str) -> None:
    """Give all deployments in the group NAME these LABELS: key:value,key:value."""
    with engine() as opened:
        changed = relabelling.add_labels(opened.store, _members(opened, name), read_labels([labels]))
        click.echo(f"{len(changed)} deployments of group {name} labelled")


@group_labels.command(name="delete")
@click.argument("labels")
@click.argument("name")
def delete_from_group(labels: str, name: str) -> None:
    """Take LABELS from all deployments in the group NAME: key:value for one value, key for all of its values."""
    wanted = read_labels([labels], bare_keys=True)
    with engine() as opened:
        changed = relabelling.remove_labels(opened.store, _members(opened, name), wanted)
        click.echo(f"{len(changed)} deployments of group {name} have other labels now")


def _members(opened: Engine, name: str) -> Sequence[DeploymentId]:
    with opened.store.snapshot() as snapshot:
        return deployment_groups.inhabited(snapshot, GroupId(name))
