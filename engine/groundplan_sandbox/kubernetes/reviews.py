"""Questions about access that are answered and not stored: SelfSubjectAccessReview, SelfSubjectReview and so on.

RBAC is recorded, not enforced, so every authenticated user is allowed everything, and the answer says so.
"""

from __future__ import annotations

from typing import Any

from groundplan_sandbox.kubernetes.kinds import REVIEWS, Object
from groundplan_sandbox.kubernetes.requests import Request
from groundplan_sandbox.kubernetes.status import bad_request, method_not_allowed

REASON = "the sandbox records RBAC and does not enforce it"

_PATHS = {
    f"/apis/{group}/{version}/{name.lower()}s": (f"{group}/{version}", name)
    for (group, version), names in REVIEWS.items()
    for name in names
}


def answer_review(path: str, request: Request) -> Object | None:
    """The answered review, or None when the path names none. Raises ApiError 400 and 405."""
    if path not in _PATHS:
        return None
    if request.method != "POST":
        raise method_not_allowed()
    body = request.document()
    if not isinstance(body, dict):
        raise bad_request("the body of a review is an object")
    api_version, name = _PATHS[path]
    metadata = {"creationTimestamp": None}
    answered: Object = {"apiVersion": api_version, "kind": name, "metadata": metadata}
    return answered | ({"spec": body["spec"]} if "spec" in body else {}) | {"status": _status(name, request)}


def _status(name: str, request: Request) -> Any:
    if name == "SelfSubjectReview":
        return {"userInfo": request.user.to_json()}
    if name == "SelfSubjectRulesReview":
        everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
        return {"resourceRules": [everything], "nonResourceRules": [], "incomplete": False}
    return {"allowed": True, "reason": REASON}
