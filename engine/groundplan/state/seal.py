"""Keeps values unreadable at rest: AES-GCM with the name and owner of the value bound in as associated data.

A value that was moved to another row, changed, or sealed with another key does not open. Which values are sealed is
`sql`'s decision; who may see them opened is the service's.
"""

import base64
import binascii
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from groundplan.diagnostics.trouble import UsageError
from groundplan.state.store import StoreFault

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
KEY_VARIABLE: Final = "GROUNDPLAN_KEY"


class Seal:
    """Seals and opens bytes with one 256-bit key (NIST SP 800-38D)."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def close(self, clear: bytes, owner: str) -> bytes:
        """Return `clear` sealed for `owner` (nonce, ciphertext and tag)."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, clear, owner.encode())

    def open(self, sealed: bytes, owner: str) -> bytes:
        """Return what was sealed for `owner`.

        Raises:
            StoreFault: it was changed, belongs to another owner, or another key sealed it.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], owner.encode())
        # ValueError: too short to hold a nonce and a tag.
        except (InvalidTag, ValueError):
            raise StoreFault(
                f"A sealed value of {owner} does not open.",
                fix="The store was changed by hand, or the key of this home is not the one that sealed it.",
            ) from None


def load_key(home: Path, environment: Mapping[str, str]) -> bytes:
    """Return the key of a home: from the environment, else from its key file, which is made at first use.

    Raises:
        UsageError: the key is malformed, or others may read the key file.
    """
    text = environment.get(KEY_VARIABLE)
    if text:
        return _decode(text, f"the environment variable {KEY_VARIABLE}")
    path = home / "key"
    try:
        return _read(path)
    except FileNotFoundError:
        return _make(path, home)


def _read(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise UsageError(f"Others than its owner may read the key file {path}.", fix=f"chmod 600 {path}")
    return _decode(path.read_bytes(), str(path))


def _make(path: Path, home: Path) -> bytes:
    if (home / "state.db").exists():
        raise UsageError(
            f"The key that sealed the store of {home} is missing (looked for {KEY_VARIABLE} and {path}).",
            fix="Put the key file back, or set the variable.",
        )
    # Readable by its owner only (mkstemp), and never there half: two commands may come first at once.
    descriptor, draft = tempfile.mkstemp(prefix="key-", dir=home)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(os.urandom(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)
    return _read(path)


def _decode(text: str | bytes, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise UsageError(f"{where} does not hold a key.", fix="A key is 32 random bytes in base64.")
    return key
