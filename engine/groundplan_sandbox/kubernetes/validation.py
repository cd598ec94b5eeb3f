"""Refuse objects that the API server would refuse: names, labels, required fields, selectors, immutable fields.

The essentials of Kubernetes' own validation, with its wording, so that a blueprint's mistake is met in the rehearsal.
It covers shape and cross-references inside one object; whether a referenced object exists is for the controllers.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import Any

from groundplan_sandbox.kubernetes import definitions, schemas
from groundplan_sandbox.kubernetes.kinds import Kind, Object
from groundplan_sandbox.kubernetes.selectors import match_labels
from groundplan_sandbox.kubernetes.status import Cause, invalid, invalid_value, required, unsupported

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"(?:[a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")

_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_IMMUTABLE = "field is immutable"
_LABEL_NAMED = frozenset({"Namespace", "Service"})
_PATH_NAMED = frozenset({"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})


def validate(kind: Kind, item: Object, old: Object | None) -> None:
    """Check an object about to be stored; `old` is what it replaces. Raises ApiError 422 naming every fault."""
    causes = [*_metadata(kind, item), *_FOR_KIND.get(kind.built_in, _nothing)(item)]
    if kind.schema is not None:
        causes += schemas.faults(kind.schema, item)
    if old is not None:
        causes += _unchanged(kind, item, old)
    if causes:
        raise invalid(kind, str(item["metadata"].get("name", "")), causes)


def _nothing(item: Object) -> Iterator[Cause]:
    yield from ()


def _metadata(kind: Kind, item: Object) -> Iterator[Cause]:
    metadata = item["metadata"]
    name = metadata.get("name")
    if not name:
        yield required("metadata.name", "name or generateName is required")
    elif kind.built_in not in _PATH_NAMED:
        yield from _name("metadata.name", name, label=kind.built_in in _LABEL_NAMED)
    yield from _labels("metadata.labels", metadata.get("labels"))
    yield from _strings("metadata.annotations", metadata.get("annotations"))


def _name(field: str, name: Any, *, label: bool) -> Iterator[Cause]:
    pattern, text, longest = (_LABEL, _LABEL_TEXT, 63) if label else (_SUBDOMAIN, _SUBDOMAIN_TEXT, 253)
    if not isinstance(name, str) or not pattern.fullmatch(name):
        yield invalid_value(field, name, text)
    elif len(name) > longest:
        yield invalid_value(field, name, f"must be no more than {longest} characters")


def _strings(field: str, found: Any) -> Iterator[Cause]:
    if found is not None and not isinstance(found, dict):
        yield invalid_value(field, found, "must be a map of strings")
        return
    for key, value in (found or {}).items():
        if not isinstance(value, str):
            yield invalid_value(f"{field}.{key}", value, "must be a string")


def _labels(field: str, labels: Any) -> Iterator[Cause]:
    yield from _strings(field, labels)
    for key, value in (labels if isinstance(labels, dict) else {}).items():
        if not _QUALIFIED.fullmatch(key):
            yield invalid_value(field, key, "name part must consist of alphanumeric characters, '-', '_' or '.'")
        if isinstance(value, str) and not _LABEL_VALUE.fullmatch(value):
            text = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.'"
            yield invalid_value(field, value, text)


def _spec(item: Object) -> Object:
    spec = item.get("spec")
    return spec if isinstance(spec, dict) else {}


def _selector_and_template(item: Object) -> Iterator[Cause]:
    spec = _spec(item)
    selector, template = spec.get("selector"), spec.get("template")
    if not isinstance(selector, dict) or not selector:
        yield required("spec.selector")
    elif isinstance(template, dict):
        labels = (template.get("metadata") or {}).get("labels") or {}
        if not match_labels(labels, selector):
            text = "`selector` does not match template `labels`"
            yield invalid_value("spec.template.metadata.labels", labels, text)
    replicas = spec.get("replicas")
    if replicas is not None and (not isinstance(replicas, int) or replicas < 0):
        yield invalid_value("spec.replicas", replicas, "must be greater than or equal to 0")
    yield from _pod_template(item)


def _pod_template(item: Object) -> Iterator[Cause]:
    template = _spec(item).get("template") or {}
    yield from _labels("spec.template.metadata.labels", (template.get("metadata") or {}).get("labels"))
    yield from _pod_spec("spec.template.spec", template.get("spec") or {})


def _always_restarted(item: Object) -> Iterator[Cause]:
    yield from _selector_and_template(item)
    policy = ((_spec(item).get("template") or {}).get("spec") or {}).get("restartPolicy", "Always")
    if policy != "Always":
        yield unsupported("spec.template.spec.restartPolicy", policy, ["Always"])


def _deployment(item: Object) -> Iterator[Cause]:
    yield from _always_restarted(item)
    strategy = _spec(item).get("strategy") or {}
    if strategy.get("type") not in ("RollingUpdate", "Recreate"):
        yield unsupported("spec.strategy.type", strategy.get("type"), ["Recreate", "RollingUpdate"])
    rolling = strategy.get("rollingUpdate")
    if strategy.get("type") == "Recreate" and rolling:
        text = "may not be specified when strategy `type` is 'Recreate'"
        yield Cause(reason="FieldValueForbidden", message=f"Forbidden: {text}", field="spec.strategy.rollingUpdate")
    for name, value in (rolling or {}).items():
        if not ((isinstance(value, int) and value >= 0) or re.fullmatch(r"[0-9]+%", str(value))):
            text = "must be an integer or percentage (e.g '5%')"
            yield invalid_value(f"spec.strategy.rollingUpdate.{name}", value, text)
    if rolling and {str(rolling.get("maxSurge")), str(rolling.get("maxUnavailable"))} <= {"0", "0%"}:
        text = "may not be 0 when `maxSurge` is 0"
        yield invalid_value("spec.strategy.rollingUpdate.maxUnavailable", rolling.get("maxUnavailable"), text)


def _job(item: Object) -> Iterator[Cause]:
    yield from _pod_template(item)
    policy = ((_spec(item).get("template") or {}).get("spec") or {}).get("restartPolicy")
    if policy not in ("OnFailure", "Never"):
        yield unsupported("spec.template.spec.restartPolicy", policy, ["OnFailure", "Never"])


def _pod(item: Object) -> Iterator[Cause]:
    yield from _pod_spec("spec", _spec(item))


def _pod_spec(field: str, spec: Object) -> Iterator[Cause]:
    containers = spec.get("containers")
    if not isinstance(containers, list) or not containers:
        yield required(f"{field}.containers")
        return
    volumes = spec.get("volumes") or []
    known = {volume.get("name") for volume in volumes if isinstance(volume, dict)}
    names: set[str] = set()
    for group in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(group) or []):
            place = f"{field}.{group}[{index}]"
            yield from _container(place, container, known)
            if container.get("name") in names:
                yield Cause(
                    reason="FieldValueDuplicate",
                    message=f'Duplicate value: "{container["name"]}"',
                    field=f"{place}.name",
                )
            names.add(container.get("name", ""))
    for index, volume in enumerate(volumes):
        if not volume.get("name"):
            yield required(f"{field}.volumes[{index}].name")


def _container(field: str, container: Object, volumes: set[Any]) -> Iterator[Cause]:
    if not container.get("name"):
        yield required(f"{field}.name")
    else:
        yield from _name(f"{field}.name", container["name"], label=True)
    if not container.get("image"):
        yield required(f"{field}.image")
    for index, port in enumerate(container.get("ports") or []):
        yield from _port(f"{field}.ports[{index}].containerPort", port.get("containerPort"))
    for index, each in enumerate(container.get("env") or []):
        if not each.get("name"):
            yield required(f"{field}.env[{index}].name")
        elif each.get("value") is not None and not isinstance(each["value"], str):
            yield invalid_value(f"{field}.env[{index}].value", each["value"], "must be a string")
    for index, mount in enumerate(container.get("volumeMounts") or []):
        place = f"{field}.volumeMounts[{index}]"
        if not mount.get("mountPath"):
            yield required(f"{place}.mountPath")
        if mount.get("name") not in volumes:
            name = mount.get("name")
            yield Cause(reason="FieldValueNotFound", message=f'Not found: "{name}"', field=f"{place}.name")


def _port(field: str, port: Any) -> Iterator[Cause]:
    if port is None:
        yield required(field)
    elif not isinstance(port, int) or not 0 < port < 65536:
        yield invalid_value(field, port, "must be between 1 and 65535, inclusive")


def _service(item: Object) -> Iterator[Cause]:
    spec = _spec(item)
    types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]
    if spec.get("type") not in types:
        yield unsupported("spec.type", spec.get("type"), types)
    ports = spec.get("ports") or []
    if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    for index, port in enumerate(ports):
        yield from _port(f"spec.ports[{index}].port", port.get("port"))
        if len(ports) > 1 and not port.get("name"):
            yield required(f"spec.ports[{index}].name")
    if spec.get("type") == "ExternalName" and not spec.get("externalName"):
        yield required("spec.externalName")


def _data_keys(field: str, data: Any) -> Iterator[Cause]:
    for key in data if isinstance(data, dict) else ():
        if not _DATA_KEY.fullmatch(key):
            yield invalid_value(f"{field}[{key}]", key, "a valid config key must consist of alphanumeric characters")


def _config_map(item: Object) -> Iterator[Cause]:
    yield from _strings("data", item.get("data"))
    yield from _data_keys("data", item.get("data"))


def _secret(item: Object) -> Iterator[Cause]:
    yield from _data_keys("data", item.get("data"))
    for key, value in (item.get("data") or {}).items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, TypeError, ValueError):
            # The value itself is a secret: only its place is named.
            yield Cause(reason="FieldValueInvalid", message="Invalid value: not base64", field=f"data[{key}]")


def _binding(item: Object) -> Iterator[Cause]:
    reference = item.get("roleRef") or {}
    if not reference.get("name"):
        yield required("roleRef.name")
    if reference.get("kind") not in ("Role", "ClusterRole"):
        yield unsupported("roleRef.kind", reference.get("kind"), ["Role", "ClusterRole"])


def _claim(item: Object) -> Iterator[Cause]:
    spec = _spec(item)
    if not spec.get("accessModes"):
        yield required("spec.accessModes", "at least 1 access mode is required")
    if not ((spec.get("resources") or {}).get("requests") or {}).get("storage"):
        yield required("spec.resources[storage]")


_FIXED: dict[str, tuple[str, ...]] = {
    "CustomResourceDefinition": ("spec.group", "spec.scope", "spec.names.plural", "spec.names.kind"),
    "Deployment": ("spec.selector",),
    "ReplicaSet": ("spec.selector",),
    "DaemonSet": ("spec.selector",),
    "StatefulSet": ("spec.selector", "spec.serviceName", "spec.podManagementPolicy", "spec.volumeClaimTemplates"),
    "Job": ("spec.selector", "spec.template", "spec.completionMode"),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
    "Secret": ("type",),
    "PersistentVolumeClaim": ("spec.accessModes", "spec.storageClassName"),
    "Pod": ("spec.nodeName", "spec.volumes", "spec.restartPolicy", "spec.serviceAccountName"),
}


def _unchanged(kind: Kind, item: Object, old: Object) -> Iterator[Cause]:
    for path in _FIXED.get(kind.built_in, ()):
        before, after = _look(old, path), _look(item, path)
        if before is not None and before != after:
            yield invalid_value(path, after, _IMMUTABLE)
    if old.get("immutable") and (old.get("data") != item.get("data") or not item.get("immutable")):
        text = f"Forbidden: {_IMMUTABLE} when `immutable` is set"
        yield Cause(reason="FieldValueForbidden", message=text, field="data")


def _look(item: Any, path: str) -> Any:
    for part in path.split("."):
        item = item.get(part) if isinstance(item, dict) else None
    return item


_FOR_KIND: dict[str, Callable[[Object], Iterator[Cause]]] = {
    "Deployment": _deployment,
    "ReplicaSet": _always_restarted,
    "StatefulSet": _always_restarted,
    "DaemonSet": _always_restarted,
    "Job": _job,
    "Pod": _pod,
    "Service": _service,
    "ConfigMap": _config_map,
    "Secret": _secret,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
    "PersistentVolumeClaim": _claim,
    "CustomResourceDefinition": definitions.faults,
}
