"""Which request is which operation, and what a caller without a signature must be granted for it.

A route is a level (service, bucket, object), a method and a query parameter that marks it. Requests for a part of
S3's API that is not here are told so, never taken for something else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from groundplan_sandbox.s3.errors import S3Error, method_not_allowed, not_implemented
from groundplan_sandbox.s3.operations import buckets, configuration, multipart, objects
from groundplan_sandbox.s3.operations.site import Operation
from groundplan_sandbox.s3.policy import Action
from groundplan_sandbox.s3.request import Request


class Level(Enum):
    SERVICE = "service"
    BUCKET = "bucket"
    OBJECT = "object"


@dataclass(frozen=True, kw_only=True)
class Route:
    """`anonymous`: the action that a bucket policy may grant to everybody; None when it never can. `any_region`: see
    sigv4. `checksum_elsewhere`: see payload.
    """

    operation: Operation
    anonymous: Action | None = None
    any_region: bool = False
    checksum_elsewhere: bool = False


LOCATION = Route(operation=buckets.get_bucket_location, anonymous=Action.GET_BUCKET_LOCATION, any_region=True)

# Marked routes first: the marker's mere presence in the query decides, in this order.
MARKED: dict[tuple[Level, str, str], Route] = {
    (Level.BUCKET, "GET", "location"): LOCATION,
    (Level.BUCKET, "GET", "policy"): Route(operation=configuration.get_bucket_policy),
    (Level.BUCKET, "PUT", "policy"): Route(operation=configuration.put_bucket_policy),
    (Level.BUCKET, "DELETE", "policy"): Route(operation=configuration.delete_bucket_policy),
    (Level.BUCKET, "GET", "tagging"): Route(operation=configuration.get_bucket_tagging),
    (Level.BUCKET, "PUT", "tagging"): Route(operation=configuration.put_bucket_tagging),
    (Level.BUCKET, "DELETE", "tagging"): Route(operation=configuration.delete_bucket_tagging),
    (Level.BUCKET, "GET", "acl"): Route(operation=configuration.get_acl),
    (Level.BUCKET, "PUT", "acl"): Route(operation=configuration.put_acl),
    (Level.BUCKET, "GET", "uploads"): Route(operation=multipart.list_multipart_uploads),
    (Level.BUCKET, "GET", "versions"): Route(operation=buckets.list_object_versions),
    (Level.BUCKET, "POST", "delete"): Route(operation=buckets.delete_objects),
    (Level.BUCKET, "GET", "list-type"): Route(operation=buckets.list_objects_v2, anonymous=Action.LIST_BUCKET),
    (Level.OBJECT, "GET", "tagging"): Route(operation=configuration.get_object_tagging),
    (Level.OBJECT, "PUT", "tagging"): Route(operation=configuration.put_object_tagging),
    (Level.OBJECT, "DELETE", "tagging"): Route(operation=configuration.delete_object_tagging),
    (Level.OBJECT, "GET", "acl"): Route(operation=configuration.get_acl),
    (Level.OBJECT, "PUT", "acl"): Route(operation=configuration.put_acl),
    (Level.OBJECT, "POST", "uploads"): Route(operation=multipart.create_multipart_upload),
    (Level.OBJECT, "PUT", "uploadId"): Route(operation=multipart.upload_part),
    (Level.OBJECT, "POST", "uploadId"): Route(operation=multipart.complete_multipart_upload, checksum_elsewhere=True),
    (Level.OBJECT, "DELETE", "uploadId"): Route(operation=multipart.abort_multipart_upload),
    (Level.OBJECT, "GET", "uploadId"): Route(operation=multipart.list_parts),
    **{
        (Level.BUCKET, "GET", marker): Route(operation=configuration.nothing_in(document, *children))
        for marker, document, *children in (
            ("versioning", "VersioningConfiguration"),
            ("accelerate", "AccelerateConfiguration"),
            ("logging", "BucketLoggingStatus"),
            ("notification", "NotificationConfiguration"),
            ("requestPayment", "RequestPaymentConfiguration", ("Payer", "BucketOwner")),
        )
    },
    **{
        (Level.BUCKET, "GET", marker): Route(operation=configuration.absent(code, message))
        for marker, code, message in (
            ("cors", "NoSuchCORSConfiguration", "The CORS configuration does not exist"),
            ("lifecycle", "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
            ("encryption", "ServerSideEncryptionConfigurationNotFoundError", "The bucket is not encrypted"),
            ("object-lock", "ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist"),
            ("replication", "ReplicationConfigurationNotFoundError", "The replication configuration was not found"),
            ("website", "NoSuchWebsiteConfiguration", "The website configuration does not exist"),
            ("policyStatus", "NoSuchBucketPolicy", "The bucket policy does not exist"),
        )
    },
}

PLAIN: dict[tuple[Level, str], Route] = {
    (Level.SERVICE, "GET"): Route(operation=buckets.list_buckets, any_region=True),
    (Level.BUCKET, "GET"): Route(operation=buckets.list_objects, anonymous=Action.LIST_BUCKET),
    (Level.BUCKET, "HEAD"): Route(operation=buckets.head_bucket, anonymous=Action.LIST_BUCKET),
    (Level.BUCKET, "PUT"): Route(operation=buckets.create_bucket),
    (Level.BUCKET, "DELETE"): Route(operation=buckets.delete_bucket),
    (Level.OBJECT, "GET"): Route(operation=objects.get_object, anonymous=Action.GET_OBJECT),
    (Level.OBJECT, "HEAD"): Route(operation=objects.get_object, anonymous=Action.GET_OBJECT),
    (Level.OBJECT, "PUT"): Route(operation=objects.put_object),
    (Level.OBJECT, "DELETE"): Route(operation=objects.delete_object),
}

ELSEWHERE = frozenset(
    """
    accelerate acl analytics append attributes cors delete encryption intelligent-tiering inventory legal-hold lifecycle
    logging metrics notification object-lock ownershipControls policy policyStatus publicAccessBlock replication
    requestPayment restore retention select tagging torrent uploads uploadId versioning versions website
    """.split()  # noqa: SIM905 - thirty quoted words in a list hide the words
)
"""Query parameters that mark other operations of S3."""


def level_of(request: Request) -> Level:
    if not request.bucket:
        return Level.SERVICE
    return Level.OBJECT if request.key else Level.BUCKET


def route_of(request: Request) -> Route:
    """The route of a request; S3Error NotImplemented or MethodNotAllowed when there is none."""
    level = level_of(request)
    query = request.query
    for (marked_level, method, marker), route in MARKED.items():
        if (marked_level, method) == (level, request.method) and marker in query:
            return route
    if strange := ELSEWHERE.intersection(query):
        raise not_implemented(f"{request.method} with `{'`, `'.join(sorted(strange))}`")
    found = PLAIN.get((level, request.method))
    if found is None:
        raise no_route(request)
    return found


def no_route(request: Request) -> S3Error:
    if request.method == "POST" and request.bucket and not request.key:
        return not_implemented("uploads by HTML form")
    return method_not_allowed()
