"""Where the state is: with the node unless the module, or the node, has a backend of its own, which is then asked."""

import json

import pytest

from groundplan.model.values import reveal
from groundplan.sdk.errors import NonRecoverableError, OperationError
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


def test_a_backend_that_comes_later_gets_the_state_and_one_that_goes_is_missed(plain: Bench, server: Server) -> None:
    plain.write(RESOURCE)
    tasks.apply(plain.ctx)
    made = ids(plain)
    plain.settle()

    config = plain.ctx.node.properties["resource_config"]
    config["backend"] = {"name": "http", "options": {"address": f"{server.url}/state"}}
    tasks.update(plain.ctx)
    assert ids(plain) == made
    assert made in server.content["/state"].decode()
    assert "terraform_state" not in plain.properties
    assert plain.ctx.remembered == {}

    plain.settle()
    del config["backend"]
    with pytest.raises(NonRecoverableError, match="put the backend back"):
        tasks.update(plain.ctx)


def test_a_state_that_the_backend_did_not_take_is_given_to_it_next_time(plain: Bench, server: Server) -> None:
    plain.write(RESOURCE)
    options = {"address": f"{server.url}/state", "retry_max": 0}
    plain.ctx.node.properties["resource_config"]["backend"] = {"name": "http", "options": options}
    server.refuses = True
    with pytest.raises(OperationError):
        tasks.apply(plain.ctx)
    assert "given to the backend next time" in plain.log

    plain.settle()
    server.refuses = False
    tasks.apply(plain.ctx)
    assert "the backend has been given the state" in plain.log
    assert ids(plain) in server.content["/state"].decode()


def test_a_backend_with_the_state_of_something_else_is_refused(plain: Bench, server: Server) -> None:
    plain.write(RESOURCE)
    tasks.apply(plain.ctx)
    other = json.loads(reveal(plain.properties["terraform_state"])) | {"lineage": "another"}
    server.content["/state"] = json.dumps(other).encode()
    plain.settle()
    options = {"address": f"{server.url}/state"}
    plain.ctx.node.properties["resource_config"]["backend"] = {"name": "http", "options": options}
    with pytest.raises(NonRecoverableError, match="the state of something else"):
        tasks.update(plain.ctx)
    assert "terraform_state" in plain.properties
