"""The published example's Terraform rows install and uninstall as their authors wrote them, in a bound home.

Terraform is no pip package, so the test is `live`: `make live` says what to install where it is missing.
"""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from .environments import account_of
from .test_published_example import BLUEPRINTS, example
from .user import User, eventually, sandboxed, user_in

pytestmark = pytest.mark.live

REGION = "us-west-1"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """A user with a sandbox whose PATH has terraform or tofu."""
    found = shutil.which("terraform") or shutil.which("tofu")
    if found is None:
        pytest.fail("there is no terraform or tofu on the PATH: install one of them")
    plain = user_in(tmp_path_factory.mktemp("terraform"))
    path = f"{plain.environment['PATH']}:{Path(found).parent}"
    with sandboxed(user_in(plain.home.parent, PATH=path)) as user:
        yield user


def client(user: User, service: str) -> Any:
    names = ("aws_access_key_id", "aws_secret_access_key")
    key, secret = (user.json("secrets", "get", name, "--reveal")["value"] for name in names)
    url = user.json("sandbox", "status")["services"]["aws"]
    return boto3.client(
        service, endpoint_url=url, region_name=REGION, aws_access_key_id=key, aws_secret_access_key=secret
    )


def drift(user: User, deployment: str) -> Any:
    user.ok("executions", "start", "check_drift", "-d", deployment)
    [module] = [item for item in user.json("node-instances", "list", "-d", deployment) if "module" in item["node_id"]]
    return module["system_properties"]["configuration_drift"]["result"]


def test_the_network(user: User) -> None:
    user.ok("blueprints", "upload", example() / "infra/vpc-tf/blueprint.yaml", "-b", "vpc-tf")
    user.ok("deployments", "create", "net", "-b", "vpc-tf", "-i", f"name=shop;aws_region_name={REGION}")
    user.install("net")

    found, ec2 = user.capabilities("net"), client(user, "ec2")
    [vpc] = ec2.describe_vpcs(VpcIds=[found["vpc_id"]])["Vpcs"]
    assert {"Key": "Name", "Value": "shop"} in vpc["Tags"]
    subnets = ec2.describe_subnets(SubnetIds=found["subnet_ids"])["Subnets"]
    assert {subnet["AvailabilityZone"] for subnet in subnets} == set(found["availability_zones"])
    assert len(found["availability_zones"]) == 2
    [group] = ec2.describe_security_groups(GroupIds=[found["agents_security_group_id"]])["SecurityGroups"]
    assert group["IpPermissions"][0]["FromPort"] == 22
    told = "\n".join(event["message"] for event in user.events("net"))
    assert "installation_source is not fetched" in told
    assert user.json("secrets", "get", "aws_secret_access_key", "--reveal")["value"] not in told

    assert drift(user, "net") == {}
    ec2.delete_tags(Resources=[vpc["VpcId"]], Tags=[{"Key": "Name"}])
    assert drift(user, "net") == {"aws_vpc.vpc": {"actions": ["update"], "fields": ["tags"]}}
    user.ok("executions", "start", "execute_operation", "-d", "net", "-p", "operation=terraform.reload")
    assert drift(user, "net") == {}

    user.ok("executions", "start", "uninstall", "-d", "net")
    remaining = [vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]]
    assert remaining == []


def test_the_bucket(user: User) -> None:
    user.ok("blueprints", "upload", example() / "infra/prod/s3/aws-blueprint.yaml", "-b", "s3")
    inputs = f"resource_prefix=shop;bucket_name=shop-store;bucket_region={REGION}"
    user.ok("deployments", "create", "store", "-b", "s3", "-i", inputs)
    user.install("store")

    assert user.capabilities("store")["bucket_url"] == f"https://shop-store.s3.{REGION}.amazonaws.com"
    s3 = client(user, "s3")
    s3.head_bucket(Bucket="shop-store")

    user.ok("executions", "start", "uninstall", "-d", "store")
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == []


@pytest.mark.parametrize("end", ["cancel", "kill"])
def test_what_is_being_made_when_all_ends_is_made_once(user: User, end: str) -> None:
    """The provider waits for AWS when the execution is killed, or its engine; the VPC is found in the state later."""
    name = f"once-{end}"
    if end == "cancel":
        user.ok("blueprints", "upload", example() / "infra/vpc-tf/blueprint.yaml", "-b", "once")
    user.ok("deployments", "create", name, "-b", "once", "-i", f"name={name};aws_region_name={REGION}")
    hang = ("sandbox", "faults", "set", "ec2", "CreateVpc", "--kind", "hang", "--share", "1", "--limit", "1")
    user.ok(*hang, "--seconds", "3")
    with user.running("executions", "start", "install", "-d", name) as engine:
        eventually(lambda: any(rule["dealt"] for rule in user.json("sandbox", "faults", "list")))
        if end == "kill":
            os.kill(engine.pid, signal.SIGKILL)
        else:
            user.ok("executions", "cancel", user.latest(name)["id"], "--kill")
            engine.wait(60)
    user.ok("sandbox", "faults", "clear")

    user.ok("executions", "resume", user.latest(name)["id"])

    ec2 = client(user, "ec2")
    assert len([vpc for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]]) == 1
    user.ok("executions", "start", "uninstall", "-d", name)
    assert [vpc for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]] == []


def test_production_as_a_whole(user: User) -> None:
    """What the default tests hold of its parts, and the bucket, from the application's own blueprint."""
    rows = {**BLUEPRINTS, "aws_s3": "infra/prod/s3/aws-blueprint.yaml"}
    user.all_ok(
        *(("blueprints", "upload", example() / path, "-b", name) for name, path in rows.items()),
        ("secrets", "create", "eaas_params", "-f", example() / "secret.json"),
        ("deployments", "create", "production", "-b", "app", "-i", "cloud_type=aws;env_type=production"),
    )
    user.install("production")
    account, found = account_of(user), user.capabilities("production")
    built = account.census()
    assert (built["clusters"], built["stacks"], built["buckets"], built["NAT gateways"]) == (1, 1, 1, 2)
    assert all(found[name] for name in ("k8s_endpoint", "db_host", "db_master_password", "bucket_url"))

    assert "Nothing is left" in user.ok("executions", "start", "uninstall", "-d", "production")
    assert not any(account.census().values()), account.census()
