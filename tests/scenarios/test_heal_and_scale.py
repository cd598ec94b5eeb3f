"""A deployment at the command line: found unwell, healed, scaled out and in, and the same for a component."""

import json
from typing import Any

import pytest

from .conftest import Run, Write

SHOP = """
node_templates:
  vm: {type: groundplan.nodes.Nop}
  sick:
    type: groundplan.nodes.Nop
    properties: {fail: [check_status]}
    relationships: [{type: groundplan.relationships.Nop, target: vm}]
workflows:
  mine: {mapping: default_workflows.cloudify.plugins.workflows.heal}
"""
PARENT = """
node_templates:
  shop:
    type: cloudify.nodes.ServiceComponent
    properties:
      resource_config:
        blueprint: {id: shop, external_resource: true}
        deployment: {id: shop}
"""


@pytest.fixture
def shop(write: Write) -> str:
    """The blueprint of a shop."""
    return write("shop", SHOP)


def standing(run: Run, deployment: str = "shop") -> tuple[str, int]:
    """How a deployment stands, and how many of its instances are unavailable."""
    found = json.loads(run("deployments", "get", deployment, "--json"))
    return found["deployment_status"], found["unavailable_instances"]


def instances(run: Run, node: str) -> list[Any]:
    """The instances of a node of the shop."""
    found: list[Any] = json.loads(run("node-instances", "list", "-d", "shop", "-n", node, "--json"))
    return found


def test_a_deployment_is_found_unwell_and_healed_by_a_workflow_of_another_name(run: Run, shop: str) -> None:
    run("install", shop, "-d", "shop")
    run("executions", "start", "check_status", "-d", "shop", code=1)
    assert standing(run) == ("requires_attention", 1)
    assert "unavailable" in run("node-instances", "list", "-d", "shop")
    (sick,) = instances(run, "sick")
    found = json.loads(run("node-instances", "get", sick["id"], "-d", "shop", "--json"))
    assert found["system_properties"]["status"]["result"] == "check_status was told to fail"
    run("executions", "start", "mine", "-d", "shop")
    assert standing(run) == ("good", 0)
    assert instances(run, "sick")[0]["id"] == sick["id"]


def test_a_node_is_scaled_out_and_in(run: Run, shop: str) -> None:
    run("install", shop, "-d", "shop")
    run("executions", "start", "scale", "-d", "shop", "-p", "scalable_entity_name=vm", "-p", "delta=2")
    assert [item["index"] for item in instances(run, "vm")] == [1, 2, 3]
    last = instances(run, "vm")[-1]["id"]
    hints = json.dumps([last])
    run("executions", "start", "scale", "-d", "shop", "-p", "scalable_entity_name=vm", "-p", "delta=-2",
        "-p", f"exclude_instances={hints}")  # fmt: skip
    assert [item["id"] for item in instances(run, "vm")] == [last]
    (nodes,) = [item for item in json.loads(run("nodes", "list", "-d", "shop", "--json")) if item["id"] == "vm"]
    assert (nodes["number_of_instances"], nodes["planned_number_of_instances"]) == (1, 1)


def test_a_component_is_as_well_as_its_deployment_and_heals_it(run: Run, shop: str, write: Write) -> None:
    run("blueprints", "upload", "-b", "shop", shop)
    run("install", write("parent", PARENT), "-d", "parent")
    run("executions", "start", "check_status", "-d", "shop", code=1)
    run("executions", "start", "check_status", "-d", "parent", code=1)
    assert standing(run, "parent") == ("requires_attention", 1)
    run("executions", "start", "heal", "-d", "parent")
    assert (standing(run, "parent"), standing(run)) == (("good", 0), ("good", 0))
