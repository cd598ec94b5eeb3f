"""The scheduler's and the kubelet's part in a pod: it gets the node, an address, and becomes Ready, or waits.

No container runs. What can be known without running one is checked as in life: node selectors, claims, and every
ConfigMap and Secret that the pod refers to (`references`).
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable

from groundplan_sandbox.kubernetes.api import Api, Options
from groundplan_sandbox.kubernetes.controllers.children import key_of
from groundplan_sandbox.kubernetes.controllers.events import Recorder
from groundplan_sandbox.kubernetes.controllers.queue import Key
from groundplan_sandbox.kubernetes.controllers.references import missing_for_container, missing_volumes
from groundplan_sandbox.kubernetes.kinds import CLAIM, CONFIG_MAP, NODE, POD, SECRET, Object
from groundplan_sandbox.kubernetes.metadata import is_deleting, is_ready, timestamp, with_condition
from groundplan_sandbox.kubernetes.store import Change, ChangeType, name_of, namespace_of

WORD = "Ready is the sandbox's word: no container runs"
_NETWORK = ipaddress.ip_network("10.244.0.0/16")
_FIRST_HOST = 2
_SCHEDULER = Options(manager="kube-scheduler")
_KUBELET = Options(manager="kubelet", subresource="status")


class PodController:
    def __init__(self, api: Api, recorder: Recorder, address: str) -> None:
        self._api = api
        self._recorder = recorder
        self._address = address
        self._next_host = _FIRST_HOST

    def affected(self, change: Change) -> Iterable[Key]:
        if change.kind is POD:
            if change.type is not ChangeType.DELETED:
                yield key_of(change.object)
        elif change.kind in (CONFIG_MAP, SECRET, CLAIM, NODE) and change.type is not ChangeType.DELETED:
            # A change of the node, which is in no namespace, concerns the waiting pods of all of them.
            for pod in self._api.store.select(POD, namespace_of(change.object) or None):
                if pod["status"].get("phase") == "Pending":
                    yield key_of(pod)

    def reconcile(self, key: Key) -> float | None:
        pod = self._api.store.get(POD, *key)
        if pod is None or (pod["status"].get("phase") in ("Succeeded", "Failed") and not is_deleting(pod)):
            return None
        if is_deleting(pod):
            self._api.finish(POD, pod)
        elif not pod["spec"].get("nodeName"):
            self._schedule(pod)
        elif not is_ready(pod):
            self._start(pod)
        return None

    def _schedule(self, pod: Object) -> None:
        node, why = self._choose(pod)
        if node is None:
            condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}
            if self._set_condition(pod, condition):
                self._recorder.warning(POD, pod, "FailedScheduling", why)
            return
        bound = self._api.modify(POD, pod, lambda fresh: fresh["spec"].update(nodeName=node), _SCHEDULER)
        self._set_condition(bound, {"type": "PodScheduled", "status": "True"})
        place = f"Successfully assigned {namespace_of(pod)}/{name_of(pod)} to {node}"
        self._recorder.normal(POD, pod, "Scheduled", place)

    def _choose(self, pod: Object) -> tuple[str | None, str]:
        """The fitting node with the fewest pods, or None and why there is none."""
        nodes = list(self._api.store.select(NODE, None))
        if not nodes:
            return None, "no nodes available to schedule pods"
        open_nodes = [node for node in nodes if not node["spec"].get("unschedulable")]
        wanted = (pod["spec"].get("nodeSelector") or {}).items()
        fitting = [node for node in open_nodes if wanted <= (node["metadata"].get("labels") or {}).items()]
        none = f"0/{len(nodes)} nodes are available"
        if not open_nodes:
            return None, f"{none}: {len(nodes)} node(s) were unschedulable."
        if not fitting:
            return None, f"{none}: {len(open_nodes)} node(s) didn't match Pod's node affinity/selector."
        if why := self._unbound(pod):
            return None, f"{none}: {why}"
        load = Counter(each["spec"].get("nodeName") for each in self._api.store.select(POD, None))
        return min((name_of(node) for node in fitting), key=lambda name: (load[name], name)), ""

    def _unbound(self, pod: Object) -> str | None:
        """What is wrong with the pod's claims."""
        for volume in pod["spec"].get("volumes") or []:
            name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            claim = self._api.store.get(CLAIM, namespace_of(pod), name) if name else None
            if name and claim is None:
                return f'persistentvolumeclaim "{name}" not found.'
            if claim is not None and claim["status"].get("phase") != "Bound":
                return "pod has unbound immediate PersistentVolumeClaims."
        return None

    def _set_condition(self, pod: Object, condition: Object) -> bool:
        """Whether that changed anything."""
        before = pod["status"].get("conditions") or []
        after = with_condition(before, condition)
        self._api.modify(POD, pod, lambda fresh: fresh["status"].update(conditions=after), _KUBELET)
        return after is not before

    def _start(self, pod: Object) -> None:
        store, containers = self._api.store, pod["spec"]["containers"]
        absent = missing_volumes(store, pod)
        if absent:
            warnings = [f'MountVolume.SetUp failed for volume "{name}" : {why}' for name, why in absent.items()]
            self._wait(pod, {}, "FailedMount", warnings)
            return
        every = [*(pod["spec"].get("initContainers") or []), *containers]
        reasons = {each["name"]: missing_for_container(store, pod, each) for each in every}
        waits = {name: why for name, why in reasons.items() if why}
        if waits:
            self._wait(pod, waits, "Failed", [f"Error: {why}" for why in waits.values()])
        else:
            self._run(pod)

    def _wait(self, pod: Object, configuration: dict[str, str], reason: str, warnings: list[str]) -> None:
        """Containers stay waiting; `configuration` says for some which part of their configuration is missing."""
        statuses = []
        for container in pod["spec"]["containers"]:
            why = configuration.get(container["name"])
            word = "CreateContainerConfigError" if why else "ContainerCreating"
            waiting = {"reason": word} | ({"message": why} if why else {})
            statuses.append(_container_status(container, {"waiting": waiting}, ready=False))
        names = " ".join(container["name"] for container in pod["spec"]["containers"])
        message = f"containers with unready status: [{names}]"
        unready = {"status": "False", "reason": "ContainersNotReady", "message": message}
        after = self._report(pod, "Pending", statuses, unready)
        if after is not pod:
            for warning in warnings:
                self._recorder.warning(POD, pod, reason, warning)

    def _run(self, pod: Object) -> None:
        ends = pod["spec"].get("restartPolicy", "Always") != "Always"
        now = timestamp()
        finished = {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now, "message": WORD}
        state = {"terminated": finished} if ends else {"running": {"startedAt": now}}
        containers = pod["spec"]["containers"]
        statuses = [_container_status(each, state, ready=not ends) for each in containers]
        done = {"status": "False", "reason": "PodCompleted", "message": WORD}
        ready = done if ends else {"status": "True", "reason": "SandboxReady", "message": WORD}
        for container in containers:
            self._recorder.normal(POD, pod, "Created", f"Created container: {container['name']} ({WORD})")
            self._recorder.normal(POD, pod, "Started", f"Started container {container['name']} ({WORD})")
        self._report(pod, "Succeeded" if ends else "Running", statuses, ready)

    def _report(self, pod: Object, phase: str, statuses: list[Object], ready: Object) -> Object:
        conditions = pod["status"].get("conditions") or []
        for name in ("PodReadyToStartContainers", "Initialized"):
            conditions = with_condition(conditions, {"type": name, "status": "True"})
        for name in ("Ready", "ContainersReady"):
            conditions = with_condition(conditions, {"type": name} | ready)
        address = pod["status"].get("podIP") or self._allocate()
        status = pod["status"] | {"phase": phase, "conditions": conditions, "containerStatuses": statuses}
        status |= {"hostIP": self._address, "hostIPs": [{"ip": self._address}]}
        status |= {"podIP": address, "podIPs": [{"ip": address}]}
        status.setdefault("startTime", timestamp())
        return self._api.modify(POD, pod, lambda fresh: fresh.update(status=status), _KUBELET)

    def _allocate(self) -> str:
        taken = {pod["status"].get("podIP") for pod in self._api.store.select(POD)}
        while True:
            address = str(_NETWORK[self._next_host])
            self._next_host = self._next_host + 1 if self._next_host < _NETWORK.num_addresses - 2 else _FIRST_HOST
            if address not in taken:
                return address


def _container_status(container: Object, state: Object, *, ready: bool) -> Object:
    status: Object = {"name": container["name"], "image": container["image"], "imageID": "", "state": state}
    return status | {"ready": ready, "started": ready, "restartCount": 0, "lastState": {}}
