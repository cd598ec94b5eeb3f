"""The plugin's only door to the kubernetes library: requests to one cluster, and what the answers mean.

What is to be applied and when it is ready is `resources` and `readiness`.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml
from kubernetes import config as kubernetes_config
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import ResourceNotFoundError
from urllib3.exceptions import HTTPError

from groundplan.sdk.errors import NonRecoverableError, RecoverableError

FIELD_MANAGER: Final = "groundplan"
_TIMEOUT_SECONDS: Final = 30
_PASSING: Final = frozenset({408, 409, 429, 500, 502, 503, 504})
"""Answers after which another attempt may succeed."""


class Missing(Exception):
    """The cluster has no such object."""


class Cluster:
    """One cluster, spoken to in the sdk's errors."""

    def __init__(self, kubeconfig: Mapping[str, Any], *, scratch: Path, sandboxed: bool) -> None:
        """Make a client; nothing is asked yet.

        Args:
            scratch: a folder for what the library keeps (its list of the cluster's resources).
            sandboxed: no proxy is used.
        """
        configuration = Configuration()
        if sandboxed:
            configuration.proxy = None
            configuration.no_proxy = "*"
        try:
            kubernetes_config.load_kube_config_from_dict(
                dict(kubeconfig), client_configuration=configuration, temp_file_path=str(scratch)
            )
        except kubernetes_config.ConfigException as error:
            raise NonRecoverableError(f"The kubeconfig cannot be used: {error}.") from error
        self._api = ApiClient(configuration)
        self._scratch = scratch
        self._dynamic: DynamicClient | None = None

    def close(self) -> None:
        """Close the connections."""
        self._api.rest_client.pool_manager.clear()

    def apply(self, definition: Mapping[str, Any], namespace: str | None) -> dict[str, Any]:
        """Apply an object server-side and return it as the cluster has it."""
        with _judged(f"applying {_named(definition)}"):
            resource = self._resource(definition)
            answer = self._client().server_side_apply(
                resource,
                body=dict(definition),
                name=definition["metadata"]["name"],
                namespace=namespace if resource.namespaced else None,
                field_manager=FIELD_MANAGER,
                force_conflicts=True,
                _request_timeout=_TIMEOUT_SECONDS,
            )
            return _plain(answer)

    def get(self, definition: Mapping[str, Any], namespace: str | None) -> dict[str, Any]:
        """Return an object.

        Raises:
            Missing: there is none.
        """
        with _judged(f"reading {_named(definition)}"):
            resource = self._resource(definition)
            name = definition["metadata"]["name"]
            scope = namespace if resource.namespaced else None
            return _plain(self._client().get(resource, name=name, namespace=scope, _request_timeout=_TIMEOUT_SECONDS))

    def delete(self, definition: Mapping[str, Any], namespace: str | None) -> None:
        """Delete an object with what it owns; the cluster may take its time.

        Raises:
            Missing: there is none.
        """
        with _judged(f"deleting {_named(definition)}"):
            resource = self._resource(definition)
            self._client().delete(
                resource,
                name=definition["metadata"]["name"],
                namespace=namespace if resource.namespaced else None,
                body={"propagationPolicy": "Foreground"},
                _request_timeout=_TIMEOUT_SECONDS,
            )

    def _client(self) -> DynamicClient:
        if self._dynamic is None:
            descriptor, cache = tempfile.mkstemp(dir=self._scratch, suffix=".json")
            os.close(descriptor)
            os.unlink(cache)
            self._dynamic = DynamicClient(self._api, cache_file=cache)
        return self._dynamic

    def _resource(self, definition: Mapping[str, Any]) -> Any:
        version, kind = definition["apiVersion"], definition["kind"]
        try:
            return self._client().resources.get(api_version=version, kind=kind)
        except ResourceNotFoundError:
            raise NonRecoverableError(f"The cluster knows no {kind} of {version}.") from None


@contextmanager
def _judged(act: str) -> Iterator[None]:
    try:
        yield
    except ApiException as error:
        words = _words(error)
        if error.status == 404:
            raise Missing(words) from error
        if error.status in _PASSING:
            raise RecoverableError(f"{act}: {words}") from error
        raise NonRecoverableError(f"{act}: {words}") from error
    except HTTPError as error:
        raise RecoverableError(f"{act}: the cluster does not answer ({error})") from error


def _words(error: ApiException) -> str:
    """Return the cluster's own words: the message of its Status object."""
    try:
        message = yaml.safe_load(error.body or "")["message"]
    except (yaml.YAMLError, KeyError, TypeError):
        message = error.reason
    return f"{error.status} {message}"


def _named(definition: Mapping[str, Any]) -> str:
    return f"{definition['kind']} {definition['metadata']['name']}"


def _plain(answer: Any) -> dict[str, Any]:
    plain: dict[str, Any] = answer.to_dict()
    return plain


def parse_kubeconfig(text: str) -> Mapping[str, Any]:
    """Return a kubeconfig's document.

    Raises:
        NonRecoverableError: the text is none.
    """
    documents = parse_documents(text)
    if len(documents) != 1 or documents[0].get("kind") != "Config":
        raise NonRecoverableError("The text is not a kubeconfig.")
    return documents[0]


def parse_documents(text: str) -> list[dict[str, Any]]:
    """Return the mappings of a YAML text with one or more documents.

    Raises:
        NonRecoverableError: the text is not YAML, or holds something else.
    """
    try:
        documents = [item for item in yaml.safe_load_all(text) if item is not None]
    except yaml.YAMLError as error:
        raise NonRecoverableError(f"The text is not YAML: {getattr(error, 'problem', 'it cannot be read')}.") from None
    if not all(isinstance(item, dict) for item in documents):
        raise NonRecoverableError("The YAML text holds something else than mappings.")
    return documents
