"""Whether an object does what it is for, by the status that its controller writes; pure.

The rules are those that `kubectl rollout status` and `kubectl wait` go by. A kind without a rule is ready when it is
there. A claim may stay Pending: with `volumeBindingMode: WaitForFirstConsumer` it is bound when a pod uses it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from groundplan_kubernetes.account_tokens import TOKEN_TYPE

Object = Mapping[str, Any]


def why_not_ready(item: Object) -> str:
    """Return what is still missing, in a few words; empty when the object is ready."""
    if item["metadata"].get("deletionTimestamp"):
        return "it is being deleted"
    rule = _RULES.get(str(item.get("kind")))
    return rule(item) if rule is not None else ""


def why_never_ready(item: Object) -> str:
    """Return why the object cannot become ready by waiting; empty when it may."""
    conditions, kind = _conditions(item), item.get("kind")
    failed, progressing = conditions.get("Failed", {}), conditions.get("Progressing", {})
    if kind == "Job" and failed.get("status") == "True":
        return _reason(failed, "the job failed")
    if kind == "Deployment" and progressing.get("reason") == "ProgressDeadlineExceeded":
        return _reason(progressing, "the rollout made no progress")
    if kind in ("Pod", "PersistentVolume") and _phase(item) == "Failed":
        return str(_status(item).get("message") or f"the {kind} failed")
    return "the volume of the claim is lost" if kind == "PersistentVolumeClaim" and _phase(item) == "Lost" else ""


def _reason(condition: Object, otherwise: str) -> str:
    return ": ".join(str(condition[key]) for key in ("reason", "message") if condition.get(key)) or otherwise


def _deployment(item: Object) -> str:
    status, wanted = _status(item), _replicas(item)
    updated, available = _count(status, "updatedReplicas"), _count(status, "availableReplicas")
    if _is_stale(item):
        return _UNSEEN
    if updated < wanted:
        return f"{updated} of {wanted} replicas are updated"
    if _count(status, "replicas") > updated:
        return "old replicas are still there"
    return "" if available >= wanted else f"{available} of {wanted} replicas are available"


def _stateful_set(item: Object) -> str:
    status, wanted = _status(item), _replicas(item)
    if _is_stale(item):
        return _UNSEEN
    strategy = _spec(item).get("updateStrategy") or {}
    partition = _count(strategy.get("rollingUpdate") or {}, "partition")
    updated, ready = _count(status, "updatedReplicas"), _count(status, "readyReplicas")
    if ready < wanted:
        return f"{ready} of {wanted} replicas are ready"
    rolls = strategy.get("type") != "OnDelete" and status.get("updateRevision") != status.get("currentRevision")
    if rolls and updated < wanted - partition:
        return f"{updated} of {wanted - partition} replicas are updated"
    return ""


def _replica_set(item: Object) -> str:
    if _is_stale(item):
        return _UNSEEN
    ready, wanted = _count(_status(item), "readyReplicas"), _replicas(item)
    return "" if ready >= wanted else f"{ready} of {wanted} replicas are ready"


def _daemon_set(item: Object) -> str:
    status = _status(item)
    if _is_stale(item):
        return _UNSEEN
    wanted = _count(status, "desiredNumberScheduled")
    updated, available = _count(status, "updatedNumberScheduled"), _count(status, "numberAvailable")
    if (_spec(item).get("updateStrategy") or {}).get("type") != "OnDelete" and updated < wanted:
        return f"{updated} of {wanted} pods are updated"
    return "" if available >= wanted else f"{available} of {wanted} pods are available"


def _pod(item: Object) -> str:
    phase = _phase(item)
    ready = _conditions(item).get("Ready", {})
    if ready.get("status") == "True" or phase == "Succeeded":
        return ""
    return f"the pod is {phase or 'not scheduled'}" + (f", {ready['message']}" if ready.get("message") else "")


def _job(item: Object) -> str:
    return _holds(item, "Complete", "the job has not completed")


def _definition(item: Object) -> str:
    return _holds(item, "Established", "the kind is not served yet")


def _api_service(item: Object) -> str:
    return _holds(item, "Available", "the API is not served yet")


def _namespace(item: Object) -> str:
    phase = _phase(item)
    return "" if phase in ("", "Active") else f"the namespace is {phase}"


def _service(item: Object) -> str:
    if _spec(item).get("type") != "LoadBalancer":
        return ""
    ingress = (_status(item).get("loadBalancer") or {}).get("ingress")
    return "" if ingress else "the load balancer has no address yet"


def _secret(item: Object) -> str:
    return "" if item.get("type") != TOKEN_TYPE or (item.get("data") or {}).get("token") else "it has no token yet"


def _holds(item: Object, condition: str, otherwise: str) -> str:
    return "" if _conditions(item).get(condition, {}).get("status") == "True" else otherwise


def _is_stale(item: Object) -> bool:
    """Whether the status is about an older state of the object than the one it has now."""
    return _count(_status(item), "observedGeneration") < _count(item["metadata"], "generation")


def _count(section: Object, name: str) -> int:
    return int(section.get(name) or 0)


def _replicas(item: Object) -> int:
    wanted = _spec(item).get("replicas")
    return 1 if wanted is None else int(wanted)


def _phase(item: Object) -> str:
    return str(_status(item).get("phase") or "")


def _spec(item: Object) -> Object:
    return item.get("spec") or {}


def _status(item: Object) -> Object:
    return item.get("status") or {}


def _conditions(item: Object) -> dict[str, Mapping[str, Any]]:
    return {entry["type"]: entry for entry in _status(item).get("conditions") or ()}


_UNSEEN: Final = "its controller has not seen it yet"
_RULES: Final[Mapping[str, Callable[[Object], str]]] = {
    "APIService": _api_service,
    "CustomResourceDefinition": _definition,
    "DaemonSet": _daemon_set,
    "Deployment": _deployment,
    "Job": _job,
    "Namespace": _namespace,
    "Pod": _pod,
    "ReplicaSet": _replica_set,
    "ReplicationController": _replica_set,
    "Secret": _secret,
    "Service": _service,
    "StatefulSet": _stateful_set,
}
