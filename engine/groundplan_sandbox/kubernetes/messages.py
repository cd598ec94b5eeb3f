"""Tables of field numbers for the objects that `protobuf` reads.

Numbers are those of the `generated.proto` files of Kubernetes 1.33; only what typed clients send in practice is here.
Status, times and managedFields of a client's copy are known and ignored: the server keeps its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Form(Enum):
    STRING = auto()
    INT = auto()
    BOOL = auto()
    STRING_MAP = auto()
    BYTES_MAP = auto()
    INT_OR_STRING = auto()
    MESSAGE = auto()
    IGNORED = auto()


@dataclass(frozen=True, kw_only=True)
class Field:
    """pointer: zero counts as set, for the Go field is a pointer. message: the table of a nested message."""

    name: str
    form: Form
    message: str = ""
    repeated: bool = False
    pointer: bool = False


_FORMS = {
    "int": Form.INT,
    "bool": Form.BOOL,
    "map": Form.STRING_MAP,
    "bytes-map": Form.BYTES_MAP,
    "int-or-string": Form.INT_OR_STRING,
    "string": Form.STRING,
    "ignored": Form.IGNORED,
}


def _field(text: str) -> tuple[int, Field]:
    """`3 name`, `3 name int`, `3 name int*` (a pointer), `3 names []`, `3 spec Message`, `3 items []Message`."""
    number, name, *rest = text.split()
    form = rest[0] if rest else "string"
    repeated, pointer = form.startswith("[]"), form.endswith("*")
    form = form.removeprefix("[]").removesuffix("*") or "string"
    known = _FORMS.get(form, Form.MESSAGE)
    message = form if known is Form.MESSAGE else ""
    return int(number), Field(name=name, form=known, message=message, repeated=repeated, pointer=pointer)


def _table(text: str) -> dict[int, Field]:
    return dict(_field(part) for part in text.split(",") if part.strip())


MESSAGES: dict[str, dict[int, Field]] = {
    name: _table(text)
    for name, text in {
        "ObjectMeta": """1 name, 2 generateName, 3 namespace, 4 selfLink ignored, 5 uid, 6 resourceVersion,
            7 generation ignored, 8 creationTimestamp ignored, 9 deletionTimestamp ignored,
            10 deletionGracePeriodSeconds ignored, 11 labels map, 12 annotations map,
            13 ownerReferences []OwnerReference, 14 finalizers [], 17 managedFields ignored""",
        "OwnerReference": "1 kind, 3 name, 4 uid, 5 apiVersion, 6 controller bool*, 7 blockOwnerDeletion bool*",
        "LabelSelector": "1 matchLabels map, 2 matchExpressions []LabelSelectorRequirement",
        "LabelSelectorRequirement": "1 key, 2 operator, 3 values []",
        "DeleteOptions": """1 gracePeriodSeconds int*, 2 preconditions Preconditions, 3 orphanDependents bool*,
            4 propagationPolicy, 5 dryRun []""",
        "Preconditions": "1 uid, 2 resourceVersion",
        "ConfigMap": "1 metadata ObjectMeta, 2 data map, 3 binaryData bytes-map, 4 immutable bool*",
        "Secret": "1 metadata ObjectMeta, 2 data bytes-map, 3 type, 4 stringData map, 5 immutable bool*",
        "Namespace": "1 metadata ObjectMeta, 2 spec NamespaceSpec, 3 status ignored",
        "NamespaceSpec": "1 finalizers []",
        "ServiceAccount": """1 metadata ObjectMeta, 2 secrets []ObjectReference,
            3 imagePullSecrets []LocalObjectReference, 4 automountServiceAccountToken bool*""",
        "ObjectReference": """1 kind, 2 namespace, 3 name, 4 uid, 5 apiVersion, 6 resourceVersion, 7 fieldPath""",
        "LocalObjectReference": "1 name",
        "Service": "1 metadata ObjectMeta, 2 spec ServiceSpec, 3 status ignored",
        "ServiceSpec": """1 ports []ServicePort, 2 selector map, 3 clusterIP, 4 type, 5 externalIPs [],
            7 sessionAffinity, 8 loadBalancerIP, 10 externalName, 11 externalTrafficPolicy,
            13 publishNotReadyAddresses bool, 17 ipFamilyPolicy, 18 clusterIPs [], 19 ipFamilies [],
            20 allocateLoadBalancerNodePorts bool*, 22 internalTrafficPolicy""",
        "ServicePort": "1 name, 2 protocol, 3 port int, 4 targetPort int-or-string, 5 nodePort int, 6 appProtocol",
        "Deployment": "1 metadata ObjectMeta, 2 spec DeploymentSpec, 3 status ignored",
        "DeploymentSpec": """1 replicas int*, 2 selector LabelSelector, 3 template PodTemplateSpec,
            4 strategy DeploymentStrategy, 5 minReadySeconds int, 6 revisionHistoryLimit int*, 7 paused bool,
            9 progressDeadlineSeconds int*""",
        "DeploymentStrategy": "1 type, 2 rollingUpdate RollingUpdateDeployment",
        "RollingUpdateDeployment": "1 maxUnavailable int-or-string*, 2 maxSurge int-or-string*",
        "Job": "1 metadata ObjectMeta, 2 spec JobSpec, 3 status ignored",
        "JobSpec": """1 parallelism int*, 2 completions int*, 3 activeDeadlineSeconds int*, 4 selector LabelSelector,
            5 manualSelector bool*, 6 template PodTemplateSpec, 7 backoffLimit int*, 8 ttlSecondsAfterFinished int*,
            9 completionMode, 10 suspend bool*""",
        "PodTemplateSpec": "1 metadata ObjectMeta, 2 spec PodSpec",
        "PodSpec": """2 containers []Container, 3 restartPolicy, 4 terminationGracePeriodSeconds int*,
            5 activeDeadlineSeconds int*, 6 dnsPolicy, 7 nodeSelector map, 8 serviceAccountName, 9 serviceAccount,
            10 nodeName, 11 hostNetwork bool, 14 securityContext PodSecurityContext,
            15 imagePullSecrets []LocalObjectReference, 16 hostname, 17 subdomain, 19 schedulerName,
            20 initContainers []Container, 21 automountServiceAccountToken bool*, 24 priorityClassName,
            30 enableServiceLinks bool*""",
        "PodSecurityContext": "2 runAsUser int*, 3 runAsNonRoot bool*, 5 fsGroup int*, 6 runAsGroup int*",
        "Container": """1 name, 2 image, 3 command [], 4 args [], 5 workingDir, 6 ports []ContainerPort,
            7 env []EnvVar, 8 resources ResourceRequirements, 13 terminationMessagePath, 14 imagePullPolicy,
            16 stdin bool, 17 stdinOnce bool, 18 tty bool, 20 terminationMessagePolicy""",
        "ContainerPort": "1 name, 2 hostPort int, 3 containerPort int, 4 protocol, 5 hostIP",
        "EnvVar": "1 name, 2 value",
        "ResourceRequirements": "",
        "Role": "1 metadata ObjectMeta, 2 rules []PolicyRule",
        "ClusterRole": "1 metadata ObjectMeta, 2 rules []PolicyRule",
        "RoleBinding": "1 metadata ObjectMeta, 2 subjects []Subject, 3 roleRef RoleRef",
        "ClusterRoleBinding": "1 metadata ObjectMeta, 2 subjects []Subject, 3 roleRef RoleRef",
        "PolicyRule": "1 verbs [], 2 apiGroups [], 3 resources [], 4 resourceNames [], 5 nonResourceURLs []",
        "RoleRef": "1 apiGroup, 2 kind, 3 name",
        "Subject": "1 kind, 2 apiGroup, 3 name, 4 namespace",
        "SelfSubjectReview": "1 metadata ObjectMeta, 2 status ignored",
        "SelfSubjectAccessReview": "1 metadata ObjectMeta, 2 spec SelfSubjectAccessReviewSpec, 3 status ignored",
        "SelfSubjectAccessReviewSpec": """1 resourceAttributes ResourceAttributes,
            2 nonResourceAttributes NonResourceAttributes""",
        "ResourceAttributes": "1 namespace, 2 verb, 3 group, 4 version, 5 resource, 6 subresource, 7 name",
        "NonResourceAttributes": "1 path, 2 verb",
        "SelfSubjectRulesReview": "1 metadata ObjectMeta, 2 spec SelfSubjectRulesReviewSpec, 3 status ignored",
        "SelfSubjectRulesReviewSpec": "1 namespace",
        "TokenRequest": "1 metadata ObjectMeta, 2 spec TokenRequestSpec, 3 status ignored",
        "TokenRequestSpec": "1 audiences [], 4 expirationSeconds int*",
        "Eviction": "1 metadata ObjectMeta, 2 deleteOptions DeleteOptions",
    }.items()
}
