"""EKS: clusters that are a Kubernetes API, the tokens that open them, the nodes that groups bring."""

import base64
import json
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.signers import RequestSigner

from groundplan_sandbox.aws.eks.tokens import user_of

from ...live.clusters import BOTH
from .conftest import REGION

Wait = Callable[[Callable[[], bool]], None]

on_both = pytest.mark.parametrize("_server", BOTH, indirect=True)
"""With clusters of either kind behind it."""


def token_of(aws: Any, cluster: str, *, secret: str | None = None, signed_for: str | None = None) -> str:
    """A token as `aws eks get-token` makes it."""
    keys = {"aws_secret_access_key": secret} if secret else {}
    client = aws.client("sts", **keys)
    credentials = client._request_signer._credentials
    signer = RequestSigner(client.meta.service_model.service_id, REGION, "sts", "v4", credentials, client.meta.events)
    request = {
        "method": "GET",
        "url": f"https://sts.{REGION}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {"x-k8s-aws-id": signed_for or cluster},
        "context": {},
    }
    url = signer.generate_presigned_url(request, region_name=REGION, expires_in=60, operation_name="")
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def code_of(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


class Eks:
    """A VPC with two subnets, a role, and a client."""

    def __init__(self, aws: Any, eventually: Wait) -> None:
        self.aws, self.client, self.ec2, self._eventually = aws, aws.client("eks"), aws.client("ec2"), eventually
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [self._subnet("10.0.1.0/24", "us-west-1a"), self._subnet("10.0.2.0/24", "us-west-1c")]
        made = aws.client("iam").create_role(RoleName="eks", AssumeRolePolicyDocument="{}")
        self.role = made["Role"]["Arn"]

    def _subnet(self, cidr: str, zone: str) -> str:
        made = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=cidr, AvailabilityZone=zone)
        return str(made["Subnet"]["SubnetId"])

    def create(self, name: str = "shop", **options: Any) -> dict[str, Any]:
        asked = {"roleArn": self.role, "resourcesVpcConfig": {"subnetIds": self.subnets}} | options
        made: dict[str, Any] = self.client.create_cluster(name=name, **asked)["cluster"]
        return made

    def describe(self, name: str = "shop") -> dict[str, Any]:
        found: dict[str, Any] = self.client.describe_cluster(name=name)["cluster"]
        return found

    def active(self, name: str = "shop") -> dict[str, Any]:
        self._eventually(lambda: self.describe(name)["status"] == "ACTIVE")
        return self.describe(name)

    def create_group(self, size: int = 2, **options: Any) -> None:
        scaling = {"minSize": 1, "maxSize": 3, "desiredSize": size}
        asked = {"nodeRole": self.role, "subnets": self.subnets, "scalingConfig": scaling} | options
        self.client.create_nodegroup(clusterName="shop", nodegroupName="workers", **asked)
        self._eventually(lambda: self.group()["status"] == "ACTIVE")

    def group(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.describe_nodegroup(clusterName="shop", nodegroupName="workers")["nodegroup"]
        return found

    def gone(self, name: str = "shop") -> None:
        self._eventually(lambda: name not in self.client.list_clusters()["clusters"])

    def ask(self, cluster: dict[str, Any], path: str, token: str) -> dict[str, Any]:
        """GET `path` of the cluster's API, trusting the described authority alone."""
        trust = ssl.create_default_context(cadata=base64.b64decode(cluster["certificateAuthority"]["data"]).decode())
        request = urllib.request.Request(f"{cluster['endpoint']}{path}", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, context=trust, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def nodes(self, cluster: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask(cluster, "/api/v1/nodes", token_of(self.aws, "shop"))["items"]
        return found


@pytest.fixture
def eks(aws: Any, eventually: Wait) -> Eks:
    return Eks(aws, eventually)


@on_both
def test_a_cluster_is_created_and_then_answers_with_the_certificate_it_describes(eks: Eks, aws: Any) -> None:
    created = eks.create(version="")
    assert (created["status"], created.get("endpoint")) == ("CREATING", None)
    cluster = eks.active()
    assert eks.ask(cluster, "/version", token_of(aws, "shop"))["minor"] == cluster["version"].split(".")[1]
    config = cluster["resourcesVpcConfig"]
    groups = eks.ec2.describe_security_groups(GroupIds=[config["clusterSecurityGroupId"]])["SecurityGroups"]
    assert config["vpcId"] == groups[0]["VpcId"] == eks.vpc


def test_the_waiters_of_boto_pass(eks: Eks) -> None:
    eks.create()
    eks.client.get_waiter("cluster_active").wait(name="shop", WaiterConfig={"Delay": 1, "MaxAttempts": 10})
    eks.client.delete_cluster(name="shop")
    eks.client.get_waiter("cluster_deleted").wait(name="shop", WaiterConfig={"Delay": 1, "MaxAttempts": 10})


@on_both
def test_only_a_token_signed_with_the_account_s_key_for_this_cluster_is_accepted(eks: Eks, aws: Any) -> None:
    eks.create()
    cluster = eks.active()
    good = token_of(aws, "shop")
    assert eks.ask(cluster, "/api/v1/namespaces", good)["kind"] == "NamespaceList"
    wrong = [
        token_of(aws, "shop", secret="x" * 40),
        token_of(aws, "shop", signed_for="another"),
        good[:-8],
        "k8s-aws-v1.aHR0cHM6Ly9zdHMuYW1hem9uYXdzLmNvbS8",
        "guess",
    ]
    for token in wrong:
        with pytest.raises(urllib.error.HTTPError) as caught:
            eks.ask(cluster, "/api/v1/namespaces", token)
        with caught.value as refusal:
            assert refusal.code == 401


def test_a_token_expires(aws: Any) -> None:
    token = token_of(aws, "shop")
    assert user_of(token, "shop", aws.credentials) is not None
    assert user_of(token, "shop", aws.credentials, now=time.time() + 3600) is None


@on_both
def test_a_node_group_brings_nodes_and_takes_them_away(eks: Eks, held: Any) -> None:
    eks.create()
    cluster = eks.active()
    assert eks.nodes(cluster) == []
    eks.create_group(2, labels={"tier": "web"})
    nodes = eks.nodes(cluster)
    assert {node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in nodes} == {"us-west-1a", "us-west-1c"}
    assert [node["metadata"]["labels"]["tier"] for node in nodes] == ["web", "web"]
    with held():
        update = eks.client.update_nodegroup_config(
            clusterName="shop", nodegroupName="workers", scalingConfig={"desiredSize": 1}
        )["update"]
        assert (update["status"], eks.group()["status"]) == ("InProgress", "UPDATING")
    eks._eventually(lambda: eks.group()["status"] == "ACTIVE")
    assert len(eks.nodes(cluster)) == 1
    described = eks.client.describe_update(name="shop", updateId=update["id"], nodegroupName="workers")["update"]
    assert described["status"] == "Successful"
    eks.client.delete_nodegroup(clusterName="shop", nodegroupName="workers")
    eks._eventually(lambda: eks.client.list_nodegroups(clusterName="shop")["nodegroups"] == [])
    assert eks.nodes(cluster) == []


@on_both
def test_a_cluster_stays_while_its_node_groups_are_there_and_then_leaves_nothing(eks: Eks, aws: Any) -> None:
    eks.create()
    cluster = eks.active()
    eks.create_group()
    assert code_of(lambda: eks.client.delete_cluster(name="shop")) == "ResourceInUseException"
    assert code_of(lambda: eks.ec2.delete_subnet(SubnetId=eks.subnets[0])) == "DependencyViolation"
    eks.client.delete_nodegroup(clusterName="shop", nodegroupName="workers")
    eks._eventually(lambda: eks.client.list_nodegroups(clusterName="shop")["nodegroups"] == [])
    assert eks.client.delete_cluster(name="shop")["cluster"]["status"] == "DELETING"
    eks.gone()
    with pytest.raises(urllib.error.URLError, match="refused"):
        eks.ask(cluster, "/version", "x")
    for subnet in eks.subnets:
        eks.ec2.delete_subnet(SubnetId=subnet)
    eks.ec2.delete_vpc(VpcId=eks.vpc)
    assert [path for path in aws.folder.rglob("*") if path.is_file()] == []


@on_both
def test_a_reset_ends_clusters_that_are_still_being_created(eks: Eks, aws: Any) -> None:
    eks.create()
    eks.active()
    eks.create("second")
    aws.server.reset()
    assert eks.client.list_clusters()["clusters"] == []
    assert [path for path in aws.folder.rglob("*") if path.is_file()] == []


def test_what_aws_refuses_is_refused(eks: Eks) -> None:
    vpc = {"subnetIds": eks.subnets}
    refused = "InvalidParameterException"
    assert code_of(lambda: eks.create(roleArn=f"{eks.role}-of-nobody")) == refused
    assert code_of(lambda: eks.create(resourcesVpcConfig={"subnetIds": ["subnet-0", eks.subnets[0]]})) == refused
    assert code_of(lambda: eks.create(resourcesVpcConfig={"subnetIds": eks.subnets[:1]})) == refused
    assert code_of(lambda: eks.create(resourcesVpcConfig=vpc | {"securityGroupIds": ["sg-0"]})) == refused
    assert code_of(lambda: eks.create(version="1.99")) == refused
    assert eks.client.list_clusters()["clusters"] == []
    assert code_of(lambda: eks.client.list_nodegroups(clusterName="shop")) == "ResourceNotFoundException"
    eks.create(clientRequestToken="once")
    assert eks.create(clientRequestToken="once")["name"] == "shop"
    assert code_of(lambda: eks.create(clientRequestToken="twice")) == "ResourceInUseException"
    eks.active()
    assert code_of(lambda: eks.create_group(nodeRole=f"{eks.role}-of-nobody")) == refused
    assert code_of(lambda: eks.create_group(subnets=["subnet-0"])) == refused
    assert code_of(lambda: eks.create_group(size=9)) == refused


def test_a_cluster_goes_up_one_version_at_a_time(eks: Eks, held: Any) -> None:
    eks.create(version="1.31")
    eks.active()
    up = eks.client.update_cluster_version
    assert code_of(lambda: up(name="shop", version="1.33")) == "InvalidParameterException"
    with held():
        update = up(name="shop", version="1.32")["update"]
        assert (update["type"], eks.describe()["status"]) == ("VersionUpdate", "UPDATING")
        assert code_of(lambda: up(name="shop", version="1.33")) == "ResourceInUseException"
    assert eks.active()["version"] == "1.32"


@on_both
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on the PATH")
def test_kubectl_runs_a_workload_on_the_nodes(eks: Eks, aws: Any, tmp_path: Path) -> None:
    eks.create()
    cluster = eks.active()
    eks.create_group()
    (tmp_path / "ca.pem").write_bytes(base64.b64decode(cluster["certificateAuthority"]["data"]))
    options = ["--server", cluster["endpoint"], "--certificate-authority", str(tmp_path / "ca.pem")]
    config = {"apiVersion": "v1", "kind": "Config", "users": [{"name": "me", "user": {"token": token_of(aws, "shop")}}]}
    (tmp_path / "config").write_text(json.dumps(config))
    options += ["--kubeconfig", str(tmp_path / "config"), "--user", "me"]

    def kubectl(*words: str) -> str:
        done = subprocess.run(["kubectl", *options, *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    kubectl("create", "deployment", "web", "--image=web", "--replicas=2")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    placed = kubectl("get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}").split()
    assert set(placed) == {node["metadata"]["name"] for node in eks.nodes(cluster)}
