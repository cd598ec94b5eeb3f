"""The plugin's only door to HTTP (urllib3) and to YAML: requests to one cluster's API, and texts that hold objects.

It speaks HTTP itself instead of through a client with a class for every kind: any kind that a cluster serves works, no
process-wide configuration, environment or temporary file is involved, and a credential can be renewed between requests.
Which requests there are is said in `cluster`.
"""

import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
import yaml
from urllib3.exceptions import HTTPError, InsecureRequestWarning, LocationValueError, SSLError
from urllib3.util.ssl_match_hostname import CertificateError

from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan.sdk.spans import span
from groundplan_kubernetes.access import ClusterAccess
from groundplan_kubernetes.failures import Refused, Unreachable

_NAME: Final = "groundplan"
_TIMEOUT: Final = urllib3.Timeout(connect=10, read=30)

Definition = Mapping[str, Any]


class Connection:
    """Sends requests to one cluster's API."""

    def __init__(self, access: ClusterAccess, *, scratch: Path) -> None:
        """Prepare; nothing is asked yet. `scratch` as for `Cluster`.

        Raises:
            NonRecoverableError: certificates or addresses in `access` cannot be used.
        """
        self._access = access
        self._pool = _pool(access, scratch)
        self.requests = 0
        """How many were sent."""

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Definition | None = None,
        media_type: str = "",
    ) -> dict[str, Any]:
        """Send a request and return the object of its answer.

        Raises:
            Refused: the cluster answers with something else than success.
            Unreachable: it does not answer, or cannot be trusted.
        """
        host = urlsplit(self._access.server).hostname or ""
        with span(f"kubernetes {method}", http_request_method=method, server_address=host, url_path=path):
            return self._ask(method, path, query, body, media_type)

    def _ask(
        self, method: str, path: str, query: Mapping[str, str] | None, body: Definition | None, media_type: str
    ) -> dict[str, Any]:
        headers = {"Accept": "application/json", "User-Agent": _NAME}
        if media_type:
            headers["Content-Type"] = media_type
        if self._access.credential is not None:
            headers["Authorization"] = self._access.credential.header()
        url = f"{self._access.server}{path}{'?' + urlencode(query) if query else ''}"
        content = None if body is None else json.dumps(body).encode()
        self.requests += 1
        try:
            answer = self._pool.request(
                method, url, body=content, headers=headers, timeout=_TIMEOUT, retries=False, redirect=False
            )
        except HTTPError as error:
            raise self._explained(error) from error
        return _read(answer.status, answer.data)

    def _explained(self, error: HTTPError) -> Unreachable:
        if isinstance(error, LocationValueError):
            return Unreachable(f"the server's address cannot be used: {error}", passing=False)
        # Other trouble in a handshake passes: a server that is starting or ending hangs up in the middle.
        if isinstance(error, SSLError) and isinstance(error.args[0], ssl.SSLCertVerificationError | CertificateError):
            return Unreachable(f"the server's certificate cannot be trusted: {error}", passing=False)
        hint = "; is the sandbox of this home up?" if self._access.sandboxed else ""
        return Unreachable(f"the cluster does not answer ({error}){hint}", passing=True)


def _read(status: int, content: bytes) -> dict[str, Any]:
    """Return the object of an answer; raises Refused for every other answer."""
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Refused(502 if status < 300 else status, "the answer is not one of a Kubernetes API")
    if status >= 300:
        words = str(document.get("message") or document.get("reason") or "without a word")
        raise Refused(status, words, document.get("details"))
    return document


def _pool(access: ClusterAccess, scratch: Path) -> urllib3.PoolManager:
    options: dict[str, Any] = {"ssl_context": _tls(access, scratch)}
    if access.server_name:
        options |= {"server_hostname": access.server_name}
        if access.verify:
            options["assert_hostname"] = access.server_name
    proxy = _proxy(access)
    try:
        return urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
    except HTTPError as error:
        raise NonRecoverableError(f"The proxy {proxy} cannot be used: {error}") from error


def _proxy(access: ClusterAccess) -> str:
    if access.sandboxed:
        return ""
    parts = urlsplit(access.server)
    if access.proxy or proxy_bypass(parts.netloc):
        return access.proxy
    return getproxies().get(parts.scheme, "")


def _tls(access: ClusterAccess, scratch: Path) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=access.authority or None)
        # Authorities that clusters made for themselves years ago lack extensions which newer Pythons insist on.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not access.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            # The author chose it, and the operation's log says so.
            urllib3.disable_warnings(InsecureRequestWarning)
        if access.certificate:
            _load_pair(context, access, scratch)
    except (ssl.SSLError, ValueError) as error:
        raise NonRecoverableError(f"The kubeconfig's certificates cannot be used: {error}.") from error
    return context


def _load_pair(context: ssl.SSLContext, access: ClusterAccess, scratch: Path) -> None:
    """Load the client's certificate; the library takes files only, so there is one for the moment."""
    pair = scratch / "client.pem"
    pair.touch(mode=0o600)
    try:
        pair.write_text(f"{access.certificate}\n{access.key}\n", encoding="ascii")
        context.load_cert_chain(pair, password=lambda: "")
    finally:
        pair.unlink()


def post_form(url: str, fields: Mapping[str, str], *, authority: str, direct: bool) -> tuple[int, dict[str, Any]]:
    """Send a form and return the answer's status and JSON object: how a token is asked for (RFC 6749).

    Args:
        authority: PEM text to verify the server by; empty for this machine's.
        direct: use no proxy.

    Raises:
        RecoverableError: no answer, or none that can be read.
    """
    access = ClusterAccess(server=url, authority=authority, sandboxed=direct)
    pool = _pool(access, Path())
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    try:
        body = urlencode(fields)
        with span("token POST", http_request_method="POST", server_address=urlsplit(url).hostname or ""):
            answer = pool.request(
                "POST", url, body=body, headers=headers, timeout=_TIMEOUT, retries=False, redirect=False
            )
        document = json.loads(answer.data)
    except (HTTPError, ValueError) as error:
        raise RecoverableError(f"{url} gives no answer that can be read: {type(error).__name__}") from error
    finally:
        pool.clear()
    return answer.status, document if isinstance(document, dict) else {}


class _PlainLoader(yaml.SafeLoader):
    """Reads the values of JSON only: `2026-01-01` is text, as Kubernetes takes it, and no date."""


_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


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
        documents = [item for item in yaml.load_all(text, _PlainLoader) if item is not None]
    except yaml.YAMLError as error:
        raise NonRecoverableError(f"The text is not YAML: {getattr(error, 'problem', 'it cannot be read')}.") from None
    except RecursionError:
        raise NonRecoverableError("The YAML text is nested too deep.") from None
    if not all(isinstance(item, dict) for item in documents):
        raise NonRecoverableError("The YAML text holds something else than mappings.")
    return documents
