"""A published example in the Cloudify DSL installs as its authors wrote it, answers, and goes away again.

Looked for where GROUNDPLAN_CORPUS names it, else beside the checkout; `GROUNDPLAN_CORPUS=required` makes its absence
a failure.
"""

import os
from pathlib import Path

import pytest

from .clients import Bucket, Keys, query
from .user import ROOT, User, sandboxed, user_in

pytestmark = pytest.mark.slow

BLUEPRINTS = {
    "app": "app/blueprint.yaml",
    "vpc": "infra/vpc/blueprint.yaml",
    "aws_single_node": "infra/dev/single_node/aws-blueprint.yaml",
    "aws_vm": "infra/dev/vm/aws-blueprint.yaml",
    "minikube": "infra/dev/minikube/blueprint.yaml",
    "minio": "infra/dev/minio/blueprint.yaml",
    "aws_psql": "infra/dev/psql/aws-blueprint.yaml",
}


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


def test_it_installs_answers_and_uninstalls_unmodified(tmp_path: Path) -> None:
    folder = example()
    with sandboxed(user_in(tmp_path)) as user:
        for name, path in BLUEPRINTS.items():
            user.ok("blueprints", "upload", folder / path, "-b", name)
        user.ok("secrets", "create", "eaas_params", "-f", folder / "secret.json")
        user.ok("deployments", "create", "app", "-b", "app", "-i", "cloud_type=aws;env_type=dev-small")
        user.install("app")

        found = user.capabilities("app")
        login = {"user": found["db_master_username"], "password": found["db_master_password"], "dbname": "postgres"}
        assert query("select 6 * 7", host=found["db_host"], port=5432, **login) == 42
        assert Bucket(url=found["bucket_url"]).carry(_keys(user), "note", b"kept") == b"kept"
        assert found["k8s_endpoint"]

        assert "Nothing is left" in user.ok("executions", "start", "uninstall", "-d", "app")
        assert [item["id"] for item in user.json("deployments", "list")] == ["app"]
        assert user.json("sandbox", "status")["machines"] == []


def _keys(user: User) -> Keys:
    names = ("aws_access_key_id", "aws_secret_access_key")
    key, secret = (user.json("secrets", "get", name, "--reveal")["value"] for name in names)
    return Keys(id=key, secret=secret)
