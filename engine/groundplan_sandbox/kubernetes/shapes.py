"""The shapes of the main kinds: which fields they have and of what type, for `decoding` to check bodies against.

Deep corners (affinity, security contexts, rarer volume sources) are `any`: they are kept as they come, unchecked.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FieldType:
    """name: a scalar (string, int, bool, int-or-string), map (of strings), any, or another shape."""

    name: str
    repeated: bool = False


Shape = dict[str, FieldType]


def _field(text: str) -> tuple[str, FieldType]:
    """`name` (a string), `name int`, `names []` (strings), `items []Shape`, `spec Shape`."""
    name, _, written = text.strip().partition(" ")
    return name, FieldType(name=written.removeprefix("[]") or "string", repeated=written.startswith("[]"))


_POD_SPEC = """volumes []Volume, containers []Container, restartPolicy, terminationGracePeriodSeconds int,
    activeDeadlineSeconds int, dnsPolicy, nodeSelector map, serviceAccountName, serviceAccount, nodeName,
    hostNetwork bool, hostPID bool, hostIPC bool, securityContext any, imagePullSecrets []Named, hostname, subdomain,
    affinity any, schedulerName, initContainers []Container, automountServiceAccountToken bool, tolerations []any,
    hostAliases []any, priorityClassName, priority int, dnsConfig any, shareProcessNamespace bool,
    readinessGates []any, runtimeClassName, enableServiceLinks bool, preemptionPolicy, overhead any,
    topologySpreadConstraints []any, ephemeralContainers []any, setHostnameAsFQDN bool, os any, hostUsers bool,
    schedulingGates []any, resourceClaims []any, resources any"""
_CONTAINER = """name, image, command [], args [], workingDir, ports []ContainerPort, env []EnvVar, resources Resources,
    volumeMounts []VolumeMount, livenessProbe Probe, readinessProbe Probe, lifecycle any, terminationMessagePath,
    imagePullPolicy, securityContext any, stdin bool, stdinOnce bool, tty bool, envFrom []EnvFrom,
    terminationMessagePolicy, volumeDevices []any, startupProbe Probe, resizePolicy []any, restartPolicy"""
_VOLUME = """name, configMap ConfigMapVolume, secret SecretVolume, persistentVolumeClaim ClaimVolume, emptyDir any,
    projected any, hostPath any, downwardAPI any, nfs any, csi any, ephemeral any, image any, iscsi any, fc any,
    awsElasticBlockStore any, azureDisk any, azureFile any, gcePersistentDisk any, cephfs any, rbd any, cinder any,
    flexVolume any, flocker any, gitRepo any, glusterfs any, photonPersistentDisk any, portworxVolume any,
    quobyte any, scaleIO any, storageos any, vsphereVolume any"""
_SERVICE_SPEC = """ports []ServicePort, selector map, clusterIP, type, externalIPs [], sessionAffinity, loadBalancerIP,
    loadBalancerSourceRanges [], externalName, externalTrafficPolicy, healthCheckNodePort int,
    publishNotReadyAddresses bool, sessionAffinityConfig any, ipFamilyPolicy, clusterIPs [], ipFamilies [],
    allocateLoadBalancerNodePorts bool, loadBalancerClass, internalTrafficPolicy, trafficDistribution"""
_TOP = "apiVersion, kind, metadata ObjectMeta"

SHAPES: dict[str, Shape] = {
    name: dict(_field(part) for part in text.split(","))
    for name, text in {
        "ObjectMeta": """name, generateName, namespace, selfLink, uid, resourceVersion, generation int,
            creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds int, labels map, annotations map,
            ownerReferences []OwnerReference, finalizers [], managedFields []any""",
        "OwnerReference": "kind, name, uid, apiVersion, controller bool, blockOwnerDeletion bool",
        "Named": "name",
        "LabelSelector": "matchLabels map, matchExpressions []Requirement",
        "Requirement": "key, operator, values []",
        "Pod": f"{_TOP}, spec PodSpec, status any",
        "PodTemplate": "metadata ObjectMeta, spec PodSpec",
        "PodSpec": _POD_SPEC,
        "Container": _CONTAINER,
        "ContainerPort": "name, hostPort int, containerPort int, protocol, hostIP",
        "EnvVar": "name, value, valueFrom EnvVarSource",
        "EnvVarSource": "fieldRef any, resourceFieldRef any, configMapKeyRef KeyRef, secretKeyRef KeyRef",
        "KeyRef": "name, key, optional bool",
        "EnvFrom": "prefix, configMapRef OptionalRef, secretRef OptionalRef",
        "OptionalRef": "name, optional bool",
        "Resources": "limits any, requests any, claims []any",
        "VolumeMount": "name, readOnly bool, mountPath, subPath, mountPropagation, subPathExpr, recursiveReadOnly",
        "Probe": """exec any, httpGet HttpGet, tcpSocket any, grpc any, initialDelaySeconds int, timeoutSeconds int,
            periodSeconds int, successThreshold int, failureThreshold int, terminationGracePeriodSeconds int""",
        "HttpGet": "path, port int-or-string, host, scheme, httpHeaders []any",
        "Volume": _VOLUME,
        "ConfigMapVolume": "name, items []KeyToPath, defaultMode int, optional bool",
        "SecretVolume": "secretName, items []KeyToPath, defaultMode int, optional bool",
        "ClaimVolume": "claimName, readOnly bool",
        "KeyToPath": "key, path, mode int",
        "Deployment": f"{_TOP}, spec DeploymentSpec, status any",
        "DeploymentSpec": """replicas int, selector LabelSelector, template PodTemplate, strategy DeploymentStrategy,
            minReadySeconds int, revisionHistoryLimit int, paused bool, progressDeadlineSeconds int""",
        "DeploymentStrategy": "type, rollingUpdate RollingUpdate",
        "RollingUpdate": "maxUnavailable int-or-string, maxSurge int-or-string",
        "ReplicaSet": f"{_TOP}, spec ReplicaSetSpec, status any",
        "ReplicaSetSpec": "replicas int, selector LabelSelector, template PodTemplate, minReadySeconds int",
        "StatefulSet": f"{_TOP}, spec StatefulSetSpec, status any",
        "StatefulSetSpec": """replicas int, selector LabelSelector, template PodTemplate,
            volumeClaimTemplates []PersistentVolumeClaim, serviceName, podManagementPolicy, updateStrategy any,
            revisionHistoryLimit int, minReadySeconds int, persistentVolumeClaimRetentionPolicy any, ordinals any""",
        "DaemonSet": f"{_TOP}, spec DaemonSetSpec, status any",
        "DaemonSetSpec": """selector LabelSelector, template PodTemplate, updateStrategy any, minReadySeconds int,
            revisionHistoryLimit int""",
        "Job": f"{_TOP}, spec JobSpec, status any",
        "JobSpec": """parallelism int, completions int, activeDeadlineSeconds int, selector LabelSelector,
            manualSelector bool, template PodTemplate, backoffLimit int, ttlSecondsAfterFinished int, completionMode,
            suspend bool, podFailurePolicy any, backoffLimitPerIndex int, maxFailedIndexes int, podReplacementPolicy,
            managedBy, successPolicy any""",
        "Service": f"{_TOP}, spec ServiceSpec, status any",
        "ServiceSpec": _SERVICE_SPEC,
        "ServicePort": "name, protocol, port int, targetPort int-or-string, nodePort int, appProtocol",
        "ConfigMap": f"{_TOP}, data map, binaryData map, immutable bool",
        "Secret": f"{_TOP}, data map, type, stringData map, immutable bool",
        "ServiceAccount": f"{_TOP}, secrets []any, imagePullSecrets []Named, automountServiceAccountToken bool",
        "Namespace": f"{_TOP}, spec any, status any",
        "PersistentVolumeClaim": f"{_TOP}, spec ClaimSpec, status any",
        "ClaimSpec": """accessModes [], resources any, volumeName, selector LabelSelector, storageClassName, volumeMode,
            dataSource any, dataSourceRef any, volumeAttributesClassName""",
        "Ingress": f"{_TOP}, spec IngressSpec, status any",
        "IngressSpec": "defaultBackend any, tls []any, rules []IngressRule, ingressClassName",
        "IngressRule": "host, http any",
        "Role": f"{_TOP}, rules []PolicyRule",
        "ClusterRole": f"{_TOP}, rules []PolicyRule, aggregationRule any",
        "RoleBinding": f"{_TOP}, subjects []Subject, roleRef RoleRef",
        "ClusterRoleBinding": f"{_TOP}, subjects []Subject, roleRef RoleRef",
        "PolicyRule": "verbs [], apiGroups [], resources [], resourceNames [], nonResourceURLs []",
        "Subject": "kind, apiGroup, name, namespace",
        "RoleRef": "apiGroup, kind, name",
    }.items()
}
"""By name: the kinds, and the parts that they are made of."""
