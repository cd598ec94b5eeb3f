"""Deployments that stand in another one: it is not taken from under them, and goes with them when that is asked."""

import json

import pytest

from .conftest import Run, Write

ENVIRONMENT = """
node_templates: {vm: {type: groundplan.nodes.Nop}}
capabilities: {zone: {value: a}}
"""
APP = """
inputs: {fail: {type: list, default: []}}
node_templates: {app: {type: groundplan.nodes.Nop, properties: {fail: {get_input: fail}}}}
capabilities: {port: {value: 80}, zone: {value: b}}
outputs: {zone: {value: {get_environment_capability: zone}}}
"""
READER = """
node_templates: {reader: {type: groundplan.nodes.Nop}}
outputs: {port: {value: {get_capability: [app, port]}}}
"""
TREE = {"env": "", "app": "env", "reader": "env", "plugin": "app"}


@pytest.fixture
def tree(run: Run, write: Write) -> Run:
    """Install an environment, an app and its reader in it, and something in the app."""
    for name, body in {"env": ENVIRONMENT, "app": APP, "reader": READER, "plugin": APP}.items():
        labels = ("--labels", f"csys-obj-parent:{TREE[name]}") if TREE[name] else ()
        run("blueprints", "upload", "-b", name, write(name, body))
        run("deployments", "create", name, "-b", name, *labels)
        run("executions", "start", "install", "-d", name)
    return run


def states(run: Run) -> dict[str, str]:
    """The state of each deployment's instance."""
    found = {name: json.loads(run("node-instances", "list", "-d", name, "--json")) for name in TREE}
    return {name: item["state"] for name, (item,) in found.items()}


def ends(run: Run) -> list[str]:
    """The deployments whose uninstall succeeded, in order."""
    found = json.loads(run("executions", "list", "--json"))
    gone = [item for item in found if item["workflow_id"] == "uninstall" and item["status"] == "terminated"]
    return [item["deployment_id"] for item in sorted(gone, key=lambda item: item["ended_at"])]


def test_what_others_stand_in_is_not_taken_away(tree: Run) -> None:
    said = tree("executions", "start", "uninstall", "-d", "env", code=2)
    assert "reader (stands in it)" in said
    assert "plugin" not in said
    assert set(states(tree).values()) == {"started"}


def test_a_recursive_uninstall_begins_with_what_stands_in_it_and_what_needs_that(tree: Run) -> None:
    tree("executions", "start", "uninstall", "-d", "env", "-p", "recursive=true")
    assert set(states(tree).values()) == {"deleted"}
    assert ends(tree) == ["reader", "plugin", "app", "env"]
    said = tree("deployments", "delete", "env", "--recursive")
    assert sorted(said.split()[1::3]) == sorted(TREE)
    assert json.loads(tree("deployments", "list", "--json")) == []


def test_a_failure_comes_up_and_the_uninstall_goes_on_from_there(tree: Run) -> None:
    tree("deployments", "update", "app", "-i", '{"fail": ["delete"]}', "--skip-reinstall", "--force")
    said = tree("executions", "start", "uninstall", "-d", "env", "-p", "recursive=true", code=1)
    assert "app uninstall: Execution" in said
    assert "(uninstall of app) failed: " in said
    assert states(tree)["env"] == "started"
    tree("deployments", "update", "app", "-i", '{"fail": []}', "--skip-reinstall", "--force")
    (failed,) = [
        item["id"]
        for item in json.loads(tree("executions", "list", "-d", "env", "--json"))
        if item["status"] == "failed"
    ]
    tree("executions", "resume", failed)
    assert set(states(tree).values()) == {"deleted"}
