"""Deployments made of deployments, with no world around them: failure comes up, a resume goes on, needs are kept."""

import json
from typing import Any

import pytest

from .user import User

CHILD = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml, plugin:groundplan-nop]
    inputs:
      fail: {type: list, default: []}
      address: {default: 10.0.0.1}
    node_templates:
      before:
        type: groundplan.nodes.Nop
      server:
        type: groundplan.nodes.Nop
        properties:
          fail: {get_input: fail}
          values: {address: {get_input: address}, ports: [80, 443]}
        relationships: [{type: cloudify.relationships.depends_on, target: before}]
    capabilities:
      address: {value: {get_attribute: [server, address]}}
      ports: {value: {get_attribute: [server, ports]}}
"""

PARENT = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml, plugin:groundplan-nop]
    node_templates:
      part:
        type: cloudify.nodes.ServiceComponent
        properties:
          resource_config:
            blueprint: {id: child, external_resource: true}
            deployment:
              id: part_of_parent
              inputs:
                fail: {get_secret: [trouble, fail]}
      user:
        type: groundplan.nodes.Nop
        properties:
          values: {seen: {get_attribute: [part, capabilities, address]}}
        relationships: [{type: cloudify.relationships.depends_on, target: part}]
    capabilities:
      seen: {value: {get_attribute: [user, seen]}}
      second_port: {value: {get_capability: [part_of_parent, ports, 1]}}
"""

SHARING = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml, plugin:groundplan-nop]
    node_templates:
      shared:
        type: cloudify.nodes.SharedResource
        properties: {resource_config: {deployment: {id: base}}}
    capabilities:
      address: {value: {get_attribute: [shared, capabilities, address]}}
"""

CAPABLE = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml, plugin:groundplan-nop]
    inputs: {of: {type: string}}
    node_templates:
      reader:
        type: groundplan.nodes.Nop
        properties:
          values: {seen: {concat: ["http://", {get_capability: [{get_input: of}, address]}, "/"]}}
    capabilities:
      seen: {value: {get_attribute: [reader, seen]}}
"""


def trouble(user: User, *operations: str) -> None:
    """Have the child's server fail in some operations from now on."""
    user.ok("secrets", "create", "trouble", "-u", "-s", json.dumps({"fail": operations}))


@pytest.fixture
def composer(user: User) -> User:
    """A user with the blueprints above and no trouble ahead."""
    for name, text in (("child", CHILD), ("parent", PARENT), ("sharing", SHARING), ("capable", CAPABLE)):
        user.upload(name, text)
    trouble(user)
    return user


def finished(user: User, deployment: str) -> list[Any]:
    """The operations that succeeded in a deployment, in order."""
    found = [item for item in user.events(deployment) if item["event_type"] == "task_succeeded"]
    return [(item["node_instance_id"], item["operation"]) for item in found]


def test_a_failing_child_fails_its_parent_which_can_be_resumed(composer: User) -> None:
    trouble(composer, "start")
    composer.ok("deployments", "create", "parent", "-b", "parent")
    words = composer.refused(1, "executions", "start", "install", "-d", "parent")

    child = composer.latest("part_of_parent")
    assert child["status"] == "failed"
    assert child["id"] in words
    assert "start was told to fail" in words
    assert composer.states("parent")["user"] == "uninitialized"
    done = finished(composer, "part_of_parent")

    trouble(composer)
    composer.ok("executions", "resume", composer.latest("parent")["id"])

    assert set(composer.states("parent").values()) == {"started"}
    assert composer.capabilities("parent") == {"seen": "10.0.0.1", "second_port": 443}
    again = [item for item in finished(composer, "part_of_parent")[len(done) :] if item[0].startswith("before")]
    assert again == [], "what had finished ran again"


def test_a_child_goes_with_its_parent_and_not_before(composer: User) -> None:
    composer.ok("deployments", "create", "parent", "-b", "parent")
    composer.install("parent")
    for command in (["executions", "start", "uninstall", "-d"], ["deployments", "delete"]):
        assert "parent" in composer.refused(2, *command, "part_of_parent")
    assert composer.json("deployments", "get", "part_of_parent")["installation_status"] == "active"

    composer.ok("executions", "start", "uninstall", "-d", "parent")
    assert [item["id"] for item in composer.json("deployments", "list")] == ["parent"]


@pytest.mark.parametrize(
    "going_back", [["rollback"], ["rollback", "-p", "full_rollback=true"], ["uninstall", "--force"]]
)
def test_a_deployment_of_another_is_left_alone_on_every_way_back(composer: User, going_back: list[str]) -> None:
    composer.ok("deployments", "create", "part_of_parent", "-b", "child")
    composer.install("part_of_parent")
    before = composer.latest("part_of_parent")
    composer.ok("deployments", "create", "parent", "-b", "parent")
    words = composer.refused(1, "executions", "start", "install", "-d", "parent")
    assert "'part_of_parent' exists already and was made by a person" in words

    composer.ok("executions", "start", *going_back, "-d", "parent")
    assert composer.latest("part_of_parent") == before
    assert set(composer.states("part_of_parent").values()) == {"started"}
    composer.ok("deployments", "delete", "parent")
    composer.ok("executions", "start", "uninstall", "-d", "part_of_parent")


def test_a_shared_resource_must_be_installed(composer: User) -> None:
    composer.ok("deployments", "create", "base", "-b", "child")
    composer.ok("deployments", "create", "sharing", "-b", "sharing")
    words = composer.refused(1, "executions", "start", "install", "-d", "sharing")
    assert "'base'" in words
    assert "install" in words
    assert composer.states("base") == {"before": "uninitialized", "server": "uninitialized"}

    composer.install("base")
    composer.ok("executions", "resume", composer.latest("sharing")["id"])
    assert composer.capabilities("sharing") == {"address": "10.0.0.1"}


def test_a_shared_resource_must_exist(composer: User) -> None:
    composer.ok("deployments", "create", "sharing", "-b", "sharing")
    assert "'base'" in composer.refused(1, "executions", "start", "install", "-d", "sharing")


@pytest.mark.parametrize("user_of_it", ["sharing", "capable"])
def test_a_deployment_that_others_use_is_neither_uninstalled_nor_deleted(composer: User, user_of_it: str) -> None:
    composer.ok("deployments", "create", "base", "-b", "child", "-i", "address=192.0.2.7")
    composer.install("base")
    inputs = ["-i", "of=base"] if user_of_it == "capable" else []
    composer.ok("deployments", "create", "other", "-b", user_of_it, *inputs)
    composer.install("other")
    assert "192.0.2.7" in json.dumps(composer.capabilities("other"))

    for command in (["executions", "start", "uninstall", "-d"], ["deployments", "delete"]):
        assert "other" in composer.refused(2, *command, "base")
    assert composer.json("deployments", "get", "base")["installation_status"] == "active"

    composer.ok("executions", "start", "uninstall", "-d", "other")
    composer.ok("deployments", "delete", "other")
    composer.ok("executions", "start", "uninstall", "-d", "base")
    composer.ok("deployments", "delete", "base")


def test_a_capability_of_nothing_fails_the_operation_that_needs_it(composer: User) -> None:
    composer.ok("deployments", "create", "capable", "-b", "capable", "-i", "of=nowhere")
    words = composer.refused(1, "executions", "start", "install", "-d", "capable")
    assert "'nowhere'" in words
    assert "reader" in words
