"""From a node's `client_config`, or that of the Master it is related to, to the access to one cluster.

Credentials come from there alone. Programs that a kubeconfig would have run for a token are not run: `token_commands`
computes what the known ones would have said and refuses the rest. Files are read only where the kubeconfig is one
itself (`manager_file_path`): one from a blueprint must carry its certificates inside.
"""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan_kubernetes.access import ClusterAccess, Credential, Static
from groundplan_kubernetes.addresses import is_inside
from groundplan_kubernetes.client import parse_kubeconfig
from groundplan_kubernetes.token_commands import credential_of

Section = Mapping[str, Any]
_MASTERS: Final = ("cloudify.nodes.kubernetes.Master", "cloudify.kubernetes.nodes.Master")
_UNKNOWN: Final = {
    "auth-provider": "is a provider that Kubernetes itself gave up",
    "as": "asks to act as somebody else",
    "as-groups": "asks to act as somebody else",
}
"""Keys of a kubeconfig's user that change who is asking; ignoring them would be wrong."""


class NoClusterNamed(NonRecoverableError):
    """Nothing says which cluster is meant."""


def find_access(ctx: OperationContext, client_config: Section | None = None) -> ClusterAccess:
    """Return how to reach the cluster that the node belongs to.

    Args:
        client_config: that of the operation's inputs; by default the node's, else that of a related Master.

    Raises:
        NonRecoverableError: none is named, or one that cannot be used here.
    """
    given = client_config or ctx.node.properties.get("client_config") or {}
    configuration, authentication = _sections(ctx, given)
    found, folder = _kubeconfig(ctx, configuration)
    user, cluster = _current(found)
    access = _access(ctx, user, cluster, folder, authentication)
    if ctx.plugin.sandboxed:
        _keep_to_the_sandbox(access.server)
    return access


def _sections(ctx: OperationContext, given: Section) -> tuple[Section, Section]:
    """Return configuration and authentication: the node's own, else those of the Master it points to."""
    own = _filled(given.get("configuration"))
    authentication = _filled(given.get("authentication"))
    if own:
        return own, authentication
    for other in ctx.neighbours:
        if other.outgoing and any(other.node.is_a(master) for master in _MASTERS):
            sources = (other.node.properties, other.instance.runtime_properties)
            merged = {key: value for source in sources for key, value in _filled(source.get("configuration")).items()}
            return merged, authentication or _filled(other.node.properties.get("authentication"))
    return {}, authentication


def _filled(section: object) -> Section:
    """Return what a section sets; the absent variants of a typed property are null or empty."""
    if not isinstance(section, Mapping):
        return {}
    return {key: value for key, value in section.items() if value not in (None, "", {}, [])}


def _kubeconfig(ctx: OperationContext, configuration: Section) -> tuple[Section, Path | None]:
    """Return the kubeconfig, and the folder that its paths start from if it may name files."""
    if content := configuration.get("file_content"):
        return content if isinstance(content, Mapping) else parse_kubeconfig(str(content)), None
    if name := configuration.get("blueprint_file_name"):
        return parse_kubeconfig(_text(ctx.resources.read(str(name)), str(name))), None
    if path := configuration.get("manager_file_path"):
        file = Path(str(path)).expanduser()
        return parse_kubeconfig(_text(_read(file), str(file))), file.parent
    if options := _filled(configuration.get("api_options")):
        return _from_options(options), None
    raise NoClusterNamed(
        "client_config.configuration names no cluster, or what it reads has no value: give file_content, "
        "blueprint_file_name, manager_file_path or api_options, or relate the node to a Master that has one of them."
    )


def _from_options(options: Section) -> Section:
    """Return the kubeconfig that single options stand for."""
    if not options.get("host"):
        raise NonRecoverableError("api_options has no host, the URL of the cluster's API.")
    cluster: dict[str, Any] = {"server": str(options["host"])}
    user: dict[str, Any] = {}
    pems = {"ssl_ca_cert": (cluster, "certificate-authority"), "cert_file": (user, "client-certificate")}
    pems["key_file"] = (user, "client-key")
    for option, (section, key) in pems.items():
        if text := options.get(option):
            section[f"{key}-data"] = _encoded(option, str(text))
    if str(options.get("verify_ssl", "true")).strip().lower() in ("false", "no", "0"):
        cluster["insecure-skip-tls-verify"] = True
    if options.get("api_key"):
        user["token"] = str(options["api_key"]).removeprefix("Bearer ")
    return {
        "current-context": "options",
        "clusters": [{"name": "options", "cluster": cluster}],
        "users": [{"name": "options", "user": user}],
        "contexts": [{"name": "options", "context": {"cluster": "options", "user": "options"}}],
    }


def _encoded(option: str, text: str) -> str:
    if not text.lstrip().startswith("-----BEGIN"):
        raise NonRecoverableError(f"api_options.{option} must hold the PEM text itself, not the name of a file.")
    return base64.b64encode(text.encode()).decode()


def _current(config: Section) -> tuple[Section, Section]:
    """Return user and cluster of the current context."""
    contexts = _named(config, "context")
    name = config.get("current-context")
    if name not in contexts:
        raise NonRecoverableError(f"The kubeconfig's current context {name!r} is not among its contexts.")
    context, clusters, users = contexts[name], _named(config, "cluster"), _named(config, "user")
    cluster, user = context.get("cluster"), context.get("user")
    if cluster not in clusters or not clusters[cluster].get("server"):
        raise NonRecoverableError(f"The kubeconfig has no cluster {cluster!r} with a server.")
    if user and user not in users:
        raise NonRecoverableError(f"The kubeconfig has no user {user!r}.")
    return users.get(user, {}), clusters[cluster]


def _named(config: Section, kind: str) -> dict[Any, Section]:
    entries = config.get(f"{kind}s") or ()
    try:
        return {entry["name"]: entry.get(kind) or {} for entry in entries}
    except (TypeError, KeyError, AttributeError):
        raise NonRecoverableError(f"The kubeconfig's {kind}s are not a list of names, each with a {kind}.") from None


def _access(
    ctx: OperationContext, user: Section, cluster: Section, folder: Path | None, authentication: Section
) -> ClusterAccess:
    for key, why in _UNKNOWN.items():
        if user.get(key):
            raise NonRecoverableError(f"The kubeconfig's user has {key}, which {why}; that is not done.")
    access = ClusterAccess(
        server=str(cluster["server"]).rstrip("/"),
        authority=_pem(cluster, "certificate-authority", folder),
        verify=not cluster.get("insecure-skip-tls-verify"),
        server_name=str(cluster.get("tls-server-name") or ""),
        certificate=_pem(user, "client-certificate", folder),
        key=_pem(user, "client-key", folder),
        credential=_credential(ctx, user, folder, authentication),
        proxy=str(cluster.get("proxy-url") or ""),
        sandboxed=ctx.plugin.sandboxed,
    )
    if access.key:
        ctx.mask(access.key)
    if user.get("client-key-data"):
        ctx.mask(str(user["client-key-data"]))
    return access


def _credential(
    ctx: OperationContext, user: Section, folder: Path | None, authentication: Section
) -> Credential | None:
    if authentication.get("gcp_service_account"):
        raise NonRecoverableError(
            "authentication.gcp_service_account is not supported; give a kubeconfig with a token or a certificate."
        )
    if user.get("exec"):
        return credential_of(ctx, user["exec"], authentication)
    token = user.get("token")
    if not token and user.get("tokenFile"):
        token = _file(str(user["tokenFile"]), "tokenFile", folder)
    if token:
        token = str(token).strip()
        ctx.mask(token)
        if not token.isascii() or not token.isprintable():
            raise NonRecoverableError("The kubeconfig's token has characters that no token has.")
        return Static(value=f"Bearer {token}")
    if user.get("username"):
        if user.get("password"):
            ctx.mask(str(user["password"]))
        pair = base64.b64encode(f"{user['username']}:{user.get('password') or ''}".encode()).decode()
        ctx.mask(pair)
        return Static(value=f"Basic {pair}")
    return None


def _pem(section: Section, key: str, folder: Path | None) -> str:
    """Return what `KEY-data` holds in base64, or the file that `KEY` names; empty without either."""
    if data := section.get(f"{key}-data"):
        try:
            return base64.b64decode(str(data), validate=True).decode("ascii")
        except (binascii.Error, UnicodeDecodeError):
            raise NonRecoverableError(f"The kubeconfig's {key}-data is not PEM text in base64.") from None
    return _file(str(section[key]), key, folder) if section.get(key) else ""


def _file(path: str, key: str, folder: Path | None) -> str:
    if folder is None:
        raise NonRecoverableError(
            f"The kubeconfig's {key} names the file {path}; a kubeconfig that comes with a blueprint must carry its "
            "credentials inside (kubectl config view --flatten)."
        )
    return _text(_read(folder / Path(path).expanduser()), path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NonRecoverableError(f"{path} cannot be read: {error.strerror}.") from error


def _text(content: bytes, path: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise NonRecoverableError(f"{path} is not text.") from None


def _keep_to_the_sandbox(server: str) -> None:
    """Refuse a cluster outside this machine: a home that is bound to the sandbox reaches nothing else."""
    if not is_inside(server):
        raise NonRecoverableError(f"{server} is not a cluster of the sandbox that this home is bound to.")
