"""A request's payload: the bytes a client meant, checked against everything it said about them.

Checked are the signed SHA-256, the signatures of chunks, Content-MD5, the x-amz-checksum headers and trailers, and
the announced length. The verdict comes with the end of the bytes, so whoever stores them commits after the last one
only.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Callable, Iterator
from http import HTTPStatus

from groundplan_sandbox.s3 import awschunked
from groundplan_sandbox.s3.checksums import ALGORITHMS, HEADERS, Digest, header_of, text_of
from groundplan_sandbox.s3.errors import (
    S3Error,
    bad_request,
    entity_too_large,
    incomplete_body,
    invalid_argument,
    invalid_request,
    malformed_xml,
    not_implemented,
)
from groundplan_sandbox.s3.records import Checksum
from groundplan_sandbox.s3.request import Request
from groundplan_sandbox.s3.sigv4 import UNSIGNED, ChunkSigner, Proof
from groundplan_sandbox.s3.transfer import FramedBody

PIECE = 256 * 1024
LARGEST = 5 * 1024**3
"""Bytes of the largest object in one request, and of the largest part."""
SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_CHUNKS_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_CHUNKS_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SHA256 = re.compile(r"[0-9a-f]{64}")


class Check:
    """One claim about the bytes: a digest, what it must come to, and the error when it does not. `expected` is asked
    at the end.
    """

    def __init__(self, digest: Digest, expected: Callable[[], bytes | None], error: Callable[[], S3Error]) -> None:
        self.digest = digest
        self._expected = expected
        self._error = error

    def verify(self) -> None:
        expected = self._expected()
        if expected is not None and expected != self.digest.digest():
            raise self._error()


class Payload:
    """The bytes of one request; iterate once, all of it. `checksum` is known afterwards.

    `checksum_elsewhere`: an x-amz-checksum header of this request is not about its body. `algorithm`: of the checksum
    that comes with it, if one does; `announced`: the request has a body at all; `vouched`: the client sent a digest
    of it beside the signature.
    """

    def __init__(
        self, request: Request, framed: FramedBody, proof: Proof | None, *, checksum_elsewhere: bool = False
    ) -> None:
        self._headers = request.headers
        self._trailers: dict[str, str] = {}
        self._length: int | None = None
        self._checks: list[Check] = []
        self.algorithm = None if checksum_elsewhere else announced_algorithm(request)
        self._source = self._decoded(io.BufferedReader(framed, PIECE), proof)
        self.announced = "content-length" in request.headers or "transfer-encoding" in request.headers
        self.vouched = self.algorithm is not None or "content-md5" in request.headers
        self.checksum: Checksum | None = None

    def __iter__(self) -> Iterator[bytes]:
        self._check_md5()
        digest = self._check_checksum()
        length = 0
        for piece in self._source:
            length += len(piece)
            if length > LARGEST:
                raise entity_too_large()
            for check in self._checks:
                check.digest.update(piece)
            yield piece
        if self._length is not None and length != self._length:
            raise incomplete_body()
        for check in self._checks:
            check.verify()
        if digest is not None and self.algorithm is not None:
            self.checksum = Checksum(algorithm=self.algorithm, value=text_of(digest.digest()))

    def read(self, most: int) -> bytes:
        """The whole payload of a small document; S3Error MalformedXML when it is longer than `most` bytes."""
        content = bytearray()
        for piece in self:
            content += piece
            if len(content) > most:
                raise malformed_xml(f"the document is longer than {most} bytes")
        return bytes(content)

    def _decoded(self, source: io.BufferedReader, proof: Proof | None) -> Iterator[bytes]:
        claimed = proof.payload_hash if proof else self._headers.get("x-amz-content-sha256", UNSIGNED)
        if claimed == UNSIGNED:
            return plain(source)
        if SHA256.fullmatch(claimed):
            expected = bytes.fromhex(claimed)
            self._checks.append(Check(hashlib.sha256(), lambda: expected, sha256_mismatch))
            return plain(source)
        if claimed not in (SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER, UNSIGNED_CHUNKS_TRAILER):
            if claimed.startswith("STREAMING-"):
                raise not_implemented(f"payloads of the kind {claimed}")
            raise invalid_argument(f"x-amz-content-sha256 must be {UNSIGNED}, a STREAMING value, or a SHA-256 in hex.")
        self._length = decoded_length(self._headers.get("x-amz-decoded-content-length"))
        signer = None
        if claimed != UNSIGNED_CHUNKS_TRAILER:
            if proof is None:
                raise invalid_request("Signed chunks need a signed request.")
            signer = ChunkSigner.starting_at(proof)
        return awschunked.decode(source, signer, None if claimed == SIGNED_CHUNKS else self._trailers)

    def _check_md5(self) -> None:
        if (claimed := self._headers.get("content-md5")) is not None:
            expected = digest_in(claimed, 16, "InvalidDigest", "Content-Md5")
            md5 = hashlib.md5(usedforsecurity=False)
            self._checks.append(Check(md5, lambda: expected, bad_digest))

    def _check_checksum(self) -> Digest | None:
        algorithm = self.algorithm
        if algorithm is None:
            return None
        name, digest = header_of(algorithm), ALGORITHMS[algorithm]()

        def claimed() -> bytes | None:
            text = self._headers.get(name) or self._trailers.get(name)
            if text is None:
                raise bad_request("MalformedTrailerError", f"The announced trailing header {name} is missing.")
            return digest_in(text, len(digest.digest()), "InvalidRequest", name)

        self._checks.append(Check(digest, claimed, checksum_mismatch))
        return digest


def plain(source: io.BufferedReader) -> Iterator[bytes]:
    while piece := source.read1(PIECE):
        yield piece


def announced_algorithm(request: Request) -> str | None:
    """The one checksum that comes with the request, in a header or a trailer, or is asked for by name."""
    headers = request.headers
    named = {HEADERS[name] for name in headers if name in HEADERS}
    if trailer := headers.get("x-amz-trailer"):
        if trailer.strip().lower() not in HEADERS:
            raise invalid_request("The value specified in the x-amz-trailer header is not supported.")
        named.add(HEADERS[trailer.strip().lower()])
    if len(named) > 1:
        raise invalid_request("Expecting a single x-amz-checksum- header.")
    asked = headers.get("x-amz-sdk-checksum-algorithm", "").upper()
    if asked and asked not in ALGORITHMS:
        raise invalid_request("Checksum algorithm provided is unsupported.")
    return next(iter(named), None)


def decoded_length(text: str | None) -> int:
    if text is None or not (text.isascii() and text.isdecimal()):
        raise S3Error("MissingContentLength", HTTPStatus.LENGTH_REQUIRED, "x-amz-decoded-content-length is needed.")
    return int(text)


def digest_in(text: str, length: int, code: str, name: str) -> bytes:
    """The `length` bytes of a digest in Base64; S3Error with `code` when it is none."""
    try:
        digest = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise bad_request(code, f"The {name} you specified is not valid.") from error
    if len(digest) != length:
        raise bad_request(code, f"The {name} you specified is not valid.")
    return digest


def sha256_mismatch() -> S3Error:
    return bad_request(
        "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed."
    )


def bad_digest() -> S3Error:
    return bad_request("BadDigest", "The Content-Md5 you specified did not match what we received.")


def checksum_mismatch() -> S3Error:
    # MinIO's code; Amazon answers BadDigest.
    return bad_request("XAmzContentChecksumMismatch", "The provided checksum does not match what was computed.")
