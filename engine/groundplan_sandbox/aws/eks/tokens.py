"""Who stands behind a token of `aws eks get-token`: a presigned GetCallerIdentity for one cluster.

The signature is checked here, with the account's keys; the URL in it is never called. `site` knows the keys,
`clusters` hands the result to its API server.
"""

import base64
import binascii
import time
from urllib.parse import parse_qs, urlsplit

from groundplan_sandbox.aws.signature import Request, is_signed_with, read_claim
from groundplan_sandbox.aws.signature import is_current as is_claim_current
from groundplan_sandbox.credentials import Credentials
from groundplan_sandbox.kubernetes.authentication import User

PREFIX = "k8s-aws-v1."
HEADER = "x-k8s-aws-id"
_LONGEST = 4096
_LONGEST_LIFETIME = 15 * 60.0
"""Seconds: EKS refuses URLs presigned for longer."""

CREATOR = User(name="kubernetes-admin", groups=("system:masters",))
"""Whom EKS makes of the identity that created a cluster: the only one that the sandbox's account has."""


def user_of(token: str, cluster_name: str, credentials: Credentials, now: float | None = None) -> User | None:
    """The user whom `token` names to `cluster_name`, None for a token that EKS would turn away.

    now: seconds since the epoch; the clock's by default.
    """
    request = _read(token, cluster_name)
    claim = read_claim(request) if request is not None else None
    if request is None or claim is None or not claim.in_query:
        return None
    signed = set(claim.signed_headers)
    if claim.service != "sts" or not {"host", HEADER} <= signed or claim.lifetime > _LONGEST_LIFETIME:
        return None
    if claim.access_key_id != credentials.access_key_id:
        return None
    if not is_signed_with(credentials.secret_access_key, request, claim):
        return None
    return CREATOR if is_claim_current(claim, time.time() if now is None else now) else None


def _read(token: str, cluster_name: str) -> Request | None:
    """The request that was presigned, as the API server of `cluster_name` would send it on."""
    if not token.startswith(PREFIX) or len(token) > _LONGEST:
        return None
    encoded = token.removeprefix(PREFIX)
    try:
        url = urlsplit(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode("ascii"))
        parameters = parse_qs(url.query, keep_blank_values=True)
    except (binascii.Error, ValueError):
        return None
    if url.path not in ("", "/") or parameters.get("Action") != ["GetCallerIdentity"]:
        return None
    return Request(
        method="GET",
        path="/",
        query=url.query,
        headers={"host": url.netloc, HEADER: cluster_name},
        body=b"",
    )
