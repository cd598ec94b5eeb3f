"""Operations on resources: one object of a node's `definition`, or the objects of a file of the blueprint.

Applying is idempotent and an object carries the mark of the instance that made it, so that a repeat finds its own work
and somebody else's object is never taken over or deleted unasked.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, Final

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError, OperationRetry, RecoverableError
from groundplan.sdk.operation import operation
from groundplan_kubernetes.client import Cluster, Missing, parse_documents
from groundplan_kubernetes.kubeconfig import find_kubeconfig
from groundplan_kubernetes.readiness import why_never_ready, why_not_ready

OWNER: Final = "groundplan.dev/owner"
"""Annotation that names deployment and node instance."""
_RESOURCE: Final = "kubernetes"
"""Runtime property that holds the object, or the objects, as the cluster has them."""
_READY_SECONDS: Final = 600.0
_GONE_SECONDS: Final = 300.0
_POLL_SECONDS: Final = 0.3
_RENAMED: Final = {
    ("rbac.authorization.k8s.io/v1beta1", kind): "rbac.authorization.k8s.io/v1"
    for kind in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
} | {("apps/v1beta1", "Deployment"): "apps/v1", ("apps/v1beta2", "Deployment"): "apps/v1"}
"""API versions that clusters no longer serve, and the one that took their place unchanged."""


@operation()
def create(ctx: OperationContext, **inputs: Any) -> Data:
    """Apply the node's objects; what exists already must be its own, unless it is external."""
    found = []
    with _cluster(ctx) as cluster:
        for definition in _definitions(ctx, inputs):
            namespace = _namespace(ctx, definition)
            if ctx.node.properties.get("use_external_resource"):
                found.append(_existing(cluster, definition, namespace))
                continue
            _refuse_foreign(ctx, cluster, definition, namespace)
            ctx.logger.info(f"Applying {definition['kind']} {definition['metadata']['name']}")
            found.append(cluster.apply(definition, namespace))
    _note(ctx, found)
    return None


@operation()
def read(ctx: OperationContext, **inputs: Any) -> Data:
    """Wait until the node's objects are ready, and note them as the cluster has them."""
    found = []
    with _cluster(ctx) as cluster:
        for definition in _definitions(ctx, inputs):
            found.append(_await_ready(ctx, cluster, definition, _namespace(ctx, definition)))
    _note(ctx, found)
    return None


@operation()
def update(ctx: OperationContext, **inputs: Any) -> Data:
    """Apply the node's objects again and wait until they are ready."""
    create(ctx, **inputs)
    return read(ctx, **inputs)


@operation()
def delete(ctx: OperationContext, **inputs: Any) -> Data:
    """Delete the node's objects with what they own, last first, and wait until they are gone."""
    if not ctx.node.properties.get("use_external_resource"):
        with _cluster(ctx) as cluster:
            for definition in reversed(_definitions(ctx, inputs)):
                _delete_one(ctx, cluster, definition, _namespace(ctx, definition))
    ctx.instance.runtime_properties.clear()
    return None


@operation()
def check_status(ctx: OperationContext, **inputs: Any) -> Data:
    """Fail unless every object of the node is there and ready."""
    with _cluster(ctx) as cluster:
        for definition in _definitions(ctx, inputs):
            item = _existing(cluster, definition, _namespace(ctx, definition))
            missing = why_not_ready(item)
            if missing:
                raise RecoverableError(f"{definition['kind']} {definition['metadata']['name']}: {missing}")
    return True


@contextmanager
def _cluster(ctx: OperationContext) -> Iterator[Cluster]:
    cluster = Cluster(find_kubeconfig(ctx), scratch=ctx.folder, sandboxed=ctx.plugin.sandboxed)
    try:
        yield cluster
    finally:
        cluster.close()


def _definitions(ctx: OperationContext, inputs: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """Return the objects that the node stands for, each marked as its own."""
    properties = ctx.node.properties
    definition = inputs.get("definition") or properties.get("definition")
    if definition:
        found = [deepcopy(dict(definition))]
    else:
        file = inputs.get("file") or properties.get("file") or {}
        path = file.get("resource_path") if isinstance(file, Mapping) else file
        if not path:
            raise NonRecoverableError("The node has neither a definition nor a file.")
        variables = file.get("template_variables") or {} if isinstance(file, Mapping) else {}
        found = parse_documents(ctx.resources.render(path, variables))
    for item in found:
        _complete(ctx, item)
    return found


def _complete(ctx: OperationContext, item: dict[str, Any]) -> None:
    for key in ("apiVersion", "kind"):
        if not item.get(key):
            raise NonRecoverableError(f"The definition has no {key}.")
    metadata = item.setdefault("metadata", {})
    if not metadata.get("name"):
        raise NonRecoverableError(f"The definition of a {item['kind']} has no metadata.name.")
    served = _RENAMED.get((item["apiVersion"], item["kind"]))
    if served is not None:
        ctx.logger.warning(f"{item['apiVersion']} is gone from today's clusters; {served} is applied instead")
        item["apiVersion"] = served
    metadata.setdefault("annotations", {})[OWNER] = _owner(ctx)


def _owner(ctx: OperationContext) -> str:
    return f"{ctx.deployment.id}/{ctx.instance.id}"


def _namespace(ctx: OperationContext, definition: Mapping[str, Any]) -> str:
    options = ctx.node.properties.get("options") or {}
    return str(definition["metadata"].get("namespace") or options.get("namespace") or "default")


def _existing(cluster: Cluster, definition: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    try:
        return cluster.get(definition, namespace)
    except Missing as missing:
        name = definition["metadata"]["name"]
        raise NonRecoverableError(f"There is no {definition['kind']} {name} in {namespace}: {missing}") from missing


def _refuse_foreign(ctx: OperationContext, cluster: Cluster, definition: Mapping[str, Any], namespace: str) -> None:
    try:
        known = cluster.get(definition, namespace)
    except Missing:
        return
    owner = (known["metadata"].get("annotations") or {}).get(OWNER)
    if owner != _owner(ctx):
        by = f"belongs to {owner}" if owner else "was not made by this deployment"
        raise NonRecoverableError(
            f"{definition['kind']} {definition['metadata']['name']} is there already and {by}; "
            "set use_external_resource to use it as it is."
        )


def _await_ready(
    ctx: OperationContext, cluster: Cluster, definition: Mapping[str, Any], namespace: str
) -> dict[str, Any]:
    name, waited, told = f"{definition['kind']} {definition['metadata']['name']}", 0.0, ""
    while True:
        item = _existing(cluster, definition, namespace)
        missing, never = why_not_ready(item), why_never_ready(item)
        if never:
            raise NonRecoverableError(f"{name}: {never}")
        if not missing:
            return item
        if missing != told:
            ctx.logger.info(f"Waiting for {name}: {missing}")
            told = missing
        if waited >= _READY_SECONDS:
            raise OperationRetry(f"{name} is not ready after {_READY_SECONDS:.0f} s: {missing}")
        ctx.sleep(_POLL_SECONDS)
        waited += _POLL_SECONDS


def _delete_one(ctx: OperationContext, cluster: Cluster, definition: Mapping[str, Any], namespace: str) -> None:
    name, waited = f"{definition['kind']} {definition['metadata']['name']}", 0.0
    try:
        known = cluster.get(definition, namespace)
        owner = (known["metadata"].get("annotations") or {}).get(OWNER)
        if owner != _owner(ctx):
            ctx.logger.warning(f"{name} is left alone: it is not this instance's own")
            return
        ctx.logger.info(f"Deleting {name}")
        cluster.delete(definition, namespace)
        while waited < _GONE_SECONDS:
            cluster.get(definition, namespace)
            ctx.sleep(_POLL_SECONDS)
            waited += _POLL_SECONDS
    except Missing:
        return
    raise RecoverableError(f"{name} is still there after {_GONE_SECONDS:.0f} s")


def _note(ctx: OperationContext, found: Sequence[Mapping[str, Any]]) -> None:
    """Keep what the cluster has, without what it would only repeat and without what a Secret holds."""
    kept = []
    for item in found:
        plain = {key: value for key, value in item.items() if key not in ("data", "stringData")}
        plain["metadata"] = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
        kept.append(plain)
    ctx.instance.runtime_properties[_RESOURCE] = kept[0] if len(kept) == 1 else kept
