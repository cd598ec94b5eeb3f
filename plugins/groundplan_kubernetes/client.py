"""The plugin's only door to HTTP (urllib3) and to YAML: requests to one cluster, and what the answers mean.

It speaks the four requests that the plugin needs instead of a client with a class for every kind: any kind that a
cluster serves works, and a command starts quickly. What is applied and when it is ready is `resources` and `readiness`.
"""

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
import yaml
from urllib3.exceptions import HTTPError, InsecureRequestWarning, LocationValueError, SSLError
from urllib3.util.ssl_match_hostname import CertificateError

from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan_kubernetes.access import ClusterAccess
from groundplan_kubernetes.discovery import KnownResources, Resource, Resources, read_resources, root_of

FIELD_MANAGER: Final = "groundplan"
_TIMEOUT: Final = urllib3.Timeout(connect=10, read=30)
_PASSING: Final = frozenset({408, 409, 429, 500, 502, 503, 504})
"""Answers after which another attempt may succeed."""
_FINAL_WORDS: Final = ("field not declared in schema", "failed to create typed patch object")
"""What a server says, with status 500, of an object that does not fit its kind."""
_PASSING_WORDS: Final = ("because it is being terminated", "error looking up service account")
"""What a server says, with status 403, while a namespace goes or is not complete yet."""
_known: Final = KnownResources()

Definition = Mapping[str, Any]


class Missing(Exception):
    """The cluster has no such object."""


class UnknownKind(Missing):
    """The cluster serves no objects of that kind, so it has none."""


class Refused(Exception):
    """The cluster refused a request.

    Attributes:
        status: HTTP status.
        words: the cluster's own, with the status before them.
    """

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.words = f"{status} {message}"
        super().__init__(self.words)

    @property
    def passing(self) -> bool:
        """Whether another attempt may succeed."""
        if self.status == 403:
            return any(words in self.words for words in _PASSING_WORDS)
        return self.status in _PASSING and not any(words in self.words for words in _FINAL_WORDS)


@dataclass(frozen=True, kw_only=True)
class DeleteOptions:
    """How an object is deleted.

    Attributes:
        propagation: what becomes of what it owns: `Foreground` (deleted before it), `Background` or `Orphan`.
        grace_seconds: time it has to end; None for what it says itself.
    """

    propagation: str = "Foreground"
    grace_seconds: int | None = None


class Cluster:
    """One cluster, spoken to in the sdk's errors."""

    def __init__(self, access: ClusterAccess, *, scratch: Path) -> None:
        """Make a client; nothing is asked yet.

        Args:
            scratch: a private folder; a client certificate lies there for the moment it takes to load it.

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

    def apply(
        self, definition: Definition, namespace: str, *, force: bool = False, dry_run: bool = False
    ) -> dict[str, Any]:
        """Apply an object server-side and return it as the cluster has it.

        Args:
            force: take over fields that others manage; without it such a conflict is refused.
            dry_run: only tell what the object would become.

        Raises:
            RecoverableError: also for a namespace that is not there, or a kind that may come: others may be making it.
        """
        query = {"fieldManager": FIELD_MANAGER, "force": "true" if force else "false"}
        if dry_run:
            query["dryRun"] = "All"
        act = f"applying {named(definition)}"
        try:
            with self._judged(act):
                path = self._path(definition, namespace)
                return self._ask("PATCH", path, query, definition, "application/apply-patch+yaml")
        except UnknownKind as unknown:
            error = RecoverableError if _may_come(str(definition["apiVersion"])) else NonRecoverableError
            raise error(f"{act}: {unknown}") from unknown
        except Missing as missing:
            _known.forget(self._access, str(definition["apiVersion"]))
            raise RecoverableError(f"{act}: {missing}") from missing

    def get(self, definition: Definition, namespace: str) -> dict[str, Any]:
        """Return an object.

        Raises:
            Missing: there is none.
        """
        with self._judged(f"reading {named(definition)}"):
            return self._ask("GET", self._path(definition, namespace))

    def delete(self, wanted: Definition, namespace: str, uid: str, options: DeleteOptions) -> None:
        """Delete an object if it is still the one known by `uid`; the cluster takes its time.

        Raises:
            Missing: there is none.
        """
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": options.propagation,
            "preconditions": {"uid": uid},
        }
        if options.grace_seconds is not None:
            body["gracePeriodSeconds"] = options.grace_seconds
        with self._judged(f"deleting {named(wanted)}"):
            self._ask("DELETE", self._path(wanted, namespace), None, body, "application/json")

    def _path(self, definition: Definition, namespace: str) -> str:
        return self._resource(definition).path(str(definition["metadata"]["name"]), namespace)

    def _resource(self, definition: Definition) -> Resource:
        version, kind = str(definition["apiVersion"]), str(definition["kind"])
        found = _known.find(self._access, version, kind, lambda: self._served(version))
        if found is not None:
            return found
        raise UnknownKind(f"The cluster knows no {kind} of {version}.")

    def _served(self, version: str) -> Resources:
        root = root_of(version)
        try:
            return read_resources(root, self._ask("GET", root))
        except Refused as refused:
            if refused.status == 404:
                return {}
            raise

    @contextmanager
    def _judged(self, act: str) -> Iterator[None]:
        try:
            yield
        except Refused as refused:
            if refused.status == 404:
                raise Missing(refused.words) from refused
            error = RecoverableError if refused.passing else NonRecoverableError
            raise error(f"{act}: {refused.words}") from refused
        except SSLError as error:
            # Other trouble in a handshake passes: a server that is starting or ending hangs up in the middle.
            if isinstance(error.args[0], ssl.SSLCertVerificationError | CertificateError):
                raise NonRecoverableError(f"{act}: the server's certificate cannot be trusted: {error}") from error
            raise RecoverableError(f"{act}: {error}") from error
        except LocationValueError as error:
            raise NonRecoverableError(f"{act}: the server's address cannot be used: {error}") from error
        except HTTPError as error:
            hint = "; is the sandbox of this home up?" if self._access.sandboxed else ""
            raise RecoverableError(f"{act}: the cluster does not answer ({error}){hint}") from error

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Definition | None = None,
        media_type: str = "",
    ) -> dict[str, Any]:
        headers = {"Accept": "application/json", "User-Agent": FIELD_MANAGER}
        if media_type:
            headers["Content-Type"] = media_type
        if self._access.credential is not None:
            headers["Authorization"] = self._access.credential.header()
        url = f"{self._access.server}{path}{'?' + urlencode(query) if query else ''}"
        content = None if body is None else json.dumps(body).encode()
        self.requests += 1
        answer = self._pool.request(
            method, url, body=content, headers=headers, timeout=_TIMEOUT, retries=False, redirect=False
        )
        return _read(answer.status, answer.data)


def _read(status: int, content: bytes) -> dict[str, Any]:
    """Return the object of an answer; raises Refused for every other answer."""
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Refused(502 if status < 300 else status, "the answer is not one of a Kubernetes API")
    if status >= 300:
        raise Refused(status, str(document.get("message") or document.get("reason") or "without a word"))
    return document


def _may_come(version: str) -> bool:
    """Whether kinds of an API version come with a CustomResourceDefinition, which may be applied any moment."""
    group = version.rpartition("/")[0]
    return "." in group and not group.endswith(".k8s.io")


def named(definition: Definition) -> str:
    """Return kind and name, for people."""
    return f"{definition['kind']} {definition['metadata']['name']}"


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
        answer = pool.request("POST", url, body=body, headers=headers, timeout=_TIMEOUT, retries=False, redirect=False)
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
