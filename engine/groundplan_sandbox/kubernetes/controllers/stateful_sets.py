"""StatefulSets: pods with ordinals and claims of their own, made, updated and removed one after the other."""

from __future__ import annotations

import copy
from collections.abc import Iterable

from groundplan_sandbox.kubernetes.api import Api
from groundplan_sandbox.kubernetes.controllers.children import (
    CONTROLLER,
    claimed,
    count_ready,
    keys_of,
    make_pod,
    pod_from,
    template_hash,
    write_status,
)
from groundplan_sandbox.kubernetes.controllers.events import Recorder
from groundplan_sandbox.kubernetes.controllers.queue import Key
from groundplan_sandbox.kubernetes.kinds import CLAIM, POD, STATEFUL_SET, Object
from groundplan_sandbox.kubernetes.metadata import is_deleting, is_ready
from groundplan_sandbox.kubernetes.store import Change, name_of, namespace_of

_HASH = "controller-revision-hash"


class StatefulSetController:
    def __init__(self, api: Api, recorder: Recorder) -> None:
        self._api = api
        self._recorder = recorder

    def affected(self, change: Change) -> Iterable[Key]:
        return keys_of(change, STATEFUL_SET, POD)

    def reconcile(self, key: Key) -> float | None:
        owner = self._api.store.get(STATEFUL_SET, *key)
        if owner is None or is_deleting(owner):
            return None
        revision = f"{name_of(owner)}-{template_hash(owner['spec']['template'])}"
        pods = {_ordinal(pod): pod for pod in claimed(self._api, STATEFUL_SET, owner, POD)}
        self._step(owner, pods, revision)
        self._report(owner, list(pods.values()), revision)
        return None

    def _step(self, owner: Object, pods: dict[int, Object], revision: str) -> None:
        """One move, or all at once when the pods may be managed in parallel."""
        wanted = owner["spec"]["replicas"]
        parallel = owner["spec"]["podManagementPolicy"] == "Parallel"
        for ordinal in range(wanted):
            if ordinal not in pods:
                self._make(owner, ordinal, revision)
            if not parallel and not is_ready(pods.get(ordinal, {})):
                break
        surplus = sorted((ordinal for ordinal in pods if ordinal >= wanted), reverse=True)
        for ordinal in surplus if parallel else surplus[:1]:
            self._delete(pods[ordinal])
        if not surplus and count_ready(pods.values()) == wanted == len(pods):
            self._update(owner, pods, revision)

    def _make(self, owner: Object, ordinal: int, revision: str) -> None:
        name = f"{name_of(owner)}-{ordinal}"
        labels = {
            _HASH: revision,
            "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": f"{ordinal}",
        }
        body = pod_from(STATEFUL_SET, owner, name=name, labels=labels)
        body["spec"] |= {"hostname": name, "subdomain": owner["spec"].get("serviceName", "")}
        for template in owner["spec"].get("volumeClaimTemplates") or []:
            claim = f"{template['metadata']['name']}-{name}"
            self._claim(owner, template, claim)
            volumes = body["spec"].setdefault("volumes", [])
            volumes.append({"name": template["metadata"]["name"], "persistentVolumeClaim": {"claimName": claim}})
        make_pod(self._api, owner, body)
        text = f"create Pod {name} in StatefulSet {name_of(owner)} successful"
        self._recorder.normal(STATEFUL_SET, owner, "SuccessfulCreate", text)

    def _claim(self, owner: Object, template: Object, name: str) -> None:
        namespace = namespace_of(owner)
        if self._api.store.get(CLAIM, namespace, name) is None:
            labels = owner["spec"]["selector"].get("matchLabels") or {}
            body = {"metadata": {"name": name, "labels": labels}, "spec": copy.deepcopy(template["spec"])}
            self._api.create(CLAIM, namespace, body, CONTROLLER)

    def _delete(self, pod: Object) -> None:
        if not is_deleting(pod):
            self._api.delete(POD, namespace_of(pod), name_of(pod), CONTROLLER)

    def _update(self, owner: Object, pods: dict[int, Object], revision: str) -> None:
        strategy = owner["spec"]["updateStrategy"]
        first = (strategy.get("rollingUpdate") or {}).get("partition", 0)
        outdated = [n for n, pod in pods.items() if n >= first and pod["metadata"]["labels"].get(_HASH) != revision]
        if outdated and strategy["type"] == "RollingUpdate":
            self._delete(pods[max(outdated)])

    def _report(self, owner: Object, pods: list[Object], revision: str) -> None:
        before = owner.get("status") or {}
        updated = sum(pod["metadata"]["labels"].get(_HASH) == revision for pod in pods)
        ready = count_ready(pods)
        complete = updated == ready == owner["spec"]["replicas"]
        current = revision if complete else before.get("currentRevision", revision)
        status = {
            "readyReplicas": ready,
            "updatedReplicas": updated,
            "currentReplicas": sum(pod["metadata"]["labels"].get(_HASH) == current for pod in pods),
            "currentRevision": current,
            "updateRevision": revision,
        }
        write_status(self._api, STATEFUL_SET, owner, status, replicas=len(pods), availableReplicas=ready)


def _ordinal(pod: Object) -> int:
    return int(name_of(pod).rpartition("-")[2])
