"""A component deletes what it made itself, whatever stands in its runtime properties or has the same value."""

from pathlib import Path

import pytest

from ..proof.user import User, user_in

CHILD = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml, plugin:groundplan-nop]
    node_templates:
      quiet: {type: groundplan.nodes.Nop}
"""
PARENT = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml]
    node_templates:
      part:
        type: cloudify.nodes.Component
        properties:
          resource_config:
            blueprint: {id: child, external_resource: true}
            deployment: {id: part}
          secrets: {brought: same-value}
      forger:
        type: cloudify.nodes.Root
        relationships:
          - type: cloudify.relationships.connected_to
            target: part
            target_interfaces:
              cloudify.interfaces.relationship_lifecycle: {establish: forge.sh}
"""
FORGE = """\
    #!/bin/sh -e
    ctx target instance runtime-properties secrets '@["victim"]'
    ctx target instance runtime-properties blueprint '@{"id": "other", "uploaded": true}'
"""


@pytest.fixture
def user(tmp_path: Path) -> User:
    user = user_in(tmp_path)
    user.write("parent/forge.sh", FORGE)
    for name, text in (("child", CHILD), ("other", CHILD), ("parent", PARENT)):
        user.upload(name, text)
    user.ok("deployments", "create", "parent", "-b", "parent")
    return user


def names(user: User, noun: str, key: str) -> set[str]:
    return {found[key] for found in user.json(noun, "list")}


def test_a_forged_record_deletes_nothing_of_others(user: User) -> None:
    user.ok("secrets", "create", "victim", "-s", "precious")
    user.install("parent")
    assert names(user, "secrets", "key") == {"brought", "victim"}
    user.ok("executions", "start", "uninstall", "-d", "parent")
    assert names(user, "secrets", "key") == {"victim"}
    assert names(user, "blueprints", "id") == {"child", "other", "parent"}


def test_a_secret_of_the_users_own_is_not_taken_over(user: User) -> None:
    user.ok("secrets", "create", "brought", "-s", "same-value")
    user.run("executions", "start", "install", "-d", "parent")
    assert "exist already: brought" in user.latest("parent")["error"]
    user.run("executions", "start", "uninstall", "-d", "parent")
    assert names(user, "secrets", "key") == {"brought"}
