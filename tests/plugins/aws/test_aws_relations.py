"""What resources are to each other: members, policies, keys, attachments; and what blueprints read of some."""

import base64
import json
from typing import Any

import boto3
import pytest
from tests.plugins.aws.conftest import between
from tests.plugins.aws.trials import ALLOW, TEMPLATE, TRUST

from groundplan.sdk import testing
from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws import (
    attachments,
    classic,
    clusters,
    entries,
    keys,
    lifecycle,
    memberships,
    roles,
    settings,
    transit,
)
from groundplan_aws.resource import NODES

MANAGED = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"


@pytest.fixture
def iam(bench: Any) -> Any:
    return boto3.client("iam", endpoint_url=bench.account.endpoint, **bench.account.client_config)


def made(bench: Any, kind: str, config: dict[str, Any], **properties: Any) -> Any:
    ctx = bench.node(f"{NODES}{kind}", config, name=kind.replace(".", "_"), **properties)
    (roles.create if kind == "iam.Role" else lifecycle.create)(ctx)
    return ctx


def test_a_role_has_the_policies_it_was_given_and_goes_with_them(bench: Any, iam: Any) -> None:
    config = {"RoleName": "r", "AssumeRolePolicyDocument": TRUST}
    ctx = bench.node(f"{NODES}iam.Role", config)
    roles.create(ctx, modify_role_attribute_args=[{"PolicyArn": MANAGED}])
    roles.create(ctx, modify_role_attribute_args=[{"PolicyArn": MANAGED}])
    attached = iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [MANAGED]
    iam.put_role_policy(RoleName="r", PolicyName="inline", PolicyDocument=json.dumps(ALLOW))
    testing.run_twice(lifecycle.delete, ctx)
    assert iam.list_roles()["Roles"] == []


def test_a_policy_that_is_no_policy_is_named(bench: Any) -> None:
    ctx = bench.node(f"{NODES}iam.Role", {"RoleName": "r", "AssumeRolePolicyDocument": TRUST})
    with pytest.raises(NonRecoverableError, match="PolicyArn"):
        roles.create(ctx, modify_role_attribute_args=[{"Arn": MANAGED}])


def test_users_join_groups_and_get_policies(bench: Any, iam: Any) -> None:
    user, group = made(bench, "iam.User", {"UserName": "u"}), made(bench, "iam.Group", {"GroupName": "g"})
    policy = made(bench, "iam.Policy", {"PolicyName": "p", "PolicyDocument": ALLOW})
    joined, granted = between(bench, user, group), between(bench, group, policy)
    for ctx in (joined, granted, joined, granted):
        memberships.attach(ctx)
    assert [member["UserName"] for member in iam.get_group(GroupName="g")["Users"]] == ["u"]
    assert len(iam.list_attached_group_policies(GroupName="g")["AttachedPolicies"]) == 1
    for ctx in (joined, granted, joined, granted):
        memberships.detach(ctx)
    assert iam.get_group(GroupName="g")["Users"] == []
    assert iam.list_attached_group_policies(GroupName="g")["AttachedPolicies"] == []


def test_the_secret_of_a_pool_s_client_is_masked(bench: Any) -> None:
    pool = made(bench, "cognitoidp.UserPool", {"PoolName": "users"}).instance.runtime_properties["aws_resource_id"]
    client = {"UserPoolId": pool, "ClientName": "web", "GenerateSecret": True}
    ctx = made(bench, "cognitoidp.UserPoolClient", client)
    assert ctx.instance.runtime_properties["create_response"]["ClientSecret"] in ctx.masked


def test_an_access_key_whose_secret_was_lost_is_made_again(bench: Any, iam: Any) -> None:
    user = made(bench, "iam.User", {"UserName": "u"})
    theirs = iam.create_access_key(UserName="u")["AccessKey"]["AccessKeyId"]
    ctx = between(bench, bench.node(f"{NODES}iam.AccessKey", name="key"), user)
    keys.create(ctx)
    ctx.source.instance.runtime_properties.clear()
    keys.create(ctx)
    record = ctx.source.instance.runtime_properties
    there = {key["AccessKeyId"] for key in iam.list_access_keys(UserName="u")["AccessKeyMetadata"]}
    assert there == {theirs, record["aws_resource_id"]}
    assert record["SecretAccessKey"] in ctx.masked
    keys.delete(ctx)
    keys.delete(ctx)
    assert [key["AccessKeyId"] for key in iam.list_access_keys(UserName="u")["AccessKeyMetadata"]] == [theirs]


def test_a_user_with_a_password_keeps_it(bench: Any, iam: Any) -> None:
    user = made(bench, "iam.User", {"UserName": "u"})
    config = {"UserName": "who-is-not-related", "Password": "of-test-1A!"}
    ctx = between(bench, bench.node(f"{NODES}iam.LoginProfile", config, name="login"), user)
    keys.create_login(ctx)
    keys.create_login(ctx)
    assert iam.get_login_profile(UserName="u")["LoginProfile"]["UserName"] == "u"
    keys.delete_login(ctx)
    keys.delete_login(ctx)


def test_a_cluster_tells_a_kubeconfig_with_a_token(bench: Any, ec2: Any) -> None:
    role = made(bench, "iam.Role", {"RoleName": "r", "AssumeRolePolicyDocument": TRUST})
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]]
    config = {"name": "c", "version": "", "resourcesVpcConfig": {"subnetIds": subnets}}
    ctx = bench.node(
        f"{NODES}eks.Cluster", {"kwargs": config}, neighbours=[bench.related(role)], store_kube_config_in_runtime=True
    )
    lifecycle.create(ctx)
    kubeconf: Any = ctx.instance.runtime_properties["kubeconf"]
    assert kubeconf["clusters"][0]["cluster"]["server"].startswith("https://")
    kind, _, encoded = kubeconf["users"][0]["user"]["token"].rpartition(".")
    url = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    assert kind == "k8s-aws-v1"
    assert "Action=GetCallerIdentity" in url
    assert "x-k8s-aws-id" in url
    assert kubeconf["users"][0]["user"]["token"] in ctx.masked
    relation = between(bench, bench.node("Vpc", name="client"), ctx)
    del ctx.instance.runtime_properties["kubeconf"]
    clusters.refresh(relation)
    assert ctx.instance.runtime_properties["kubeconf"]["current-context"] == "aws"


def test_a_stack_tells_its_outputs_by_key(bench: Any) -> None:
    ctx = made(bench, "CloudFormation.Stack", {"kwargs": {"StackName": "s", "TemplateBody": TEMPLATE}})
    record: Any = ctx.instance.runtime_properties
    assert record["outputs_items"]["Topic"].endswith(":of-a-stack")
    assert record["StackStatus"] == "CREATE_COMPLETE"
    assert [found["LogicalResourceId"] for found in record["state"]] == ["Topic"]


def test_a_pool_is_told_as_cognito_answers_it_too(bench: Any) -> None:
    record: Any = made(bench, "cognitoidp.UserPool", {"PoolName": "users"}).instance.runtime_properties
    assert record["create_response"]["UserPool"]["Id"] == record["create_response"]["Id"] == record["aws_resource_id"]


def test_an_entry_of_a_network_acl_is_put_and_taken_out(bench: Any, ec2: Any) -> None:
    vpc = made(bench, "ec2.Vpc", {"CidrBlock": "10.0.0.0/16"})
    acl = bench.node("NetworkACL", neighbours=[bench.related(vpc)], name="acl")
    lifecycle.create(acl)
    config = {"RuleNumber": 7, "Protocol": "-1", "RuleAction": "allow", "Egress": False, "CidrBlock": "10.0.0.0/8"}
    ctx = bench.node("NetworkAclEntry", config, neighbours=[bench.related(acl)], name="entry")

    def numbers() -> list[int]:
        (found,) = ec2.describe_network_acls(NetworkAclIds=[acl.instance.runtime_properties["aws_resource_id"]])[
            "NetworkAcls"
        ]
        return [entry["RuleNumber"] for entry in found["Entries"]]

    testing.run_twice(entries.create, ctx)
    assert numbers().count(7) == 1
    testing.run_twice(entries.delete, ctx)
    assert 7 not in numbers()


def test_a_volume_is_attached_and_detached(bench: Any, ec2: Any) -> None:
    config = {"ImageId": "ami-0cfea11000000000c", "InstanceType": "t2.micro"}
    instance = made(bench, "ec2.Instances", config)
    zone = instance.instance.runtime_properties["create_response"]["Placement"]["AvailabilityZone"]
    volume = made(bench, "ec2.EBSVolume", {"AvailabilityZone": zone, "Size": 1}, device_name="/dev/xvdf")
    near = [bench.related(volume), bench.related(instance)]
    ctx = bench.node("EBSAttachment", neighbours=near, name="attachment")

    def attached() -> list[str]:
        (found,) = ec2.describe_volumes(VolumeIds=[volume.instance.runtime_properties["aws_resource_id"]])["Volumes"]
        return [one["Device"] for one in found["Attachments"]]

    testing.run_twice(attachments.attach_volume, ctx)
    assert attached() == ["/dev/xvdf"]
    testing.run_twice(attachments.detach_volume, ctx)
    relation = between(bench, volume, instance)
    attachments.attach_related(relation)
    attachments.attach_related(relation)
    assert attached() == ["/dev/xvdf"]
    attachments.detach_related(relation)
    attachments.detach_related(relation)
    assert attached() == []


@pytest.mark.parametrize(
    ("untie", "source", "target"),
    [
        (memberships.detach, "iam.User", "iam.Group"),
        (attachments.detach_related, "ec2.EBSVolume", "ec2.Instances"),
        (classic.deregister, "ec2.Instances", "elb.Classic.LoadBalancer"),
        (settings.reset_related, "rds.ParameterGroup", "rds.Parameter"),
        (transit.detach, "ec2.TransitGateway", "ec2.Subnet"),
        (keys.delete_login, "iam.LoginProfile", "iam.User"),
    ],
)
def test_what_was_never_made_needs_no_untying(bench: Any, untie: Any, source: str, target: str) -> None:
    untie(between(bench, *(bench.node(f"{NODES}{kind}", name=kind) for kind in (source, target))))


def test_what_was_never_made_is_not_tied_and_named(bench: Any) -> None:
    user, group = made(bench, "iam.User", {"UserName": "u"}), bench.node(f"{NODES}iam.Group", name="group")
    with pytest.raises(NonRecoverableError, match="was not made"):
        memberships.attach(between(bench, user, group))
