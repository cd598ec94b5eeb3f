"""The plugin's workflows with the real binary: what exists is taken into a module's state, another binary is noted."""

from pathlib import Path
from typing import Any

import pytest

from ...proof.user import User, user_in
from .conftest import terraform

pytestmark = pytest.mark.live

BLUEPRINT = """
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml, plugin:cloudify-terraform-plugin]
node_templates:
  tool:
    type: cloudify.nodes.terraform
    properties: {resource_config: {}}
  one: &module
    type: cloudify.nodes.terraform.Module
    properties: {resource_config: {source: {location: module}}}
    relationships: [{type: cloudify.terraform.relationships.run_on_host, target: tool}]
  two: *module
"""
MODULE = """
variable "wanted" {
  type    = bool
  default = false
}
resource "terraform_data" "own" { count = var.wanted ? 1 : 0 }
"""
IMPORT = ("executions", "start", "import_terraform_resource", "-d", "d", "-p", "resource_id=made-by-hand")


@pytest.fixture
def user(tmp_path: Path) -> User:
    """A user whose PATH has a folder of their own before that of the binary."""
    plain = user_in(tmp_path)
    (plain.folder / "bin").mkdir()
    path = f"{plain.folder / 'bin'}:{plain.environment['PATH']}:{terraform().parent}"
    user = user_in(tmp_path, PATH=path)
    user.write("blueprint/module/main.tf", MODULE)
    user.upload("blueprint", BLUEPRINT)
    user.ok("deployments", "create", "d", "-b", "blueprint")
    user.install("d")
    return user


def properties(user: User, node: str) -> dict[str, Any]:
    [found] = [item for item in user.json("node-instances", "list", "-d", "d") if item["node_id"] == node]
    return found["runtime_properties"]


def test_what_exists_is_taken_into_the_state_of_one_module_and_stays_there(user: User) -> None:
    address = ("-p", "resource_address=terraform_data.own[0]", "-p", "variables={wanted: true}")
    assert "node_ids" in user.refused(1, *IMPORT, *address)
    user.ok(*IMPORT, *address, "-p", "node_ids=[one]")
    assert properties(user, "two")["resources"] == {}

    user.ok("executions", "start", "execute_operation", "-d", "d", "-p", "operation=terraform.reload")
    [own] = properties(user, "one")["resources"]["own"]["instances"]
    assert own["attributes"]["id"] == "made-by-hand"
    user.ok("executions", "start", "uninstall", "-d", "d")
    assert user.latest("d")["status"] == "terminated"


def test_what_cannot_be_imported_is_told_in_the_binarys_words(user: User) -> None:
    told = user.refused(1, *IMPORT, "-p", "resource_address=terraform_data.nobody", "-p", "node_ids=[one]")
    assert "terraform_data.nobody" in told
    assert properties(user, "one")["resources"] == {}


def test_another_binary_is_noted_and_used_from_then_on(user: User) -> None:
    before = properties(user, "tool")["executable_path"]
    assert before == str(terraform().resolve())
    ours = user.folder / "bin" / terraform().name
    ours.write_text(f'#!/bin/sh\necho "$1" >> {user.folder}/used\nexec {before} "$@"\n')
    ours.chmod(0o755)

    user.ok("executions", "start", "refresh_terraform_resources", "-d", "d")
    assert not (user.folder / "used").exists()
    user.ok(
        "executions", "start", "update_terraform_binary", "-d", "d", "-p", "installation_source=https://nowhere.zip"
    )
    assert properties(user, "tool")["executable_path"] == str(ours)
    assert "installation_source is not fetched" in "\n".join(event["message"] for event in user.events("d"))
    user.ok("executions", "start", "refresh_terraform_resources", "-d", "d")
    assert "apply" in (user.folder / "used").read_text()
