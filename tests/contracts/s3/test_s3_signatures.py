"""Who may do what: signatures, clocks, payload hashes, policies."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import urllib.request
import zlib
from datetime import UTC, datetime, timedelta
from urllib.error import HTTPError

import pytest

EMPTY = hashlib.sha256().hexdigest()
SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
CHUNKS = [b"a" * 65536, b"b" * 1000, b""]


def test_wrong_secret_is_refused(store, bucket, refused):
    with refused("SignatureDoesNotMatch"):
        store.minio(secret_key="not-the-secret").put_object(bucket, "k", io.BytesIO(b"x"), 1)
    with refused("SignatureDoesNotMatch"):
        store.boto(aws_secret_access_key="not-the-secret").list_objects_v2(Bucket=bucket)


def test_unknown_access_key_is_refused(store, bucket, refused):
    with refused("InvalidAccessKeyId"):
        store.boto(aws_access_key_id="somebody").list_objects_v2(Bucket=bucket)


def test_signature_for_another_region_is_refused_with_the_right_region(store, bucket, send):
    answer = send.signed("GET", f"/{bucket}")
    assert answer.status == 200
    store_elsewhere = type(store)(kind=store.kind, port=store.port, region="eu-west-1")
    answer = type(send)(store=store_elsewhere).signed("GET", f"/{bucket}")
    assert (answer.status, answer.code) == (400, "AuthorizationHeaderMalformed")
    assert b"<Region>us-west-1</Region>" in answer.body


@pytest.mark.parametrize("shift", [timedelta(minutes=-16), timedelta(minutes=16)])
def test_skewed_clock_is_refused(bucket, send, shift):
    answer = send.signed("GET", f"/{bucket}", date=datetime.now(UTC) + shift)
    assert (answer.status, answer.code) == (403, "RequestTimeTooSkewed")


@pytest.mark.parametrize("change", [{"path": "/other"}, {"method": "DELETE"}, {"header": "x"}])
def test_changing_what_was_signed_is_refused(bucket, send, change):
    path = f"/{bucket}/k"
    headers = send.headers("PUT", path, payload_hash=EMPTY, headers={"x-amz-meta-a": "signed"})
    if "header" in change:
        headers["x-amz-meta-a"] = "tampered"
    answer = send.plain(change.get("method", "PUT"), path + change.get("path", ""), headers=headers)
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")


def test_tampered_payload_is_refused_and_not_stored(bucket, send, s3, refused):
    claimed = hashlib.sha256(b"what I meant").hexdigest()
    answer = send.signed("PUT", f"/{bucket}/k", b"what came here", payload_hash=claimed)
    assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")
    with refused("404"):
        s3.head_object(Bucket=bucket, Key="k")


def test_wrong_content_md5_is_refused(bucket, send):
    other = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    answer = send.signed("PUT", f"/{bucket}/k", b"body", headers={"Content-MD5": other})
    assert (answer.status, answer.code) == (400, "BadDigest")


def test_wrong_checksum_is_refused(bucket, s3, refused):
    with refused("XAmzContentChecksumMismatch"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"body", ChecksumCRC32="AAAAAA==")


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums_are_kept_and_given_back(bucket, send, s3, algorithm):
    known = {
        "CRC32": "y/Q5Jg==",
        "CRC32C": "4waSgw==",
        "CRC64NVME": "rosUhgp5mIg=",
        "SHA1": "98O8HYCOBHMq32eZZczDTKeuNEE=",
        "SHA256": "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
    }
    headers = {f"x-amz-checksum-{algorithm.lower()}": known[algorithm]}
    assert send.signed("PUT", f"/{bucket}/k", b"123456789", headers=headers).status == 200
    found = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert found[f"Checksum{algorithm}"] == known[algorithm]


def test_anonymous_is_refused(bucket, send):
    for method, path in (("GET", "/"), ("GET", f"/{bucket}"), ("PUT", f"/{bucket}/k"), ("DELETE", f"/{bucket}")):
        answer = send.plain(method, path)
        assert (answer.status, answer.code) == (403, "AccessDenied"), (method, path)


def test_policy_opens_reading_and_nothing_else(bucket, send, s3):
    s3.put_object(Bucket=bucket, Key="open/k", Body=b"read me")
    s3.put_object(Bucket=bucket, Key="shut/k", Body=b"not me")
    s3.put_bucket_policy(Bucket=bucket, Policy=reading(f"{bucket}/open/*"))
    assert send.plain("GET", f"/{bucket}/open/k").body == b"read me"
    refused = [("GET", f"/{bucket}/shut/k"), ("PUT", f"/{bucket}/open/k"), ("GET", f"/{bucket}")]
    assert {send.plain(method, path).status for method, path in refused} == {403}
    s3.delete_bucket_policy(Bucket=bucket)
    assert send.plain("GET", f"/{bucket}/open/k").status == 403


def test_a_deny_wins_over_an_allow(bucket, send, s3):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    policy = json.loads(reading(f"{bucket}/*"))
    policy["Statement"].append({**policy["Statement"][0], "Effect": "Deny"})
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert send.plain("GET", f"/{bucket}/k").status == 403


def test_policies_that_are_none_are_refused(bucket, s3, refused):
    for policy in ("{", "{}", reading("another-bucket/*")):
        with refused("MalformedPolicy"):
            s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    with refused("NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket=bucket)


def reading(resource: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": ["*"]},
        "Action": ["s3:GetObject"],
        "Resource": [f"arn:aws:s3:::{resource}"],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_presigned_urls_read_and_write(bucket, s3, client):
    put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a b"})
    urllib.request.urlopen(urllib.request.Request(put, data=b"by url", method="PUT")).close()
    get = client.presigned_get_object(bucket, "a b", response_headers={"response-content-type": "text/x-test"})
    with urllib.request.urlopen(get) as answer:
        assert (answer.read(), answer.headers["Content-Type"]) == (b"by url", "text/x-test")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda url: url.replace("/k?", "/other?"),
        lambda url: url[:-1] + ("0" if url[-1] != "0" else "1"),
        lambda url: url.replace("X-Amz-Expires=60", "X-Amz-Expires=600"),
    ],
)
def test_tampered_presigned_url_is_refused(bucket, client, spoil):
    url = client.presigned_get_object(bucket, "k", expires=timedelta(seconds=60))
    assert refusal(spoil(url)) == (403, "SignatureDoesNotMatch")


def test_expired_presigned_url_is_refused(bucket, client):
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    url = client.get_presigned_url("GET", bucket, "k", expires=timedelta(minutes=59), request_date=hour_ago)
    assert refusal(url) == (403, "AccessDenied")


def test_presigned_url_may_not_last_longer_than_a_week(bucket, client):
    url = client.presigned_get_object(bucket, "k", expires=timedelta(days=7)).replace("=604800", "=604801")
    assert refusal(url) == (400, "AuthorizationQueryParametersError")


def refusal(url: str) -> tuple[int, str]:
    with pytest.raises(HTTPError) as caught:
        urllib.request.urlopen(url).close()
    with caught.value as answer:
        text = answer.read().decode()
    return answer.code, text.partition("<Code>")[2].partition("</Code>")[0]


class Chunks:
    """A payload in signed chunks, as the client of another SDK sends it."""

    def __init__(self, send, path: str, length: int, kind: str = SIGNED_CHUNKS, **headers: str) -> None:
        self.now = datetime.now(UTC)
        self.store = send.store
        extra = {"x-amz-decoded-content-length": str(length), "Content-Encoding": "aws-chunked", **headers}
        self.headers = send.headers("PUT", path, payload_hash=kind, headers=extra, date=self.now)
        self.last = self.headers["Authorization"].rpartition("=")[2]

    def chunk(self, content: bytes) -> bytes:
        self.sign("PAYLOAD", EMPTY, hashlib.sha256(content).hexdigest())
        end = b"\r\n" if content else b""
        return f"{len(content):x};chunk-signature={self.last}\r\n".encode() + content + end

    def sign(self, kind: str, *digests: str) -> str:
        day, key = self.now.strftime("%Y%m%d"), f"AWS4{self.store.secret_key}".encode()
        scope = [day, self.store.region, "s3", "aws4_request"]
        for part in scope:
            key = hmac.digest(key, part.encode(), "sha256")
        lines = [f"AWS4-HMAC-SHA256-{kind}", self.headers["x-amz-date"], "/".join(scope), self.last, *digests]
        self.last = hmac.digest(key, "\n".join(lines).encode(), "sha256").hex()
        return self.last


def test_signed_chunks_are_joined(bucket, send, s3):
    chunks = Chunks(send, f"/{bucket}/k", 66536)
    body = b"".join(chunks.chunk(each) for each in CHUNKS) + b"\r\n"
    assert send.plain("PUT", f"/{bucket}/k", body, chunks.headers).status == 200
    found = s3.get_object(Bucket=bucket, Key="k")
    assert found["Body"].read() == b"".join(CHUNKS)
    assert "aws-chunked" not in found.get("ContentEncoding", "")


def test_a_chunk_changed_on_the_way_is_refused(bucket, send):
    chunks = Chunks(send, f"/{bucket}/k", 66536)
    body = b"".join(chunks.chunk(each) for each in CHUNKS).replace(b"bbbb", b"bbbc", 1) + b"\r\n"
    answer = send.plain("PUT", f"/{bucket}/k", body, chunks.headers)
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")


def with_trailer(send, path: str, checksum: bytes) -> tuple[bytes, dict[str, str]]:
    kind, name = f"{SIGNED_CHUNKS}-TRAILER", "x-amz-checksum-crc32"
    chunks = Chunks(send, path, 66536, kind, **{"x-amz-trailer": name})
    body = b"".join(chunks.chunk(each) for each in CHUNKS)
    trailer = f"{name}:{base64.b64encode(checksum).decode()}"
    signature = chunks.sign("TRAILER", hashlib.sha256(f"{trailer}\n".encode()).hexdigest())
    return body + f"{trailer}\r\nx-amz-trailer-signature:{signature}\r\n\r\n".encode(), chunks.headers


def test_signed_chunks_with_a_trailing_checksum(bucket, send, s3):
    checksum = zlib.crc32(b"".join(CHUNKS)).to_bytes(4, "big")
    body, headers = with_trailer(send, f"/{bucket}/k", checksum)
    assert send.plain("PUT", f"/{bucket}/k", body, headers).status == 200
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == 66536


def test_wrong_trailing_checksum_is_refused(bucket, send):
    body, headers = with_trailer(send, f"/{bucket}/k", b"\0\0\0\0")
    answer = send.plain("PUT", f"/{bucket}/k", body, headers)
    assert answer.status == 400
    assert answer.code == "XAmzContentChecksumMismatch"


def test_unsigned_chunks_with_a_trailing_checksum(bucket, send, s3):
    path, trailer = f"/{bucket}/k", base64.b64encode(zlib.crc32(b"payload").to_bytes(4, "big")).decode()
    body = f"7\r\npayload\r\n0\r\nx-amz-checksum-crc32:{trailer}\r\n\r\n".encode()
    headers = {"x-amz-decoded-content-length": "7", "x-amz-trailer": "x-amz-checksum-crc32"}
    kind = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    assert send.signed("PUT", path, body, payload_hash=kind, headers=headers).status == 200
    answer = send.signed("PUT", path, body.replace(b"payload", b"PAYLOAD"), payload_hash=kind, headers=headers)
    assert answer.status == 400
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"payload"
