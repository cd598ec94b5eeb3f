"""Multipart uploads, as clients do them by themselves and step by step."""

from __future__ import annotations

import base64
import hashlib
import io
import zlib

import pytest

MIB = 1024 * 1024


class Upload:
    """An upload in progress, driven by boto3."""

    def __init__(self, s3, bucket: str, key: str = "big", **how) -> None:
        self.s3 = s3
        self.place = {"Bucket": bucket, "Key": key}
        created = s3.create_multipart_upload(**self.place, **how)
        self.named = {**self.place, "UploadId": created["UploadId"]}

    def part(self, number: int, body: bytes, **how) -> dict:
        sent = self.s3.upload_part(**self.named, PartNumber=number, Body=body, **how)
        checksums = {name: value for name, value in sent.items() if name == "ChecksumCRC32"}
        return {"PartNumber": number, "ETag": sent["ETag"], **checksums}

    def complete(self, *parts: dict, **how) -> dict:
        return self.s3.complete_multipart_upload(**self.named, MultipartUpload={"Parts": list(parts)}, **how)


@pytest.fixture
def upload(s3, bucket) -> Upload:
    return Upload(s3, bucket, ContentType="text/x-big", Metadata={"a": "b"})


def test_boto_uploads_and_downloads_in_parts(bucket, s3, some_bytes, tmp_path):
    s3.upload_fileobj(io.BytesIO(some_bytes), bucket, "big")
    s3.download_file(bucket, "big", str(tmp_path / "big"))
    assert (tmp_path / "big").read_bytes() == some_bytes
    assert s3.head_object(Bucket=bucket, Key="big")["ETag"].endswith('-2"')


def test_minio_uploads_a_stream_of_unknown_length(bucket, client, some_bytes):
    client.put_object(bucket, "big", io.BytesIO(some_bytes), -1, part_size=5 * MIB)
    assert client.stat_object(bucket, "big").size == len(some_bytes)


def test_parts_are_joined_by_number_not_by_time(upload, s3):
    second, first = upload.part(2, b"end"), upload.part(1, b"a" * 5 * MIB)
    etag = upload.complete(first, second)["ETag"]
    digests = hashlib.md5(b"a" * 5 * MIB).digest() + hashlib.md5(b"end").digest()
    assert etag == f'"{hashlib.md5(digests).hexdigest()}-2"'
    found = s3.get_object(**upload.place)
    assert found["Body"].read() == b"a" * 5 * MIB + b"end"
    assert (found["ContentType"], found["Metadata"]) == ("text/x-big", {"a": "b"})


def test_a_part_sent_again_replaces_the_first(upload, s3):
    upload.part(1, b"old")
    upload.complete(upload.part(1, b"new"))
    assert s3.get_object(**upload.place)["Body"].read() == b"new"


def test_nothing_is_there_before_the_end(upload, s3, refused):
    upload.part(1, b"x")
    with refused("NoSuchKey"):
        s3.get_object(**upload.place)


def test_parts_that_are_too_small_are_refused(upload, refused):
    parts = [upload.part(number, b"small") for number in (1, 2)]
    with refused("EntityTooSmall"):
        upload.complete(*parts)


def test_lists_of_parts_that_do_not_fit_are_refused(upload, refused):
    first, second = upload.part(1, b"a" * 5 * MIB), upload.part(2, b"b")
    with refused("InvalidPartOrder"):
        upload.complete(second, first)
    with refused("InvalidPart"):
        upload.complete({**first, "ETag": second["ETag"]})
    with refused("InvalidPart"):
        upload.complete(first, {**second, "PartNumber": 3})


def test_an_aborted_upload_is_gone(upload, s3, refused):
    part = upload.part(1, b"x")
    s3.abort_multipart_upload(**upload.named)
    with refused("NoSuchUpload"):
        upload.complete(part)
    with refused("NoSuchUpload"):
        upload.part(2, b"y")


def test_parts_are_listed_in_pages(upload, s3):
    for number in (1, 2, 3):
        upload.part(number, b"x" * number)
    first = s3.list_parts(**upload.named, MaxParts=2)
    assert [part["Size"] for part in first["Parts"]] == [1, 2]
    rest = s3.list_parts(**upload.named, PartNumberMarker=first["NextPartNumberMarker"])
    assert (first["IsTruncated"], [part["PartNumber"] for part in rest["Parts"]]) == (True, [3])


def test_unfinished_uploads_are_listed(upload, s3):
    listed = s3.list_multipart_uploads(Bucket=upload.place["Bucket"], Prefix="big")
    assert [each["UploadId"] for each in listed["Uploads"]] == [upload.named["UploadId"]]


def test_a_part_is_copied_from_another_object(upload, s3, bucket):
    s3.put_object(Bucket=bucket, Key="source", Body=b"0123456789")
    source = {"CopySource": {"Bucket": bucket, "Key": "source"}, "CopySourceRange": "bytes=2-5"}
    copied = s3.upload_part_copy(**upload.named, PartNumber=1, **source)["CopyPartResult"]
    upload.complete({"PartNumber": 1, "ETag": copied["ETag"]})
    assert s3.get_object(**upload.place)["Body"].read() == b"2345"


def test_checksums_of_parts_are_checked_and_joined(s3, bucket, refused):
    upload = Upload(s3, bucket, ChecksumAlgorithm="CRC32")
    with refused("XAmzContentChecksumMismatch"):
        upload.part(1, b"x", ChecksumCRC32="AAAAAA==")
    upload.complete(upload.part(1, b"x", ChecksumAlgorithm="CRC32"))
    assert s3.head_object(**upload.place, ChecksumMode="ENABLED")["ChecksumCRC32"].endswith("-1")


def test_a_checksum_may_be_over_all_bytes(s3, bucket, refused):
    upload = Upload(s3, bucket, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    body = b"a" * 5 * MIB + b"end"
    parts = [upload.part(1, body[: 5 * MIB]), upload.part(2, b"end")]
    crc32 = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    with refused("XAmzContentChecksumMismatch", "InvalidPart"):
        upload.complete(*parts, ChecksumCRC32="AAAAAA==", ChecksumType="FULL_OBJECT")
    upload.complete(*parts, ChecksumCRC32=crc32, ChecksumType="FULL_OBJECT")
    found = s3.head_object(**upload.place, ChecksumMode="ENABLED")
    assert (found["ChecksumCRC32"], found["ChecksumType"]) == (crc32, "FULL_OBJECT")


def test_a_part_with_another_checksum_than_the_uploads_is_refused(s3, bucket, refused):
    upload = Upload(s3, bucket, ChecksumAlgorithm="CRC64NVME")
    with refused("InvalidArgument", "InvalidRequest"):
        upload.part(1, b"x", ChecksumAlgorithm="CRC32")


def test_an_upload_may_ask_for_an_empty_place(upload, s3, refused):
    s3.put_object(**upload.place, Body=b"first")
    part = upload.part(1, b"second")
    with refused("PreconditionFailed"):
        upload.complete(part, IfNoneMatch="*")
    assert s3.get_object(**upload.place)["Body"].read() == b"first"


@pytest.mark.parametrize("number", ["0", "10001", "x"])
def test_part_numbers_out_of_range_are_refused(upload, send, number):
    place, upload_id = upload.place, upload.named["UploadId"]
    answer = send.signed("PUT", f"/{place['Bucket']}/big?partNumber={number}&uploadId={upload_id}", b"x")
    assert answer.status == 400
