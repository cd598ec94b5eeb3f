"""An engine that is killed in the middle of an apply: the binary goes on alone, and a resume takes what it has made."""

import os
import signal
from pathlib import Path

import pytest

from ...proof.user import User, eventually, user_in
from .conftest import terraform

pytestmark = pytest.mark.live

BLUEPRINT = """
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml, plugin:cloudify-terraform-plugin]
inputs: {phrase: {type: string, default: {get_secret: phrase}}}
node_templates:
  module:
    type: cloudify.nodes.terraform.Module
    properties:
      resource_config:
        source: {location: module}
        variables: {phrase: {get_input: phrase}}
"""
MODULE = """
variable "phrase" { type = string }
resource "terraform_data" "one" {
  input = var.phrase
  provisioner "local-exec" { command = "echo one >> MARKS" }
}
resource "terraform_data" "two" {
  depends_on = [terraform_data.one]
  provisioner "local-exec" { command = "echo two >> MARKS; sleep 1.5; echo done >> MARKS" }
}
resource "terraform_data" "three" {
  depends_on = [terraform_data.two]
  provisioner "local-exec" { command = "echo three >> MARKS" }
}
"""
PHRASE = "open-sesame-4711"


@pytest.fixture
def user(tmp_path: Path) -> User:
    plain = user_in(tmp_path)
    user = user_in(tmp_path, PATH=f"{plain.environment['PATH']}:{terraform().parent}")
    user.write("blueprint/module/main.tf", MODULE.replace("MARKS", str(marks(user))))
    user.ok("secrets", "create", "phrase", "-s", PHRASE)
    user.upload("blueprint", BLUEPRINT)
    user.ok("deployments", "create", "d", "-b", "blueprint")
    return user


def marks(user: User) -> Path:
    return user.folder / "marks"


def has_begun(user: User) -> bool:
    return marks(user).exists() and "two" in marks(user).read_text()


def test_a_killed_engine_loses_nothing_and_a_resume_makes_nothing_twice(user: User) -> None:
    with user.running("executions", "start", "install", "-d", "d") as engine:
        eventually(lambda: has_begun(user))
        os.kill(engine.pid, signal.SIGKILL)
    assert marks(user).read_text() == "one\ntwo\n"

    user.ok("executions", "resume", user.latest("d")["id"])

    assert marks(user).read_text() == "one\ntwo\ndone\nthree\n"
    [instance] = user.json("node-instances", "list", "-d", "d")
    assert sorted(instance["runtime_properties"]["resources"]) == ["one", "three", "two"]
    told = "\n".join(event["message"] for event in user.events("d"))
    assert PHRASE not in told
    assert "0 added, 0 changed, 0 destroyed" in told


def test_what_is_secret_is_nowhere_on_the_disk(user: User) -> None:
    user.install("d")

    found = [
        path
        for path in (*user.home.rglob("*"), *Path("/tmp").glob("gp-*/**/*"))
        if path.is_file() and PHRASE.encode() in path.read_bytes()
    ]
    assert found == []

    user.ok("executions", "start", "uninstall", "-d", "d")
    assert user.states("d") == {"module": "deleted"}


def test_the_plugins_workflows_work_on_the_modules(user: User) -> None:
    user.install("d")
    reload = ("-p", '{"variables": {"phrase": "another-phrase"}}')
    user.ok("executions", "start", "terraform_plan", "-d", "d", *reload)
    [instance] = user.json("node-instances", "list", "-d", "d")
    [change] = [it for it in instance["runtime_properties"]["plan"]["resource_changes"] if it["name"] == "one"]
    assert change["change"]["actions"] == ["update"]

    user.ok("executions", "start", "reload_terraform_template", "-d", "d", *reload)
    user.ok("executions", "start", "refresh_terraform_resources", "-d", "d")

    [instance] = user.json("node-instances", "list", "-d", "d")
    assert instance["runtime_properties"]["is_drifted"] is False
    [instance] = user.json("node-instances", "list", "-d", "d", "--reveal")
    assert instance["runtime_properties"]["resources"]["one"]["instances"][0]["attributes"]["input"] == "another-phrase"
