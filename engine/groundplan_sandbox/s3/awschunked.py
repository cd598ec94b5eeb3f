"""The `aws-chunked` coding, in which clients stream a payload whose hash they do not know at the start.

Rules: "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks" and "...
including trailing headers" of the Amazon S3 API reference. Bytes are handed on before their chunk's signature is
known: whoever takes them keeps nothing until the iteration ends without an error. Trailing checksums are compared in
payload.py.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator

from groundplan_sandbox.s3.errors import S3Error, bad_request, forbidden, incomplete_body
from groundplan_sandbox.s3.sigv4 import ChunkSigner
from groundplan_sandbox.s3.transfer import LINE, chunk_size

PIECE = 256 * 1024
TRAILERS = 16
TRAILER_SIGNATURE = "x-amz-trailer-signature"


def decode(source: io.BufferedIOBase, signer: ChunkSigner | None, trailers: dict[str, str] | None) -> Iterator[bytes]:
    """The payload's bytes, piece by piece.

    `signer` is None for unsigned chunks; `trailers` is None where none are allowed, else it receives them, names in
    lower case.

    Raises:
        S3Error: SignatureDoesNotMatch, IncompleteBody, InvalidChunkSizeError, MalformedTrailerError.
    """
    while True:
        line = read_line(source)
        size = chunk_size(line)
        digest = hashlib.sha256()
        for piece in pieces(source, size):
            digest.update(piece)
            yield piece
        if signer is not None:
            signer = signer.after_chunk(digest.hexdigest(), chunk_signature(line))
        if size == 0:
            break
        if read_line(source):
            raise incomplete_body()
    found = read_trailers(source)
    if trailers is None:
        if found:
            raise malformed_trailer()
        return
    if signer is not None:
        check_trailer_signature(signer, found)
    trailers.update(found)


def read_line(source: io.BufferedIOBase) -> bytes:
    line = source.readline(LINE)
    if not line.endswith(b"\r\n"):
        raise incomplete_body()
    return line[:-2]


def pieces(source: io.BufferedIOBase, size: int) -> Iterator[bytes]:
    while size:
        piece = source.read1(min(size, PIECE))
        if not piece:
            raise incomplete_body()
        size -= len(piece)
        yield piece


def chunk_signature(line: bytes) -> str:
    name, _, value = line.partition(b";")[2].strip().partition(b"=")
    if name != b"chunk-signature":
        raise forbidden("SignatureDoesNotMatch", "A chunk carries no signature.")
    return value.decode("latin-1")


def read_trailers(source: io.BufferedIOBase) -> dict[str, str]:
    found: dict[str, str] = {}
    # Some clients end an unsigned body right after the last chunk's line.
    while (line := source.readline(LINE)) not in (b"\r\n", b""):
        name, colon, value = line.decode("latin-1").strip().partition(":")
        if not colon or len(found) >= TRAILERS:
            raise malformed_trailer()
        found[name.strip().lower()] = value.strip()
    return found


def check_trailer_signature(signer: ChunkSigner, found: dict[str, str]) -> None:
    claimed = found.pop(TRAILER_SIGNATURE, "")
    lines = "".join(f"{name}:{value}\n" for name, value in found.items())
    signer.after_trailer(hashlib.sha256(lines.encode()).hexdigest(), claimed)


def malformed_trailer() -> S3Error:
    return bad_request("MalformedTrailerError", "The trailing headers are malformed.")
