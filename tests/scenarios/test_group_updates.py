"""All deployments of a group get another blueprint: all begin or none, and each takes its turn."""

import json

import pytest

from .conftest import Run, Write

OLD = "inputs: {size: {type: integer, default: 1}}\nnode_templates: {db: {type: groundplan.nodes.Nop}}\n"
NEW = """
inputs: {size: {type: integer, default: 1}}
node_templates:
  db: {type: groundplan.nodes.Nop}
  web: {type: groundplan.nodes.Nop, properties: {values: {size: {get_input: size}}}}
capabilities: {size: {value: {get_attribute: [web, size]}}}
"""
UPDATE = ("deployments", "groups", "update-deployments", "shops", "-b", "new")


@pytest.fixture
def shops(run: Run, write: Write) -> Run:
    """A terminal with a group of two deployments that are installed."""
    run("blueprints", "upload", write("old", OLD), "-b", "old")
    run("blueprints", "upload", write("new", NEW), "-b", "new")
    run("deployments", "groups", "create", "shops")
    for name in ("one", "two"):
        run("deployments", "create", name, "-b", "old")
        run("deployments", "groups", "extend", "shops", "-d", name)
    run("executions", "groups", "start", "install", "-g", "shops")
    return run


def sizes(run: Run) -> list[object]:
    """What the deployments offer; nothing where they have the old blueprint."""
    found = [json.loads(run("deployments", "capabilities", name, "--json")) for name in ("one", "two")]
    return [item["size"]["value"] if item else None for item in found]


def states(run: Run, deployment: str) -> dict[str, str]:
    found = json.loads(run("node-instances", "list", "-d", deployment, "--json"))
    return {item["node_id"]: item["state"] for item in found}


def test_all_of_a_group_are_updated(shops: Run) -> None:
    said = shops(*UPDATE, "-i", "size=3", "--concurrency", "1")
    assert "2 completed" in said
    assert sizes(shops) == [3, 3]
    assert states(shops, "two") == {"db": "started", "web": "started"}
    history = json.loads(shops("deployments", "history", "--json"))
    assert {item["state"] for item in history} == {"successful"}


def test_none_begins_when_one_cannot(shops: Run) -> None:
    shops("executions", "groups", "start", "uninstall", "-g", "shops", "--concurrency", "0", "--no-wait")
    assert "has not ended" in shops(*UPDATE, code=2)
    shops("executions", "cancel", json.loads(shops("executions", "list", "-d", "two", "--json"))[-1]["id"])
    shops("executions", "cancel", json.loads(shops("executions", "list", "-d", "one", "--json"))[-1]["id"])
    said = shops(*UPDATE, "-i", "size=big", code=2)
    assert "Deployment 'one'" in said
    assert sizes(shops) == [None, None]


def test_updates_that_wait_keep_other_workflows_out_and_go_on_later(shops: Run) -> None:
    shops(*UPDATE, "--concurrency", "0", "--no-wait")
    assert "has not ended" in shops("executions", "start", "uninstall", "-d", "one", code=2)
    (_, group) = json.loads(shops("executions", "groups", "list", "--json"))
    shops("executions", "groups", "set-concurrency", group["id"], "2")
    shops("executions", "groups", "resume", group["id"])
    assert sizes(shops) == [1, 1]
