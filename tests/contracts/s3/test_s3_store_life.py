"""What the sandbox's store does beyond the contract: its life, its folder, and where it is stricter than MinIO."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from groundplan_sandbox.s3 import ObjectStore
from groundplan_sandbox.s3.catalogue import StoreDamagedError, StoreInUseError

KEYS = ("admin-of-tests", "wJalrXUtnFEMI/K7MDENG+bPxRfiCY", "us-west-1")


@pytest.fixture
def started(tmp_path):
    """Starts stores that the test's end stops; by default on one and the same folder."""
    running = []

    def start(folder=tmp_path / "data", host="127.0.0.1", port=0):
        server = ObjectStore(folder, *KEYS)
        server.start(host, port)
        running.append(server)
        return server

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def boto_for(sandbox_type):
    return lambda server: sandbox_type(kind="sandbox", port=server.port).boto()


def blobs(folder):
    return folder / "data" / ".groundplan-s3" / "blobs"


def fill(s3):
    s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "us-west-1"})
    s3.put_object(Bucket="kept", Key="k", Body=b"0123456789", Metadata={"a": "b"})


def test_everything_outlives_the_server(started, boto_for):
    first = started()
    s3 = boto_for(first)
    fill(s3)
    upload = s3.create_multipart_upload(Bucket="kept", Key="big")["UploadId"]
    place = {"Bucket": "kept", "Key": "big", "UploadId": upload}
    etag = s3.upload_part(**place, PartNumber=1, Body=b"part")["ETag"]
    first.stop()
    s3 = boto_for(started())
    found = s3.get_object(Bucket="kept", Key="k")
    assert (found["Body"].read(), found["Metadata"]) == (b"0123456789", {"a": "b"})
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    assert s3.get_object(Bucket="kept", Key="big")["Body"].read() == b"part"


def test_a_stopped_server_answers_nobody_and_frees_its_port(started):
    server = started()
    port = server.port
    assert server.running
    with socket.create_connection(("127.0.0.1", port), timeout=10) as idle:
        idle.sendall(b"GET /minio/health/live HTTP/1.1\r\n\r\n")
        assert idle.recv(15) == b"HTTP/1.1 200 OK"
        server.stop()
        assert not server.running
        assert b"".join(iter(lambda: idle.recv(4096), b"")).endswith(b"\r\n\r\n")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    server.stop()


def test_a_stopped_server_leaves_no_thread(started):
    before = threading.active_count()
    server = started()
    with socket.create_connection(("127.0.0.1", server.port)):
        server.stop()
    assert threading.active_count() == before


def test_two_servers_never_share_a_folder(started):
    started()
    with pytest.raises(StoreInUseError):
        started()


def test_a_port_in_use_is_an_error_and_the_folder_stays_free(started, tmp_path):
    port = started().port
    with pytest.raises(OSError):
        started(tmp_path / "other", port=port)
    assert started(tmp_path / "other").running


def test_servers_on_other_addresses_have_other_buckets(started, tmp_path, boto_for, sandbox_type):
    one, other = started(), started(tmp_path / "other", host="127.30.200.1")
    fill(boto_for(one))
    elsewhere = sandbox_type(kind="sandbox", port=other.port, host="127.30.200.1").boto()
    assert elsewhere.list_buckets()["Buckets"] == []


@pytest.mark.parametrize("keys", [("ab", "long enough"), ("admin", "short")])
def test_keys_that_minio_refuses_are_refused(tmp_path, keys):
    with pytest.raises(ValueError):
        ObjectStore(tmp_path, *keys)


def test_replaced_and_deleted_objects_leave_no_bytes(started, boto_for, tmp_path):
    s3 = boto_for(started())
    fill(s3)
    s3.put_object(Bucket="kept", Key="k", Body=b"again")
    assert len(os.listdir(blobs(tmp_path))) == 1
    s3.delete_object(Bucket="kept", Key="k")
    s3.delete_bucket(Bucket="kept")
    assert os.listdir(blobs(tmp_path)) == []


def test_what_a_killed_server_left_half_written_is_removed(started, boto_for, tmp_path):
    server = started()
    fill(boto_for(server))
    server.stop()
    for name in ("new-0123", "0123456789abcdef"):
        (blobs(tmp_path) / name).write_bytes(b"half")
    assert boto_for(started()).get_object(Bucket="kept", Key="k")["Body"].read() == b"0123456789"
    assert len(os.listdir(blobs(tmp_path))) == 1


def test_a_damaged_record_is_named(started, boto_for, tmp_path):
    server = started()
    fill(boto_for(server))
    server.stop()
    record = next((blobs(tmp_path).parent / "objects").iterdir())
    record.write_bytes(record.read_bytes()[:20])
    with pytest.raises(StoreDamagedError, match=record.name):
        started()


def test_a_link_in_the_data_folder_leads_nowhere(started, boto_for, refused, tmp_path):
    s3 = boto_for(started())
    fill(s3)
    canary = tmp_path / "canary"
    canary.write_text("secret of the host")
    blob = next(blobs(tmp_path).iterdir())
    blob.unlink()
    blob.symlink_to(canary)
    with refused("InternalError"):
        s3.get_object(Bucket="kept", Key="k")


@pytest.mark.parametrize("linked", [".groundplan-s3", ".groundplan-s3/blobs", ".groundplan-s3/lock"])
def test_a_data_folder_with_links_in_it_is_not_served(started, tmp_path, linked):
    started().stop()
    place, elsewhere = tmp_path / "data" / linked, tmp_path / "elsewhere"
    place.rename(elsewhere)
    place.symlink_to(elsewhere)
    with pytest.raises(OSError):
        started()


def test_signature_version_2_is_refused_with_a_hint(sandbox_sender):
    answer = sandbox_sender.plain("GET", "/b", headers={"Authorization": "AWS admin:c2lnbmF0dXJl"})
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert b"AWS4-HMAC-SHA256" in answer.body


def test_a_header_added_behind_the_signature_is_refused(sandbox_sender):
    headers = sandbox_sender.headers("GET", "/b", payload_hash="UNSIGNED-PAYLOAD")
    answer = sandbox_sender.plain("GET", "/b", headers={**headers, "x-amz-meta-late": "x"})
    assert (answer.status, answer.code) == (403, "AccessDenied")


@pytest.mark.parametrize(
    "framing",
    [b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", b"Content-Length: -1\r\n", b"Content-Length: 1, 2\r\n"],
)
def test_bodies_of_unclear_length_are_refused(sandbox_sender, framing):
    with socket.create_connection(("127.0.0.1", sandbox_sender.store.port), timeout=10) as connection:
        connection.sendall(b"PUT /b/k HTTP/1.1\r\nHost: x\r\n" + framing + b"\r\nx")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"<Code>InvalidRequest</Code>" in answer


def test_a_refused_upload_is_not_asked_for_its_body(sandbox_sender):
    head = b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", sandbox_sender.store.port), timeout=10) as connection:
        connection.sendall(head)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 403 ")
