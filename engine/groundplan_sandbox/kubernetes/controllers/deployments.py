"""Deployments: a ReplicaSet for each template, rolled from the old ones to the new one, and a status that tells.

How far each ReplicaSet may be scaled in one step is computed in `rollout`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

from groundplan_sandbox.kubernetes.api import Api
from groundplan_sandbox.kubernetes.controllers.children import (
    CONTROLLER,
    claimed,
    keys_of,
    template_hash,
    write_status,
)
from groundplan_sandbox.kubernetes.controllers.events import Recorder
from groundplan_sandbox.kubernetes.controllers.progress import conditions_after, seconds_to_deadline
from groundplan_sandbox.kubernetes.controllers.queue import Key
from groundplan_sandbox.kubernetes.controllers.rollout import Size, count, next_sizes, replicas_of
from groundplan_sandbox.kubernetes.kinds import DEPLOYMENT, POD, REPLICA_SET, Object
from groundplan_sandbox.kubernetes.metadata import is_controlled_by, is_deleting, owner_reference
from groundplan_sandbox.kubernetes.store import Change, name_of, namespace_of

REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class DeploymentController:
    def __init__(self, api: Api, recorder: Recorder) -> None:
        self._api = api
        self._recorder = recorder

    def affected(self, change: Change) -> Iterable[Key]:
        return keys_of(change, DEPLOYMENT, REPLICA_SET)

    def reconcile(self, key: Key) -> float | None:
        deployment = self._api.store.get(DEPLOYMENT, *key)
        if deployment is None or is_deleting(deployment):
            return None
        sets = claimed(self._api, DEPLOYMENT, deployment, REPLICA_SET)
        new = next((each for each in sets if _template_of(each) == deployment["spec"]["template"]), None)
        if new is None and not deployment["spec"].get("paused"):
            new = self._make_set(deployment)
        old = [each for each in sets if new is None or name_of(each) != name_of(new)]
        if new is not None and not deployment["spec"].get("paused"):
            deployment, new = self._number(deployment, new, old)
        self._roll(deployment, new, old)
        return self._report(deployment, new, [name_of(each) for each in old])

    def _make_set(self, deployment: Object) -> Object:
        template = copy.deepcopy(deployment["spec"]["template"])
        digest = template_hash(template)
        template["metadata"].setdefault("labels", {})[HASH] = digest
        selector = copy.deepcopy(deployment["spec"]["selector"])
        selector.setdefault("matchLabels", {})[HASH] = digest
        annotations = dict(deployment["metadata"].get("annotations") or {})
        for name in (_LAST_APPLIED, REVISION):
            annotations.pop(name, None)
        metadata = {"name": f"{name_of(deployment)}-{digest}", "labels": template["metadata"]["labels"]}
        metadata |= {"annotations": annotations, "ownerReferences": [owner_reference(DEPLOYMENT, deployment)]}
        spec = {"replicas": 0, "selector": selector, "template": template}
        if "minReadySeconds" in deployment["spec"]:
            spec["minReadySeconds"] = deployment["spec"]["minReadySeconds"]
        body = {"metadata": metadata, "spec": spec}
        return self._api.create(REPLICA_SET, namespace_of(deployment), body, CONTROLLER)

    def _number(self, deployment: Object, new: Object, old: list[Object]) -> tuple[Object, Object]:
        """Give the current template the highest revision, on its ReplicaSet and on the Deployment."""
        highest = max((_revision(each) for each in old), default=0)
        revision = _revision(new) if _revision(new) > highest else highest + 1

        def edit(fresh: Object) -> None:
            fresh["metadata"].setdefault("annotations", {})[REVISION] = str(revision)

        new = self._api.modify(REPLICA_SET, new, edit, CONTROLLER)
        return self._api.modify(DEPLOYMENT, deployment, edit, CONTROLLER), new

    def _roll(self, deployment: Object, new: Object | None, old: list[Object]) -> None:
        sets = [*old, *([new] if new else [])]
        sizes = [Size(name=name_of(each), wanted=replicas_of(each), available=_available(each)) for each in old]
        current = Size(name=name_of(new), wanted=replicas_of(new), available=_available(new)) if new else None
        busy = any(self._pods_left(each) for each in old)
        wanted = next_sizes(deployment["spec"], current, sizes, old_pods_left=busy)
        for each in sets:
            target = wanted.get(name_of(each))
            if target is not None and target != replicas_of(each):
                self._resize(deployment, each, target)

    def _pods_left(self, owner: Object) -> bool:
        return any(is_controlled_by(pod, owner) for pod in self._api.store.select(POD, namespace_of(owner)))

    def _resize(self, deployment: Object, owner: Object, target: int) -> None:
        word = "up" if target > replicas_of(owner) else "down"
        text = f"Scaled {word} replica set {name_of(owner)} from {replicas_of(owner)} to {target}"
        self._recorder.normal(DEPLOYMENT, deployment, "ScalingReplicaSet", text)
        self._api.modify(REPLICA_SET, owner, lambda fresh: fresh["spec"].update(replicas=target), CONTROLLER)

    def _report(self, deployment: Object, new: Object | None, old_names: list[str]) -> float | None:
        namespace = namespace_of(deployment)
        old = [each for each in (self._api.store.get(REPLICA_SET, namespace, name) for name in old_names) if each]
        fresh = self._api.store.get(REPLICA_SET, namespace, name_of(new)) if new else None
        sets = [*old, *([fresh] if fresh else [])]
        total, available = count(sets, "replicas"), count(sets, "availableReplicas")
        status = {
            "replicas": total,
            "updatedReplicas": count([fresh], "replicas") if fresh else 0,
            "readyReplicas": count(sets, "readyReplicas"),
            "availableReplicas": available,
            "unavailableReplicas": max(0, max(total, deployment["spec"]["replicas"]) - available),
        }
        status["conditions"] = conditions_after(deployment, status, name_of(fresh) if fresh else "", sets)
        stored = write_status(self._api, DEPLOYMENT, deployment, status)
        if fresh is not None and status["updatedReplicas"] == total == deployment["spec"]["replicas"]:
            self._forget(deployment, old)
        return seconds_to_deadline(stored)

    def _forget(self, deployment: Object, old: list[Object]) -> None:
        """Remove empty ReplicaSets beyond the revision history limit, the oldest revisions first."""
        empty = [each for each in old if not replicas_of(each) and not each["status"].get("replicas")]
        surplus = len(empty) - deployment["spec"]["revisionHistoryLimit"]
        for each in sorted(empty, key=_revision)[: max(0, surplus)]:
            self._api.delete(REPLICA_SET, namespace_of(each), name_of(each), CONTROLLER)


def _template_of(replica_set: Object) -> Object:
    template = copy.deepcopy(replica_set["spec"]["template"])
    template["metadata"].get("labels", {}).pop(HASH, None)
    return dict(template)


def _revision(replica_set: Object) -> int:
    return int((replica_set["metadata"].get("annotations") or {}).get(REVISION, 0))


def _available(replica_set: Object) -> int:
    return int((replica_set.get("status") or {}).get("availableReplicas", 0))
