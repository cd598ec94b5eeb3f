"""Where the state is: with the node unless the module, or the node, has a backend of its own, which is then asked."""

import pytest

from groundplan_terraform import tasks

from .conftest import Bench, Server, terraform

pytestmark = pytest.mark.live

RESOURCE = 'resource "terraform_data" "one" {}\n'


@pytest.fixture
def plain(bench: Bench) -> Bench:
    terraform()
    bench.ctx.node.properties["resource_config"]["variables"] = {}
    return bench


def ids(bench: Bench) -> str:
    return str(bench.properties["resources"]["one"]["instances"][0]["attributes"]["id"])


@pytest.mark.parametrize("block", ['terraform {\n  backend "local" {}\n}\n', '/*\nbackend "s3" {}\n*/\n'])
def test_what_only_looks_like_a_backend_is_none(plain: Bench, block: str) -> None:
    plain.write(block + RESOURCE)
    tasks.apply(plain.ctx)
    made = ids(plain)
    assert "terraform_state" in plain.properties

    plain.settle()
    tasks.apply(plain.ctx)
    assert ids(plain) == made


@pytest.mark.parametrize("where", ["node", "module"])
def test_a_backend_of_the_authors_has_the_state(plain: Bench, server: Server, where: str) -> None:
    address = f"{server.url}/state"
    if where == "node":
        plain.write(RESOURCE)
        plain.ctx.node.properties["resource_config"]["backend"] = {"name": "http", "options": {"address": address}}
    else:
        plain.write(f'terraform {{\n  backend "http" {{\n    address = "{address}"\n  }}\n}}\n{RESOURCE}')
    tasks.apply(plain.ctx)
    made = ids(plain)
    assert made in server.content["/state"].decode()
    assert "terraform_state" not in plain.properties
    assert plain.ctx.remembered == {}

    plain.settle()
    tasks.apply(plain.ctx)
    assert ids(plain) == made

    plain.settle()
    tasks.destroy(plain.ctx)
    assert made not in server.content["/state"].decode()
    assert plain.properties == {}
