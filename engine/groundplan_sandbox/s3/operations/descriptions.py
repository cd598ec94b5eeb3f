"""What a client says of an object in headers: content headers, user metadata, tags.

Requests for what is not offered are refused here.
Limits: "Working with object metadata" (2 KB of user metadata) and "Object tagging" (10 tags) of the Amazon S3 user
guide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from groundplan_sandbox.s3.errors import bad_request, invalid_argument, not_implemented
from groundplan_sandbox.s3.records import Description

META = "x-amz-meta-"
CONTENT = ("cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires")
METADATA_BYTES = 2048
OBJECT_TAGS = 10
BUCKET_TAGS = 50
REFUSED = {
    "x-amz-server-side-encryption": "server-side encryption",
    "x-amz-server-side-encryption-customer-algorithm": "server-side encryption",
    "x-amz-object-lock-mode": "object locks",
    "x-amz-object-lock-legal-hold": "object locks",
    "x-amz-website-redirect-location": "redirects",
    "x-amz-write-offset-bytes": "appending to objects",
}
TAG_TEXT = re.compile(r"[\w +\-=.:/@]*")
STORAGE_CLASSES = ("STANDARD", "REDUCED_REDUNDANCY")


def refuse_unoffered(headers: Mapping[str, str]) -> None:
    """Raises S3Error NotImplemented or InvalidStorageClass, so that nothing asked for is dropped unsaid."""
    for name, what in REFUSED.items():
        if name in headers:
            raise not_implemented(what)
    if headers.get("x-amz-storage-class", "STANDARD") not in STORAGE_CLASSES:
        raise bad_request("InvalidStorageClass", "The storage class you specified is not valid.")


def described(headers: Mapping[str, str]) -> Description:
    """The description in a request's headers; S3Error MetadataTooLarge, InvalidTag."""
    refuse_unoffered(headers)
    metadata = {name.removeprefix(META): value for name, value in headers.items() if name.startswith(META)}
    if sum(len(name) + len(value.encode("latin-1", "replace")) for name, value in metadata.items()) > METADATA_BYTES:
        raise bad_request("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size")
    content = {name: headers[name] for name in CONTENT if name in headers}
    codings = [each.strip() for each in content.pop("content-encoding", "").split(",")]
    if kept := [coding for coding in codings if coding not in ("", "aws-chunked")]:
        content["content-encoding"] = ",".join(kept)
    content.setdefault("content-type", "binary/octet-stream")
    return Description(headers=content, metadata=metadata, tags=tags_in_header(headers.get("x-amz-tagging", "")))


def tags_in_header(text: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict")
    except ValueError as error:
        raise invalid_argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query"
        ) from error
    return checked_tags(pairs, OBJECT_TAGS)


def checked_tags(pairs: list[tuple[str, str]], most: int) -> dict[str, str]:
    """Raises S3Error BadRequest (too many) or InvalidTag."""
    if len(pairs) > most:
        raise bad_request("BadRequest", f"Tags cannot be more than {most}")
    for name, value in pairs:
        if not TAG_TEXT.fullmatch(name + value) or not 1 <= len(name) <= 128 or len(value) > 256:
            raise bad_request("InvalidTag", "The TagKey or TagValue you have provided is invalid")
    if len(dict(pairs)) != len(pairs):
        raise bad_request("InvalidTag", "Cannot provide multiple Tags with the same key")
    return dict(pairs)
