"""A published example in the Cloudify DSL installs as its authors wrote it, answers, and goes away again.

All of its kinds of environment stand at the same time. Of production the bucket is left out here: it is made by
Terraform. Looked for where GROUNDPLAN_CORPUS names it, else beside the checkout; `GROUNDPLAN_CORPUS=required` makes its
absence a failure.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..live.clusters import BOTH, variables
from .clients import Bucket, query
from .environments import Account, account_of, at_once, run
from .user import ROOT, User, sandboxed, user_in

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BLUEPRINTS = {
    "app": "app/blueprint.yaml",
    "vpc": "infra/vpc/blueprint.yaml",
    "aws_single_node": "infra/dev/single_node/aws-blueprint.yaml",
    "aws_multi_node": "infra/dev/multi_node/aws-blueprint.yaml",
    "aws_vm": "infra/dev/vm/aws-blueprint.yaml",
    "minikube": "infra/dev/minikube/blueprint.yaml",
    "minio": "infra/dev/minio/blueprint.yaml",
    "aws_psql": "infra/dev/psql/aws-blueprint.yaml",
    "aws_prod_network": "infra/prod/prod_network/aws-blueprint.yaml",
    "eks": "infra/prod/eks/blueprint.yaml",
    "aws_rds_psql": "infra/prod/rds_psql/aws-blueprint.yaml",
}
APPLICATIONS = {"small": "dev-small", "large": "dev-large"}
PARTS = {"network": "aws-prod-network", "k8s": "aws-prod-compute", "db": "aws-prod-database"}
"""Components of production, with the deployments that the example's secret names."""


def example() -> Path:
    """Return the example's folder; skip where it is not at hand, and fail there when it is required."""
    named = os.environ.get("GROUNDPLAN_CORPUS", "")
    corpus = ROOT.parent / "shared" / "corpus" if named in ("", "required") else Path(named)
    folder = corpus / "eaas-example"
    if not folder.is_dir():
        if named:
            pytest.fail(f"GROUNDPLAN_CORPUS is set, and {folder} is not there")
        pytest.skip(f"the published example is not at {folder}")
    return folder


@pytest.fixture(scope="module", params=BOTH)
def user(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """A user who has uploaded the example and deployed each kind of environment; all of them stand."""
    folder = example()
    parts = json.loads((folder / "secret.json").read_text())["aws"]["production"]
    with sandboxed(user_in(tmp_path_factory.mktemp("example"), **variables(request.param))) as user:
        user.all_ok(
            *(("blueprints", "upload", folder / path, "-b", name) for name, path in BLUEPRINTS.items()),
            ("secrets", "create", "eaas_params", "-f", folder / "secret.json"),
            *(
                ("deployments", "create", name, "-b", "app", "-i", f"cloud_type=aws;env_type={kind}")
                for name, kind in APPLICATIONS.items()
            ),
            *(
                ("deployments", "create", name, "-b", parts[part]["blueprint"], "-i", json.dumps(parts[part]["inputs"]))
                for part, name in PARTS.items()
            ),
        )
        at_once(lambda name: install(user, name), [*APPLICATIONS, "production"])
        yield user


def install(user: User, name: str) -> str:
    """Install an application, or the parts of production: those that stand in its network at the same time."""
    if name == "production":
        install(user, PARTS["network"])
        at_once(lambda part: install(user, PARTS[part]), ["k8s", "db"])
        return "installed"
    return run(user, "executions", "start", "install", "-d", name)


@pytest.fixture(scope="module")
def account(user: User) -> Account:
    return account_of(user)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_development_answers(user: User, account: Account, name: str) -> None:
    found = user.capabilities(name)
    login = {"user": found["db_master_username"], "password": found["db_master_password"], "dbname": "postgres"}
    assert query("select 6 * 7", host=found["db_host"], port=5432, **login) == 42
    assert Bucket(url=found["bucket_url"]).carry(account.keys, "note", b"kept") == b"kept"
    assert found["k8s_endpoint"]


def test_productions_database_is_one_of_cloudformation(user: User) -> None:
    found = user.capabilities(PARTS["db"])
    login = {"user": found["master_username"], "password": found["master_password"]}
    assert query("select 6 * 7", host=found["host"], port=5432, dbname="aws-productionrdspsql", **login) == 42


def test_productions_cluster_has_the_account_and_the_binding_in_todays_version(user: User) -> None:
    events, instances = user.all_json(
        ("events", "list", "-d", PARTS["k8s"]), ("node-instances", "list", "-d", PARTS["k8s"])
    )
    made = {each["node_id"]: each["runtime_properties"] for each in instances}
    assert made["new_service_account"]["kubernetes"]["metadata"]["name"] == "aws-production-user"
    assert made["new_role_binding"]["kubernetes"]["apiVersion"] == "rbac.authorization.k8s.io/v1"
    assert any("rbac.authorization.k8s.io/v1beta1 is gone" in event["message"] for event in events)
    assert user.capabilities(PARTS["k8s"])["endpoint"] == made["eks_cluster"]["create_response"]["endpoint"]


def test_all_of_it_goes_away_again(user: User, account: Account) -> None:
    assert account.census()["clusters"] == 1

    def uninstall(name: str) -> str:
        said = ""
        for deployment in [name] if name in APPLICATIONS else reversed(PARTS.values()):
            said = run(user, "executions", "start", "uninstall", "-d", deployment)
        return said

    said = at_once(uninstall, [*APPLICATIONS, "production"])
    assert all("Nothing is left" in words for words in said.values())
    assert not any(account.census().values()), account.census()
    assert user.json("sandbox", "status")["machines"] == []
