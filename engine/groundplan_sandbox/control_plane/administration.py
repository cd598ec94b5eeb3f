"""What the sandbox itself does on a real cluster, as its administrator: nodes, the storage class, readiness.

Users come by their own clients; how the cluster is started and ended is `cluster`.
"""

import http
import http.client
import json
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from groundplan_sandbox.control_plane.commands import Plan
from groundplan_sandbox.kubernetes.nodes import node_labels, node_status

_TIMEOUT = 20.0
_MERGE = "application/merge-patch+json"
_STORAGE_CLASS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": "kubernetes.io/host-path",
    "reclaimPolicy": "Delete",
}


class RefusedError(Exception):
    """The API server refuses what the sandbox asks of it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Administration:
    """One cluster's API with the administrator's certificate. A connection for each request; any thread may call."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._context = ssl.create_default_context(cafile=str(plan.authority))
        self._context.load_cert_chain(plan.client.certificate, plan.client.key)

    def is_ready(self) -> bool:
        """Whether the API server says so; False, too, while it does not answer."""
        try:
            return self._request("GET", "/readyz")[0] == http.HTTPStatus.OK
        except OSError:
            return False

    def has_accounts(self) -> bool:
        """Whether the controllers run: a namespace's default account is theirs to make."""
        return self._is_there("/api/v1/namespaces/default/serviceaccounts/default")

    def ensure_storage_class(self) -> None:
        if not self._is_there("/apis/storage.k8s.io/v1/storageclasses/standard"):
            self._ask("POST", "/apis/storage.k8s.io/v1/storageclasses", _STORAGE_CLASS)

    def ensure_node(self, name: str, address: str, labels: Mapping[str, str]) -> None:
        """The node `name` is there, Ready, with these labels besides its usual ones. Raises RefusedError, OSError."""
        path = f"/api/v1/nodes/{quote(name)}"
        metadata = {"name": name, "labels": node_labels(name, labels)}
        if self._is_there(path):
            node = self._ask("PATCH", path, {"metadata": {"labels": metadata["labels"]}}, _MERGE)
        else:
            node = self._ask("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": metadata})
        status = node_status(node, name, address, self.version())
        self._ask("PATCH", f"{path}/status", {"status": status}, _MERGE)

    def remove_node(self, name: str) -> None:
        """The node `name` is gone, and the pods on it with it. Raises RefusedError, OSError."""
        self._remove(f"/api/v1/nodes/{quote(name)}")
        query = urlencode({"fieldSelector": f"spec.nodeName={name}"})
        for pod in self._ask("GET", f"/api/v1/pods?{query}")["items"]:
            place = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
            self._remove(f"{place}?gracePeriodSeconds=0")

    def version(self) -> str:
        return str(self._ask("GET", "/version")["gitVersion"])

    def _is_there(self, path: str) -> bool:
        status, _ = self._request("GET", path)
        return status == http.HTTPStatus.OK

    def _remove(self, path: str) -> None:
        try:
            self._ask("DELETE", path)
        except RefusedError as error:
            if error.status != http.HTTPStatus.NOT_FOUND:
                raise

    def _ask(self, method: str, path: str, body: Any = None, media_type: str = "application/json") -> dict[str, Any]:
        status, content = self._request(method, path, body, media_type)
        if status >= http.HTTPStatus.MULTIPLE_CHOICES:
            raise RefusedError(status, f"{method} {path}: {status} {content.decode(errors='replace')[:500]}")
        answer: dict[str, Any] = json.loads(content)
        return answer

    def _request(
        self, method: str, path: str, body: Any = None, media_type: str = "application/json"
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPSConnection(
            self._plan.address, self._plan.port, timeout=_TIMEOUT, context=self._context
        )
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, body=content, headers={"Content-Type": media_type})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()
