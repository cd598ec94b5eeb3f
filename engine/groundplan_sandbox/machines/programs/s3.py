"""An S3 client of the few calls that `mc` makes, signing with AWS Signature Version 4.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html; path-style addresses, bodies in memory.
"""

import hashlib
import hmac
import http.client
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlencode, urlsplit

_REGION = "us-east-1"
_RETRY_SECONDS = 10.0
_TIMEOUT_SECONDS = 60.0


class S3Error(Exception):
    """The server refused; `code` is S3's word for it, the text its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A key of a bucket and its size in bytes."""

    key: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Client:
    """`url` is http://host:port. A server that does not listen yet is tried again for ten seconds."""

    url: str
    access_key: str
    secret_key: str

    def buckets(self) -> list[str]:
        """The names of all buckets."""
        tree = _parse(self._call("GET", "/"))
        return [str(element.text) for element in tree.iter() if _tag(element) == "Name"]

    def make_bucket(self, name: str, region: str | None) -> None:
        """Create a bucket, in the server's region when none is given."""
        where = f"<LocationConstraint>{region}</LocationConstraint>" if region else ""
        body = f"<CreateBucketConfiguration>{where}</CreateBucketConfiguration>" if region else ""
        self._call("PUT", f"/{name}", body=body.encode())

    def remove_bucket(self, name: str) -> None:
        self._call("DELETE", f"/{name}")

    def put(self, bucket: str, key: str, content: bytes) -> None:
        self._call("PUT", f"/{bucket}/{key}", body=content)

    def get(self, bucket: str, key: str) -> bytes:
        return self._call("GET", f"/{bucket}/{key}")

    def remove(self, bucket: str, key: str) -> None:
        self._call("DELETE", f"/{bucket}/{key}")

    def entries(self, bucket: str, prefix: str) -> Iterator[Entry]:
        """All keys below a prefix (ListObjectsV2, page by page)."""
        query = {"list-type": "2", "prefix": prefix}
        while True:
            tree = _parse(self._call("GET", f"/{bucket}", query=query))
            token = None
            for element in tree:
                if _tag(element) == "Contents":
                    fields = {_tag(child): child.text or "" for child in element}
                    yield Entry(key=fields["Key"], size=int(fields["Size"]))
                elif _tag(element) == "NextContinuationToken":
                    token = element.text
            if not token:
                return
            query["continuation-token"] = token

    def _call(self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: bytes = b"") -> bytes:
        deadline = time.monotonic() + _RETRY_SECONDS
        while True:
            try:
                return self._send(method, path, query or {}, body)
            except (ConnectionError, http.client.BadStatusLine):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def _send(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> bytes:
        parts = urlsplit(self.url)
        quoted = quote(path, safe="/-_.~")
        text = urlencode(sorted(query.items()), quote_via=quote, safe="-_.~")
        headers = self._sign(method, parts.netloc, quoted, text, body)
        connection = http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request(method, f"{quoted}?{text}" if text else quoted, body=body, headers=headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status >= 300:
            raise _error(response.status, content)
        return content

    def _sign(self, method: str, host: str, path: str, query: str, body: bytes) -> dict[str, str]:
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest()
        headers = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": moment}
        names = ";".join(headers)
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        canonical = "\n".join((method, path, query, lines, names, digest))
        scope = f"{moment[:8]}/{_REGION}/s3/aws4_request"
        to_sign = "\n".join(("AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(canonical.encode()).hexdigest()))
        key = f"AWS4{self.secret_key}".encode()
        for part in (moment[:8], _REGION, "s3", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        credential = f"Credential={self.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        return {**headers, "Authorization": f"AWS4-HMAC-SHA256 {credential}"}


def _error(status: int, content: bytes) -> S3Error:
    try:
        fields = {_tag(element): element.text or "" for element in _parse(content)}
    except ElementTree.ParseError:
        fields = {}
    return S3Error(fields.get("Code", str(status)), fields.get("Message", f"HTTP {status}"))


def _parse(content: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(content)  # noqa: S314 - the caller named the server; a bomb would hit its own machine


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
