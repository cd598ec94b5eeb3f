"""The door of the sandbox's AWS: only the sandbox's own key passes, and only with a right signature.

moto checks neither, and offers an unauthenticated control API and instance metadata beside the services; a rehearsal
that accepts any key proves nothing, so this WSGI layer checks first and refuses in the words of the service that was
called.
"""

import io
import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend

from groundplan_sandbox.aws.faults import Faults, Kind, Rule
from groundplan_sandbox.aws.operations import operation_of
from groundplan_sandbox.aws.refusals import Reason, Refusal, refuse, refuse_with
from groundplan_sandbox.aws.signature import Claim, Request, is_current, is_signed_with, read_claim
from groundplan_sandbox.credentials import Credentials

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

log = logging.getLogger(__name__)

_REGIONS = frozenset(region.name for region in RegionsAndZonesBackend.regions)
_CLOSED = ("/moto-api", "/latest/meta-data", "/latest/api")


class Gate:
    """A WSGI application in front of `application`.

    `load` is told the service of a request before the application sees it. Requests run one at a time, under `guard`:
    moto's models are plain dictionaries without locks, and name each other.
    """

    def __init__(
        self,
        application: Application,
        credentials: Credentials,
        guard: threading.RLock,
        load: Callable[[str], None],
        faults: Faults,
    ) -> None:
        self._application = application
        self._credentials = credentials
        self._guard = guard
        self._load = load
        self._faults = faults

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO", "").startswith(_CLOSED):
            return _answer(Refusal(status="404 Not Found", content_type="text/plain", body=b""), start_response)
        request = _read(environ)
        claim = read_claim(request)
        service, reason = _judge_unsigned(request) if claim is None else (claim.service, self._judge(request, claim))
        if reason is not None:
            detail = claim.region if claim is not None and reason is Reason.NO_REGION else ""
            return _answer(refuse(service, reason, detail), start_response)
        rule = self._faults.draw(service, lambda: operation_of(service, request))
        if rule is not None and (refusal := self._spoil(service, rule, environ)):
            return _answer(refusal, start_response)
        return self._carry_out(service, environ, start_response)

    def _spoil(self, service: str, rule: Rule, environ: Environ) -> Refusal | None:
        """What the caller is told instead of an answer; None when the answer only comes late."""
        if rule.kind is Kind.THROTTLE:
            return refuse(service, Reason.THROTTLED)
        if rule.kind is Kind.HANG:
            self._faults.sleep(rule.seconds)
            return None
        if rule.kind is Kind.LOSE:
            for _ in self._carry_out(service, environ, lambda *_: None):
                pass
        return refuse_with(service, rule.code, rule.status, "This call was chosen to fail (groundplan sandbox faults).")

    def _carry_out(self, service: str, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            with self._guard:
                self._load(service)
                return self._application(environ, start_response)
        except Exception as error:
            # A web server's own error page is no answer that an SDK can read.
            log.exception("a request to %s failed", service)
            return _answer(refuse(service, Reason.FAULT, f"{type(error).__name__}: {error}"), start_response)

    def _judge(self, request: Request, claim: Claim) -> Reason | None:
        """Why the caller may not; None: may."""
        if claim.access_key_id != self._credentials.access_key_id:
            return Reason.UNKNOWN_KEY
        if not is_signed_with(self._credentials.secret_access_key, request, claim):
            return Reason.WRONG_SIGNATURE
        # On AWS such a region has no host to answer; moto would fail on it, or make the resource all the same.
        if claim.region not in _REGIONS:
            return Reason.NO_REGION
        return None if is_current(claim, time.time()) else Reason.EXPIRED


def _judge_unsigned(request: Request) -> tuple[str, Reason | None]:
    if b"Version=2016-11-15" in request.body or "Version=2016-11-15" in request.query:
        return "ec2", Reason.UNSIGNED
    if b"Action=" in request.body or "Action=" in request.query:
        return "sts", Reason.UNSIGNED
    if "authorization" in request.headers or "AWSAccessKeyId=" in request.query:
        # An older signing scheme: S3's anonymous rules are not for it.
        return "s3", Reason.WRONG_SIGNATURE
    # moto sends these to the service they name; no bucket may have an underscore in its name.
    if "x-amz-target" in request.headers or "_" in request.path.lstrip("/").partition("/")[0]:
        return "json", Reason.UNSIGNED
    # An anonymous request may read a public bucket; moto's S3 applies the bucket's policy.
    return "s3", None


def _read(environ: Environ) -> Request:
    """The request as it was signed; its body is put back for the application."""
    headers = {
        name[5:].replace("_", "-").lower(): str(value) for name, value in environ.items() if name.startswith("HTTP_")
    }
    headers["content-type"] = environ.get("CONTENT_TYPE", "")
    headers["content-length"] = environ.get("CONTENT_LENGTH", "")
    length = environ.get("CONTENT_LENGTH", "")
    body = environ["wsgi.input"].read(int(length)) if length.isdecimal() else b""
    if body:
        environ["wsgi.input"] = io.BytesIO(body)
    path, _, query = str(environ["REQUEST_URI"]).partition("?")
    return Request(method=environ["REQUEST_METHOD"], path=path, query=query, headers=headers, body=body)


def _answer(refusal: Refusal, start_response: StartResponse) -> Iterable[bytes]:
    start_response(refusal.status, [("Content-Type", refusal.content_type), ("Content-Length", str(len(refusal.body)))])
    return [refusal.body]
