"""Which ConfigMaps, Secrets and keys a pod needs and the cluster has not.

Texts are the kubelet's. References marked `optional` are never missing.
"""

from __future__ import annotations

from collections.abc import Iterator

from groundplan_sandbox.kubernetes.kinds import CONFIG_MAP, SECRET, Kind, Object
from groundplan_sandbox.kubernetes.store import Store, namespace_of

_SOURCES = {"configMap": (CONFIG_MAP, "configmap", "name"), "secret": (SECRET, "secret", "secretName")}
_ENV_FROM = {"configMapRef": (CONFIG_MAP, "configmap"), "secretRef": (SECRET, "secret")}
_KEY_FROM = {"configMapKeyRef": (CONFIG_MAP, "ConfigMap"), "secretKeyRef": (SECRET, "Secret")}


def missing_volumes(store: Store, pod: Object) -> dict[str, str]:
    """For each volume that cannot be mounted, why."""
    found: dict[str, str] = {}
    for volume in pod["spec"].get("volumes") or []:
        for source in _volume_sources(volume):
            why = _missing_source(store, namespace_of(pod), source)
            if why:
                found[volume["name"]] = why
    return found


def _volume_sources(volume: Object) -> Iterator[Object]:
    yield volume
    for part in (volume.get("projected") or {}).get("sources") or []:
        # A projected secret is named by `name`, a secret volume by `secretName`.
        secret = part.get("secret")
        yield part | ({"secret": secret | {"secretName": secret.get("name")}} if secret else {})


def _missing_source(store: Store, namespace: str, source: Object) -> str | None:
    for field, (kind, label, name_field) in _SOURCES.items():
        reference = source.get(field)
        if not reference or reference.get("optional"):
            continue
        name = reference.get(name_field, "")
        found = store.get(kind, namespace, name)
        if found is None:
            return f'{label} "{name}" not found'
        for item in reference.get("items") or []:
            if not _has_key(found, item["key"]):
                return f"references non-existent {label} key: {item['key']}"
    return None


def _has_key(item: Object, key: str) -> bool:
    return key in (item.get("data") or {}) or key in (item.get("binaryData") or {})


def missing_for_container(store: Store, pod: Object, container: Object) -> str | None:
    """Why a container's environment cannot be made, or None."""
    namespace = namespace_of(pod)
    for source in container.get("envFrom") or []:
        for field, (kind, label) in _ENV_FROM.items():
            reference = source.get(field)
            if reference and not reference.get("optional") and not store.get(kind, namespace, reference["name"]):
                return f'{label} "{reference["name"]}" not found'
    for variable in container.get("env") or []:
        for field, (kind, label) in _KEY_FROM.items():
            reference = (variable.get("valueFrom") or {}).get(field)
            why = _missing_key(store, namespace, kind, label, reference) if reference else None
            if why:
                return why
    return None


def _missing_key(store: Store, namespace: str, kind: Kind, label: str, reference: Object) -> str | None:
    if reference.get("optional"):
        return None
    found = store.get(kind, namespace, reference["name"])
    if found is None:
        return f'{label.lower()} "{reference["name"]}" not found'
    if not _has_key(found, reference["key"]):
        return f"couldn't find key {reference['key']} in {label} {namespace}/{reference['name']}"
    return None
