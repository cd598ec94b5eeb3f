"""The tokens of service accounts that a cluster keeps in Secrets, and the kubeconfig that one of them opens; pure.

The cluster makes the token and ends it with the account; nothing is asked of it here. Tokens by which clouds know their
users are `token_commands`'.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from groundplan_kubernetes.access import ClusterAccess

TOKEN_TYPE: Final = "kubernetes.io/service-account-token"  # noqa: S105 - the name of a type of Secret
"""Type of the Secrets that the cluster fills in (Kubernetes reference, "Service account token Secrets")."""


def token_in(item: Mapping[str, Any]) -> str | None:
    """Return the token that an object holds; None for any but a Secret of a service account that has its token."""
    if item.get("kind") != "Secret" or item.get("type") != TOKEN_TYPE:
        return None
    encoded = (item.get("data") or {}).get("token")
    return base64.b64decode(encoded).decode() if encoded else None


def kubeconfig_with(token: str, access: ClusterAccess) -> str:
    """Return a kubeconfig for the cluster reached by `access`, as text, with a token for its credential."""
    name = "cluster"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": _cluster(access)}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    return json.dumps(document, indent=2)


def _cluster(access: ClusterAccess) -> dict[str, Any]:
    described: dict[str, Any] = {"server": access.server}
    if not access.verify:
        described["insecure-skip-tls-verify"] = True
    elif access.authority:
        described["certificate-authority-data"] = base64.b64encode(access.authority.encode()).decode()
    if access.server_name:
        described["tls-server-name"] = access.server_name
    if access.proxy:
        described["proxy-url"] = access.proxy
    return described
