"""Discovery: what the server serves, in the legacy lists, the aggregated form, and OpenAPI v3.

All of it is derived from the cluster's `catalogue`. The OpenAPI documents hold paths and parameters, no schemas: enough
for clients that ask whether fieldValidation and dryRun are understood, not for `kubectl explain`.
"""

from __future__ import annotations

from groundplan_sandbox.kubernetes import wire
from groundplan_sandbox.kubernetes.catalogue import Catalogue
from groundplan_sandbox.kubernetes.kinds import REVIEWS, Kind, Object

# Asked for with "@" in place of the second ".v", which is no media type: the real server answers so too.
OPENAPI_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
GIT_VERSION = "v1.33.5"
VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_SUBRESOURCE_KINDS = {
    "scale": ("autoscaling", "v1", "Scale"),
    "eviction": ("policy", "v1", "Eviction"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
}
_SUBRESOURCE_VERBS = {
    "log": ["get"],
    **{name: ["create", "get"] for name in ("exec", "attach", "portforward")},
    "eviction": ["create"],
    "token": ["create"],
    "finalize": ["update"],
}


def version() -> Object:
    major, minor, _ = GIT_VERSION.lstrip("v").split(".")
    built: Object = {"major": major, "minor": minor, "gitVersion": GIT_VERSION, "gitCommit": "", "gitTreeState": ""}
    return built | {"buildDate": "", "goVersion": "", "compiler": "", "platform": "groundplan/sandbox"}


def api_versions(server_address: str) -> Object:
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def group_list(kinds: Catalogue) -> Object:
    names = dict.fromkeys(group for group, _ in kinds.group_versions() if group)
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(kinds, name) for name in names]}


def group(kinds: Catalogue, name: str) -> Object | None:
    if name not in (found for found, _ in kinds.group_versions()):
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(kinds, name)}


def _group(kinds: Catalogue, name: str) -> Object:
    versions = [
        {"groupVersion": f"{name}/{version}", "version": version}
        for found, version in kinds.group_versions()
        if found == name
    ]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _reviews(group_name: str, version_name: str) -> tuple[str, ...]:
    return REVIEWS.get((group_name, version_name), ())


def resource_list(kinds: Catalogue, group_name: str, version_name: str) -> Object | None:
    """The APIResourceList of a group version, or None when it is not served."""
    if (group_name, version_name) not in kinds.group_versions():
        return None
    resources: list[Object] = []
    for kind in kinds.members(group_name, version_name):
        resources += [_resource(kind), *(_subresource(kind, each) for each in sorted(kind.subresources))]
    for review in _reviews(group_name, version_name):
        names: Object = {"name": f"{review.lower()}s", "singularName": review.lower(), "kind": review}
        resources.append(names | {"namespaced": False, "verbs": ["create"]})
    name = f"{group_name}/{version_name}" if group_name else version_name
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": resources}


def _resource(kind: Kind) -> Object:
    found: Object = {"name": kind.plural, "singularName": kind.kind.lower(), "namespaced": kind.namespaced}
    found |= {"kind": kind.kind, "verbs": VERBS}
    found |= {"shortNames": list(kind.short_names)} if kind.short_names else {}
    return found | ({"categories": list(kind.categories)} if kind.categories else {})


def _subresource_verbs(name: str) -> list[str]:
    return _SUBRESOURCE_VERBS.get(name, ["get", "patch", "update"])


def _subresource_kind(kind: Kind, name: str) -> tuple[str, str, str]:
    return _SUBRESOURCE_KINDS.get(name, (kind.group, kind.version, kind.kind))


def _subresource(kind: Kind, name: str) -> Object:
    group_name, version_name, kind_name = _subresource_kind(kind, name)
    found: Object = {"name": f"{kind.plural}/{name}", "singularName": "", "namespaced": kind.namespaced}
    found |= {"kind": kind_name, "verbs": _subresource_verbs(name)}
    return found | ({"group": group_name, "version": version_name} if name in _SUBRESOURCE_KINDS else {})


def aggregated(kinds: Catalogue, *, core: bool) -> Object:
    """APIGroupDiscoveryList of /api (`core`) or of /apis, apidiscovery.k8s.io/v2."""
    groups: dict[str, list[Object]] = {}
    for group_name, version_name in kinds.group_versions():
        if core is (group_name == ""):
            groups.setdefault(group_name, []).append(_aggregated_version(kinds, group_name, version_name))
    items = [
        {"metadata": {"name": name, "creationTimestamp": None} if name else {}, "versions": versions}
        for name, versions in groups.items()
    ]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _aggregated_version(kinds: Catalogue, group_name: str, version_name: str) -> Object:
    resources = [_aggregated_resource(kind) for kind in kinds.members(group_name, version_name)]
    for review in _reviews(group_name, version_name):
        response = {"group": group_name, "version": version_name, "kind": review}
        names: Object = {"resource": f"{review.lower()}s", "singularResource": review.lower()}
        resources.append(names | {"responseKind": response, "scope": "Cluster", "verbs": ["create"]})
    return {"version": version_name, "resources": resources, "freshness": "Current"}


def _aggregated_resource(kind: Kind) -> Object:
    found: Object = {"resource": kind.plural, "responseKind": kind.gvk, "verbs": VERBS}
    found |= {"scope": "Namespaced" if kind.namespaced else "Cluster", "singularResource": kind.kind.lower()}
    found |= {"shortNames": list(kind.short_names)} if kind.short_names else {}
    found |= {"categories": list(kind.categories)} if kind.categories else {}
    subresources = []
    for name in sorted(kind.subresources):
        response = dict(zip(("group", "version", "kind"), _subresource_kind(kind, name), strict=True))
        subresources.append({"subresource": name, "responseKind": response, "verbs": _subresource_verbs(name)})
    return found | ({"subresources": subresources} if subresources else {})


def _path_of(group_name: str, version_name: str) -> str:
    return f"apis/{group_name}/{version_name}" if group_name else f"api/{version_name}"


def openapi_paths(kinds: Catalogue) -> Object:
    """The index of /openapi/v3."""
    paths = [_path_of(group_name, version_name) for group_name, version_name in kinds.group_versions()]
    return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={GIT_VERSION}"} for path in paths}}


def openapi_document(kinds: Catalogue, path: str) -> Object | None:
    """The OpenAPI v3 document of `apis/apps/v1` and the like, or None when that is not served."""
    for group_name, version_name in kinds.group_versions():
        if _path_of(group_name, version_name) == path:
            paths: Object = {}
            for kind in kinds.members(group_name, version_name):
                paths |= _openapi_kind(kind, path)
            info = {"title": "Kubernetes API of the Groundplan sandbox", "version": GIT_VERSION}
            return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": {}}}
    return None


def _openapi_kind(kind: Kind, path: str) -> Object:
    place = f"/{path}/namespaces/{{namespace}}/{kind.plural}" if kind.namespaced else f"/{path}/{kind.plural}"
    one = {verb: _operation(kind, action) for verb, action in _ONE.items()}
    many = {verb: _operation(kind, action) for verb, action in _MANY.items()}
    return {place: many, f"{place}/{{name}}": one}


_ONE = {"get": "get", "put": "put", "patch": "patch", "delete": "delete"}
_MANY = {"get": "list", "post": "post", "delete": "deletecollection"}
_PARAMETERS = {
    "post": ("dryRun", "fieldManager", "fieldValidation"),
    "put": ("dryRun", "fieldManager", "fieldValidation"),
    "patch": ("dryRun", "fieldManager", "fieldValidation", "force"),
    "delete": ("dryRun", "gracePeriodSeconds", "propagationPolicy"),
    "list": ("labelSelector", "fieldSelector", "limit", "continue", "watch", "resourceVersion"),
}


def _operation(kind: Kind, action: str) -> Object:
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
        for name in _PARAMETERS.get(action, ())
    ]
    found: Object = {"x-kubernetes-action": action, "x-kubernetes-group-version-kind": kind.gvk}
    return found | {"parameters": parameters, "responses": {"200": {"description": "OK"}}}


def openapi_v2() -> bytes:
    """An OpenAPI v2 document without definitions, as protobuf (gnostic's openapi.v2.Document).

    kubectl asks for it before it applies a List; finding no schema there, it leaves validation to the server.
    """
    info = wire.write_bytes(1, "Kubernetes API of the Groundplan sandbox") + wire.write_bytes(2, GIT_VERSION)
    return wire.write_bytes(1, "2.0") + wire.write_bytes(2, info)
