"""Buckets: made, found, described, deleted."""

from __future__ import annotations

import base64
import hashlib
import io

import pytest

REGION = "us-west-1"


def test_a_bucket_is_made_listed_and_deleted(s3):
    s3.create_bucket(Bucket="made-here", CreateBucketConfiguration={"LocationConstraint": REGION})
    assert "made-here" in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    s3.delete_bucket(Bucket="made-here")
    assert "made-here" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


def test_a_bucket_is_found_by_both_clients(bucket, client, s3):
    assert client.bucket_exists(bucket)
    assert not client.bucket_exists("no-such-bucket-here")
    assert s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == REGION


def test_a_client_without_a_region_finds_its_way(store, bucket):
    store.minio(region=None).put_object(bucket, "k", io.BytesIO(b"x"), 1)


def test_a_second_bucket_of_the_name_is_refused(bucket, client, refused):
    with refused("BucketAlreadyOwnedByYou"):
        client.make_bucket(bucket, REGION)


@pytest.mark.parametrize("name", ["ab", "Upper-Case", "under_score", "two..dots", "192.168.5.4", "-dash", "a" * 64])
def test_names_against_the_rules_are_refused(send, name):
    answer = send.signed("PUT", f"/{name}")
    assert (answer.status, answer.code) == (400, "InvalidBucketName")


def test_a_bucket_elsewhere_is_refused(s3, refused):
    with refused("InvalidRegion", "InvalidLocationConstraint"):
        s3.create_bucket(Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})


def test_a_full_bucket_is_not_deleted(bucket, s3, refused):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    with refused("BucketNotEmpty"):
        s3.delete_bucket(Bucket=bucket)


def test_a_missing_bucket_is_named_so(s3, client, refused):
    with refused("NoSuchBucket"):
        s3.delete_bucket(Bucket="no-such-bucket")
    with refused("NoSuchBucket"):
        s3.list_objects_v2(Bucket="no-such-bucket")
    with refused("NoSuchBucket"):
        client.put_object("no-such-bucket", "k", io.BytesIO(b"x"), 1)
    with refused("NoSuchBucket"):
        s3.get_object(Bucket="no-such-bucket", Key="k")


def test_tags_of_a_bucket(bucket, s3, refused):
    tags = [{"Key": "team", "Value": "blue + green"}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    s3.delete_bucket_tagging(Bucket=bucket)
    with refused("NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket=bucket)


def test_a_policy_is_given_back(bucket, client):
    policy = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},'
        f'"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::{bucket}/*"]}}]}}'
    )
    client.set_bucket_policy(bucket, policy)
    assert "s3:GetObject" in client.get_bucket_policy(bucket)


def test_what_is_not_configured_is_answered_so(bucket, s3, refused):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    assert s3.get_bucket_acl(Bucket=bucket)["Grants"][0]["Permission"] == "FULL_CONTROL"
    with refused("NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    with refused("ServerSideEncryptionConfigurationNotFoundError"):
        s3.get_bucket_encryption(Bucket=bucket)


@pytest.mark.parametrize("probe", ["live", "ready"])
def test_health_needs_no_signature(send, probe):
    assert send.plain("GET", f"/minio/health/{probe}").status == 200


@pytest.mark.parametrize(
    "document",
    [
        b"<Delete><Object><Key>k</Key></Object>",
        b"<Other/>",
        b'<!DOCTYPE Delete [<!ENTITY a "k">]><Delete><Object><Key>&a;</Key></Object></Delete>',
    ],
)
def test_documents_that_are_none_are_refused(bucket, send, document):
    md5 = base64.b64encode(hashlib.md5(document).digest()).decode()
    answer = send.signed("POST", f"/{bucket}?delete=", document, headers={"Content-MD5": md5})
    assert (answer.status, answer.code) == (400, "MalformedXML")
