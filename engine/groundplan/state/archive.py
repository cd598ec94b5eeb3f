"""The file that a store travels in: records in a compressed stream, cut into pieces that are sealed one by one.

    groundplan-export 1\\n            which format
    {"revision": "0005", ...}\\n      JSON: what wrote it, and how the pieces are sealed
    LENGTH BODY LENGTH BODY ...      pieces; the highest bit of a length marks the last

A body is sealed with AES-GCM by a key made of a passphrase (scrypt), or, without one, followed by a digest. Either
knows its place in the file and whether it is the last, so that a file that was cut, changed or put together anew does
not read. What the records mean is `sql.transfer`'s.
"""

import base64
import hashlib
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from groundplan.diagnostics.trouble import UsageError

FORMAT: Final = 1
_MAGIC: Final = b"groundplan-export "
_PIECE: Final = 256 * 1024
_LAST: Final = 1 << 31
_LONGEST_LINE: Final = 64 * 1024
_LONGEST_PIECE: Final = 2 * _PIECE
# RFC 7914; 128 MiB and about half a second, as OWASP's password storage cheat sheet has it.
_COST, _BLOCK, _PARALLEL = 2**17, 8, 1
_COSTLIEST: Final = 2**20
_DIGEST_BYTES: Final = 32
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode

Record = list[Any]


class ArchiveWriter:
    """Writes records into a file; `close` writes the last piece, without which the file does not read."""

    def __init__(self, file: BinaryIO, header: Mapping[str, Any], passphrase: str | None) -> None:
        self._file = file
        words = dict(header)
        if passphrase is not None:
            salt = os.urandom(16)
            words["scrypt"] = {"salt": base64.b64encode(salt).decode(), "n": _COST}
            key = _key(passphrase, salt, _COST)
        line = _encode(words) + b"\n"
        bind = hashlib.sha256(line).digest()
        self._cover: _Sealed | _Digested = _Digested(bind) if passphrase is None else _Sealed(key, bind)
        file.write(_MAGIC + str(FORMAT).encode() + b"\n" + line)
        self._compressor = zlib.compressobj(3)
        self._waiting = bytearray()

    def put(self, record: Record) -> None:
        """Write a record of plain JSON."""
        self._waiting += self._compressor.compress(_encode(record) + b"\n")
        while len(self._waiting) >= _PIECE:
            self._piece(bytes(self._waiting[:_PIECE]), last=False)
            del self._waiting[:_PIECE]

    def close(self) -> None:
        """Write what is left, as the last piece."""
        self._waiting += self._compressor.flush()
        while len(self._waiting) > _PIECE:
            self._piece(bytes(self._waiting[:_PIECE]), last=False)
            del self._waiting[:_PIECE]
        self._piece(bytes(self._waiting), last=True)

    def _piece(self, clear: bytes, *, last: bool) -> None:
        body = self._cover.close(clear, last=last)
        self._file.write((len(body) | (_LAST if last else 0)).to_bytes(4) + body)


class ArchiveReader:
    """Reads what `ArchiveWriter` wrote.

    Attributes:
        header: what the writer said of itself.
    """

    def __init__(self, file: BinaryIO, name: str, passphrase: Callable[[], str]) -> None:
        """Read the beginning of a file.

        Args:
            name: of the file, for people.
            passphrase: asked for only when the file is sealed.

        Raises:
            UsageError: it is no export, of a newer format, or its beginning is damaged.
        """
        self._file = file
        self._name = name
        magic = file.readline(_LONGEST_LINE)
        if not magic.startswith(_MAGIC):
            raise UsageError(f"{name} is no export of Groundplan.", fix="Make one with: groundplan db export FILE")
        if magic.strip() != _MAGIC + str(FORMAT).encode():
            newer = magic[len(_MAGIC) :].strip().decode(errors="replace")
            raise UsageError(
                f"{name} has format {newer!r}, and this version of Groundplan reads format {FORMAT}.",
                fix="Import it with the version that wrote it, or a newer one.",
            )
        line = file.readline(_LONGEST_LINE)
        self.header = self._header(line)
        bind = hashlib.sha256(line).digest()
        scrypt = self.header.get("scrypt")
        self._cover = _Digested(bind) if scrypt is None else _Sealed(self._key(scrypt, passphrase), bind)
        self._is_sealed = scrypt is not None

    def records(self) -> Iterator[Record]:
        """Yield the records; when it ends without a word, the file was whole.

        Raises:
            UsageError: the file was cut or changed, or the passphrase is another one.
        """
        decompressor = zlib.decompressobj()
        rest = b""
        for clear in self._pieces():
            text = rest + decompressor.decompress(clear)
            *lines, rest = text.split(b"\n")
            for line in lines:
                yield _decode(line)
        if rest or not decompressor.eof or self._file.read(1):
            raise self._damaged("something is left after its end")

    def _pieces(self) -> Iterator[bytes]:
        is_first, last = True, False
        while not last:
            head = self._file.read(4)
            length = int.from_bytes(head)
            last, length = bool(length & _LAST), length & ~_LAST
            body = self._file.read(length) if len(head) == 4 and length <= _LONGEST_PIECE else b""
            if len(head) < 4 or len(body) < length or not body:
                raise self._damaged("it ends too early")
            try:
                yield self._cover.open(body, last=last)
            except InvalidTag:
                if is_first and self._is_sealed:
                    raise UsageError(
                        f"The passphrase does not open {self._name}, or the file was changed.",
                        fix="Nothing was written.",
                    ) from None
                raise self._damaged("it was changed") from None
            is_first = False

    def _header(self, line: bytes) -> dict[str, Any]:
        try:
            found = _decode(line)
        except msgspec.DecodeError:
            found = None
        if not isinstance(found, dict) or not line.endswith(b"\n"):
            raise self._damaged("its beginning does not read")
        return found

    def _key(self, scrypt: Any, passphrase: Callable[[], str]) -> bytes:
        try:
            salt, cost = base64.b64decode(scrypt["salt"], validate=True), int(scrypt["n"])
        except (KeyError, TypeError, ValueError):
            raise self._damaged("its beginning does not read") from None
        if not 1 < cost <= _COSTLIEST or cost & (cost - 1):
            raise self._damaged("its beginning does not read")
        return _key(passphrase(), salt, cost)

    def _damaged(self, why: str) -> UsageError:
        return UsageError(f"{self._name} is damaged: {why}.", fix="Nothing was written. Make the export again.")


class _Sealed:
    """Pieces sealed with a key that only this file has, so that their number can be the nonce."""

    def __init__(self, key: bytes, bind: bytes) -> None:
        self._cipher = AESGCM(key)
        self._bind = bind
        self._number = 0

    def close(self, clear: bytes, *, last: bool) -> bytes:
        return self._cipher.encrypt(self._next(), clear, self._bind + bytes([last]))

    def open(self, body: bytes, *, last: bool) -> bytes:
        try:
            return self._cipher.decrypt(self._next(), body, self._bind + bytes([last]))
        except ValueError:
            raise InvalidTag from None

    def _next(self) -> bytes:
        self._number += 1
        return self._number.to_bytes(12)


class _Digested:
    """Pieces that anybody reads, each with a digest of all before: damage is told, not malice."""

    def __init__(self, bind: bytes) -> None:
        self._before = bind

    def close(self, clear: bytes, *, last: bool) -> bytes:
        self._before = hashlib.sha256(self._before + bytes([last]) + clear).digest()
        return clear + self._before

    def open(self, body: bytes, *, last: bool) -> bytes:
        clear, digest = body[:-_DIGEST_BYTES], body[-_DIGEST_BYTES:]
        self._before = hashlib.sha256(self._before + bytes([last]) + clear).digest()
        if digest != self._before:
            raise InvalidTag
        return clear


def _key(passphrase: str, salt: bytes, cost: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=cost, r=_BLOCK, p=_PARALLEL).derive(passphrase.encode())
