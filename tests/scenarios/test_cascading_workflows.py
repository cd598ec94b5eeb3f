"""A cascading workflow runs in the deployments of components beside its own, whatever it takes away (spec 6.2, 6.4)."""

import json

import pytest

from .conftest import Run, Write

LOOK = "{mapping: default_workflows.cloudify.plugins.workflows.%s, is_cascading: true}"
CHILD = f"""
node_templates:
  db: {{type: groundplan.nodes.Nop, properties: {{seconds: 0.05}}}}
workflows:
  mend: {LOOK % "heal"}
  leave: {LOOK % "uninstall"}
"""
COMPONENT = """
  part:
    type: cloudify.nodes.ServiceComponent
    properties: {resource_config: {blueprint: {id: NAME, external_resource: true}, deployment: {id: NAME}}}
"""
NAMES = ("top", "middle", "bottom")


@pytest.fixture
def tower(run: Run, write: Write) -> Run:
    """Install a deployment with a component that has one itself."""
    for name, below in {"bottom": "", "middle": "bottom", "top": "middle"}.items():
        part = COMPONENT.replace("NAME", below) if below else ""
        body = CHILD.replace("\nworkflows:", f"{part}\nworkflows:")
        run("blueprints", "upload", "-b", name, write(name, body))
    run("deployments", "create", "top", "-b", "top")
    run("executions", "start", "install", "-d", "top")
    return run


def executions(run: Run, workflow: str) -> dict[str, dict[str, str]]:
    """The executions of a workflow by deployment."""
    found = json.loads(run("executions", "list", "--json"))
    return {item["deployment_id"]: item for item in found if item["workflow_id"] == workflow}


def test_it_runs_beside_its_own_at_any_depth(tower: Run) -> None:
    tower("executions", "start", "mend", "-d", "top")
    found = executions(tower, "mend")
    assert {name: item["status"] for name, item in found.items()} == dict.fromkeys(NAMES, "terminated")
    first_end = min(item["ended_at"] for item in found.values())
    assert all(item["started_at"] < first_end for item in found.values())


def test_an_uninstall_that_cascades_leaves_nothing(tower: Run) -> None:
    tower("executions", "start", "leave", "-d", "top")
    (left,) = json.loads(tower("deployments", "list", "--json"))
    assert left["id"] == "top"
    found = json.loads(tower("node-instances", "list", "-d", "top", "--json"))
    assert {item["state"] for item in found} == {"deleted"}


def test_a_component_alone_is_not_taken_away(tower: Run) -> None:
    said = tower("executions", "start", "leave", "-d", "middle", code=2)
    assert "top (component, node part)" in said
