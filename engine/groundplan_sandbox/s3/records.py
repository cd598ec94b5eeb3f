"""What is kept about buckets, objects and unfinished uploads: the store's file format.

Each record is one JSON file; decoding checks its types. Where files lie and when they change is catalogue.py's.
"""

from __future__ import annotations

import hashlib

import msgspec


class Checksum(msgspec.Struct, frozen=True, kw_only=True):
    algorithm: str
    """A key of `checksums.ALGORITHMS`."""
    value: str
    """Base64; of a composite checksum with `-` and the number of parts."""


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What a client says of an object beside its bytes; header names in lower case."""

    headers: dict[str, str] = {}
    metadata: dict[str, str] = {}
    """Values of `x-amz-meta-*`, without the prefix."""
    tags: dict[str, str] = {}


class BucketRecord(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    created: float
    policy: str | None = None
    tags: dict[str, str] = {}


class ObjectRecord(msgspec.Struct, frozen=True, kw_only=True):
    bucket: str
    key: str
    size: int
    etag: str
    """Without quotes: the MD5 in hex, of a multipart object the MD5 of its parts' MD5s, `-` and their number."""
    modified: float
    blob: str
    """Name of the file that holds the bytes."""
    description: Description
    checksum: Checksum | None = None


class UploadRecord(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    bucket: str
    key: str
    started: float
    description: Description
    checksum_algorithm: str | None = None
    checksum_over_all: bool = False
    """The checksum is over all bytes, not joined from those of the parts."""


class PartRecord(msgspec.Struct, frozen=True, kw_only=True):
    upload: str
    number: int
    size: int
    etag: str
    modified: float
    blob: str
    checksum: Checksum | None = None


def object_file(bucket: str, key: str) -> str:
    """The file of an object's record: a hash, so that no key can name a path."""
    return hashlib.sha256(f"{bucket}/{key}".encode()).hexdigest() + ".json"


def part_file(upload: str, number: int) -> str:
    return f"{upload}.{number}.json"
