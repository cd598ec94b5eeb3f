"""A Deployment's conditions: Available and Progressing, and the deadline after which progress has failed."""

from __future__ import annotations

from groundplan_sandbox.kubernetes.controllers.rollout import bounds
from groundplan_sandbox.kubernetes.kinds import Object
from groundplan_sandbox.kubernetes.metadata import age_in_seconds, condition_of, with_condition

_COMPLETE = "NewReplicaSetAvailable"
_EXCEEDED = "ProgressDeadlineExceeded"
_COUNTS = ("updatedReplicas", "readyReplicas", "availableReplicas", "replicas")


def conditions_after(deployment: Object, status: Object, new_name: str, sets: list[Object]) -> list[Object]:
    """The conditions that go with freshly counted replicas. `new_name` is "" when there is no new ReplicaSet."""
    conditions = (deployment.get("status") or {}).get("conditions") or []
    conditions = with_condition(conditions, _available(deployment, status), updated=True)
    conditions = [each for each in conditions if each["type"] != "ReplicaFailure"]
    for failed in filter(None, (condition_of(each, "ReplicaFailure") for each in sets)):
        kept = {key: failed[key] for key in ("type", "status", "reason", "message")}
        conditions = with_condition(conditions, kept, updated=True)
    if not new_name:
        return conditions
    return _with_progress(conditions, deployment, _progressing(deployment, status, new_name), status)


def _available(deployment: Object, status: Object) -> Object:
    _, unavailable = bounds(deployment["spec"])
    if deployment["spec"]["strategy"]["type"] == "Recreate":
        unavailable = 0
    enough = status["availableReplicas"] >= deployment["spec"]["replicas"] - unavailable
    word = "has" if enough else "does not have"
    return {
        "type": "Available",
        "status": "True" if enough else "False",
        "reason": "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
        "message": f"Deployment {word} minimum availability.",
    }


def _is_complete(deployment: Object, status: Object) -> bool:
    wanted = deployment["spec"]["replicas"]
    return all(status[each] == wanted for each in ("updatedReplicas", "replicas", "availableReplicas"))


def _progressing(deployment: Object, status: Object, new_name: str) -> Object:
    condition = {"type": "Progressing", "status": "True"}
    if _is_complete(deployment, status):
        text = f'ReplicaSet "{new_name}" has successfully progressed.'
        return condition | {"reason": _COMPLETE, "message": text}
    now = condition_of(deployment, "Progressing")
    if now is not None and not _has_moved(deployment, status, now):
        if now["reason"] == _EXCEEDED or _is_late(deployment, now):
            text = f'ReplicaSet "{new_name}" has timed out progressing.'
            return {"type": "Progressing", "status": "False", "reason": _EXCEEDED, "message": text}
        return {key: now[key] for key in ("type", "status", "reason", "message")}
    reason = "ReplicaSetUpdated" if now else "NewReplicaSetCreated"
    word = "is progressing" if now else "was created"
    return condition | {"reason": reason, "message": f'ReplicaSet "{new_name}" {word}.'}


def _has_moved(deployment: Object, status: Object, now: Object) -> bool:
    """Whether the last write changed what counts as progress: another generation, or other counts of pods."""
    before = deployment.get("status") or {}
    if now["reason"] == _COMPLETE or before.get("observedGeneration") != deployment["metadata"]["generation"]:
        return True
    return any(before.get(each, 0) < status[each] for each in _COUNTS[:3])


def _is_late(deployment: Object, now: Object) -> bool:
    return age_in_seconds(now["lastUpdateTime"]) >= float(deployment["spec"]["progressDeadlineSeconds"])


def _with_progress(conditions: list[Object], deployment: Object, fresh: Object, status: Object) -> list[Object]:
    """Progress restarts the deadline's clock, also when the words stay the same."""
    now = condition_of(deployment, "Progressing")
    if now is not None and fresh["reason"] == "ReplicaSetUpdated" and _has_moved(deployment, status, now):
        conditions = [each for each in conditions if each["type"] != "Progressing"]
    return with_condition(conditions, fresh, updated=True)


def seconds_to_deadline(deployment: Object) -> float | None:
    """Seconds until an unfinished rollout is late, or None when none is under way."""
    now = condition_of(deployment, "Progressing")
    if now is None or now["reason"] in (_COMPLETE, _EXCEEDED):
        return None
    left = float(deployment["spec"]["progressDeadlineSeconds"]) - age_in_seconds(now["lastUpdateTime"])
    return max(0.0, left) + 0.05
