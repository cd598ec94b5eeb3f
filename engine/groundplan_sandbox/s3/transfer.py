"""A request's body as HTTP frames it (RFC 9112, sections 6 and 7): by length, or in chunks.

The body is read from the connection as it is asked for, never as a whole, and never past its end, so that the next
request on the connection starts where it should. What the bytes mean is payload.py's.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

from groundplan_sandbox.s3.errors import S3Error, bad_request, incomplete_body

LINE = 4096
"""Longest line of a chunk's head or a trailer, bytes."""


class FramedBody(io.RawIOBase):
    """The raw body of one request; `ended` once all of it was read. `on_first_read` answers `Expect: 100-continue`."""

    def __init__(self, connection: io.BufferedIOBase, on_first_read: Callable[[], None]) -> None:
        self._connection = connection
        self._on_first_read: Callable[[], None] | None = on_first_read
        self.ended = False

    @property
    def started(self) -> bool:
        return self._on_first_read is None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]  # Buffer is Python 3.12's
        view = memoryview(buffer)
        if self.ended or not len(view):
            return 0
        if self._on_first_read is not None:
            self._on_first_read()
            self._on_first_read = None
        return self._fill(view)

    def _fill(self, view: memoryview) -> int:
        raise NotImplementedError

    def _take(self, view: memoryview, most: int) -> int:
        piece = self._connection.read(min(most, len(view)))
        if not piece:
            raise incomplete_body()
        view[: len(piece)] = piece
        return len(piece)


class LengthBody(FramedBody):
    """A body of a length announced by Content-Length."""

    def __init__(self, connection: io.BufferedIOBase, on_first_read: Callable[[], None], length: int) -> None:
        super().__init__(connection, on_first_read)
        self._left = length
        self.ended = length == 0

    def _fill(self, view: memoryview) -> int:
        taken = self._take(view, self._left)
        self._left -= taken
        self.ended = self._left == 0
        return taken


class ChunkedBody(FramedBody):
    """A body with Transfer-Encoding: chunked; trailers are read and dropped."""

    def __init__(self, connection: io.BufferedIOBase, on_first_read: Callable[[], None]) -> None:
        super().__init__(connection, on_first_read)
        self._left = 0

    def _fill(self, view: memoryview) -> int:
        if self._left == 0:
            self._left = chunk_size(self._line())
        if self._left == 0:
            while self._line():
                continue
            self.ended = True
            return 0
        taken = self._take(view, self._left)
        self._left -= taken
        if self._left == 0 and self._line():
            raise incomplete_body()
        return taken

    def _line(self) -> bytes:
        line = self._connection.readline(LINE)
        if not line.endswith(b"\r\n"):
            raise incomplete_body()
        return line[:-2]


def chunk_size(line: bytes) -> int:
    """The size in a chunk's first line, `hex[;extensions]`; S3Error when it is no number of at most 8 digits."""
    digits = line.partition(b";")[0].strip()
    if not 1 <= len(digits) <= 8 or not set(digits) <= set(b"0123456789abcdefABCDEF"):
        raise bad_request("InvalidChunkSizeError", "A chunk's size is not a hexadecimal number of at most 8 digits.")
    return int(digits, 16)


def framed_body(
    headers: Mapping[str, str], connection: io.BufferedIOBase, on_first_read: Callable[[], None]
) -> FramedBody:
    """The body that a request's headers announce; S3Error when they contradict each other."""
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if coding is not None and length is not None:
        raise ambiguous_length()
    if coding is not None:
        if coding.strip().lower() != "chunked":
            raise bad_request("InvalidRequest", "Transfer-Encoding may only be chunked.")
        return ChunkedBody(connection, on_first_read)
    if length is not None and not (length.isascii() and length.isdecimal()):
        raise ambiguous_length()
    return LengthBody(connection, on_first_read, int(length or 0))


def ambiguous_length() -> S3Error:
    return bad_request(
        "InvalidRequest", "The length of the body is not clear from Content-Length and Transfer-Encoding."
    )
