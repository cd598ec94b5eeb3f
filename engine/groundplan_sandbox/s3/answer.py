"""From a request to a response: who asks, whether they may, and the operation that does it.

It never raises for what a client did or the disk refused: that becomes an error document. It knows nothing of
connections (connection.py).
"""

from __future__ import annotations

import errno
import logging
import secrets
from http import HTTPStatus

from groundplan_sandbox.s3.documents import render_error
from groundplan_sandbox.s3.errors import S3Error, access_denied, bad_request
from groundplan_sandbox.s3.operations.site import Site
from groundplan_sandbox.s3.payload import Payload
from groundplan_sandbox.s3.policy import grants
from groundplan_sandbox.s3.request import Request, Response
from groundplan_sandbox.s3.routes import Route, route_of
from groundplan_sandbox.s3.sigv4 import Account, authenticate
from groundplan_sandbox.s3.transfer import FramedBody

logger = logging.getLogger(__name__)

HEALTH = "/minio/health/"


def answer(site: Site, account: Account, request: Request, body: FramedBody) -> Response:
    """Carries a request out. ConnectionError goes through: there is nobody left to answer."""
    try:
        if request.path.startswith(HEALTH):
            return health(request)
        return allowed_answer(site, account, request, body)
    except S3Error as error:
        return error_response(error, request.path)
    except TimeoutError:
        return error_response(bad_request("RequestTimeout", "The body was not sent in time."), request.path)
    except ConnectionError:
        raise
    except OSError as error:
        logger.exception("%s %s failed", request.method, request.path)
        return error_response(disk_error(error), request.path)


def allowed_answer(site: Site, account: Account, request: Request, body: FramedBody) -> Response:
    route = route_of(request)
    proof = authenticate(request, account, any_region=route.any_region)
    if proof is None and not allowed(site, request, route):
        raise access_denied()
    payload = Payload(request, body, proof, checksum_elsewhere=route.checksum_elsewhere)
    return route.operation(site, request, payload)


def allowed(site: Site, request: Request, route: Route) -> bool:
    """Whether the bucket's policy lets anybody do this."""
    policy = site.catalogue.policy(request.bucket)
    resource = f"{request.bucket}/{request.key}" if request.key else request.bucket
    return route.anonymous is not None and grants(policy, route.anonymous, resource)


def health(request: Request) -> Response:
    known = request.path.removeprefix(HEALTH) in ("live", "ready", "cluster")
    return Response(status=HTTPStatus.OK if known else HTTPStatus.NOT_FOUND)


def error_response(error: S3Error, resource: str) -> Response:
    request_id = secrets.token_hex(8).upper()
    headers = {"Content-Type": "application/xml", "x-amz-request-id": request_id, **error.headers}
    document = render_error(error, resource=resource, request_id=request_id)
    return Response(status=error.status, headers=headers, body=document)


def disk_error(error: OSError) -> S3Error:
    if error.errno == errno.ENOSPC:
        return S3Error("XMinioStorageFull", HTTPStatus.INSUFFICIENT_STORAGE, "Storage backend has reached its limit.")
    return internal_error("The sandbox's object store cannot use its data folder.")


def internal_error(message: str) -> S3Error:
    return S3Error("InternalError", HTTPStatus.INTERNAL_SERVER_ERROR, message)
