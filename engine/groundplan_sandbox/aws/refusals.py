"""The words in which each AWS service turns a request away: same reason, one dialect per protocol.

EC2, the query services (IAM, STS), S3 and the JSON services each have their own shape, status and code; an SDK shows
the code to its user, so it must be the real one ("Common Errors" of each service's API reference).
"""

import json
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from uuid import uuid4
from xml.sax.saxutils import escape


class Reason(Enum):
    """Why a request gets no answer from its service."""

    UNSIGNED = "unsigned"
    UNKNOWN_KEY = "unknown key"
    WRONG_SIGNATURE = "wrong signature"
    EXPIRED = "expired"
    NO_REGION = "signed for a region that there is not"
    FAULT = "a fault of the emulation"
    THROTTLED = "too many requests, on demand"


class Dialect(Enum):
    """The protocols, by the shape of their errors."""

    EC2 = "ec2"
    QUERY = "query"
    S3 = "s3"
    JSON = "json"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An HTTP answer. `status` with its phrase, as WSGI wants it."""

    status: str
    content_type: str
    body: bytes


@dataclass(frozen=True, kw_only=True)
class _Error:
    status: str
    code: str
    message: str


def _error(status: str, code: str, message: str) -> _Error:
    return _Error(status=status, code=code, message=message)


_UNAUTHORIZED, _FORBIDDEN, _FAULT = "401 Unauthorized", "403 Forbidden", "500 Internal Server Error"
_BAD_REQUEST, _NO_TOKEN = "400 Bad Request", "Request is missing Authentication Token"
_NOT_VALIDATED = "AWS was not able to validate the provided access credentials"
_INVALID_TOKEN = "The security token included in the request is invalid."  # noqa: S105 - a sentence, no secret
_MISMATCH = "The request signature we calculated does not match the signature you provided. Check your key and method."
_EXPIRED = "The signature has expired."
_NO_REGION = "Credential should be scoped to a valid region"
_BUSY, _RATE = "503 Service Unavailable", "Rate exceeded"
_INTERNAL = "The sandbox failed to carry this out"

_ERRORS = {
    (Dialect.EC2, Reason.UNSIGNED): _error(_UNAUTHORIZED, "AuthFailure", _NOT_VALIDATED),
    (Dialect.EC2, Reason.UNKNOWN_KEY): _error(_UNAUTHORIZED, "AuthFailure", _NOT_VALIDATED),
    (Dialect.EC2, Reason.WRONG_SIGNATURE): _error(_UNAUTHORIZED, "AuthFailure", _NOT_VALIDATED),
    (Dialect.EC2, Reason.EXPIRED): _error(_BAD_REQUEST, "RequestExpired", "Request has expired."),
    (Dialect.EC2, Reason.NO_REGION): _error(_UNAUTHORIZED, "AuthFailure", _NO_REGION),
    (Dialect.QUERY, Reason.NO_REGION): _error(_FORBIDDEN, "SignatureDoesNotMatch", _NO_REGION),
    (Dialect.S3, Reason.NO_REGION): _error(
        _BAD_REQUEST, "AuthorizationHeaderMalformed", "The authorization header is malformed; the region is wrong"
    ),
    (Dialect.JSON, Reason.NO_REGION): _error(_FORBIDDEN, "InvalidSignatureException", _NO_REGION),
    (Dialect.EC2, Reason.FAULT): _error(_FAULT, "InternalError", _INTERNAL),
    (Dialect.EC2, Reason.THROTTLED): _error(_BUSY, "RequestLimitExceeded", "Request limit exceeded."),
    (Dialect.QUERY, Reason.THROTTLED): _error(_BAD_REQUEST, "Throttling", _RATE),
    (Dialect.S3, Reason.THROTTLED): _error(_BUSY, "SlowDown", "Please reduce your request rate."),
    (Dialect.JSON, Reason.THROTTLED): _error("429 Too Many Requests", "ThrottlingException", _RATE),
    (Dialect.QUERY, Reason.UNSIGNED): _error(_FORBIDDEN, "MissingAuthenticationToken", _NO_TOKEN),
    (Dialect.QUERY, Reason.UNKNOWN_KEY): _error(_FORBIDDEN, "InvalidClientTokenId", _INVALID_TOKEN),
    (Dialect.QUERY, Reason.WRONG_SIGNATURE): _error(_FORBIDDEN, "SignatureDoesNotMatch", _MISMATCH),
    (Dialect.QUERY, Reason.EXPIRED): _error(_FORBIDDEN, "SignatureDoesNotMatch", _EXPIRED),
    (Dialect.QUERY, Reason.FAULT): _error(_FAULT, "InternalFailure", _INTERNAL),
    (Dialect.S3, Reason.UNSIGNED): _error(_FORBIDDEN, "AccessDenied", "Access Denied"),
    (Dialect.S3, Reason.UNKNOWN_KEY): _error(
        _FORBIDDEN, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."
    ),
    (Dialect.S3, Reason.WRONG_SIGNATURE): _error(_FORBIDDEN, "SignatureDoesNotMatch", _MISMATCH),
    (Dialect.S3, Reason.EXPIRED): _error(_FORBIDDEN, "AccessDenied", "Request has expired"),
    (Dialect.S3, Reason.FAULT): _error(_FAULT, "InternalError", _INTERNAL),
    (Dialect.JSON, Reason.UNSIGNED): _error(_FORBIDDEN, "MissingAuthenticationTokenException", _NO_TOKEN),
    (Dialect.JSON, Reason.UNKNOWN_KEY): _error(_FORBIDDEN, "UnrecognizedClientException", _INVALID_TOKEN),
    (Dialect.JSON, Reason.WRONG_SIGNATURE): _error(_FORBIDDEN, "InvalidSignatureException", _MISMATCH),
    (Dialect.JSON, Reason.EXPIRED): _error(_FORBIDDEN, "InvalidSignatureException", _EXPIRED),
    (Dialect.JSON, Reason.FAULT): _error(_FAULT, "InternalFailure", _INTERNAL),
}

_QUERY_SERVICES = frozenset({"iam", "sts", "rds", "cloudformation", "sns", "autoscaling", "elasticloadbalancing"})


def refuse(service: str, reason: Reason, detail: str = "") -> Refusal:
    """What `service` (its signing name, as `ec2`) answers. `detail` is added to the message."""
    error = _ERRORS[_dialect(service), reason]
    return _word(service, error, f"{error.message}: {detail}" if detail else error.message)


def refuse_with(service: str, code: str, status: int, message: str) -> Refusal:
    """What `service` answers with an error of the caller's choice. `status`: an HTTP status, 400 to 599."""
    phrase = HTTPStatus(status).phrase if status in [each.value for each in HTTPStatus] else "Error"
    return _word(service, _error(f"{status} {phrase}", code, message), message)


def _word(service: str, error: _Error, message: str) -> Refusal:
    dialect = _dialect(service)
    if dialect is Dialect.JSON:
        body = json.dumps({"__type": error.code, "message": message})
        return Refusal(status=error.status, content_type="application/x-amz-json-1.1", body=body.encode())
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{_xml(dialect, escape(error.code), escape(message))}'
    # MinIO's client reads S3's words under this type only, which is what S3 sends.
    kind = "application/xml" if dialect is Dialect.S3 else "text/xml;charset=UTF-8"
    return Refusal(status=error.status, content_type=kind, body=text.encode())


def _dialect(service: str) -> Dialect:
    if service in (Dialect.EC2.value, Dialect.S3.value):
        return Dialect(service)
    return Dialect.QUERY if service in _QUERY_SERVICES else Dialect.JSON


def _xml(dialect: Dialect, code: str, message: str) -> str:
    what = f"<Code>{code}</Code><Message>{message}</Message>"
    if dialect is Dialect.EC2:
        return f"<Response><Errors><Error>{what}</Error></Errors><RequestID>{uuid4()}</RequestID></Response>"
    if dialect is Dialect.QUERY:
        sender = f"<Error><Type>Sender</Type>{what}</Error>"
        return f"<ErrorResponse>{sender}<RequestId>{uuid4()}</RequestId></ErrorResponse>"
    return f"<Error>{what}<RequestId>{uuid4()}</RequestId></Error>"
