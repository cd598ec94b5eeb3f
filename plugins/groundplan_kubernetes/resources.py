"""Operations on resources: apply a node's objects, await them, look at them, delete them.

Applying is idempotent and an object carries the mark of the instance that made it, so that a repeat finds its own work
and somebody else's object is never taken over or deleted unasked. Which objects a node stands for is `definitions`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.operation import operation
from groundplan_kubernetes.account_tokens import kubeconfig_with, token_in
from groundplan_kubernetes.cluster import Cluster, DeleteOptions
from groundplan_kubernetes.definitions import Wanted, deletion, find_wanted, recorded, takes_over
from groundplan_kubernetes.drift import changed_fields
from groundplan_kubernetes.failures import Contested, Missing
from groundplan_kubernetes.kubeconfig import NoClusterNamed, find_access
from groundplan_kubernetes.ownership import is_external, is_own, owner_of
from groundplan_kubernetes.readiness import why_not_ready
from groundplan_kubernetes.waiting import await_gone, await_ready, existing

RECORD: Final = "kubernetes"
"""Runtime property that holds the object, or the list of objects, as the cluster has them."""
KUBECONFIG: Final = "kubeconfig"
"""Runtime property of a Secret that holds the token of a service account: a kubeconfig for that account, as text."""
_DROPPED: Final = ("data", "stringData", "binaryData")
"""What is not kept of a Secret or ConfigMap: it may be secret, and the blueprint has it."""
_COPY: Final = "kubectl.kubernetes.io/last-applied-configuration"
"""Annotation in which kubectl keeps the whole object, a Secret's content too."""
_CRD: Final = "CustomResourceDefinition"


@operation()
def create(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Apply the node's objects; what exists already must be its own, unless it is external."""
    with _cluster(ctx, inputs) as cluster:
        _note(ctx, cluster, [_create_one(ctx, cluster, wanted, inputs) for wanted in find_wanted(ctx, inputs)])
    return None


@operation()
def read(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Wait until the node's objects are ready, and note them as the cluster has them.

    With `validate_resource_status: false` it does not wait.
    """
    if ctx.node.properties.get("validate_resource_status") is False:
        return pull(ctx, **inputs)
    with _cluster(ctx, inputs) as cluster:
        _note(ctx, cluster, [await_ready(ctx, cluster, wanted) for wanted in find_wanted(ctx, inputs)])
    return None


@operation()
def pull(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Note the node's objects as the cluster has them now."""
    with _cluster(ctx, inputs) as cluster:
        _note(ctx, cluster, [existing(cluster, wanted) for wanted in find_wanted(ctx, inputs)])
    return None


@operation()
def update(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Apply the node's objects again, delete those it no longer stands for, and wait until the rest are ready."""
    before, after = recorded(ctx.instance.runtime_properties.get(RECORD)), find_wanted(ctx, inputs)
    _refuse_redefinition(ctx, before, after)
    with _cluster(ctx, inputs) as cluster:
        applied = [_create_one(ctx, cluster, wanted, inputs) for wanted in after]
        kept = {item["metadata"]["uid"] for item in applied}
        for wanted in reversed(before):
            if not is_external(ctx) and wanted.uid not in kept:
                _delete_one(ctx, cluster, wanted, deletion(ctx, inputs))
        # Noted only now: an attempt cut off before must find again what it has to drop.
        _note(ctx, cluster, applied)
    return read(ctx, **inputs)


@operation()
def delete(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Delete the objects that the instance made with what they own, last first, and wait until they are gone."""
    if not is_external(ctx):
        known = recorded(ctx.instance.runtime_properties.get(RECORD))
        found = {wanted.identity: wanted for wanted in (*find_wanted(ctx, inputs), *known)}
        try:
            _delete_all(ctx, inputs, [*found.values()])
        except NoClusterNamed as error:
            # An instance whose create failed like this made nothing, and must not keep all else from going.
            if ctx.instance.runtime_properties:
                raise
            ctx.logger.warning(f"Nothing is noted of what was made, so nothing is deleted: {error.message}")
    ctx.instance.runtime_properties.clear()
    return None


def _delete_all(ctx: OperationContext, inputs: Mapping[str, Any], found: Sequence[Wanted]) -> None:
    with _cluster(ctx, inputs) as cluster:
        for wanted in reversed(found):
            _delete_one(ctx, cluster, wanted, deletion(ctx, inputs))


@operation()
def check_status(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Return `{"Deployment app": "ready"}` for each object; NonRecoverableError unless all are there and ready."""
    answer: dict[str, Data] = {}
    with _cluster(ctx, inputs) as cluster:
        for wanted in find_wanted(ctx, inputs):
            missing = why_not_ready(existing(cluster, wanted))
            if missing:
                raise NonRecoverableError(f"{wanted.name}: {missing}")
            answer[wanted.name] = "ready"
    return answer


@operation()
def check_drift(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Return the fields that applying again would change, by object; empty when there is no drift.

    Shape: `{"Deployment app": ["spec.replicas"], "ConfigMap settings": ["is gone"]}`. Values are not told: they may be
    secret.
    """
    drifted: dict[str, Data] = {}
    if is_external(ctx):
        return drifted
    with _cluster(ctx, inputs) as cluster:
        for wanted in find_wanted(ctx, inputs):
            if fields := _drift_of(cluster, wanted):
                drifted[wanted.name] = fields
    return drifted


@operation()
def refuse_token(ctx: OperationContext, /, **_: Any) -> Data:
    """Refuse the operations by which a shared cluster would have made tokens of service accounts."""
    raise NonRecoverableError(
        "Tokens of a shared cluster are not made. Declare a ServiceAccount, a ClusterRoleBinding and a Secret of type "
        "kubernetes.io/service-account-token as nodes of their own."
    )


@contextmanager
def _cluster(ctx: OperationContext, inputs: Mapping[str, Any]) -> Iterator[Cluster]:
    access = find_access(ctx, inputs.get("client_config"))
    if not access.verify:
        ctx.logger.warning(f"The certificate of {access.server} is not verified")
    cluster = Cluster(access, scratch=ctx.folder)
    try:
        yield cluster
    finally:
        ctx.logger.debug(f"{cluster.requests} requests to the cluster")
        cluster.close()


def _refuse_redefinition(ctx: OperationContext, before: Sequence[Wanted], after: Sequence[Wanted]) -> None:
    kept = {wanted.name for wanted in after}
    dropped = [wanted.name for wanted in before if wanted.name not in kept]
    if dropped and ctx.node.properties.get("allow_node_redefinition") is False:
        raise NonRecoverableError(f"{', '.join(dropped)} would be deleted; set allow_node_redefinition to allow it.")


def _create_one(ctx: OperationContext, cluster: Cluster, wanted: Wanted, inputs: Mapping[str, Any]) -> dict[str, Any]:
    known = _present(ctx, cluster, wanted)
    if known is not None and not is_own(ctx, known):
        return _others(ctx, wanted, known)
    if known is None and is_external(ctx) and not ctx.node.properties.get("create_if_missing"):
        raise NonRecoverableError(f"There is no {wanted.name} in {wanted.namespace}, and it is declared external.")
    ctx.logger.info(f"Applying {wanted.name}")
    applied = _apply(ctx, cluster, wanted, may_take_over=known is not None and takes_over(ctx, inputs))
    return await_ready(ctx, cluster, wanted) if wanted.definition["kind"] == _CRD else applied


def _apply(ctx: OperationContext, cluster: Cluster, wanted: Wanted, *, may_take_over: bool) -> dict[str, Any]:
    """Apply an object; fields that others changed are taken back only where that may be, and never in silence."""
    try:
        return cluster.apply(wanted.definition, wanted.namespace)
    except Contested as contested:
        if not may_take_over:
            fix = "leave that out of the definition, or set force_conflicts in options to take it over"
            raise NonRecoverableError(f"{wanted.name}: {contested}; {fix}.") from contested
        ctx.logger.warning(f"{wanted.name}: {contested}; it is taken over")
    return cluster.apply(wanted.definition, wanted.namespace, force=True)


def _present(ctx: OperationContext, cluster: Cluster, wanted: Wanted) -> dict[str, Any] | None:
    """Return the object that is there to stay: one that is being deleted is waited for."""
    try:
        known = cluster.get(wanted.definition, wanted.namespace)
    except Missing:
        return None
    if not known["metadata"].get("deletionTimestamp"):
        return known
    ctx.logger.info(f"Waiting for an earlier {wanted.name} to go")
    await_gone(ctx, cluster, wanted, known["metadata"]["uid"])
    return None


def _others(ctx: OperationContext, wanted: Wanted, known: dict[str, Any]) -> dict[str, Any]:
    """Return an object of somebody else's, where the author said that it is to be used as it is."""
    if is_external(ctx) or ctx.node.properties.get("use_if_exists"):
        ctx.logger.info(f"{wanted.name} is used as it is")
        return known
    owner = owner_of(known)
    by = f"belongs to {owner}" if owner else "was not made by this deployment"
    raise NonRecoverableError(f"{wanted.name} is there already and {by}; set use_external_resource to use it as it is.")


def _delete_one(ctx: OperationContext, cluster: Cluster, wanted: Wanted, options: DeleteOptions) -> None:
    try:
        known = cluster.get(wanted.definition, wanted.namespace)
        if not is_own(ctx, known):
            ctx.logger.warning(f"{wanted.name} is left alone: it is not this instance's own")
            return
        uid = known["metadata"]["uid"]
        if not known["metadata"].get("deletionTimestamp"):
            ctx.logger.info(f"Deleting {wanted.name}")
            cluster.delete(wanted.definition, wanted.namespace, uid, options)
    except Missing:
        return
    await_gone(ctx, cluster, wanted, uid)


def _drift_of(cluster: Cluster, wanted: Wanted) -> list[Data]:
    try:
        live = cluster.get(wanted.definition, wanted.namespace)
    except Missing:
        return ["is gone"]
    applied = cluster.apply(wanted.definition, wanted.namespace, force=True, dry_run=True)
    return list(changed_fields(live, applied))


def _note(ctx: OperationContext, cluster: Cluster, found: Sequence[Mapping[str, Any]]) -> None:
    """Keep what the cluster has, without what a Secret or ConfigMap holds and without what only servers read.

    What an account's token opens is kept as a kubeconfig: the blueprint has it from nowhere else.
    """
    for item in found:
        if (token := token_in(item)) is not None:
            ctx.mask(token)
            ctx.instance.runtime_properties[KUBECONFIG] = kubeconfig_with(token, cluster.access)
    kept: list[Data] = [_notable(item) for item in found]
    ctx.instance.runtime_properties[RECORD] = kept[0] if len(kept) == 1 else kept


def _notable(item: Mapping[str, Any]) -> dict[str, Data]:
    dropped = _DROPPED if item["kind"] in ("Secret", "ConfigMap") else ()
    kept = {key: value for key, value in item.items() if key not in dropped}
    kept["metadata"] = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
    annotations = {key: value for key, value in (item["metadata"].get("annotations") or {}).items() if key != _COPY}
    if "annotations" in kept["metadata"]:
        kept["metadata"]["annotations"] = annotations
    return kept
