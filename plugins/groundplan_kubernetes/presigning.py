"""A URL signed in advance with AWS Signature Version 4, in which the query carries the signature; pure.

The rules are those of "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)" in the Amazon S3 API
reference and of "Create a signed AWS API request" in the IAM user guide. Only GET without a body is signed here.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from urllib.parse import quote

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, kw_only=True)
class AwsKeys:
    """Credentials of an AWS user or, with a session token, of a role."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


def presign(
    keys: AwsKeys,
    *,
    host: str,
    service: str,
    region: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    seconds: int,
    now: datetime,
) -> str:
    """Return `https://HOST/` with `query`, signed for a GET.

    Args:
        headers: sent by whoever uses the URL and signed with it, names in lower case; `host` is added.
        seconds: how long the signature holds from `now` on.
        now: in UTC.
    """
    signed = {"host": host, **headers}
    moment, names = now.strftime("%Y%m%dT%H%M%SZ"), ";".join(sorted(signed))
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    asked = {
        **query,
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{keys.access_key_id}/{scope}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": names,
    }
    if keys.session_token:
        asked["X-Amz-Security-Token"] = keys.session_token
    text = _canonical_query(asked)
    lines = "".join(f"{name}:{signed[name].strip()}\n" for name in sorted(signed))
    request = f"GET\n/\n{text}\n{lines}\n{names}\n{sha256(b'').hexdigest()}"
    to_sign = f"{_ALGORITHM}\n{moment}\n{scope}\n{sha256(request.encode()).hexdigest()}"
    signature = hmac.new(_key(keys.secret_access_key, scope), to_sign.encode(), sha256).hexdigest()
    return f"https://{host}/?{text}&X-Amz-Signature={signature}"


def _canonical_query(query: Mapping[str, str]) -> str:
    pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query.items())
    return "&".join(f"{name}={value}" for name, value in pairs)


def _key(secret: str, scope: str) -> bytes:
    """Derive the signing key from the secret: date, region, service and a constant, one after the other."""
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), sha256).digest()
    return key
