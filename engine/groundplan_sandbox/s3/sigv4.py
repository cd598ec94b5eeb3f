"""Who signed a request: AWS Signature Version 4, in the Authorization header or in the query of a presigned URL.

Rules: "Authenticating Requests (AWS Signature Version 4)" of the Amazon S3 API reference. It reads no body:
payload.py and awschunked.py check what was signed about it. Version 2 is refused.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import quote

from groundplan_sandbox.s3.errors import (
    S3Error,
    access_denied,
    bad_request,
    forbidden,
    invalid_argument,
    invalid_request,
)
from groundplan_sandbox.s3.request import Request

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
SKEW = 15 * 60
"""Seconds by which the clocks of client and server may differ."""
LONGEST_EXPIRY = 7 * 24 * 3600
DATE_FORMAT = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, kw_only=True)
class Account:
    """The one account of a server; `secret_key` is left out of its repr."""

    access_key: str
    secret_key: str
    region: str

    def __repr__(self) -> str:
        return f"Account(access_key={self.access_key!r}, region={self.region!r})"


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The credential scope: who signed, and for which day, region and service."""

    access_key: str
    day: str
    region: str
    service: str

    @property
    def text(self) -> str:
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a request says of its signature, before anything is checked. `expires` is seconds, of presigned requests
    only.
    """

    scope: Scope
    signed_headers: tuple[str, ...]
    signature: str
    date: str
    payload_hash: str
    expires: int | None = None


@dataclass(frozen=True, kw_only=True)
class Proof:
    """A claim that holds: the start of the chain of chunk signatures, and what was signed about the payload."""

    key: bytes
    signature: str
    date: str
    scope: str
    payload_hash: str


def authenticate(request: Request, account: Account, *, any_region: bool = False) -> Proof | None:
    """Checks a request's signature; None when it carries none.

    `any_region`: also accept a signature for a region other than the account's, as GetBucketLocation must.

    Raises:
        S3Error: InvalidAccessKeyId, SignatureDoesNotMatch, RequestTimeTooSkewed, AccessDenied (expired),
        AuthorizationHeaderMalformed,
            AuthorizationQueryParametersError, InvalidRequest (Version 2).
    """
    claim = read_claim(request)
    if claim is None:
        return None
    check_time(claim, request.received)
    check_scope(claim, account, any_region=any_region)
    check_signed_headers(claim, request)
    key = signing_key(account.secret_key, claim.scope)
    expected = sign(key, string_to_sign(claim, request))
    if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
        raise forbidden(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided."
            " Check your key and signing method.",
        )
    return Proof(key=key, signature=expected, date=claim.date, scope=claim.scope.text, payload_hash=claim.payload_hash)


def read_claim(request: Request) -> Claim | None:
    authorization = request.headers.get("authorization")
    query = request.query
    presigned = "X-Amz-Algorithm" in query or "X-Amz-Signature" in query
    if authorization is not None and presigned:
        raise invalid_argument("Only one auth mechanism allowed; Authorization and X-Amz-Signature were given.")
    if (authorization or "").startswith("AWS ") or ("AWSAccessKeyId" in query and "Signature" in query):
        raise invalid_request(
            f"The authorization mechanism you have provided (Signature Version 2) is not supported."
            f" Please use {ALGORITHM}."
        )
    if authorization is not None:
        return claim_of_header(authorization, request)
    return claim_of_query(query, request) if presigned else None


def claim_of_header(authorization: str, request: Request) -> Claim:
    mechanism, _, rest = authorization.partition(" ")
    if mechanism != ALGORITHM:
        raise invalid_argument(f"Unsupported Authorization Type; {ALGORITHM} is needed.")
    fields = dict(field.strip().partition("=")[::2] for field in rest.split(","))
    if set(fields) != {"Credential", "SignedHeaders", "Signature"}:
        raise malformed_header("the header needs Credential, SignedHeaders and Signature")
    payload_hash = request.headers.get("x-amz-content-sha256")
    if payload_hash is None:
        raise invalid_request("Missing required header for this request: x-amz-content-sha256")
    date = request.headers.get("x-amz-date")
    if date is None:
        raise access_denied("AWS authentication requires a valid x-amz-date header")
    return Claim(
        scope=read_scope(fields["Credential"], malformed_header),
        signed_headers=tuple(fields["SignedHeaders"].split(";")),
        signature=fields["Signature"],
        date=date,
        payload_hash=payload_hash,
    )


def claim_of_query(query: dict[str, str], request: Request) -> Claim:
    needed = ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
    missing = [f"X-Amz-{name}" for name in needed if f"X-Amz-{name}" not in query]
    if missing:
        raise malformed_query(f"missing {', '.join(missing)}")
    if query["X-Amz-Algorithm"] != ALGORITHM:
        raise malformed_query(f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    expires = query["X-Amz-Expires"]
    if not expires.isdecimal() or not expires.isascii() or not 1 <= int(expires) <= LONGEST_EXPIRY:
        raise malformed_query(f"X-Amz-Expires must be between 1 and {LONGEST_EXPIRY} seconds")
    payload_hash = query.get("X-Amz-Content-Sha256") or request.headers.get("x-amz-content-sha256") or UNSIGNED
    return Claim(
        scope=read_scope(query["X-Amz-Credential"], malformed_query),
        signed_headers=tuple(query["X-Amz-SignedHeaders"].split(";")),
        signature=query["X-Amz-Signature"],
        date=query["X-Amz-Date"],
        payload_hash=payload_hash,
        expires=int(expires),
    )


def read_scope(credential: str, fault: Callable[[str], S3Error]) -> Scope:
    # An access key may hold slashes itself, so the parts are counted from the end.
    parts = credential.rsplit("/", 4)
    if len(parts) != 5 or parts[4] != "aws4_request" or parts[3] != "s3":
        raise fault("the Credential is malformed; expected ACCESS-KEY/YYYYMMDD/REGION/s3/aws4_request")
    return Scope(access_key=parts[0], day=parts[1], region=parts[2], service=parts[3])


def malformed_header(why: str) -> S3Error:
    return bad_request("AuthorizationHeaderMalformed", f"The authorization header is malformed; {why}.")


def malformed_query(why: str) -> S3Error:
    return bad_request(
        "AuthorizationQueryParametersError", f"Error parsing the query parameters of the signature; {why}."
    )


def check_time(claim: Claim, now: float) -> None:
    try:
        signed = datetime.strptime(claim.date, DATE_FORMAT).replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise bad_request("MalformedDate", f"Invalid date format header, expected {DATE_FORMAT}.") from error
    if not claim.date.startswith(claim.scope.day):
        raise forbidden("SignatureDoesNotMatch", "The date of the credential scope is not the request's date.")
    if claim.expires is None:
        if abs(now - signed) > SKEW:
            raise forbidden(
                "RequestTimeTooSkewed", "The difference between the request time and the server's time is too large."
            )
    elif signed > now + SKEW:
        raise access_denied("Request is not valid yet")
    elif now > signed + claim.expires:
        raise access_denied("Request has expired")


def check_scope(claim: Claim, account: Account, *, any_region: bool) -> None:
    if not hmac.compare_digest(claim.scope.access_key.encode(), account.access_key.encode()):
        raise forbidden("InvalidAccessKeyId", "The Access Key Id you provided does not exist in our records.")
    if account.region and not any_region and claim.scope.region != account.region:
        raise S3Error(
            "AuthorizationHeaderMalformed",
            HTTPStatus.BAD_REQUEST,
            f"The authorization header is malformed; the region is wrong; expecting '{account.region}'.",
            Region=account.region,
        )


def check_signed_headers(claim: Claim, request: Request) -> None:
    """The host and every x-amz header must be signed, or somebody on the way could change them."""
    if "host" not in claim.signed_headers:
        raise malformed_header("the host header is not signed")
    amz = {name for name in request.headers if name.startswith("x-amz-")} - {"x-amz-content-sha256"}
    if unsigned := amz - set(claim.signed_headers):
        raise S3Error(
            "AccessDenied",
            HTTPStatus.FORBIDDEN,
            "There were headers present in the request which were not signed",
            HeadersNotSigned=", ".join(sorted(unsigned)),
        )
    if missing := set(claim.signed_headers) - set(request.headers):
        raise forbidden(
            "SignatureDoesNotMatch", f"Signed headers are not in the request: {', '.join(sorted(missing))}."
        )


def string_to_sign(claim: Claim, request: Request) -> str:
    canonical = "\n".join(
        (
            request.method,
            quote(request.path, safe="/"),
            canonical_query(request.pairs),
            *(f"{name}:{' '.join(request.headers[name].split())}" for name in claim.signed_headers),
            "",
            ";".join(claim.signed_headers),
            claim.payload_hash,
        )
    )
    return "\n".join((ALGORITHM, claim.date, claim.scope.text, hashlib.sha256(canonical.encode()).hexdigest()))


def canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    encoded = sorted(
        (quote(name, safe=""), quote(value, safe="")) for name, value in pairs if name != "X-Amz-Signature"
    )
    return "&".join(f"{name}={value}" for name, value in encoded)


def signing_key(secret_key: str, scope: Scope) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (scope.day, scope.region, scope.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def sign(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), "sha256").hex()


@dataclass(frozen=True, kw_only=True)
class ChunkSigner:
    """The chain of signatures over the chunks of a streamed payload; each link signs the one before."""

    proof: Proof
    previous: str

    @classmethod
    def starting_at(cls, proof: Proof) -> ChunkSigner:
        return cls(proof=proof, previous=proof.signature)

    def after_chunk(self, digest: str, claimed: str) -> ChunkSigner:
        """Checks a chunk by the SHA-256 (hex) of its bytes."""
        return self._next("PAYLOAD", (hashlib.sha256().hexdigest(), digest), claimed)

    def after_trailer(self, digest: str, claimed: str) -> ChunkSigner:
        """Checks the trailing headers by the SHA-256 (hex) of their `name:value` lines."""
        return self._next("TRAILER", (digest,), claimed)

    def _next(self, kind: str, digests: tuple[str, ...], claimed: str) -> ChunkSigner:
        lines = (f"{ALGORITHM}-{kind}", self.proof.date, self.proof.scope, self.previous, *digests)
        expected = sign(self.proof.key, "\n".join(lines))
        if not hmac.compare_digest(expected.encode(), claimed.encode()):
            raise forbidden("SignatureDoesNotMatch", "The signature of a chunk does not match its bytes.")
        return replace(self, previous=expected)
