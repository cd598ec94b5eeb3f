"""Fill in what an object leaves out, as the API server does before it stores one.

Values are those of the versioned defaults of Kubernetes (`SetDefaults_*`). Only absent fields are touched; what must
be refused is the business of `validation`. Each function changes the object that it is given: callers pass a copy.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from groundplan_sandbox.kubernetes import definitions
from groundplan_sandbox.kubernetes.kinds import Kind, Object
from groundplan_sandbox.kubernetes.schemas import fill_defaults

_STATUS_AT_FIRST: dict[str, Object] = {
    "ReplicaSet": {"replicas": 0},
    "StatefulSet": {"replicas": 0},
    "DaemonSet": dict.fromkeys(
        ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"), 0
    ),
    "Ingress": {"loadBalancer": {}},
}


def first_status(kind: Kind) -> Object:
    """The status of a new object: empty, save for the counts that the kind always has."""
    return dict(_STATUS_AT_FIRST.get(kind.built_in, {}))


def apply_defaults(kind: Kind, item: Object) -> None:
    """Add defaults to `item` in place. Shapes that are wrong are left alone for `validation` to refuse."""
    if kind.schema is not None:
        fill_defaults(kind.schema, item)
    fill = _DEFAULTS.get(kind.built_in)
    if fill is not None:
        fill(item)


def _section(item: Object, *path: str) -> Object:
    """The map at `path`, made on the way when absent; a throw-away map where something else stands there."""
    for name in path:
        inner = item.setdefault(name, {})
        if not isinstance(inner, dict):
            return {}
        item = inner
    return item


def _maps(items: Any) -> list[Object]:
    return [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []


def _fill(item: Object, **values: Any) -> None:
    for name, value in values.items():
        if item.get(name) is None:
            item[name] = value


def _pod_spec(spec: Object) -> None:
    _fill(spec, restartPolicy="Always", terminationGracePeriodSeconds=30, dnsPolicy="ClusterFirst")
    _fill(spec, securityContext={}, schedulerName="default-scheduler")
    if account := spec.get("serviceAccountName"):
        _fill(spec, serviceAccount=account)
    for container in [*_maps(spec.get("containers")), *_maps(spec.get("initContainers"))]:
        _container(container)
    for volume in _maps(spec.get("volumes")):
        for source in ("configMap", "secret", "projected"):
            if isinstance(volume.get(source), dict):
                _fill(volume[source], defaultMode=420)


def _container(container: Object) -> None:
    image = str(container.get("image", ""))
    tag = image.rpartition("/")[2].partition(":")[2]
    latest = "@" not in image and tag in ("", "latest")
    _fill(container, imagePullPolicy="Always" if latest else "IfNotPresent", resources={})
    _fill(container, terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File")
    for port in _maps(container.get("ports")):
        _fill(port, protocol="TCP")
    for each in _maps(container.get("env")):
        reference = each.get("valueFrom")
        if isinstance(reference, dict) and isinstance(reference.get("fieldRef"), dict):
            _fill(reference["fieldRef"], apiVersion="v1")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(container.get(probe), dict):
            _probe(container[probe])


def _probe(probe: Object) -> None:
    _fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    if isinstance(probe.get("httpGet"), dict):
        _fill(probe["httpGet"], path="/", scheme="HTTP")


def _pod(item: Object) -> None:
    spec = _section(item, "spec")
    _pod_spec(spec)
    _fill(spec, serviceAccountName="default", serviceAccount="default", enableServiceLinks=True, priority=0)
    _fill(spec, preemptionPolicy="PreemptLowerPriority")


def _template(item: Object) -> None:
    _section(item, "spec", "template", "metadata")
    _pod_spec(_section(item, "spec", "template", "spec"))


def _deployment(item: Object) -> None:
    spec = _section(item, "spec")
    _fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = _section(spec, "strategy")
    _fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _fill(_section(strategy, "rollingUpdate"), maxUnavailable="25%", maxSurge="25%")
    _template(item)


def _replica_set(item: Object) -> None:
    _fill(_section(item, "spec"), replicas=1)
    _template(item)


def _stateful_set(item: Object) -> None:
    spec = _section(item, "spec")
    _fill(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady")
    _fill(_section(spec, "updateStrategy"), type="RollingUpdate")
    _fill(_section(spec, "persistentVolumeClaimRetentionPolicy"), whenDeleted="Retain", whenScaled="Retain")
    _template(item)


def _daemon_set(item: Object) -> None:
    spec = _section(item, "spec")
    _fill(spec, revisionHistoryLimit=10)
    _fill(_section(spec, "updateStrategy"), type="RollingUpdate")
    _template(item)


def _job(item: Object) -> None:
    spec = _section(item, "spec")
    _fill(spec, parallelism=1, completions=1, backoffLimit=6, completionMode="NonIndexed", suspend=False)
    _template(item)


def _service(item: Object) -> None:
    spec = _section(item, "spec")
    _fill(spec, type="ClusterIP", sessionAffinity="None")
    if spec["type"] != "ExternalName":
        _fill(spec, internalTrafficPolicy="Cluster", ipFamilyPolicy="SingleStack", ipFamilies=["IPv4"])
    if spec["type"] in ("NodePort", "LoadBalancer"):
        _fill(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        _fill(spec, allocateLoadBalancerNodePorts=True)
    for port in _maps(spec.get("ports")):
        _fill(port, protocol="TCP")
        _fill(port, targetPort=port.get("port"))


def _secret(item: Object) -> None:
    _fill(item, type="Opaque")
    extra = item.pop("stringData", None)
    if isinstance(extra, dict):
        encoded = {name: base64.b64encode(str(text).encode()).decode() for name, text in extra.items()}
        item["data"] = {**(item.get("data") or {}), **encoded}


def _namespace(item: Object) -> None:
    _fill(_section(item, "spec"), finalizers=["kubernetes"])
    _section(item, "metadata", "labels")["kubernetes.io/metadata.name"] = item["metadata"].get("name")


def _claim(item: Object) -> None:
    _fill(_section(item, "spec"), volumeMode="Filesystem", storageClassName="standard")


def _binding(item: Object) -> None:
    for subject in _maps(item.get("subjects")):
        if subject.get("kind") in ("User", "Group"):
            _fill(subject, apiGroup="rbac.authorization.k8s.io")


_DEFAULTS: dict[str, Callable[[Object], None]] = {
    "Pod": _pod,
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "Service": _service,
    "Secret": _secret,
    "Namespace": _namespace,
    "PersistentVolumeClaim": _claim,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
    "CustomResourceDefinition": definitions.fill,
}
