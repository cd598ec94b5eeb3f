"""Operations on buckets, and the listings of objects in one."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote

from groundplan_sandbox.s3.documents import Node, parse, render, text_in, timestamp
from groundplan_sandbox.s3.errors import S3Error, bad_request, invalid_argument, malformed_xml, not_implemented
from groundplan_sandbox.s3.listing import LARGEST_PAGE, Page, page_of
from groundplan_sandbox.s3.names import check_bucket, check_key
from groundplan_sandbox.s3.operations.site import Site, owner
from groundplan_sandbox.s3.payload import Payload
from groundplan_sandbox.s3.records import BucketRecord, ObjectRecord
from groundplan_sandbox.s3.request import Request, Response

DEFAULT_REGION = "us-east-1"
"""The region whose buckets have, for history's sake, an empty location."""
DOCUMENT = 2 * 1024 * 1024
XML = {"Content-Type": "application/xml"}


def list_buckets(site: Site, request: Request, payload: Payload) -> Response:
    buckets: list[Node] = [
        ("Bucket", [("Name", record.name), ("CreationDate", timestamp(record.created))])
        for record in site.catalogue.buckets()
    ]
    return Response(headers=XML, body=render("ListAllMyBucketsResult", [owner(), ("Buckets", buckets)]))


def create_bucket(site: Site, request: Request, payload: Payload) -> Response:
    check_bucket(request.bucket)
    if request.headers.get("x-amz-bucket-object-lock-enabled", "false").lower() == "true":
        raise not_implemented("object locks")
    check_location(payload.read(DOCUMENT), site.region)
    site.catalogue.create_bucket(BucketRecord(name=request.bucket, created=request.received))
    return Response(headers={"Location": f"/{request.bucket}"})


def check_location(document: bytes, region: str) -> None:
    if not document:
        return
    location = text_in(parse(document, root="CreateBucketConfiguration"), "LocationConstraint")
    if region and location and location != region:
        raise bad_request("InvalidRegion", f"Region does not match; this server is in {region}.")


def head_bucket(site: Site, request: Request, payload: Payload) -> Response:
    site.catalogue.bucket(request.bucket)
    return Response(headers={"x-amz-bucket-region": site.region})


def delete_bucket(site: Site, request: Request, payload: Payload) -> Response:
    site.catalogue.delete_bucket(request.bucket)
    return Response(status=HTTPStatus.NO_CONTENT)


def get_bucket_location(site: Site, request: Request, payload: Payload) -> Response:
    site.catalogue.bucket(request.bucket)
    location = "" if site.region == DEFAULT_REGION else site.region
    document = render("LocationConstraint", [])
    if location:
        document = document.replace(b" />", f">{location}</LocationConstraint>".encode())
    return Response(headers=XML, body=document)


class Listing:
    """The parameters that both versions of ListObjects share."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self.prefix = query.get("prefix", "")
        self.delimiter = query.get("delimiter", "")
        self.size = page_size(query.get("max-keys", ""), "max-keys")
        self.encoding = query.get("encoding-type", "")
        if self.encoding not in ("", "url"):
            raise invalid_argument("Invalid Encoding Method specified in Request")

    def text(self, name: str) -> str:
        return quote(name, safe="/") if self.encoding else name

    def page(self, site: Site, bucket: str, after: str) -> tuple[Page, list[ObjectRecord]]:
        with site.catalogue.lock:
            keys = site.catalogue.keys(bucket)
            page = page_of(keys, prefix=self.prefix, delimiter=self.delimiter, after=after, size=self.size)
            return page, [site.catalogue.object(bucket, key) for key in page.keys]

    def head(self, bucket: str, page: Page) -> list[Node]:
        nodes: list[Node] = [
            ("Name", bucket),
            ("Prefix", self.text(self.prefix)),
            ("MaxKeys", str(self.size)),
            ("IsTruncated", "true" if page.truncated else "false"),
        ]
        if self.delimiter:
            nodes.append(("Delimiter", self.text(self.delimiter)))
        if self.encoding:
            nodes.append(("EncodingType", self.encoding))
        return nodes

    def entries(self, page: Page, records: list[ObjectRecord], *, with_owner: bool) -> list[Node]:
        contents: list[Node] = [("Contents", self.entry(record, with_owner=with_owner)) for record in records]
        prefixes: list[Node] = [("CommonPrefixes", [("Prefix", self.text(prefix))]) for prefix in page.prefixes]
        return contents + prefixes

    def entry(self, record: ObjectRecord, *, with_owner: bool) -> list[Node]:
        nodes: list[Node] = [
            ("Key", self.text(record.key)),
            ("LastModified", timestamp(record.modified)),
            ("ETag", f'"{record.etag}"'),
            ("Size", str(record.size)),
            ("StorageClass", "STANDARD"),
        ]
        return [*nodes, owner()] if with_owner else nodes


def page_size(text: str, name: str) -> int:
    if not text:
        return LARGEST_PAGE
    if not (text.isascii() and text.isdecimal()):
        raise invalid_argument(f"Argument {name} must be an integer between 0 and 2147483647")
    return min(int(text), LARGEST_PAGE)


def list_objects(site: Site, request: Request, payload: Payload) -> Response:
    listing, marker = Listing(request.query), request.query.get("marker", "")
    page, records = listing.page(site, request.bucket, marker)
    nodes = [*listing.head(request.bucket, page), ("Marker", listing.text(marker))]
    if page.truncated and page.last is not None:
        nodes.append(("NextMarker", listing.text(page.last)))
    return Response(
        headers=XML, body=render("ListBucketResult", nodes + listing.entries(page, records, with_owner=True))
    )


def list_objects_v2(site: Site, request: Request, payload: Payload) -> Response:
    query = request.query
    listing, start_after, token = Listing(query), query.get("start-after", ""), query.get("continuation-token")
    page, records = listing.page(site, request.bucket, start_after if token is None else name_in(token))
    nodes: list[Node] = [
        *listing.head(request.bucket, page),
        ("KeyCount", str(len(page.keys) + len(page.prefixes))),
    ]
    if start_after:
        nodes.append(("StartAfter", listing.text(start_after)))
    if token is not None:
        nodes.append(("ContinuationToken", token))
    if page.truncated and page.last is not None:
        nodes.append(("NextContinuationToken", token_of(page.last)))
    with_owner = query.get("fetch-owner", "").lower() == "true"
    return Response(
        headers=XML, body=render("ListBucketResult", nodes + listing.entries(page, records, with_owner=with_owner))
    )


def list_object_versions(site: Site, request: Request, payload: Payload) -> Response:
    """Without versioning every object has one version, the latest, with the id `null`."""
    listing, marker = Listing(request.query), request.query.get("key-marker", "")
    page, records = listing.page(site, request.bucket, marker)
    nodes = [*listing.head(request.bucket, page), ("KeyMarker", listing.text(marker))]
    if page.truncated and page.last is not None:
        nodes.append(("NextKeyMarker", listing.text(page.last)))
    for name, content in listing.entries(page, records, with_owner=True):
        if name == "Contents":
            nodes.append(("Version", [("VersionId", "null"), ("IsLatest", "true"), *content]))
        else:
            nodes.append((name, content))
    return Response(headers=XML, body=render("ListVersionsResult", nodes))


def token_of(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def name_in(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise invalid_argument("The continuation token provided is incorrect") from error


def delete_objects(site: Site, request: Request, payload: Payload) -> Response:
    site.catalogue.bucket(request.bucket)
    if not payload.vouched:
        raise bad_request("MissingContentMD5", "Missing required header for this request: Content-Md5.")
    document = parse(payload.read(DOCUMENT), root="Delete")
    keys = [text_in(entry, "Key") or "" for entry in document.findall("Object")]
    if any(text_in(entry, "VersionId") not in (None, "", "null") for entry in document.findall("Object")):
        raise not_implemented("versions of objects")
    if not keys or len(keys) > LARGEST_PAGE:
        raise malformed_xml(f"expected 1 to {LARGEST_PAGE} objects")
    quiet = (text_in(document, "Quiet") or "").lower() == "true"
    nodes: list[Node] = []
    for key in keys:
        refusal = deletion(site, request.bucket, key)
        if refusal is not None:
            nodes.append(("Error", [("Key", key), ("Code", refusal.code), ("Message", refusal.message)]))
        elif not quiet:
            nodes.append(("Deleted", [("Key", key)]))
    return Response(headers=XML, body=render("DeleteResult", nodes))


def deletion(site: Site, bucket: str, key: str) -> S3Error | None:
    try:
        check_key(key)
        site.catalogue.delete_object(bucket, key)
    except S3Error as error:
        return error
    return None
