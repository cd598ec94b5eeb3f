"""The API's refusals: one exception that carries a Kubernetes Status object, and a constructor for each reason.

Codes, reasons and wording follow the API conventions of Kubernetes ("Response Status Kind"). Nothing here decides
when to refuse: `validation`, `apply` and `api` do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from groundplan_sandbox.kubernetes.kinds import Kind, Object


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One reason inside a Status: which field, and what is wrong with it."""

    reason: str
    message: str
    field: str

    def to_json(self) -> Object:
        return {"reason": self.reason, "message": self.message, "field": self.field}


def invalid_value(field: str, value: object, message: str) -> Cause:
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return Cause(reason="FieldValueInvalid", message=f"Invalid value: {shown}: {message}", field=field)


def required(field: str, message: str = "") -> Cause:
    text = "Required value" + (f": {message}" if message else "")
    return Cause(reason="FieldValueRequired", message=text, field=field)


def unsupported(field: str, value: object, supported: Sequence[str]) -> Cause:
    listed = ", ".join(f'"{each}"' for each in supported)
    message = f'Unsupported value: "{value}": supported values: {listed}'
    return Cause(reason="FieldValueNotSupported", message=message, field=field)


class ApiError(Exception):
    """A refused request.

    code: HTTP status. reason: the machine's word for it. details: the Status object's `details`, without causes.
    """

    def __init__(
        self, code: int, reason: str, message: str, *, details: Object | None = None, causes: Sequence[Cause] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}
        self.causes = tuple(causes)

    def to_json(self) -> Object:
        details = dict(self.details)
        if self.causes:
            details["causes"] = [cause.to_json() for cause in self.causes]
        body: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        body |= {"message": self.message, "reason": self.reason}
        return body | ({"details": details} if details else {}) | {"code": self.code}


def _of(kind: Kind, name: str) -> Object:
    return {"name": name, **({"group": kind.group} if kind.group else {}), "kind": kind.plural}


def not_found(kind: Kind, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{kind.resource} "{name}" not found', details=_of(kind, name))


def no_such_path() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def already_exists(kind: Kind, name: str) -> ApiError:
    return ApiError(409, "AlreadyExists", f'{kind.resource} "{name}" already exists', details=_of(kind, name))


def modified(kind: Kind, name: str) -> ApiError:
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(kind, name, why)


def conflict(kind: Kind, name: str, why: str) -> ApiError:
    message = f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=_of(kind, name))


def invalid(kind: Kind, name: str, causes: Sequence[Cause]) -> ApiError:
    listed = [f"{cause.field}: {cause.message}" for cause in causes]
    text = listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]"
    details = {"name": name, **({"group": kind.group} if kind.group else {}), "kind": kind.kind}
    return ApiError(422, "Invalid", f'{kind.qualified} "{name}" is invalid: {text}', details=details, causes=causes)


def no_manager() -> ApiError:
    """Server-side apply by nobody."""
    cause = required("fieldManager", "is required for apply patch")
    message = f'PatchOptions.meta.k8s.io "" is invalid: {cause.field}: {cause.message}'
    details: Object = {"group": "meta.k8s.io", "kind": "PatchOptions"}
    return ApiError(422, "Invalid", message, details=details, causes=[cause])


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def forbidden(kind: Kind, name: str, why: str) -> ApiError:
    return ApiError(403, "Forbidden", f'{kind.resource} "{name}" is forbidden: {why}', details=_of(kind, name))


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def gone(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def method_not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message)


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    message = "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted)
    return ApiError(415, "UnsupportedMediaType", message)


def not_acceptable(offered: Sequence[str]) -> ApiError:
    message = "only the following media types are accepted: " + ", ".join(offered)
    return ApiError(406, "NotAcceptable", message)
