"""The published example's Terraform rows install and uninstall as their authors wrote them, in a bound home.

Terraform is no pip package, so the test is `live`: `make live` says what to install where it is missing.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from .test_published_example import example
from .user import User, sandboxed, user_in

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

    user.ok("executions", "start", "check_drift", "-d", "net")
    assert "Plan: 0 to add, 0 to change, 0 to destroy" in "\n".join(event["message"] for event in user.events("net"))

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
