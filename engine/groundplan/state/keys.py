"""Where the key of a home is kept: GROUNDPLAN_KEY, else the file `key` in the home, which is made at first use.

A change of the key writes the new one to `key.new` before the store's transaction commits, and moves it to `key` after:
whoever opens the store between the two finds which of them is the store's. What is sealed is `seal`'s.
"""

import base64
import binascii
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from groundplan.diagnostics.trouble import UsageError

KEY_VARIABLE: Final = "GROUNDPLAN_KEY"
KEY_BYTES: Final = 32
Fits: TypeAlias = Callable[[bytes], bool]
"""Whether a key is the one that sealed a store."""


class Keys(Protocol):
    """Where the key of a store comes from."""

    def choose(self, fits: Fits | None) -> bytes:
        """Return the key that fits; one that may be new where nothing is sealed yet (None).

        Raises:
            UsageError: there is no key, it is malformed, or it is not the store's.
        """


class HomeKeys:
    """Implements `seal.Keys` for a home."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self._home = home
        self._text = environment.get(KEY_VARIABLE)

    @property
    def path(self) -> Path:
        """The key file."""
        return self._home / "key"

    @property
    def pending(self) -> Path:
        """The key file that a change of the key is about to put in its place."""
        return self._home / "key.new"

    @property
    def is_given(self) -> bool:
        """Whether the environment gives the key, so that no file is read."""
        return bool(self._text)

    def choose(self, fits: Fits | None) -> bytes:
        """Return the home's key; see `Keys`."""
        if not self._text:
            return self._read_or_make() if fits is None else self._fitting(fits)
        key = decode_key(self._text, f"The environment variable {KEY_VARIABLE}")
        if fits is not None and not fits(key):
            raise UsageError(
                f"{KEY_VARIABLE} does not hold the key that sealed the store; {self.path} is not read while it is set.",
                fix=f"Set it to the store's key, or unset it to use {self.path}.",
            )
        return key

    def prepare(self, key: bytes) -> None:
        """Write a key that is about to become the store's, durably; `settle` puts it in place."""
        draft = self._draft(key)
        os.replace(draft, self.pending)
        _sync_folder(self._home)

    def settle(self) -> None:
        """Put the prepared key in the place of the old one, after the store took it."""
        os.replace(self.pending, self.path)
        _sync_folder(self._home)

    def _fitting(self, fits: Fits) -> bytes:
        found = _read_or_none(self.path)
        if found is not None and fits(found):
            return found
        changed = _read_or_none(self.pending)
        if changed is not None and fits(changed):
            # Whoever changed the key was cut off after the store took the new one.
            with suppress(FileNotFoundError):
                self.settle()
            return changed
        if found is None:
            raise UsageError(
                f"The key that sealed the store is missing (looked for {KEY_VARIABLE} and {self.path}).",
                fix="Put the key file back, or set the variable. A store that several homes share has one key.",
            )
        raise UsageError(
            f"The key file {self.path} is not the one that sealed the store ({KEY_VARIABLE} is not set).",
            fix="Put the store's own key there. A store that several homes share has one key.",
        )

    def _read_or_make(self) -> bytes:
        found = _read_or_none(self.path)
        if found is not None:
            return found
        draft = self._draft(os.urandom(KEY_BYTES))
        try:
            # Never there half, and never twice: two commands may come first at once.
            with suppress(FileExistsError):
                os.link(draft, self.path)
        finally:
            os.unlink(draft)
        _sync_folder(self._home)
        return _read(self.path)

    def _draft(self, key: bytes) -> str:
        # Readable by its owner only (mkstemp).
        descriptor, draft = tempfile.mkstemp(prefix="key-", dir=self._home)
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(key) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return draft


def decode_key(text: str | bytes, where: str) -> bytes:
    """Return the key of a text.

    Raises:
        UsageError: it holds none; the text is not repeated.
    """
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise UsageError(f"{where} does not hold a key.", fix="A key is 32 random bytes in base64.")
    return key


def _read(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise UsageError(f"Others than its owner may read the key file {path}.", fix=f"chmod 600 {path}")
    return decode_key(path.read_bytes(), str(path))


def _read_or_none(path: Path) -> bytes | None:
    try:
        return _read(path)
    except FileNotFoundError:
        return None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
