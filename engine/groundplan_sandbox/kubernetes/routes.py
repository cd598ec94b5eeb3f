"""Answer one request: choose by path and method, call the verbs of `api`, shape what comes out.

No bytes and no connections here (`http` has them); no rules about objects either (`api` has them).
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from groundplan_sandbox.kubernetes import discovery, subresources
from groundplan_sandbox.kubernetes.api import Api, Options, Patch
from groundplan_sandbox.kubernetes.authentication import Tokens
from groundplan_sandbox.kubernetes.kinds import Object
from groundplan_sandbox.kubernetes.listing import Scope, WatchRequest, list_page, watch
from groundplan_sandbox.kubernetes.requests import Request, Target, parse_path
from groundplan_sandbox.kubernetes.reviews import answer_review
from groundplan_sandbox.kubernetes.status import (
    bad_request,
    method_not_allowed,
    no_manager,
    no_such_path,
    unsupported_media_type,
)
from groundplan_sandbox.kubernetes.store import name_of
from groundplan_sandbox.kubernetes.table import Presentation, present_list, present_object, presentation_of

HEALTH_PATHS = frozenset({"/healthz", "/livez", "/readyz"})
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One body: a JSON value, or bytes that go out as they are."""

    body: Any
    code: int = 200
    media_type: str = "application/json"


Stream = AsyncIterator[Object]


@dataclass(frozen=True, kw_only=True)
class Routes:
    """The server's answers. `closing` is set when it stops, which ends every watch."""

    api: Api
    tokens: Tokens
    address: str
    closing: asyncio.Event

    def answer(self, request: Request) -> Reply | Stream:
        """Raises ApiError for every refusal."""
        target = parse_path(request.path, self.api.store.kinds)
        if target is None:
            return self._unstored(request)
        if target.subresource:
            return self._subresource(request, target)
        if not target.name:
            return self._collection(request, target)
        return self._one(request, target)

    def _unstored(self, request: Request) -> Reply:
        path = request.path.rstrip("/") or "/"
        review = answer_review(path, request)
        if review is not None:
            return Reply(body=review, code=201)
        if request.method != "GET":
            raise no_such_path()
        return self._discovery(path, request)

    def _discovery(self, path: str, request: Request) -> Reply:
        aggregated = "as=APIGroupDiscoveryList" in request.accept and "v=v2" in request.accept.replace("v=v2beta1", "")
        kinds = self.api.store.kinds
        match path.strip("/").split("/"):
            case ["api" | "apis" as root] if aggregated:
                return Reply(body=discovery.aggregated(kinds, core=root == "api"), media_type=_AGGREGATED)
            case ["api"]:
                return Reply(body=discovery.api_versions(self.address))
            case ["apis"]:
                return Reply(body=discovery.group_list(kinds))
            case ["version"]:
                return Reply(body=discovery.version())
            case ["openapi", "v3"]:
                return Reply(body=discovery.openapi_paths(kinds))
            case ["openapi", "v2"]:
                return Reply(body=discovery.openapi_v2(), media_type=discovery.OPENAPI_V2)
            case ["openapi", "v3", *rest]:
                found = discovery.openapi_document(kinds, "/".join(rest))
            case ["api", version]:
                found = discovery.resource_list(kinds, "", version)
            case ["apis", group]:
                found = discovery.group(kinds, group)
            case ["apis", group, version]:
                found = discovery.resource_list(kinds, group, version)
            case _:
                found = None
        if found is None:
            raise no_such_path()
        return Reply(body=found)

    def _collection(self, request: Request, target: Target) -> Reply | Stream:
        match request.method:
            case "GET" if request.flag("watch"):
                return self._watch(request, target)
            case "GET":
                return self._list(request, target)
            case "POST" if target.namespace is not None:
                body = _with_namespace(request.document(), target)
                made = self.api.create(target.kind, target.namespace, body, request.options())
                return self._shaped(request, made, code=201)
            case "DELETE" if target.namespace is not None:
                return self._delete_collection(request, target)
            case _:
                raise method_not_allowed()

    def _scope(self, request: Request, target: Target) -> Scope:
        labels, fields = request.query.get("labelSelector", ""), request.query.get("fieldSelector", "")
        namespace = target.namespace if target.kind.namespaced else None
        return Scope(kind=target.kind, namespace=namespace, labels=labels, fields=fields)

    def _list(self, request: Request, target: Target) -> Reply:
        token = request.query.get("continue", "")
        items, metadata = list_page(self.api.store, self._scope(request, target), request.number("limit"), token)
        return Reply(body=present_list(presentation_of(request.accept), target.kind, items, metadata))

    def _watch(self, request: Request, target: Target) -> Stream:
        wanted = WatchRequest(
            scope=self._scope(request, target),
            revision=request.query.get("resourceVersion", ""),
            bookmarks=request.flag("allowWatchBookmarks"),
            initial_events=request.flag("sendInitialEvents"),
            timeout=float(request.number("timeoutSeconds", 1800)),
        )
        return self._shown(watch(self.api.store, wanted, self.closing), presentation_of(request.accept), target)

    async def _shown(self, events: Stream, presentation: Presentation, target: Target) -> Stream:
        async for event in events:
            if event["type"] in ("ERROR", "BOOKMARK"):
                yield event
            else:
                yield event | {"object": present_object(presentation, target.kind, event["object"])}

    def _shaped(self, request: Request, item: Object, code: int = 200) -> Reply:
        target = parse_path(request.path, self.api.store.kinds)
        assert target is not None
        return Reply(body=present_object(presentation_of(request.accept), target.kind, item), code=code)

    def _one(self, request: Request, target: Target) -> Reply | Stream:
        kind, namespace, name = target.kind, target.namespace or "", target.name
        match request.method:
            case "GET":
                return self._shaped(request, self.api.get(kind, namespace, name))
            case "PUT":
                item = self.api.replace(kind, namespace, name, request.document(), request.options())
                return self._shaped(request, item)
            case "PATCH":
                return self._patch(request, target, request.options())
            case "DELETE":
                return self._delete(request, target)
            case _:
                raise method_not_allowed()

    def _patch(self, request: Request, target: Target, options: Options) -> Reply:
        namespace = target.namespace or ""
        patch = _patch_type(request)
        if target.kind.custom and patch is Patch.STRATEGIC:
            # Nobody said how the lists of a custom kind merge.
            raise unsupported_media_type([each for each in Patch if each is not Patch.STRATEGIC])
        if patch is Patch.APPLY and not request.query.get("fieldManager"):
            raise no_manager()
        existed = self.api.store.get(target.kind, namespace, target.name) is not None
        item = self.api.patch(target.kind, namespace, target.name, patch, request.document(), options)
        return self._shaped(request, item, code=200 if existed else 201)

    def _deletion(self, request: Request) -> Options:
        """Options of a deletion: the query's, or those of the DeleteOptions in the body, which win."""
        body = request.document() if request.body.strip() else {}
        if not isinstance(body, dict):
            raise bad_request("the body of a deletion is DeleteOptions")
        conditions = body.get("preconditions") or {}
        grace = body.get("gracePeriodSeconds", request.query.get("gracePeriodSeconds"))
        orphan = "Orphan" if body.get("orphanDependents") else "Background"
        policy = body.get("propagationPolicy") or request.query.get("propagationPolicy") or orphan
        if policy not in ("Background", "Foreground", "Orphan"):
            raise bad_request(f"invalid propagationPolicy {policy!r}")
        return dataclasses.replace(
            request.options(),
            dry_run="dryRun" in request.query or bool(body.get("dryRun")),
            propagation=policy,
            grace=None if grace is None else int(grace),
            uid=conditions.get("uid"),
            revision=conditions.get("resourceVersion"),
        )

    def _delete(self, request: Request, target: Target) -> Reply:
        item, gone = self.api.delete(target.kind, target.namespace or "", target.name, self._deletion(request))
        if not gone:
            return self._shaped(request, item)
        details = {"name": name_of(item), "kind": target.kind.plural, "uid": item["metadata"]["uid"]}
        details |= {"group": target.kind.group} if target.kind.group else {}
        status: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        return Reply(body=status | {"details": details})

    def _delete_collection(self, request: Request, target: Target) -> Reply:
        options = self._deletion(request)
        items, metadata = list_page(self.api.store, self._scope(request, target), 0, "")
        for item in items:
            self.api.delete(target.kind, target.namespace or "", name_of(item), options)
        return Reply(body=present_list(Presentation.OBJECT, target.kind, items, metadata))

    def _subresource(self, request: Request, target: Target) -> Reply:
        namespace, name, kind = target.namespace or "", target.name, target.kind
        match target.subresource, request.method:
            case (("status" | "finalize"), "GET"):
                return self._shaped(request, self.api.get(kind, namespace, name))
            case "status", "PUT":
                options = request.options("status")
                return self._shaped(request, self.api.replace(kind, namespace, name, request.document(), options))
            case "status", "PATCH":
                return self._patch(request, target, request.options("status"))
            case subresource, method:
                body = request.document() if request.body else {}
                call = subresources.Call(
                    api=self.api, tokens=self.tokens, kind=kind, namespace=namespace, name=name, body=body
                )
                answer = subresources.answer(call, subresource, method, request)
                return Reply(body=answer, code=201 if method == "POST" else 200)


def _patch_type(request: Request) -> Patch:
    try:
        return Patch(request.media_type)
    except ValueError as error:
        raise unsupported_media_type(list(Patch)) from error


def _with_namespace(body: Any, target: Target) -> Any:
    if not isinstance(body, dict) or not target.kind.namespaced:
        return body
    metadata = body.get("metadata") or {}
    return body | {"metadata": {"namespace": target.namespace, **metadata}}
