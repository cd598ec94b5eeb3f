"""What is configured about buckets and objects: tags, policies, ACLs, and the answers about configuration that is
never there.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from groundplan_sandbox.s3.documents import Node, parse, render, text_in
from groundplan_sandbox.s3.errors import malformed_xml, not_found, not_implemented
from groundplan_sandbox.s3.names import check_key
from groundplan_sandbox.s3.operations.buckets import DOCUMENT, XML
from groundplan_sandbox.s3.operations.descriptions import BUCKET_TAGS, OBJECT_TAGS, checked_tags
from groundplan_sandbox.s3.operations.site import OWNER, Operation, Site, owner
from groundplan_sandbox.s3.payload import Payload
from groundplan_sandbox.s3.policy import LARGEST, check_policy, malformed
from groundplan_sandbox.s3.records import BucketRecord
from groundplan_sandbox.s3.request import Request, Response

DONE = Response(status=HTTPStatus.NO_CONTENT)


def get_bucket_policy(site: Site, request: Request, payload: Payload) -> Response:
    policy = site.catalogue.bucket(request.bucket).policy
    if policy is None:
        raise not_found("NoSuchBucketPolicy", "The bucket policy does not exist")
    return Response(headers={"Content-Type": "application/json"}, body=policy.encode())


def put_bucket_policy(site: Site, request: Request, payload: Payload) -> Response:
    site.catalogue.bucket(request.bucket)
    try:
        text = payload.read(LARGEST).decode()
    except UnicodeDecodeError as error:
        raise malformed("This policy is not UTF-8") from error
    check_policy(text, request.bucket)
    set_policy(site, request.bucket, text)
    return DONE


def delete_bucket_policy(site: Site, request: Request, payload: Payload) -> Response:
    set_policy(site, request.bucket, None)
    return DONE


def set_policy(site: Site, bucket: str, text: str | None) -> None:
    site.catalogue.change_bucket(bucket, lambda record: msgspec.structs.replace(record, policy=text))


def tagging(tags: dict[str, str]) -> Response:
    nodes: list[Node] = [("Tag", [("Key", name), ("Value", value)]) for name, value in tags.items()]
    return Response(headers=XML, body=render("Tagging", [("TagSet", nodes)]))


def tags_in(payload: Payload, most: int) -> dict[str, str]:
    tags = parse(payload.read(DOCUMENT), root="Tagging").find("TagSet")
    if tags is None:
        raise malformed_xml("expected a TagSet")
    pairs = [(text_in(tag, "Key") or "", text_in(tag, "Value") or "") for tag in tags.findall("Tag")]
    return checked_tags(pairs, most)


def get_bucket_tagging(site: Site, request: Request, payload: Payload) -> Response:
    tags = site.catalogue.bucket(request.bucket).tags
    if not tags:
        raise not_found("NoSuchTagSet", "The TagSet does not exist")
    return tagging(tags)


def put_bucket_tagging(site: Site, request: Request, payload: Payload) -> Response:
    tags = tags_in(payload, BUCKET_TAGS)
    site.catalogue.change_bucket(request.bucket, lambda record: msgspec.structs.replace(record, tags=tags))
    return Response()


def delete_bucket_tagging(site: Site, request: Request, payload: Payload) -> Response:
    def without_tags(record: BucketRecord) -> BucketRecord:
        return msgspec.structs.replace(record, tags={})

    site.catalogue.change_bucket(request.bucket, without_tags)
    return DONE


def get_object_tagging(site: Site, request: Request, payload: Payload) -> Response:
    check_key(request.key)
    site.catalogue.bucket(request.bucket)
    return tagging(site.catalogue.object(request.bucket, request.key).description.tags)


def put_object_tagging(site: Site, request: Request, payload: Payload) -> Response:
    check_key(request.key)
    set_object_tags(site, request, tags_in(payload, OBJECT_TAGS))
    return Response()


def delete_object_tagging(site: Site, request: Request, payload: Payload) -> Response:
    check_key(request.key)
    set_object_tags(site, request, {})
    return DONE


def set_object_tags(site: Site, request: Request, tags: dict[str, str]) -> None:
    site.catalogue.bucket(request.bucket)
    site.catalogue.change_object(
        request.bucket,
        request.key,
        lambda record: msgspec.structs.replace(
            record, description=msgspec.structs.replace(record.description, tags=tags)
        ),
    )


def get_acl(site: Site, request: Request, payload: Payload) -> Response:
    """The one ACL there is: full control for the owner."""
    site.catalogue.bucket(request.bucket)
    if request.key:
        site.catalogue.object(request.bucket, request.key)
    grant: Node = ("Grant", [("Grantee", [("ID", OWNER), ("DisplayName", "minio")]), ("Permission", "FULL_CONTROL")])
    document = render("AccessControlPolicy", [owner(), ("AccessControlList", [grant])])
    typed = b'<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">'
    return Response(headers=XML, body=document.replace(b"<Grantee>", typed))


def put_acl(site: Site, request: Request, payload: Payload) -> Response:
    site.catalogue.bucket(request.bucket)
    if request.headers.get("x-amz-acl") != "private":
        raise not_implemented("access control lists other than private; a bucket policy can open a bucket")
    return Response()


def nothing_in(document: str, *children: Node) -> Operation:
    """The answer about a kind of configuration that is there, but empty, on every bucket here."""

    def answer(site: Site, request: Request, payload: Payload) -> Response:
        site.catalogue.bucket(request.bucket)
        return Response(headers=XML, body=render(document, children))

    return answer


def absent(code: str, message: str) -> Operation:
    """The answer about a kind of configuration that no bucket here has."""

    def answer(site: Site, request: Request, payload: Payload) -> Response:
        site.catalogue.bucket(request.bucket)
        raise not_found(code, message)

    return answer
