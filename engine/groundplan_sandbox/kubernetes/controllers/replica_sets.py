"""ReplicaSets: as many pods as asked for, and a status that counts them."""

from __future__ import annotations

from collections.abc import Iterable

from groundplan_sandbox.kubernetes.api import Api
from groundplan_sandbox.kubernetes.controllers.children import (
    CONTROLLER,
    claimed,
    count_ready,
    is_active,
    keys_of,
    make_pod,
    pod_from,
    write_status,
)
from groundplan_sandbox.kubernetes.controllers.events import Recorder
from groundplan_sandbox.kubernetes.controllers.queue import Key
from groundplan_sandbox.kubernetes.kinds import POD, REPLICA_SET, Object
from groundplan_sandbox.kubernetes.metadata import age_in_seconds, condition_of, is_deleting, is_ready, with_condition
from groundplan_sandbox.kubernetes.status import ApiError
from groundplan_sandbox.kubernetes.store import Change, name_of, namespace_of

_RETRY_SECONDS = 1.0


class ReplicaSetController:
    def __init__(self, api: Api, recorder: Recorder) -> None:
        self._api = api
        self._recorder = recorder

    def affected(self, change: Change) -> Iterable[Key]:
        return keys_of(change, REPLICA_SET, POD)

    def reconcile(self, key: Key) -> float | None:
        owner = self._api.store.get(REPLICA_SET, *key)
        if owner is None or is_deleting(owner):
            return None
        pods = [pod for pod in claimed(self._api, REPLICA_SET, owner, POD) if is_active(pod)]
        failure = self._scale(owner, pods)
        pods = [pod for pod in claimed(self._api, REPLICA_SET, owner, POD) if is_active(pod)]
        self._report(owner, pods, failure)
        return _RETRY_SECONDS if failure else _until_available(owner, pods)

    def _scale(self, owner: Object, pods: list[Object]) -> ApiError | None:
        wanted = owner["spec"]["replicas"]
        for pod in sorted(pods, key=_doomed_first)[: max(0, len(pods) - wanted)]:
            self._api.delete(POD, namespace_of(pod), name_of(pod), CONTROLLER)
            self._recorder.normal(REPLICA_SET, owner, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}")
        for _ in range(wanted - len(pods)):
            try:
                pod = make_pod(self._api, owner, pod_from(REPLICA_SET, owner))
            except ApiError as error:
                self._recorder.warning(REPLICA_SET, owner, "FailedCreate", f"Error creating: {error.message}")
                return error
            self._recorder.normal(REPLICA_SET, owner, "SuccessfulCreate", f"Created pod: {name_of(pod)}")
        return None

    def _report(self, owner: Object, pods: list[Object], failure: ApiError | None) -> None:
        old = (owner.get("status") or {}).get("conditions") or []
        conditions = [each for each in old if each["type"] != "ReplicaFailure"]
        if failure:
            failed = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": failure.message}
            conditions = with_condition(conditions, failed)
        status = {
            "fullyLabeledReplicas": len(pods),
            "readyReplicas": count_ready(pods),
            "availableReplicas": sum(_is_available(owner, pod) for pod in pods),
            "conditions": conditions,
        }
        write_status(self._api, REPLICA_SET, owner, status, replicas=len(pods))


def _doomed_first(pod: Object) -> tuple[bool, float]:
    """Pods that are not ready go first, then the youngest."""
    return is_ready(pod), age_in_seconds(pod["metadata"]["creationTimestamp"])


def _seconds_ready(pod: Object) -> float:
    condition = condition_of(pod, "Ready")
    return age_in_seconds(condition["lastTransitionTime"]) if condition else 0.0


def _is_available(owner: Object, pod: Object) -> bool:
    return is_ready(pod) and _seconds_ready(pod) >= owner["spec"].get("minReadySeconds", 0)


def _until_available(owner: Object, pods: list[Object]) -> float | None:
    """Seconds until the next ready pod has been ready for minReadySeconds."""
    shortest = owner["spec"].get("minReadySeconds", 0)
    left = [shortest - _seconds_ready(pod) for pod in pods if is_ready(pod)]
    coming = [seconds for seconds in left if seconds > 0]
    return min(coming) + 0.01 if coming else None
