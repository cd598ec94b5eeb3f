"""The nouns of one exchange: a request taken apart, and a response to send.

A request is addressed path-style, `/bucket/key`; virtual-host addressing is not read. Checking names is names.py's,
checking signatures sigv4.py's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import BinaryIO
from urllib.parse import unquote, unquote_plus

from groundplan_sandbox.s3.errors import bad_request


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request's head.

    `path` is decoded; `query` holds the first value of each name; `pairs` all of them in order, for the signature;
    header names are in lower case, repeated headers joined by commas. `received` is seconds since the epoch.
    """

    method: str
    path: str
    pairs: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    received: float

    @property
    def bucket(self) -> str:
        return self.path[1:].partition("/")[0]

    @property
    def key(self) -> str:
        """The object's key; like MinIO, without leading slashes."""
        return self.path[1:].partition("/")[2].lstrip("/")

    @property
    def query(self) -> dict[str, str]:
        return dict(reversed(self.pairs))


@dataclass(frozen=True, kw_only=True)
class FileSlice:
    """`length` bytes of an open file from `offset` on; whoever sends it closes it."""

    file: BinaryIO
    offset: int
    length: int


@dataclass(frozen=True, kw_only=True)
class Response:
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | FileSlice = b""


def read_request(*, method: str, target: str, headers: Mapping[str, str], received: float) -> Request:
    """Takes a request target apart.

    Raises:
        S3Error: InvalidURI when the target is not an absolute path or its escapes are not UTF-8.
    """
    raw_path, _, raw_query = target.partition("?")
    if not raw_path.startswith("/"):
        raise bad_request("InvalidURI", "Couldn't parse the specified URI.")
    try:
        path = unquote(raw_path, errors="strict")
        pairs = tuple(
            (unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict"))
            for name, _, value in (pair.partition("=") for pair in raw_query.split("&") if pair)
        )
    except UnicodeDecodeError as error:
        raise bad_request("InvalidURI", "The specified URI is not UTF-8.") from error
    return Request(method=method, path=path, pairs=pairs, headers=headers, received=received)
