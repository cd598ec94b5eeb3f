"""Objects: put, read, described, copied, deleted."""

from __future__ import annotations

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from minio.commonconfig import REPLACE, CopySource, Tags

STRANGE = ["a b/c+d&e=f?g.txt", "ünïcödé/日本", "trailing/", "quote'\"<>%41"]


@pytest.fixture
def letter(bucket, s3):
    s3.put_object(Bucket=bucket, Key="letter", Body=b"0123456789", ContentType="text/plain", Metadata={"from": "Ann"})
    return {"Bucket": bucket, "Key": "letter"}


def test_bytes_come_back_as_they_went(bucket, client, s3, some_bytes):
    s3.put_object(Bucket=bucket, Key="k", Body=some_bytes)
    answer = client.get_object(bucket, "k")
    assert answer.read() == some_bytes
    answer.close()
    assert s3.head_object(Bucket=bucket, Key="k")["ETag"] == f'"{hashlib.md5(some_bytes).hexdigest()}"'


def test_an_empty_object(bucket, client):
    assert client.put_object(bucket, "empty", io.BytesIO(), 0).etag == hashlib.md5().hexdigest()
    assert client.stat_object(bucket, "empty").size == 0


@pytest.mark.parametrize("key", STRANGE)
def test_strange_keys(bucket, client, s3, key):
    client.put_object(bucket, key, io.BytesIO(b"x"), 1)
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"x"
    assert [found.object_name for found in client.list_objects(bucket, recursive=True)] == [key]


@pytest.mark.parametrize("key", ["../k", "a/../../k", "a/./b", "a//b"])
def test_keys_that_climb_are_refused(bucket, send, key):
    assert send.signed("PUT", f"/{bucket}/{key}", b"x").status == 400


def test_a_leading_slash_is_no_part_of_the_key(bucket, s3):
    s3.put_object(Bucket=bucket, Key="/k", Body=b"x")
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]


def test_a_key_that_is_too_long_is_refused(bucket, s3, refused):
    with refused("KeyTooLongError"):
        s3.put_object(Bucket=bucket, Key="k" * 1025, Body=b"x")


def test_headers_and_metadata_come_back(letter, s3):
    found = s3.head_object(**letter)
    assert (found["ContentType"], found["Metadata"], found["ContentLength"]) == ("text/plain", {"from": "Ann"}, 10)
    assert abs(datetime.now(UTC) - found["LastModified"]) < timedelta(minutes=1)


def test_writers_and_readers_at_once_see_whole_objects(bucket, s3):
    bodies = [bytes([number]) * 100_000 for number in range(8)]
    s3.put_object(Bucket=bucket, Key="k", Body=bodies[0])

    def write_and_read(body: bytes) -> bytes:
        s3.put_object(Bucket=bucket, Key="k", Body=body)
        return s3.get_object(Bucket=bucket, Key="k")["Body"].read()

    with ThreadPoolExecutor(len(bodies)) as pool:
        seen = list(pool.map(write_and_read, bodies * 3))
    assert set(seen) <= set(bodies)


def test_a_later_put_replaces_all_of_it(letter, s3):
    s3.put_object(**letter, Body=b"new")
    found = s3.get_object(**letter)
    assert (found["Body"].read(), found["Metadata"]) == (b"new", {})


@pytest.mark.parametrize(
    ("asked", "content", "got"),
    [
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=8-100", b"89", "bytes 8-9/10"),
    ],
)
def test_ranges(letter, s3, asked, content, got):
    found = s3.get_object(**letter, Range=asked)
    assert (found["Body"].read(), found["ContentRange"]) == (content, got)
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 206


def test_a_range_behind_the_end_is_refused(letter, s3, refused):
    with refused("InvalidRange"):
        s3.get_object(**letter, Range="bytes=10-")


def test_conditions_of_reading(letter, s3, refused):
    etag, now = s3.head_object(**letter)["ETag"], datetime.now(UTC)
    assert s3.get_object(**letter, IfMatch=etag)["Body"].read() == b"0123456789"
    with refused("304"):
        s3.get_object(**letter, IfNoneMatch=etag)
    with refused("304"):
        s3.get_object(**letter, IfModifiedSince=now + timedelta(seconds=1))
    with refused("PreconditionFailed"):
        s3.get_object(**letter, IfMatch='"0000"')
    with refused("PreconditionFailed"):
        s3.get_object(**letter, IfUnmodifiedSince=now - timedelta(days=1))


def test_conditions_of_writing(letter, s3, refused):
    with refused("PreconditionFailed"):
        s3.put_object(**letter, Body=b"x", IfNoneMatch="*")
    with refused("PreconditionFailed"):
        s3.put_object(**letter, Body=b"x", IfMatch='"0000"')
    s3.put_object(Bucket=letter["Bucket"], Key="fresh", Body=b"x", IfNoneMatch="*")
    assert s3.get_object(**letter)["Body"].read() == b"0123456789"


def test_a_missing_object_is_named_so(bucket, s3, client, refused):
    with refused("NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="nothing")
    with refused("NoSuchKey"):
        client.stat_object(bucket, "nothing")


def test_deleting_twice_is_no_error(letter, s3):
    assert [s3.delete_object(**letter)["ResponseMetadata"]["HTTPStatusCode"] for _ in range(2)] == [204, 204]


def test_many_are_deleted_at_once(bucket, s3):
    for key in ("a", "b & c", "d"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    asked = {"Objects": [{"Key": "a"}, {"Key": "b & c"}, {"Key": "never there"}]}
    answer = s3.delete_objects(Bucket=bucket, Delete=asked)
    assert {each["Key"] for each in answer["Deleted"]} == {"a", "b & c", "never there"}
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["d"]


def test_a_copy_keeps_or_replaces_what_is_said(letter, client):
    bucket, source = letter["Bucket"], CopySource(letter["Bucket"], "letter")
    client.copy_object(bucket, "kept", source)
    client.copy_object(bucket, "changed", source, metadata={"from": "Bob"}, metadata_directive=REPLACE)
    said = [client.stat_object(bucket, key).metadata["x-amz-meta-from"] for key in ("kept", "changed")]
    assert said == ["Ann", "Bob"]


def test_a_copy_onto_itself_must_change_something(letter, s3, refused):
    with refused("InvalidRequest"):
        s3.copy_object(**letter, CopySource=letter)
    s3.copy_object(**letter, CopySource=letter, MetadataDirective="REPLACE", Metadata={"from": "Cid"})
    found = s3.get_object(**letter)
    assert (found["Metadata"], found["Body"].read()) == ({"from": "Cid"}, b"0123456789")


def test_conditions_of_copying(letter, s3, refused):
    target = {"Bucket": letter["Bucket"], "Key": "copy", "CopySource": letter}
    with refused("PreconditionFailed"):
        s3.copy_object(**target, CopySourceIfMatch='"0000"')
    with refused("NoSuchKey"):
        s3.copy_object(**{**target, "CopySource": {**letter, "Key": "nothing"}})


def test_tags_of_an_object(letter, client, s3):
    bucket, tags = letter["Bucket"], Tags.new_object_tags()
    tags["a"] = "b c"
    client.set_object_tags(bucket, "letter", tags)
    assert client.get_object_tags(bucket, "letter") == {"a": "b c"}
    assert s3.get_object(**letter)["Body"].read() == b"0123456789"
    client.delete_object_tags(bucket, "letter")
    assert s3.get_object_tagging(**letter)["TagSet"] == []


def test_what_is_not_offered_is_refused_not_dropped(bucket, s3, refused):
    with refused("NotImplemented"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="AES256")
    with refused("InvalidStorageClass"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="GLACIER")
