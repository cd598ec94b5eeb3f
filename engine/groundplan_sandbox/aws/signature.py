"""Signature Version 4, seen from the server: who signed this request, and with the right secret?

Written from "Signature Version 4 signing process" (AWS General Reference). It decides and nothing else; `gate` reads
the request off the wire and words the refusal.
"""

import hashlib
import hmac
import posixpath
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
EMPTY_BODY = hashlib.sha256(b"").hexdigest()
_SHA256 = re.compile("[0-9a-f]{64}")
TIMESTAMP = "%Y%m%dT%H%M%SZ"
SKEW = 15 * 60.0
"""Seconds by which the two clocks may differ, and for which a signature in a header counts."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was signed. `path` and `query` as on the wire, still quoted; `headers` with names in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a request says about its signature. `timestamp` as `20260102T030405Z`; `lifetime` in seconds from then."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    in_query: bool
    lifetime: float


def read_claim(request: Request) -> Claim | None:
    """The claim in the Authorization header or the query string; None when there is none that we understand."""
    parameters = dict(parse_qsl(request.query, keep_blank_values=True))
    header = request.headers.get("authorization", "")
    if header.startswith(ALGORITHM):
        pairs = (part.strip().partition("=") for part in header.removeprefix(ALGORITHM).split(","))
        fields = {name: value for name, _, value in pairs}
        timestamp = request.headers.get("x-amz-date", "")
    elif parameters.get("X-Amz-Algorithm") == ALGORITHM:
        fields = {name: parameters.get(f"X-Amz-{name}", "") for name in ("Credential", "SignedHeaders", "Signature")}
        timestamp = parameters.get("X-Amz-Date", "")
    else:
        return None
    scope = fields.get("Credential", "").split("/")
    if len(scope) != 5:
        return None
    return Claim(
        access_key_id=scope[0],
        date=scope[1],
        region=scope[2],
        service=scope[3],
        signed_headers=tuple(fields.get("SignedHeaders", "").split(";")),
        signature=fields.get("Signature", ""),
        timestamp=timestamp,
        in_query=not header.startswith(ALGORITHM),
        lifetime=_lifetime(parameters.get("X-Amz-Expires")),
    )


def is_current(claim: Claim, now: float) -> bool:
    """Whether the signature counts at `now` (seconds since the epoch), which it does not long before its timestamp."""
    try:
        signed = datetime.strptime(claim.timestamp, TIMESTAMP).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return False
    return signed - SKEW <= now <= signed + claim.lifetime


def is_signed_with(secret: str, request: Request, claim: Claim) -> bool:
    """Whether `claim.signature` is what `secret` gives for this request."""
    canonical = _canonical_request(request, claim)
    scope = f"{claim.date}/{claim.region}/{claim.service}/aws4_request"
    text = "\n".join((ALGORITHM, claim.timestamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    expected = hmac.digest(key, text.encode(), "sha256").hex()
    return hmac.compare_digest(expected.encode(), claim.signature.encode())


def _lifetime(expires: str | None) -> float:
    return float(expires) if expires is not None and expires.isdecimal() else SKEW


def _canonical_request(request: Request, claim: Claim) -> str:
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in claim.signed_headers)
    query = (pair for pair in request.query.split("&") if pair and not pair.startswith("X-Amz-Signature="))
    return "\n".join(
        (
            request.method,
            _canonical_path(request.path, claim.service),
            "&".join(sorted(pair if "=" in pair else f"{pair}=" for pair in query)),
            headers,
            ";".join(claim.signed_headers),
            _payload_hash(request, claim),
        )
    )


def _canonical_path(path: str, service: str) -> str:
    # S3 keys may hold "//" and "..", so its path is taken as it is; other services normalise and quote it once more.
    if service == "s3":
        return path
    normal = posixpath.normpath(path)
    slash = "/" if path.endswith("/") and normal != "/" else ""
    return quote(normal + slash, safe="/~")


def _payload_hash(request: Request, claim: Claim) -> str:
    declared = request.headers.get("x-amz-content-sha256")
    if declared is not None and not _SHA256.fullmatch(declared):
        return declared  # UNSIGNED-PAYLOAD, or the body is signed piece by piece
    if declared is None and claim.in_query and claim.service == "s3":
        return UNSIGNED
    return hashlib.sha256(request.body).hexdigest() if request.body else EMPTY_BODY
