"""Labels of deployments that are there: of one, or of all in a group; where one stands is held to what exists."""

import json

import pytest

from .conftest import Run, Write

BODY = "node_templates: {db: {type: groundplan.nodes.Nop}}\nlabels: {tier: {values: [web]}}\n"


@pytest.fixture
def shops(run: Run, write: Write) -> Run:
    """A terminal with a group of two deployments."""
    run("blueprints", "upload", write("shop", BODY), "-b", "shop")
    run("deployments", "groups", "create", "shops")
    for name in ("one", "two"):
        run("deployments", "create", name, "-b", "shop")
        run("deployments", "groups", "extend", "shops", "-d", name)
    return run


def labels(run: Run, name: str) -> dict[str, list[str]]:
    return {item["key"]: item["values"] for item in json.loads(run("deployments", "labels", "list", name, "--json"))}


def test_labels_come_and_go(shops: Run) -> None:
    shops("deployments", "labels", "add", "Owner:ann,owner:bea,tier:db", "one")
    assert labels(shops, "one") == {"owner": ["ann", "bea"], "tier": ["web", "db"]}
    assert labels(shops, "two") == {"tier": ["web"]}
    shops("deployments", "labels", "delete", "owner:ann,tier", "one")
    assert labels(shops, "one") == {"owner": ["bea"]}
    assert "no:such" in shops("deployments", "labels", "delete", "no:such", "one", code=2)


def test_all_deployments_of_a_group_are_labelled(shops: Run) -> None:
    shops("deployments", "labels", "add", "owner:ann", "one")
    assert "1 deployments" in shops("deployments", "groups", "labels", "add", "owner:ann", "shops")
    listed = json.loads(shops("deployments", "groups", "labels", "list", "shops", "--json"))
    assert {(item["key"], item["value"], item["deployments"]) for item in listed} == {
        ("owner", "ann", 2),
        ("tier", "web", 2),
    }
    shops("deployments", "groups", "labels", "delete", "owner", "shops")
    assert labels(shops, "two") == {"tier": ["web"]}


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("csys-mine:x", "reserved"),
        ("a b:c", "not letters"),
        ("no_value", "Write key:value"),
        ("csys-obj-parent:none", "no deployment 'none'"),
        ("csys-obj-parent:one", "stands in it"),
    ],
)
def test_what_cannot_be_a_label_is_refused(shops: Run, label: str, words: str) -> None:
    shops("deployments", "labels", "add", "csys-obj-parent:one", "two")
    assert words in shops("deployments", "labels", "add", label, "one", code=2)
    assert labels(shops, "one") == {"tier": ["web"]}


def test_who_is_said_to_stand_in_another_keeps_it_there(shops: Run) -> None:
    shops("deployments", "labels", "add", "csys-obj-parent:one", "two")
    for name in ("one", "two"):
        shops("executions", "start", "install", "-d", name)
    shops("executions", "start", "uninstall", "-d", "one", code=2)
    shops("deployments", "labels", "delete", "csys-obj-parent:one", "two")
    shops("executions", "start", "uninstall", "-d", "one")


def test_a_label_is_looked_at_when_a_deployment_is_made(shops: Run) -> None:
    assert "reserved" in shops("deployments", "create", "three", "-b", "shop", "--labels", "csys-mine:x", code=2)
    assert "none" in shops("deployments", "create", "three", "-b", "shop", "--labels", "csys-obj-parent:none", code=2)
