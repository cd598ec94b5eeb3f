"""Operations on single objects: put, get, head, delete, copy."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import formatdate
from http import HTTPStatus
from typing import BinaryIO
from urllib.parse import unquote

import msgspec

from groundplan_sandbox.s3.checksums import ALGORITHMS, Measured, header_of
from groundplan_sandbox.s3.conditions import byte_range, check_source, check_write, not_modified
from groundplan_sandbox.s3.documents import render, timestamp
from groundplan_sandbox.s3.errors import S3Error, bad_request, invalid_argument, invalid_request, not_implemented
from groundplan_sandbox.s3.names import check_key
from groundplan_sandbox.s3.operations.descriptions import META, described, refuse_unoffered, tags_in_header
from groundplan_sandbox.s3.operations.site import Site
from groundplan_sandbox.s3.payload import PIECE, Payload
from groundplan_sandbox.s3.records import Checksum, Description, ObjectRecord
from groundplan_sandbox.s3.request import FileSlice, Request, Response

XML = {"Content-Type": "application/xml"}
OVERRIDES = {
    f"response-{name}": name
    for name in (
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "expires",
    )
}


def put_object(site: Site, request: Request, payload: Payload) -> Response:
    if "x-amz-copy-source" in request.headers:
        return copy_object(site, request)
    check_key(request.key)
    site.catalogue.bucket(request.bucket)
    description = described(request.headers)
    if not payload.announced:
        raise S3Error(
            "MissingContentLength", HTTPStatus.LENGTH_REQUIRED, "You must provide the Content-Length HTTP header."
        )
    with site.catalogue.new_blob(payload) as blob:
        record = ObjectRecord(
            bucket=request.bucket,
            key=request.key,
            size=blob.size,
            etag=blob.md5,
            modified=request.received,
            blob=blob.kept,
            description=description,
            checksum=payload.checksum,
        )
        site.catalogue.put_object(record, blob, lambda existing: check_write(existing, request.headers))
    return Response(headers={"ETag": f'"{record.etag}"', **checksum_headers(record.checksum)})


def checksum_headers(checksum: Checksum | None) -> dict[str, str]:
    if checksum is None:
        return {}
    kind = "COMPOSITE" if "-" in checksum.value else "FULL_OBJECT"
    return {header_of(checksum.algorithm): checksum.value, "x-amz-checksum-type": kind}


def get_object(site: Site, request: Request, payload: Payload) -> Response:
    """GET, and HEAD too: whoever sends the response leaves a HEAD's body out."""
    for unoffered in ("partNumber", "versionId"):
        if request.query.get(unoffered, "null") != "null":
            raise not_implemented(f"reading by {unoffered}")
    check_key(request.key)
    site.catalogue.bucket(request.bucket)
    record, file = site.catalogue.open_object(request.bucket, request.key)
    try:
        return answer_with(record, file, request)
    except BaseException:
        file.close()
        raise


def answer_with(record: ObjectRecord, file: BinaryIO, request: Request) -> Response:
    headers = object_headers(record)
    if not_modified(record, request.headers):
        file.close()
        return Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    headers |= overrides(request.query)
    part = byte_range(request.headers.get("range"), record.size)
    if part is None:
        if request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
            headers |= checksum_headers(record.checksum)
        return Response(headers=headers, body=FileSlice(file=file, offset=0, length=record.size))
    first, last = part
    headers["Content-Range"] = f"bytes {first}-{last}/{record.size}"
    body = FileSlice(file=file, offset=first, length=last - first + 1)
    return Response(status=HTTPStatus.PARTIAL_CONTENT, headers=headers, body=body)


def object_headers(record: ObjectRecord) -> dict[str, str]:
    description = record.description
    headers = {
        "ETag": f'"{record.etag}"',
        "Last-Modified": formatdate(record.modified, usegmt=True),
        "Accept-Ranges": "bytes",
        **description.headers,
        **{META + name: value for name, value in description.metadata.items()},
    }
    if description.tags:
        headers["x-amz-tagging-count"] = str(len(description.tags))
    return headers


def overrides(query: dict[str, str]) -> dict[str, str]:
    found = {OVERRIDES[name]: value for name, value in query.items() if name in OVERRIDES}
    if any(not value.isprintable() for value in found.values()):
        raise invalid_argument("A response- parameter holds characters that a header may not have.")
    return found


def delete_object(site: Site, request: Request, payload: Payload) -> Response:
    if request.query.get("versionId", "null") != "null":
        raise not_implemented("versions of objects")
    check_key(request.key)
    site.catalogue.delete_object(request.bucket, request.key)
    return Response(status=HTTPStatus.NO_CONTENT)


def copy_object(site: Site, request: Request) -> Response:
    check_key(request.key)
    site.catalogue.bucket(request.bucket)
    source, file = open_source(site, request)
    with file:
        description = copied_description(source, request)
        content = Measured(slice_of(file, 0, source.size), asked_algorithm(request))
        with site.catalogue.new_blob(content) as blob:
            record = ObjectRecord(
                bucket=request.bucket,
                key=request.key,
                size=blob.size,
                etag=blob.md5,
                modified=request.received,
                blob=blob.kept,
                description=description,
                checksum=content.checksum,
            )
            site.catalogue.put_object(record, blob, lambda existing: check_write(existing, request.headers))
    body = render("CopyObjectResult", [("LastModified", timestamp(record.modified)), ("ETag", f'"{record.etag}"')])
    return Response(headers=XML, body=body)


def open_source(site: Site, request: Request) -> tuple[ObjectRecord, BinaryIO]:
    """The object that x-amz-copy-source names, once its conditions hold."""
    text, _, version = request.headers["x-amz-copy-source"].partition("?")
    if version.removeprefix("versionId=") not in ("", "null"):
        raise not_implemented("versions of objects")
    bucket, _, key = unquote(text).removeprefix("/").partition("/")
    if not bucket or not key:
        raise invalid_argument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
    check_key(key)
    site.catalogue.bucket(bucket)
    record, file = site.catalogue.open_object(bucket, key)
    try:
        check_source(record, request.headers, prefix="x-amz-copy-source-")
    except S3Error:
        file.close()
        raise
    return record, file


def copied_description(source: ObjectRecord, request: Request) -> Description:
    refuse_unoffered(request.headers)
    replaces = directive(request, "x-amz-metadata-directive")
    if (source.bucket, source.key) == (request.bucket, request.key) and not replaces:
        raise invalid_request(
            "This copy request is illegal because it is trying to copy an object to itself"
            " without changing the object's metadata."
        )
    description = described(request.headers) if replaces else source.description
    if directive(request, "x-amz-tagging-directive"):
        tags = tags_in_header(request.headers.get("x-amz-tagging", ""))
    else:
        tags = source.description.tags
    return msgspec.structs.replace(description, tags=tags)


def directive(request: Request, name: str) -> bool:
    value = request.headers.get(name, "COPY")
    if value not in ("COPY", "REPLACE"):
        raise bad_request("InvalidArgument", f"Unknown {name}.")
    return value == "REPLACE"


def slice_of(file: BinaryIO, first: int, length: int) -> Iterator[bytes]:
    file.seek(first)
    while length and (piece := file.read(min(length, PIECE))):
        length -= len(piece)
        yield piece


def asked_algorithm(request: Request) -> str | None:
    """The algorithm that x-amz-checksum-algorithm names; S3Error InvalidRequest when S3 has none of that name."""
    algorithm = request.headers.get("x-amz-checksum-algorithm", "").upper() or None
    if algorithm is not None and algorithm not in ALGORITHMS:
        raise invalid_request("Checksum algorithm provided is unsupported.")
    return algorithm
