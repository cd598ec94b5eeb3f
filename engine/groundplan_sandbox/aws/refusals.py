"""The words in which each AWS service refuses a caller it cannot identify: same reason, one dialect per protocol.

EC2, the query services (IAM, STS), S3 and the JSON services each have their own shape, status and code; an SDK shows
the code to the user, so it must be the real one ("Common Errors" of each service's API reference).
"""

import json
from dataclasses import dataclass
from enum import Enum
from uuid import uuid4


class Reason(Enum):
    """Why a request was turned away before any service saw it."""

    UNSIGNED = "unsigned"
    UNKNOWN_KEY = "unknown key"
    WRONG_SIGNATURE = "wrong signature"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An HTTP answer. `status` with its phrase, as WSGI wants it."""

    status: str
    content_type: str
    body: bytes


_CODES = {
    "ec2": dict.fromkeys(Reason, "AuthFailure"),
    "query": {
        Reason.UNSIGNED: "MissingAuthenticationToken",
        Reason.UNKNOWN_KEY: "InvalidClientTokenId",
        Reason.WRONG_SIGNATURE: "SignatureDoesNotMatch",
    },
    "s3": {
        Reason.UNSIGNED: "AccessDenied",
        Reason.UNKNOWN_KEY: "InvalidAccessKeyId",
        Reason.WRONG_SIGNATURE: "SignatureDoesNotMatch",
    },
    "json": {
        Reason.UNSIGNED: "MissingAuthenticationTokenException",
        Reason.UNKNOWN_KEY: "UnrecognizedClientException",
        Reason.WRONG_SIGNATURE: "InvalidSignatureException",
    },
}
_MESSAGES = {
    "AuthFailure": "AWS was not able to validate the provided access credentials",
    "MissingAuthenticationToken": "Request is missing Authentication Token",
    "MissingAuthenticationTokenException": "Missing Authentication Token",
    "InvalidClientTokenId": "The security token included in the request is invalid.",
    "UnrecognizedClientException": "The security token included in the request is invalid.",
    "InvalidAccessKeyId": "The AWS Access Key Id you provided does not exist in our records.",
    "AccessDenied": "Access Denied",
}
_WRONG_SECRET = (
    "The request signature we calculated does not match the signature you provided. "  # noqa: S105 - a sentence, no secret
    "Check your AWS Secret Access Key and signing method."
)
_QUERY_SERVICES = frozenset(
    {"iam", "sts", "rds", "cloudformation", "sqs", "sns", "autoscaling", "elasticloadbalancing"}
)


def refuse(service: str, reason: Reason) -> Refusal:
    """The answer of `service` (its signing name, as `ec2`) to a caller turned away for `reason`."""
    dialect = service if service in ("ec2", "s3") else "query" if service in _QUERY_SERVICES else "json"
    code = _CODES[dialect][reason]
    message = _MESSAGES.get(code, _WRONG_SECRET)
    if dialect == "json":
        body = json.dumps({"__type": code, "message": message})
        return Refusal(status="403 Forbidden", content_type="application/x-amz-json-1.1", body=body.encode())
    shapes = {
        "ec2": f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        f"<RequestID>{uuid4()}</RequestID></Response>",
        "query": f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        f"<RequestId>{uuid4()}</RequestId></ErrorResponse>",
        "s3": f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{uuid4()}</RequestId></Error>",
    }
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{shapes[dialect]}'
    status = "401 Unauthorized" if dialect == "ec2" else "403 Forbidden"
    return Refusal(status=status, content_type="text/xml;charset=UTF-8", body=body.encode())
