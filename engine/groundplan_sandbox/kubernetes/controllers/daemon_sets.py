"""DaemonSets: one pod, for the cluster has one node; another template replaces it."""

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
    template_hash,
    write_status,
)
from groundplan_sandbox.kubernetes.controllers.events import Recorder
from groundplan_sandbox.kubernetes.controllers.queue import Key
from groundplan_sandbox.kubernetes.kinds import DAEMON_SET, POD, Object
from groundplan_sandbox.kubernetes.metadata import is_deleting
from groundplan_sandbox.kubernetes.store import Change, name_of, namespace_of

_HASH = "controller-revision-hash"


class DaemonSetController:
    def __init__(self, api: Api, recorder: Recorder) -> None:
        self._api = api
        self._recorder = recorder

    def affected(self, change: Change) -> Iterable[Key]:
        return keys_of(change, DAEMON_SET, POD)

    def reconcile(self, key: Key) -> float | None:
        owner = self._api.store.get(DAEMON_SET, *key)
        if owner is None or is_deleting(owner):
            return None
        digest = template_hash(owner["spec"]["template"])
        pods = [pod for pod in claimed(self._api, DAEMON_SET, owner, POD) if is_active(pod)]
        current = [pod for pod in pods if pod["metadata"]["labels"].get(_HASH) == digest]
        if not pods:
            pod = make_pod(self._api, owner, pod_from(DAEMON_SET, owner, labels={_HASH: digest}))
            self._recorder.normal(DAEMON_SET, owner, "SuccessfulCreate", f"Created pod: {name_of(pod)}")
        elif not current and owner["spec"]["updateStrategy"]["type"] == "RollingUpdate":
            for pod in pods:
                self._api.delete(POD, namespace_of(pod), name_of(pod), CONTROLLER)
        self._report(owner, pods, current)
        return None

    def _report(self, owner: Object, pods: list[Object], current: list[Object]) -> None:
        ready = count_ready(pods)
        status = {"updatedNumberScheduled": len(current), "numberAvailable": ready, "numberUnavailable": 1 - ready}
        write_status(
            self._api,
            DAEMON_SET,
            owner,
            status,
            desiredNumberScheduled=1,
            currentNumberScheduled=len(pods),
            numberMisscheduled=0,
            numberReady=ready,
        )
