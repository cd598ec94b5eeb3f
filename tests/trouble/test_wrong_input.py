"""Wrong inputs, names and documents: exit code 2, words that name what and where, and nothing stored."""

import json

import pytest

from ..proof.user import User
from .homes import settle

SHOP = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml, plugin:groundplan-nop]
    inputs:
      port: {type: integer}
      size:
        type: string
        default: small
        constraints: [{valid_values: [small, large]}]
    node_templates:
      shop:
        type: groundplan.nodes.Nop
        properties:
          message: {concat: ["port ", {get_input: port}]}
"""

KEEPER = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml, plugin:groundplan-nop]
    inputs: {env: {type: string, default: small}}
    node_templates:
      keeper:
        type: groundplan.nodes.Nop
        properties:
          message: {get_secret: [params, {get_input: env}, address]}
"""


@pytest.fixture
def shopper(user: User) -> User:
    settle(user, {"shop": SHOP, "keeper": KEEPER})
    return user


@pytest.fixture
def owner(user: User) -> User:
    """A user with a deployment of the shop."""
    settle(user, {"shop": SHOP, "keeper": KEEPER}, ["deployments", "create", "shop", "-b", "shop", "-i", "{port: 80}"])
    return user


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ("port=80;colour=red", ["colour"]),
        ("size=large", ["port"]),
        ("{port: eighty}", ["port", "eighty", "whole number"]),
        ("{port: 80, size: huge}", ["size", "small", "large"]),
        ("{port: 80, siez: large}", ["siez", "size"]),
        ("no-such-file.yaml", ["no-such-file.yaml"]),
        ("{port: [", ["{port: ["]),
        ('{"port": 80, "size": "\\ud800"}', ["Unicode"]),
    ],
    ids=["unknown", "missing", "type", "constraint", "misspelt", "no file", "broken", "no text"],
)
def test_wrong_inputs(shopper: User, inputs: str, words: list[str]) -> None:
    said = shopper.refused(2, "deployments", "create", "shop", "-b", "shop", "-i", inputs)
    assert [word for word in words if word not in said] == [], said
    assert shopper.json("deployments", "list") == []


def test_files_of_inputs_that_cannot_be_read(shopper: User) -> None:
    (shopper.folder / "inputs.yaml").write_bytes(b"port: \xff")
    assert "inputs.yaml" in shopper.refused(2, "deployments", "create", "shop", "-b", "shop", "-i", "inputs.yaml")


def test_all_wrong_inputs_are_named_at_once(shopper: User) -> None:
    said = shopper.refused(2, "deployments", "create", "shop", "-b", "shop", "-i", "{colour: red, size: huge}")
    assert all(word in said for word in ("colour", "size", "port"))


@pytest.mark.parametrize(
    ("secret", "inputs", "words"),
    [
        (None, "env=small", ["params"]),
        ({"large": {"address": "x"}}, "env=small", ["params", "small"]),
        ({"small": {"adress": "x"}}, "env=small", ["params", "address"]),
        ("no JSON", "env=small", ["params", "JSON"]),
    ],
    ids=["unknown secret", "missing key", "missing last key", "no document"],
)
def test_wrong_secrets(shopper: User, secret: object, inputs: str, words: list[str]) -> None:
    if secret is not None:
        shopper.ok("secrets", "import", "-", stdin=json.dumps({"params": secret}))
    said = shopper.refused(2, "deployments", "create", "keeper", "-b", "keeper", "-i", inputs)
    assert [word for word in words if word not in said] == [], said
    assert "keeper" in said, "the place is not named"
    assert shopper.json("deployments", "list") == []


@pytest.mark.parametrize(
    ("command", "near"),
    [
        (["deployments", "get", "sohp"], "shop"),
        (["deployments", "capabilities", "sohp"], "shop"),
        (["deployments", "create", "x", "-b", "sohp"], "shop"),
        (["blueprints", "get", "keper"], "keeper"),
        (["blueprints", "delete", "keper"], "keeper"),
        (["executions", "start", "install", "-d", "sohp"], "shop"),
        (["executions", "get", "0000"], ""),
        (["executions", "resume", "0000"], ""),
        (["events", "list", "0000"], ""),
        (["node-instances", "list", "-d", "sohp"], "shop"),
        (["nodes", "list", "-d", "sohp"], "shop"),
        (["secrets", "get", "nothing"], ""),
        (["secrets", "delete", "nothing"], ""),
        (["deploymnets", "list"], "deployments"),
        (["uninstall", "sohp"], "shop"),
    ],
    ids=lambda item: " ".join(item) if isinstance(item, list) else "",
)
def test_unknown_names(owner: User, command: list[str], near: str) -> None:
    said = owner.refused(2, *command)
    assert command[-1] in said or command[0] in said
    assert near in said


def test_unknown_workflows(owner: User) -> None:
    said = owner.refused(2, "executions", "start", "instal", "-d", "shop")
    assert "instal" in said
    assert "install" in said.replace("'instal'", "")
    said = owner.refused(2, "executions", "start", "install", "-d", "shop", "-p", "colour=red")
    assert "colour" in said
    assert owner.json("executions", "list") == []


def test_ids_that_cannot_be(shopper: User) -> None:
    for name in ("a b", "../up", "x" * 257, ""):
        shopper.refused(2, "deployments", "create", name, "-b", "shop", "-i", "{port: 80}")
    assert shopper.json("deployments", "list") == []


def test_secrets_are_imported_whole_or_not_at_all(user: User) -> None:
    user.ok("secrets", "import", "-", stdin='{"a": "first", "b": {"x": 1}}')
    said = user.refused(2, "secrets", "import", "-", stdin='{"a": "second", "c": "new"}')
    assert "a" in said
    assert "--override-collisions" in said
    assert "second" not in said
    assert {item["key"] for item in user.json("secrets", "list")} == {"a", "b"}
    assert "unchanged" in user.ok("secrets", "import", "-", stdin='{"a": "first", "b": {"x": 1}}')
    user.ok("secrets", "import", "-", "--override-collisions", stdin='[{"key": "a", "value": "second"}]')
    assert user.json("secrets", "get", "a", "--reveal")["value"] == "second"
    user.refused(2, "secrets", "create", "a", "-s", "third")


@pytest.mark.parametrize(
    "document", ["{", "[1]", "3", '{"a b": "x"}', '{"a": null}', '[{"key": "a"}]', '{"a": "\\ud800"}']
)
def test_documents_of_secrets_that_cannot_be_read(user: User, document: str) -> None:
    user.refused(2, "secrets", "import", "-", stdin=document)
    assert user.json("secrets", "list") == []


def test_files_that_are_not_there(user: User) -> None:
    for command in (["secrets", "import", "nowhere.json"], ["secrets", "create", "a", "-f", "nowhere"]):
        assert "nowhere" in user.refused(2, *command)
    for command in (["upload"], ["validate"], ["plan"], ["upload", "--all"]):
        assert "nowhere" in user.refused(2, "blueprints", *command, "nowhere")


def test_other_content_needs_replace_and_does_not_reach_what_runs(owner: User) -> None:
    owner.install("shop")
    file = owner.write("shop/blueprint.yaml", SHOP.replace("shop:\n        type", "stall:\n        type"))

    said = owner.refused(2, "blueprints", "upload", file, "-b", "shop")
    assert "--replace" in said
    owner.ok("blueprints", "upload", file, "-b", "shop", "--replace")
    assert "unchanged" in owner.ok("blueprints", "upload", file, "-b", "shop")

    owner.ok("executions", "start", "uninstall", "-d", "shop")
    assert owner.states("shop") == {"shop": "deleted"}
    owner.ok("deployments", "create", "new", "-b", "shop", "-i", "{port: 80}")
    assert owner.states("new") == {"stall": "uninitialized"}


def test_a_wrong_blueprint_is_not_stored(user: User) -> None:
    file = user.write("bad/blueprint.yaml", SHOP.replace("groundplan.nodes.Nop", "groundplan.nodes.Nope"))
    for command in ("validate", "plan", "upload"):
        said = user.refused(2, "blueprints", command, file)
        assert "groundplan.nodes.Nope" in said
        assert f"{file}:14" in said or "blueprint.yaml:14" in said or "blueprint.yaml:1" in said
    assert user.json("blueprints", "list") == []


def test_every_read_speaks_json(owner: User) -> None:
    owner.install("shop")
    execution = owner.latest("shop")["id"]
    file = owner.folder / "shop/blueprint.yaml"
    reads = (
        ["blueprints", "list"],
        ["blueprints", "get", "shop"],
        ["blueprints", "inputs", "shop"],
        ["blueprints", "validate", file],
        ["blueprints", "plan", file],
        ["deployments", "list"],
        ["deployments", "get", "shop"],
        ["deployments", "inputs", "shop"],
        ["deployments", "outputs", "shop"],
        ["deployments", "capabilities", "shop"],
        ["executions", "list"],
        ["executions", "get", execution],
        ["events", "list", execution],
        ["events", "list", "--tail", execution],
        ["nodes", "list", "-d", "shop"],
        ["node-instances", "list", "-d", "shop"],
        ["secrets", "list"],
        ["sandbox", "status"],
    )
    documents = owner.all_json(*reads)
    assert len(documents) == len(reads)
    assert None not in documents
