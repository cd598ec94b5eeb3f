"""Namespaces: the default ServiceAccount and the CA's ConfigMap in each, and its content's end when it is deleted."""

from __future__ import annotations

from collections.abc import Iterable

from groundplan_sandbox.kubernetes.api import Api, Options
from groundplan_sandbox.kubernetes.controllers.queue import Key
from groundplan_sandbox.kubernetes.kinds import CONFIG_MAP, NAMESPACE, SERVICE_ACCOUNT, Kind, Object
from groundplan_sandbox.kubernetes.metadata import is_deleting
from groundplan_sandbox.kubernetes.store import Change, ChangeType, name_of, namespace_of

ROOT_CA = "kube-root-ca.crt"
_OPTIONS = Options(manager="kube-controller-manager")


class NamespaceController:
    """authority: the cluster's CA certificate, PEM."""

    def __init__(self, api: Api, authority: str) -> None:
        self._api = api
        self._authority = authority

    def affected(self, change: Change) -> Iterable[Key]:
        if change.kind is NAMESPACE:
            yield "", name_of(change.object)
        elif change.type is ChangeType.DELETED and change.kind.namespaced:
            yield "", namespace_of(change.object)

    def reconcile(self, key: Key) -> float | None:
        namespace = self._api.store.get(NAMESPACE, *key)
        if namespace is None:
            return None
        if is_deleting(namespace):
            self._empty(namespace)
        else:
            self._ensure(SERVICE_ACCOUNT, key[1], {"metadata": {"name": "default"}})
            self._ensure(CONFIG_MAP, key[1], {"metadata": {"name": ROOT_CA}, "data": {"ca.crt": self._authority}})
        return None

    def _ensure(self, kind: Kind, namespace: str, body: Object) -> None:
        if self._api.store.get(kind, namespace, body["metadata"]["name"]) is None:
            self._api.create(kind, namespace, body, _OPTIONS)

    def _empty(self, namespace: Object) -> None:
        left = 0
        for kind in self._api.store.kinds:
            if kind.namespaced:
                left += sum(not self._end(kind, item) for item in self._api.store.select(kind, name_of(namespace)))
        if not left and not namespace["metadata"].get("finalizers"):
            self._api.store.remove(NAMESPACE, namespace)

    def _end(self, kind: Kind, item: Object) -> bool:
        """Delete one object of the namespace; whether it is gone."""
        if self._api.store.get(kind, namespace_of(item), name_of(item)) is None:
            return True
        if is_deleting(item):
            return False
        return self._api.delete(kind, namespace_of(item), name_of(item), _OPTIONS)[1]
