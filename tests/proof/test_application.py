"""The application's environment is real: every client that knows its capabilities is served, and no other is."""

import base64
from typing import Any

import kubernetes
import minio
import psycopg
import pytest
from botocore.exceptions import ClientError

from .clients import Bucket, Keys, cluster, query
from .user import User

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(application: User) -> dict[str, Any]:
    return application.capabilities("app_dev_small")


@pytest.fixture(scope="module")
def keys(application: User) -> Keys:
    values = [
        application.json("secrets", "get", name, "--reveal")["value"]
        for name in ("aws_access_key_id", "aws_secret_access_key")
    ]
    return Keys(id=values[0], secret=values[1])


@pytest.fixture(scope="module")
def objects(found: dict[str, Any]) -> Any:
    """What the cluster's API tells of the application, by kind."""
    name, namespace = "app", found["namespace"]
    with cluster(found["k8s_config"]) as client:
        core, apps = kubernetes.client.CoreV1Api(client), kubernetes.client.AppsV1Api(client)
        return {
            "endpoint": client.configuration.host,
            "deployment": apps.read_namespaced_deployment(name, namespace),
            "service": core.read_namespaced_service(name, namespace),
            "settings": core.read_namespaced_config_map("app-settings", namespace).data,
            "credentials": core.read_namespaced_secret("app-credentials", namespace).data,
        }


def test_a_query_runs_on_the_database(found: dict[str, Any]) -> None:
    assert query("select 6 * 7", **_login(found)) == 42
    assert query("select current_user", **_login(found)) == found["db_master_username"]


def _login(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "host": found["db_host"],
        "port": found["db_port"],
        "user": found["db_master_username"],
        "password": found["db_master_password"],
        "dbname": found["db_name"],
    }


def test_the_database_refuses_a_wrong_password(found: dict[str, Any]) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        query("select 1", **(_login(found) | {"password": "wrong"}))


def test_an_object_goes_through_the_bucket(found: dict[str, Any], keys: Keys) -> None:
    content = bytes(range(256)) * 1000
    assert Bucket(url=found["bucket_url"]).carry(keys, "folder/a b.bin", content) == content


def test_the_store_refuses_wrong_keys(found: dict[str, Any], keys: Keys) -> None:
    bucket = Bucket(url=found["bucket_url"])
    for wrong in (Keys(id=keys.id, secret="wrong" * 8), Keys(id="nobody", secret=keys.secret)):
        with pytest.raises(minio.error.S3Error):
            list(bucket.by_minio(wrong).list_objects(bucket.name))
        with pytest.raises(ClientError):
            bucket.by_boto3(wrong).list_objects_v2(Bucket=bucket.name)


def test_the_workload_is_available(found: dict[str, Any], objects: Any) -> None:
    conditions = {item.type: item.status for item in objects["deployment"].status.conditions}
    assert conditions["Available"] == "True"
    assert objects["deployment"].status.available_replicas == 2
    assert objects["endpoint"] == found["k8s_endpoint"]
    assert objects["service"].spec.selector == {"app.kubernetes.io/name": "app"}


def test_the_workload_is_told_of_database_and_bucket(found: dict[str, Any], objects: Any) -> None:
    assert objects["settings"]["DATABASE_HOST"] == found["db_host"]
    assert objects["settings"]["DATABASE_PORT"] == str(found["db_port"])
    assert objects["settings"]["BUCKET_URL"] == found["bucket_url"]
    clear = {name: base64.b64decode(value).decode() for name, value in objects["credentials"].items()}
    assert clear == {
        "DATABASE_USER": found["db_master_username"],
        "DATABASE_PASSWORD": found["db_master_password"],
    }


def test_a_client_without_credentials_is_refused(found: dict[str, Any]) -> None:
    with cluster(found["k8s_config"]) as client:
        client.configuration.cert_file = client.configuration.key_file = None
        stranger = kubernetes.client.Configuration()
        stranger.host, stranger.ssl_ca_cert = client.configuration.host, client.configuration.ssl_ca_cert
        with (
            kubernetes.client.ApiClient(stranger) as anonymous,
            pytest.raises(kubernetes.client.ApiException) as caught,
        ):
            kubernetes.client.CoreV1Api(anonymous).read_namespaced_secret("app-credentials", found["namespace"])
    assert caught.value.status in (401, 403)


def test_independent_branches_run_at_the_same_time_after_the_network(application: User) -> None:
    spans = {
        child: _span(application, f"aws-dev-small-{child}") for child in ("network", "compute", "database", "storage")
    }
    branches = [spans[name] for name in ("compute", "database", "storage")]
    assert min(began for began, _ in branches) >= spans["network"][1]
    assert max(began for began, _ in branches) < min(ended for _, ended in branches)


def _span(user: User, deployment: str) -> tuple[str, str]:
    """When the install workflow of a deployment began and ended."""
    at = {item["event_type"]: item["timestamp"] for item in user.events(deployment)}
    return at["workflow_started"], at["workflow_succeeded"]


def test_sensitive_capabilities_are_dots_unless_revealed(application: User, found: dict[str, Any]) -> None:
    shown = application.json("deployments", "capabilities", "app_dev_small")
    assert {name for name, item in shown.items() if item["value"] != found[name]} == {
        "k8s_config",
        "db_master_password",
    }
    assert any("capabilities" in item["message"] for item in application.events("app_dev_small"))
