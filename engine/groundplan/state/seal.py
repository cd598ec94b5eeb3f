"""Keeps values unreadable at rest: AES-GCM with the name and owner of the value bound in as associated data.

A value that was moved to another row, changed, or sealed with another key does not open. Which values are sealed is
`sql`'s decision; who may see them opened is the service's; where a home's key is kept is `keys`'.
"""

import os
from collections import deque
from dataclasses import dataclass
from typing import Final
from weakref import WeakSet

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from groundplan.diagnostics.trouble import UsageError
from groundplan.state.keys import Fits
from groundplan.state.store import StoreFault

_NONCE_BYTES: Final = 12
_NONCES: Final = 256
_SEALS: Final["WeakSet[Seal]"] = WeakSet()


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """A sealed value and its owner: the key that opens it is the store's."""

    owner: str
    sealed: bytes


class Seal:
    """Seals and opens bytes with one 256-bit key (NIST SP 800-38D)."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._cipher = AESGCM(key)
        self._nonces: deque[bytes] = deque()
        _SEALS.add(self)

    def forked(self) -> None:
        """Go on in a new process: both would take the same nonces."""
        self._nonces.clear()

    def _nonce(self) -> bytes:
        """Return random bytes that were never used; drawn many at once, since each call lets other threads in."""
        try:
            return self._nonces.pop()
        except IndexError:
            drawn = os.urandom(_NONCE_BYTES * _NONCES)
            self._nonces.extend(drawn[at : at + _NONCE_BYTES] for at in range(_NONCE_BYTES, len(drawn), _NONCE_BYTES))
            return drawn[:_NONCE_BYTES]

    def close(self, clear: bytes, owner: str) -> bytes:
        """Return `clear` sealed for `owner` (nonce, ciphertext and tag)."""
        nonce = self._nonce()
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

    def choose(self, fits: Fits | None) -> bytes:
        """Return its own key (`keys.Keys`).

        Raises:
            UsageError: the store's is another one.
        """
        if fits is not None and not fits(self._key):
            raise UsageError("The key is not the one that sealed the store.")
        return self._key


def _forked() -> None:
    for seal in _SEALS:
        seal.forked()


os.register_at_fork(after_in_child=_forked)


def opens(key: bytes, proof: Proof) -> bool:
    """Whether a key sealed a proof."""
    try:
        Seal(key).open(proof.sealed, proof.owner)
    except StoreFault:
        return False
    return True
