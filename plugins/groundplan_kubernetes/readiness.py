"""Whether an object does what it is for, by the status that its controller writes; pure.

The rules are those that `kubectl rollout status` and `kubectl wait` go by.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

Object = Mapping[str, Any]


def why_not_ready(item: Object) -> str:
    """Return what is still missing, in a few words; empty when the object is ready."""
    rule = _RULES.get(str(item.get("kind")))
    return rule(item) if rule is not None else ""


def why_never_ready(item: Object) -> str:
    """Return why the object cannot become ready by waiting; empty when it may."""
    conditions = _conditions(item)
    if item.get("kind") == "Job" and conditions.get("Failed", {}).get("status") == "True":
        return str(conditions["Failed"].get("message") or "the job failed")
    progressing = conditions.get("Progressing", {})
    if item.get("kind") == "Deployment" and progressing.get("reason") == "ProgressDeadlineExceeded":
        return str(progressing.get("message") or "the rollout made no progress")
    return ""


def _deployment(item: Object) -> str:
    status, wanted = item.get("status") or {}, (item.get("spec") or {}).get("replicas", 1)
    if (status.get("observedGeneration") or 0) < (item["metadata"].get("generation") or 0):
        return "its controller has not seen the change yet"
    updated, available = status.get("updatedReplicas") or 0, status.get("availableReplicas") or 0
    if updated < wanted:
        return f"{updated} of {wanted} replicas are updated"
    if (status.get("replicas") or 0) > updated:
        return "old replicas are still there"
    if available < wanted:
        return f"{available} of {wanted} replicas are available"
    return ""


def _stateful_set(item: Object) -> str:
    status, wanted = item.get("status") or {}, (item.get("spec") or {}).get("replicas", 1)
    ready = status.get("readyReplicas") or 0
    return "" if ready >= wanted else f"{ready} of {wanted} replicas are ready"


def _daemon_set(item: Object) -> str:
    status = item.get("status") or {}
    wanted, ready = status.get("desiredNumberScheduled"), status.get("numberReady") or 0
    if wanted is None:
        return "its controller has not seen it yet"
    return "" if ready >= wanted else f"{ready} of {wanted} pods are ready"


def _pod(item: Object) -> str:
    phase = (item.get("status") or {}).get("phase")
    ready = _conditions(item).get("Ready", {}).get("status") == "True"
    return "" if ready or phase == "Succeeded" else f"the pod is {phase or 'not scheduled'}"


def _job(item: Object) -> str:
    complete = _conditions(item).get("Complete", {}).get("status") == "True"
    return "" if complete else "the job has not completed"


def _namespace(item: Object) -> str:
    phase = (item.get("status") or {}).get("phase")
    return "" if phase in (None, "Active") else f"the namespace is {phase}"


def _claim(item: Object) -> str:
    phase = (item.get("status") or {}).get("phase")
    return "" if phase in ("Bound", "Pending", None) else f"the claim is {phase}"


def _service(item: Object) -> str:
    if (item.get("spec") or {}).get("type") != "LoadBalancer":
        return ""
    ingress = ((item.get("status") or {}).get("loadBalancer") or {}).get("ingress")
    return "" if ingress else "the load balancer has no address yet"


def _conditions(item: Object) -> dict[str, Mapping[str, Any]]:
    return {entry["type"]: entry for entry in (item.get("status") or {}).get("conditions") or ()}


_RULES: Final[Mapping[str, Callable[[Object], str]]] = {
    "DaemonSet": _daemon_set,
    "Deployment": _deployment,
    "Job": _job,
    "Namespace": _namespace,
    "PersistentVolumeClaim": _claim,
    "Pod": _pod,
    "ReplicaSet": _stateful_set,
    "Service": _service,
    "StatefulSet": _stateful_set,
}
