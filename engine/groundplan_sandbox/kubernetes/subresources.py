"""The subresources that are more than a part of the object: scale, eviction, token, finalize, log.

`status` needs no room of its own: `api` writes it like the object.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from groundplan_sandbox.kubernetes import patches
from groundplan_sandbox.kubernetes.api import Api, Patch
from groundplan_sandbox.kubernetes.authentication import Tokens, service_account_user
from groundplan_sandbox.kubernetes.kinds import RUNNING, Kind, Object
from groundplan_sandbox.kubernetes.requests import Request
from groundplan_sandbox.kubernetes.status import bad_request, invalid, invalid_value, method_not_allowed


@dataclass(frozen=True, kw_only=True)
class Call:
    api: Api
    tokens: Tokens
    kind: Kind
    namespace: str
    name: str
    body: Any


def answer(call: Call, subresource: str, method: str, request: Request) -> Object:
    """The body of the answer. Raises ApiError 400, 404, 405, 409, 422."""
    match subresource, method:
        case "scale", "GET":
            return _scale_of(call, call.api.get(call.kind, call.namespace, call.name))
        case "scale", "PUT":
            return _rescale(call, call.body, request)
        case "scale", "PATCH":
            return _rescale(call, _patched_scale(call, request), request)
        case "eviction", "POST":
            call.api.delete(call.kind, call.namespace, call.name, request.options())
            return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        case "token", "POST":
            return _token(call)
        case "finalize", "PUT":
            return _finalize(call, request)
        case subresource, _ if subresource in RUNNING:
            call.api.get(call.kind, call.namespace, call.name)
            raise bad_request(f"no container of pod {call.name} runs in the sandbox: there is no {subresource}")
        case _:
            raise method_not_allowed()


def _scale_of(call: Call, item: Object) -> Object:
    metadata = {key: item["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion")}
    metadata["creationTimestamp"] = item["metadata"]["creationTimestamp"]
    labels = item["spec"]["selector"].get("matchLabels") or {}
    status = {
        "replicas": (item.get("status") or {}).get("replicas", 0),
        "selector": ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
    }
    scale: Object = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata}
    return scale | {"spec": {"replicas": item["spec"].get("replicas", 1)}, "status": status}


def _patched_scale(call: Call, request: Request) -> Object:
    now = _scale_of(call, call.api.get(call.kind, call.namespace, call.name))
    operate = patches.json_patch if request.media_type == Patch.JSON else patches.merge_patch
    patched: Object = operate(now, call.body)
    return patched


def _rescale(call: Call, body: Any, request: Request) -> Object:
    replicas = ((body or {}).get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or replicas < 0:
        cause = invalid_value("spec.replicas", replicas, "must be greater than or equal to 0")
        raise invalid(call.kind, call.name, [cause])
    item = call.api.get(call.kind, call.namespace, call.name)
    options = replace(request.options(), through="scale")
    revision = ((body or {}).get("metadata") or {}).get("resourceVersion")

    def edit(fresh: Object) -> None:
        fresh["spec"]["replicas"] = replicas
        if revision:
            fresh["metadata"]["resourceVersion"] = revision

    return _scale_of(call, call.api.modify(call.kind, item, edit, options))


def _token(call: Call) -> Object:
    call.api.get(call.kind, call.namespace, call.name)
    seconds = int(((call.body or {}).get("spec") or {}).get("expirationSeconds") or 3600)
    user = service_account_user(call.namespace, call.name)
    token = call.tokens.issue(user.name, user.groups, seconds=seconds)
    expires = (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    body: Object = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1"}
    body |= {"metadata": {"name": call.name, "namespace": call.namespace}, "spec": {"expirationSeconds": seconds}}
    return body | {"status": {"token": token, "expirationTimestamp": expires}}


def _finalize(call: Call, request: Request) -> Object:
    wanted = ((call.body or {}).get("spec") or {}).get("finalizers") or []
    item = call.api.get(call.kind, call.namespace, call.name)
    return call.api.modify(call.kind, item, lambda fresh: fresh["spec"].update(finalizers=wanted), request.options())
