"""The errors of the S3 API: code, HTTP status and words.

Codes and statuses follow "Error responses" of the Amazon S3 API reference; codes that begin with XMinio are MinIO's
own. It renders nothing: documents.py writes the XML, server.py sends it.
"""

from __future__ import annotations

from http import HTTPStatus


class S3Error(Exception):
    """A request that S3 refuses.

    `headers` go with the answer (Content-Range of a 416, for example); `resource` adds elements to the error document.
    """

    def __init__(
        self, code: str, status: HTTPStatus, message: str, *, headers: dict[str, str] | None = None, **detail: str
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.status = status
        self.message = message
        self.headers = headers or {}
        self.detail = detail


def bad_request(code: str, message: str) -> S3Error:
    return S3Error(code, HTTPStatus.BAD_REQUEST, message)


def invalid_argument(message: str) -> S3Error:
    return bad_request("InvalidArgument", message)


def invalid_request(message: str) -> S3Error:
    return bad_request("InvalidRequest", message)


def malformed_xml(message: str) -> S3Error:
    return bad_request(
        "MalformedXML", f"The XML you provided was not well-formed or not of the expected form: {message}."
    )


def incomplete_body() -> S3Error:
    return bad_request("IncompleteBody", "The body ended before the announced number of bytes.")


def entity_too_large() -> S3Error:
    return bad_request("EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size.")


def forbidden(code: str, message: str) -> S3Error:
    return S3Error(code, HTTPStatus.FORBIDDEN, message)


def access_denied(message: str = "Access Denied.") -> S3Error:
    return forbidden("AccessDenied", message)


def not_found(code: str, message: str) -> S3Error:
    return S3Error(code, HTTPStatus.NOT_FOUND, message)


def no_such_bucket() -> S3Error:
    return not_found("NoSuchBucket", "The specified bucket does not exist")


def no_such_key() -> S3Error:
    return not_found("NoSuchKey", "The specified key does not exist.")


def no_such_upload() -> S3Error:
    return not_found(
        "NoSuchUpload", "The specified multipart upload does not exist. It may have been aborted or completed."
    )


def conflict(code: str, message: str) -> S3Error:
    return S3Error(code, HTTPStatus.CONFLICT, message)


def precondition_failed(condition: str) -> S3Error:
    return S3Error(
        "PreconditionFailed",
        HTTPStatus.PRECONDITION_FAILED,
        "At least one of the pre-conditions you specified did not hold",
        Condition=condition,
    )


def method_not_allowed() -> S3Error:
    return S3Error(
        "MethodNotAllowed", HTTPStatus.METHOD_NOT_ALLOWED, "The specified method is not allowed against this resource."
    )


def not_implemented(what: str) -> S3Error:
    return S3Error("NotImplemented", HTTPStatus.NOT_IMPLEMENTED, f"The sandbox's object store does not offer {what}.")
