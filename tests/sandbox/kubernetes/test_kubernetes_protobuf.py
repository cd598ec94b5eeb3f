"""Of the sandbox: protobuf bodies: what is read, and that nothing is dropped in silence."""

from __future__ import annotations

import pytest

from groundplan_sandbox.kubernetes.protobuf import MAGIC, decode
from groundplan_sandbox.kubernetes.status import ApiError
from groundplan_sandbox.kubernetes.wire import write_bytes


def envelope(kind: str, message: bytes) -> bytes:
    type_meta = write_bytes(1, "v1") + write_bytes(2, kind)
    return MAGIC + write_bytes(1, type_meta) + write_bytes(2, message)


def test_maps_of_bytes_become_base64():
    entry = write_bytes(1, "password") + write_bytes(2, b"\xff\x00")
    metadata = write_bytes(1, "login") + write_bytes(2, "")
    item = decode(envelope("Secret", write_bytes(1, metadata) + write_bytes(2, entry)))
    expected = {"metadata": {"name": "login"}, "data": {"password": "/wA="}}
    assert item == {"apiVersion": "v1", "kind": "Secret", **expected}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{}", 400),
        (MAGIC + b"\x0a\xff", 400),
        (envelope("Pod", b""), 415),
        (envelope("Secret", write_bytes(99, "new")), 415),
    ],
    ids=["no envelope", "cut off", "unknown kind", "unknown field"],
)
def test_what_cannot_be_read_is_refused(body, code):
    with pytest.raises(ApiError) as caught:
        decode(body)
    assert caught.value.code == code
