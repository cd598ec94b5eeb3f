"""From a node's `client_config` to one kubeconfig document: by content, by path, or from single options.

Credentials come from there alone. Programs that a kubeconfig would have run to get a token (`exec`) are not run.
"""

import base64
import ipaddress
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan_kubernetes.client import parse_kubeconfig

_MASKED: Final = ("token", "password", "client-key-data", "client-certificate-data")


def find_kubeconfig(ctx: OperationContext) -> Mapping[str, Any]:
    """Return the kubeconfig that a node's `client_config` names.

    Raises:
        NonRecoverableError: it names none, or one that cannot be used here.
    """
    configuration = (ctx.node.properties.get("client_config") or {}).get("configuration") or {}
    found = _by_content(configuration) or _by_file(ctx, configuration) or _by_options(configuration)
    if not found:
        raise NonRecoverableError(
            "client_config.configuration names no cluster: give file_content, blueprint_file_name, manager_file_path "
            "or api_options."
        )
    user, cluster = _current(found)
    if "exec" in user:
        raise NonRecoverableError(
            f"The kubeconfig wants {user['exec'].get('command')!r} to be run for its token, which is not done; "
            "give one with a token or a client certificate in it."
        )
    for key in _MASKED:
        if user.get(key):
            ctx.mask(str(user[key]))
    if ctx.plugin.sandboxed:
        _keep_to_the_sandbox(str(cluster.get("server", "")))
    return found


def _by_content(configuration: Mapping[str, Any]) -> Mapping[str, Any] | None:
    content = configuration.get("file_content")
    if isinstance(content, str) and content.strip():
        return parse_kubeconfig(content)
    return content if isinstance(content, Mapping) and content else None


def _by_file(ctx: OperationContext, configuration: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if name := configuration.get("blueprint_file_name"):
        return parse_kubeconfig(ctx.resources.read(name).decode())
    if path := configuration.get("manager_file_path"):
        try:
            with open(path, encoding="utf-8") as file:
                return parse_kubeconfig(file.read())
        except OSError as error:
            raise NonRecoverableError(f"The kubeconfig {path} cannot be read: {error.strerror}.") from error
    return None


def _by_options(configuration: Mapping[str, Any]) -> Mapping[str, Any] | None:
    options = configuration.get("api_options") or {}
    if not options.get("host"):
        return None
    cluster: dict[str, Any] = {"server": options["host"]}
    if options.get("ssl_ca_cert"):
        cluster["certificate-authority-data"] = _pem(str(options["ssl_ca_cert"]))
    if options.get("verify_ssl") is False:
        cluster["insecure-skip-tls-verify"] = True
    user: dict[str, Any] = {}
    if options.get("api_key"):
        user["token"] = str(options["api_key"]).removeprefix("Bearer ")
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "groundplan",
        "clusters": [{"name": "groundplan", "cluster": cluster}],
        "users": [{"name": "groundplan", "user": user}],
        "contexts": [{"name": "groundplan", "context": {"cluster": "groundplan", "user": "groundplan"}}],
    }


def _pem(text: str) -> str:
    if not text.lstrip().startswith("-----BEGIN"):
        raise NonRecoverableError("api_options.ssl_ca_cert is to hold a certificate (PEM), not the name of a file.")
    return base64.b64encode(text.encode()).decode()


def _current(config: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return user and cluster of the current context."""
    contexts = {item["name"]: item.get("context") or {} for item in config.get("contexts") or ()}
    name = config.get("current-context")
    if name not in contexts:
        raise NonRecoverableError(f"The kubeconfig's current context {name!r} is not among its contexts.")
    users = {item["name"]: item.get("user") or {} for item in config.get("users") or ()}
    clusters = {item["name"]: item.get("cluster") or {} for item in config.get("clusters") or ()}
    context = contexts[name]
    if context.get("cluster") not in clusters:
        raise NonRecoverableError(f"The kubeconfig has no cluster {context.get('cluster')!r}.")
    return users.get(context.get("user"), {}), clusters[context["cluster"]]


def _keep_to_the_sandbox(server: str) -> None:
    """Refuse a cluster outside this machine: a home that is bound to the sandbox reaches nothing else."""
    host = urlsplit(server).hostname or ""
    try:
        inside = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        inside = False
    if not inside:
        raise NonRecoverableError(f"{server} is not a cluster of the sandbox that this home is bound to.")
