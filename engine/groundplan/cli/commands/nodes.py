"""`groundplan nodes` and `groundplan node-instances`: what a deployment is made of."""

import click

from groundplan.cli.options import as_json, engine, print_json, print_record, print_table, reveal_option
from groundplan.cli.views import records
from groundplan.model.deployment import NodeInstance
from groundplan.model.ids import DeploymentId, InstanceId
from groundplan.planning.health import is_available, is_drifted
from groundplan.service import deployments as use_case
from groundplan.service.assembly import now
from groundplan.service.revealing import note_reveal

_DEPLOYMENT = click.option("-d", "--deployment-id", required=True, help="The deployment.")


@click.group()
def nodes() -> None:
    """Read the node templates of deployments."""


@nodes.command(name="list")
@_DEPLOYMENT
@as_json
def list_nodes(deployment_id: str, as_json: bool) -> None:
    """List the nodes of a deployment."""
    with engine(quiet=as_json) as opened, opened.store.snapshot() as snapshot:
        deployment = use_case.existing(snapshot, DeploymentId(deployment_id))
        world = opened.library.world(snapshot, deployment)
        begun = deployment.scaling.modification
        coming = set() if begun is None else set(begun.added)
        going = set() if begun is None else set(begun.removed)
        found = [
            {
                "id": node.name,
                "deployment_id": deployment.id,
                "blueprint_id": deployment.blueprint,
                "type": node.type,
                "number_of_instances": sum(item.id not in coming for item in world.instances_of(node.name)),
                "planned_number_of_instances": sum(item.id not in going for item in world.instances_of(node.name)),
                "relationships": [f"{link.type} {link.target}" for link in node.relationships],
            }
            for node in world.blueprint.nodes.values()
        ]
    if as_json:
        print_json(found)
        return
    rows = [
        (item["id"], item["type"], item["number_of_instances"], item["planned_number_of_instances"]) for item in found
    ]
    print_table(["id", "type", "instances", "planned"], rows, empty="It has no nodes.")


@click.group(name="node-instances")
def node_instances() -> None:
    """Read the node instances of deployments."""


def _health(item: NodeInstance) -> str:
    """Return what the last checks found, for people; empty when nobody has looked."""
    available = is_available(item)
    words = [] if available is None else ["ok" if available else "unavailable"]
    return ", ".join([*words, "drifted"] if is_drifted(item) else words)


@node_instances.command(name="list")
@_DEPLOYMENT
@click.option("-n", "--node-name", help="Only those of one node.")
@reveal_option
@as_json
def list_instances(deployment_id: str, node_name: str | None, reveal: bool, as_json: bool) -> None:
    """List the node instances of a deployment."""
    with engine(quiet=as_json) as opened:
        with opened.store.snapshot() as snapshot:
            use_case.existing(snapshot, DeploymentId(deployment_id))
            found = [
                item
                for item in snapshot.instances(DeploymentId(deployment_id))
                if node_name is None or item.node == node_name
            ]
        if reveal:
            note_reveal(opened.store, f"node instances of {deployment_id}", now(), deployment=deployment_id)
    if as_json:
        print_json([records.instance(deployment_id, item, revealed=reveal) for item in found])
        return
    rows = [(item.id, item.node, item.state, item.host or "", _health(item)) for item in found]
    print_table(["id", "node", "state", "host", "health"], rows, empty="No node instances.")


@node_instances.command(name="get")
@click.argument("node_instance_id")
@_DEPLOYMENT
@reveal_option
@as_json
def get_instance(node_instance_id: str, deployment_id: str, reveal: bool, as_json: bool) -> None:
    """Show a node instance: its state, its properties, and what the last checks found."""
    with engine(quiet=as_json) as opened:
        with opened.store.snapshot() as snapshot:
            found = use_case.instance(snapshot, DeploymentId(deployment_id), InstanceId(node_instance_id))
        if reveal:
            note_reveal(opened.store, f"node instance {node_instance_id}", now(), deployment=deployment_id)
    record = records.instance(deployment_id, found, revealed=reveal)
    if as_json:
        print_json(record)
        return
    print_record(record)
