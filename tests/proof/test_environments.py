"""Three environments beside each other are real: whoever knows the capabilities of one is served, and nobody else.

Then two applications share what one of them made, and in the end all goes at the same time and leaves nothing.
"""

import base64
import socket
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import kubernetes
import minio
import psycopg
import pytest
from botocore.exceptions import ClientError

from ..live.clusters import BOTH, variables
from .clients import Bucket, Keys, cluster, query
from .environments import CLUSTER, KINDS, Account, account_of, bring_up, take_down
from .user import User, descendants, eventually, sandboxed, user_in

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SHARING = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml]
    node_templates:
      database:
        type: cloudify.nodes.SharedResource
        properties: {resource_config: {deployment: {id: aws-dev-small-database}}}
    capabilities:
      host: {value: {get_attribute: [database, capabilities, host]}}
"""

EXTERNAL = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml]
    node_templates:
      store:
        type: cloudify.nodes.Component
        properties:
          resource_config:
            blueprint: {id: minio, external_resource: true}
            deployment: {id: aws-dev-small-storage, external_resource: true}
    capabilities:
      url: {value: {get_attribute: [store, capabilities, bucket_url]}}
"""


@pytest.fixture(scope="module", params=BOTH)
def developer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """A user whose three environments stand, on clusters of either kind."""
    with sandboxed(user_in(tmp_path_factory.mktemp("developer"), **variables(request.param))) as user:
        bring_up(user)
        yield user


@pytest.fixture(scope="module")
def account(developer: User) -> Account:
    return account_of(developer)


@pytest.fixture(scope="module")
def keys(account: Account) -> Keys:
    return account.keys


@pytest.fixture(scope="module")
def offers(developer: User) -> dict[str, dict[str, Any]]:
    """The capabilities of the three."""
    shown = developer.all_json(*(("deployments", "capabilities", name, "--reveal") for name in KINDS))
    return {name: {key: item["value"] for key, item in each.items()} for name, each in zip(KINDS, shown, strict=True)}


@pytest.fixture(params=KINDS)
def found(request: pytest.FixtureRequest, offers: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The capabilities of one."""
    return offers[request.param]


@pytest.fixture
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


def test_each_environment_has_its_own(offers: dict[str, dict[str, Any]]) -> None:
    for name in ("k8s_endpoint", "k8s_config", "db_host", "db_master_password", "bucket_url"):
        assert len({offer[name] for offer in offers.values()}) == len(KINDS)


def test_development_has_one_machine_or_three_and_production_none(account: Account) -> None:
    """And nothing is there twice, though production was killed while its cluster was made."""
    assert account.census() == {
        "networks": 3,
        "subnets": 8,
        "gateways": 3,
        "NAT gateways": 2,
        "route tables": 2,
        "security groups": 6,
        "addresses": 6,
        "interfaces": 12,
        "machines": 4,
        "roles": 2,
        "clusters": 1,
        "node groups": 1,
        "databases": 1,
        "subnet groups": 1,
        "stacks": 0,
        "buckets": 1,
    }


def test_production_was_killed_while_its_cluster_was_made(developer: User) -> None:
    begun = [
        event
        for event in developer.events("aws-prod-compute")
        if event["event_type"] == "task_started" and "cluster.create" in str(event)
    ]
    assert len(begun) == 2


def test_independent_branches_run_at_the_same_time_after_the_network(developer: User) -> None:
    children = ("network", "compute", "database", "storage")
    told = developer.all_json(*(("events", "list", "-d", f"aws-dev-small-{child}") for child in children))
    network, *branches = map(_span, told)
    assert min(began for began, _ in branches) >= network[1]
    assert max(began for began, _ in branches) < min(ended for _, ended in branches)


def _span(events: list[Any]) -> tuple[str, str]:
    """When the install workflow of a deployment began and ended."""
    at = {item["event_type"]: item["timestamp"] for item in events}
    return at["workflow_started"], at["workflow_succeeded"]


def test_sensitive_capabilities_are_dots_unless_revealed(developer: User, offers: dict[str, dict[str, Any]]) -> None:
    shown = developer.all_json(*(("deployments", "capabilities", name) for name in KINDS))
    for offer, each in zip(offers.values(), shown, strict=True):
        hidden = {name for name, item in each.items() if item["value"] != offer[name]}
        assert hidden == {"k8s_config", "db_master_password"}
    assert any("capabilities" in item["message"] for item in developer.events("app_prod"))


def everything(user: User) -> Mapping[str, Any]:
    """What the store says of the first application: its deployments, what ran in them, what they hold and offer."""
    others = ("second", "sharing", "external")
    deployments, executions, network, capabilities = user.all_json(
        ("deployments", "list"),
        ("executions", "list"),
        ("node-instances", "list", "-d", "aws-dev-small-network"),
        ("deployments", "capabilities", "app_dev_small", "--reveal"),
    )
    return {
        "deployments": [{**item, "dependents": None} for item in deployments if item["id"] not in others],
        "executions": [item for item in executions if item["deployment_id"] not in others],
        "network": network,
        "capabilities": {name: item["value"] for name, item in capabilities.items()},
    }


def test_a_second_application_that_asks_for_the_same_children_is_refused(developer: User) -> None:
    before = everything(developer)
    developer.ok("deployments", "create", "second", "-b", "app", "-i", "env_type=dev-small")

    words = developer.refused(1, "executions", "start", "install", "-d", "second")
    assert "aws-dev-small-network" in words
    assert "app_dev_small" in words
    assert everything(developer) == before

    developer.ok("executions", "start", "uninstall", "-d", "second")
    assert everything(developer) == before
    developer.ok("deployments", "delete", "second")


def test_a_shared_and_an_external_deployment_serve_a_second_application(developer: User) -> None:
    before = everything(developer)
    for name, text in (("sharing", SHARING), ("external", EXTERNAL)):
        developer.upload(name, text)
        developer.ok("deployments", "create", name, "-b", name)
        developer.install(name)
    assert developer.capabilities("sharing")["host"] == before["capabilities"]["db_host"]
    assert developer.capabilities("external")["url"] == before["capabilities"]["bucket_url"]

    users = {"aws-dev-small-database": "sharing", "aws-dev-small-storage": "external"}
    for needed, other in users.items():
        for command in (["executions", "start", "uninstall", "-d", needed], ["deployments", "delete", needed]):
            words = developer.refused(2, *command)
            assert "app_dev_small" in words
            assert other in words
    assert everything(developer) == before

    for name in ("sharing", "external"):
        developer.ok("executions", "start", "uninstall", "-d", name)
        developer.ok("deployments", "delete", name)
    assert everything(developer) == before


def test_all_go_at_once_and_leave_nothing_though_some_was_gone_already(
    developer: User, account: Account, offers: dict[str, dict[str, Any]]
) -> None:
    ports = [place for offer in offers.values() for place in _places(offer)]
    for offer in offers.values():
        Bucket(url=offer["bucket_url"]).carry(account.keys, "left", b"behind")
    assert all(map(listens, ports))
    assert descendants(account.pid)
    _take_some_away(account)

    said = take_down(developer)

    assert all("Nothing is left" in words for words in said.values())
    assert [item["id"] for item in developer.json("deployments", "list")] == list(KINDS)
    assert not any(account.census().values()), account.census()
    assert [place for place in ports if listens(place)] == []
    eventually(lambda: not descendants(account.pid), what="the end of the machines' processes")
    assert developer.json("sandbox", "status")["machines"] == []


def _places(offer: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Where an environment's servers listen; the bucket of production has none of its own."""
    endpoint = urlsplit(offer["k8s_endpoint"])
    return [(offer["db_host"], offer["db_port"]), (str(endpoint.hostname), endpoint.port or 443)]


def _take_some_away(account: Account) -> None:
    """Delete a node group and a database of production behind the engine's back."""
    eks, [group] = account.client("eks"), account.client("eks").list_nodegroups(clusterName=CLUSTER)["nodegroups"]
    eks.delete_nodegroup(clusterName=CLUSTER, nodegroupName=group)
    eks.get_waiter("nodegroup_deleted").wait(
        clusterName=CLUSTER, nodegroupName=group, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    account.client("rds").delete_db_instance(DBInstanceIdentifier="aws-production-database", SkipFinalSnapshot=True)


def listens(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(address) == 0
