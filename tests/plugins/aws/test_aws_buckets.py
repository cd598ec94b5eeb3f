"""Buckets: what they hold goes with them where the author says so; where clients reach them."""

from typing import Any

import boto3
import pytest

from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.testing import run_twice
from groundplan_aws import buckets, lifecycle
from groundplan_aws.resource import NODES

TYPE = "cloudify.nodes.aws.s3.BaseBucket"


@pytest.fixture
def s3(bench: Any) -> Any:
    return boto3.client("s3", endpoint_url=bench.account.endpoint, **bench.account.client_config)


def bucket(bench: Any, s3: Any, **properties: Any) -> Any:
    """A node whose bucket holds an object, older versions of it and the mark of a deletion."""
    place = {"LocationConstraint": "us-west-1"}
    ctx = bench.node(TYPE, {"Bucket": "kept", "CreateBucketConfiguration": place}, **properties)
    run_twice(lifecycle.create, ctx)
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    for content in b"first", b"second":
        s3.put_object(Bucket="kept", Key="a/b", Body=content)
    s3.delete_object(Bucket="kept", Key="a/b")
    return ctx


@pytest.mark.parametrize("recorded", [True, False])
def test_a_full_bucket_goes_when_its_content_may(bench: Any, s3: Any, recorded: bool) -> None:
    ctx = bucket(bench, s3, delete_objects=True)
    if not recorded:
        ctx.instance.runtime_properties.clear()
    run_twice(buckets.delete, ctx)
    assert s3.list_buckets()["Buckets"] == []


def test_a_full_bucket_stays_otherwise_in_the_words_of_s3(bench: Any, s3: Any) -> None:
    ctx = bucket(bench, s3)
    with pytest.raises(NonRecoverableError, match="DeleteBucket: BucketNotEmpty"):
        buckets.delete(ctx)
    assert len(s3.list_object_versions(Bucket="kept")["Versions"]) == 2


def test_a_bucket_of_somebody_else_keeps_what_it_holds(bench: Any, s3: Any) -> None:
    bucket(bench, s3)
    buckets.delete(bench.node(TYPE, {"Bucket": "kept"}, name="other", delete_objects=True))
    assert len(s3.list_object_versions(Bucket="kept")["Versions"]) == 2


def test_the_address_is_one_that_clients_take(bench: Any, s3: Any) -> None:
    ctx = bucket(bench, s3)
    assert ctx.instance.runtime_properties["url"] == f"{bench.account.endpoint}/kept"


def test_a_refusal_without_words_is_told_with_what_it_may_mean(bench: Any) -> None:
    place = {"LocationConstraint": "us-west-1"}
    ctx = bench.node(TYPE, {"Bucket": "kept", "CreateBucketConfiguration": place})
    ctx.node.properties["client_config"] = {**bench.account.client_config, "aws_secret_access_key": "wrong"}
    with pytest.raises(NonRecoverableError, match=r"HeadBucket: 403: Forbidden .*keys are wrong or do not allow it"):
        lifecycle.create(ctx)


def test_tags_of_others_and_of_the_owner_stay(bench: Any, s3: Any) -> None:
    place = {"LocationConstraint": "us-west-1"}
    owner = bench.node(TYPE, {"Bucket": "kept", "CreateBucketConfiguration": place})
    lifecycle.create(owner)

    def tags() -> dict[str, str]:
        return {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket="kept")["TagSet"]}

    own = tags()
    theirs = [{"Key": "cost", "Value": "7"}, *({"Key": key, "Value": value} for key, value in own.items())]
    s3.put_bucket_tagging(Bucket="kept", Tagging={"TagSet": theirs})
    ours = {"TagSet": [{"Key": "team", "Value": "blue"}, {"Key": "tier", "Value": "web"}]}
    ctx = bench.node(f"{NODES}s3.BucketTagging", {"Bucket": "kept", "Tagging": ours}, name="tags")
    run_twice(buckets.tag, ctx)
    assert tags() == {**own, "cost": "7", "team": "blue", "tier": "web"}
    changed = [*({"Key": key, "Value": value} for key, value in tags().items() if key != "tier")]
    s3.put_bucket_tagging(Bucket="kept", Tagging={"TagSet": [*changed, {"Key": "tier", "Value": "theirs now"}]})
    run_twice(buckets.untag, ctx)
    assert tags() == {**own, "cost": "7", "tier": "theirs now"}
