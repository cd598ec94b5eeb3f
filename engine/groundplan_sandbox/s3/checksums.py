"""The checksums that S3 lets a client send with an object, computed piece by piece.

CRC-32 and the SHA family come from the standard library. CRC-32C (Castagnoli) and CRC-64/NVME have no implementation
there: the two here are table-driven Python, some megabytes a second, enough for rehearsals.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from groundplan_sandbox.s3.records import Checksum


class Digest(Protocol):
    def update(self, piece: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, piece: bytes, /) -> None:
        self._value = zlib.crc32(piece, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


def reflected_table(polynomial: int) -> tuple[int, ...]:
    def entry(value: int) -> int:
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
        return value

    return tuple(entry(byte) for byte in range(256))


class ReflectedCrc:
    """A reflected CRC with all bits set at start and inverted at the end, of `width` bytes."""

    def __init__(self, table: tuple[int, ...], width: int) -> None:
        self._table = table
        self._width = width
        self._ones = (1 << (8 * width)) - 1
        self._value = self._ones

    def update(self, piece: bytes, /) -> None:
        table, value = self._table, self._value
        for byte in piece:
            value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
        self._value = value

    def digest(self) -> bytes:
        return (self._value ^ self._ones).to_bytes(self._width, "big")


CASTAGNOLI = reflected_table(0x82F63B78)
NVME = reflected_table(0x9A6C9329AC4BC9B5)

ALGORITHMS: dict[str, Callable[[], Digest]] = {
    "CRC32": Crc32,
    "CRC32C": lambda: ReflectedCrc(CASTAGNOLI, 4),
    "CRC64NVME": lambda: ReflectedCrc(NVME, 8),
    "SHA1": lambda: hashlib.sha1(usedforsecurity=False),
    "SHA256": hashlib.sha256,
}
"""By the name that `x-amz-checksum-algorithm` uses."""


def header_of(algorithm: str) -> str:
    return f"x-amz-checksum-{algorithm.lower()}"


WHOLE_OBJECT = ("CRC32", "CRC32C", "CRC64NVME")
"""Those that a multipart object may have over all its bytes; the others are only joined from those of its parts."""

HEADERS = {header_of(algorithm): algorithm for algorithm in ALGORITHMS}
"""Header name to algorithm."""


class Measured:
    """Pieces of bytes, handed on as they come; afterwards `checksum` is theirs. No algorithm, no checksum."""

    def __init__(self, pieces: Iterable[bytes], algorithm: str | None) -> None:
        self._pieces = pieces
        self._algorithm = algorithm
        self._digest = ALGORITHMS[algorithm]() if algorithm else None

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if self._digest is not None:
                self._digest.update(piece)
            yield piece

    @property
    def checksum(self) -> Checksum | None:
        if self._digest is None or self._algorithm is None:
            return None
        return Checksum(algorithm=self._algorithm, value=text_of(self._digest.digest()))


def text_of(digest: bytes) -> str:
    """A digest as S3 writes it: Base64 of the big-endian bytes."""
    return base64.b64encode(digest).decode()
