"""The table of resource kinds that the emulated API server knows.

Everything generic (storage, discovery, paths, printing) is driven by this table; a kind that needs behaviour of its
own gets it in `defaults`, `validation` or `controllers`, never here. `catalogue` has them with a cluster's custom ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
"""A JSON object as it travels on the wire. Treated as immutable once stored: writers copy first."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One resource kind: its names, its scope, its subresources.

    `generation` says that metadata.generation counts changes of spec (not every kind has it).
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: frozenset[str] = field(default_factory=frozenset)
    generation: bool = False
    schema: Object | None = field(default=None, compare=False, repr=False)
    """Of a custom kind: the OpenAPI v3 schema of its objects."""

    @property
    def custom(self) -> bool:
        return self.schema is not None

    @property
    def built_in(self) -> str:
        """The name by which the tables of the built-in kinds know it; "" for a custom kind, whatever its name."""
        return "" if self.custom else self.kind

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """The name used in error messages: `deployments.apps`, or `pods` for the core group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified(self) -> str:
        """The kind as error messages of status 422 name it: `Deployment.apps`, or `Pod`."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def has_status(self) -> bool:
        return "status" in self.subresources

    @property
    def has_scale(self) -> bool:
        return "scale" in self.subresources

    @property
    def gvk(self) -> Object:
        return {"group": self.group, "version": self.version, "kind": self.kind}


def _kind(
    group_version: str,
    kind: str,
    plural: str,
    *short: str,
    sub: Iterable[str] = (),
    categories: tuple[str, ...] = (),
    namespaced: bool = True,
    generation: bool = False,
) -> Kind:
    group, _, version = group_version.rpartition("/")
    return Kind(
        group=group,
        version=version,
        kind=kind,
        plural=plural,
        short_names=short,
        subresources=frozenset(sub),
        categories=categories,
        namespaced=namespaced,
        generation=generation,
    )


_ALL = ("all",)
RUNNING = ("log", "exec", "attach", "portforward")
"""Subresources of a pod that need a container that runs."""
_WORKLOAD = ("status", "scale")

NAMESPACE = _kind("v1", "Namespace", "namespaces", "ns", sub=("status", "finalize"), namespaced=False)
NODE = _kind("v1", "Node", "nodes", "no", sub=("status",), namespaced=False)
POD = _kind("v1", "Pod", "pods", "po", sub=("status", "eviction", *RUNNING), categories=_ALL)
SERVICE = _kind("v1", "Service", "services", "svc", sub=("status",), categories=_ALL)
ENDPOINTS = _kind("v1", "Endpoints", "endpoints", "ep")
ENDPOINT_SLICE = _kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
CONFIG_MAP = _kind("v1", "ConfigMap", "configmaps", "cm")
SECRET = _kind("v1", "Secret", "secrets")
SERVICE_ACCOUNT = _kind("v1", "ServiceAccount", "serviceaccounts", "sa", sub=("token",))
EVENT = _kind("v1", "Event", "events", "ev")
CLAIM = _kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims", "pvc", sub=("status",))
VOLUME = _kind("v1", "PersistentVolume", "persistentvolumes", "pv", sub=("status",), namespaced=False)
DEPLOYMENT = _kind("apps/v1", "Deployment", "deployments", "deploy", sub=_WORKLOAD, categories=_ALL, generation=True)
REPLICA_SET = _kind("apps/v1", "ReplicaSet", "replicasets", "rs", sub=_WORKLOAD, categories=_ALL, generation=True)
STATEFUL_SET = _kind("apps/v1", "StatefulSet", "statefulsets", "sts", sub=_WORKLOAD, categories=_ALL, generation=True)
DAEMON_SET = _kind("apps/v1", "DaemonSet", "daemonsets", "ds", sub=("status",), categories=_ALL, generation=True)
CONTROLLER_REVISION = _kind("apps/v1", "ControllerRevision", "controllerrevisions")
JOB = _kind("batch/v1", "Job", "jobs", sub=("status",), categories=_ALL, generation=True)
CRON_JOB = _kind("batch/v1", "CronJob", "cronjobs", "cj", sub=("status",), categories=_ALL, generation=True)
INGRESS = _kind("networking.k8s.io/v1", "Ingress", "ingresses", "ing", sub=("status",), generation=True)
DEFINITION = _kind(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    "crd",
    "crds",
    sub=("status",),
    namespaced=False,
    generation=True,
)
STORAGE_CLASS = _kind("storage.k8s.io/v1", "StorageClass", "storageclasses", "sc", namespaced=False)

KINDS: tuple[Kind, ...] = (
    NAMESPACE,
    NODE,
    POD,
    SERVICE,
    ENDPOINTS,
    CONFIG_MAP,
    SECRET,
    SERVICE_ACCOUNT,
    EVENT,
    CLAIM,
    VOLUME,
    _kind("v1", "LimitRange", "limitranges", "limits"),
    _kind("v1", "ResourceQuota", "resourcequotas", "quota", sub=("status",)),
    DEPLOYMENT,
    REPLICA_SET,
    STATEFUL_SET,
    DAEMON_SET,
    CONTROLLER_REVISION,
    JOB,
    CRON_JOB,
    _kind(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        "hpa",
        sub=("status",),
        categories=_ALL,
    ),
    _kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", "pdb", sub=("status",), generation=True),
    INGRESS,
    _kind("networking.k8s.io/v1", "IngressClass", "ingressclasses", namespaced=False, generation=True),
    _kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", "netpol", generation=True),
    ENDPOINT_SLICE,
    _kind("rbac.authorization.k8s.io/v1", "Role", "roles"),
    _kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
    _kind("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", namespaced=False),
    _kind("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    STORAGE_CLASS,
    _kind("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", "pc", namespaced=False),
    _kind("coordination.k8s.io/v1", "Lease", "leases"),
    DEFINITION,
)

REVIEWS: dict[tuple[str, str], tuple[str, ...]] = {
    ("authorization.k8s.io", "v1"): ("SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"),
    ("authentication.k8s.io", "v1"): ("SelfSubjectReview",),
}
"""Questions that are answered and never stored, by group and version."""

_BY_NAME = {(kind.api_version, kind.kind): kind for kind in KINDS}


def kind_named(api_version: str, name: str) -> Kind | None:
    """The kind of the table that `apiVersion` and `kind` name."""
    return _BY_NAME.get((api_version, name))
