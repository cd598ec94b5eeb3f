"""Turns nouns into columns and back: JSON with `Sensitive` marked, sealed where people must not read it.

A dictionary key that begins with `$` is written with a second one, so that no data can pose as a mark.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from groundplan.model.values import LEAVES, Data, Sensitive
from groundplan.state.seal import Seal
from groundplan.state.store import StoreFault

SENSITIVE: Final = "$sensitive"
_NO_TEXT: Final = "\N{REPLACEMENT CHARACTER}"
_UNREADABLE: Final = "The store holds a value that does not read: it was changed by hand."
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode
_decode_waits: Final = msgspec.json.Decoder(list[tuple[int, ...]]).decode


def to_json(data: Any) -> str:
    """Return plain JSON text of data without `Sensitive`."""
    return _encode(data).decode()


def from_json(text: str) -> Any:
    """Return what `to_json` wrote.

    Raises:
        StoreFault: it is no JSON any more.
    """
    try:
        return _decode(text)
    except msgspec.DecodeError:
        raise StoreFault(_UNREADABLE) from None


def waits_from_json(texts: Sequence[str]) -> list[tuple[int, ...]]:
    """Return what several tasks wait for, each by its list of numbers as JSON.

    Raises:
        StoreFault: one is no such list any more.
    """
    try:
        found = _decode_waits(f"[{','.join(texts)}]")
    except msgspec.DecodeError:
        raise StoreFault(_UNREADABLE) from None
    if len(found) != len(texts):
        raise StoreFault(_UNREADABLE)
    return found


def to_text(text: str) -> str:
    """Return a text as every database keeps it: NUL, and halves of surrogate pairs, become U+FFFD.

    For words of the world (what a script says, an error): they must not keep what happened from being recorded.
    """
    if text.isascii():
        return text.replace("\0", _NO_TEXT) if "\0" in text else text
    return text.replace("\0", _NO_TEXT).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def seal_data(seal: Seal, data: Data, owner: str) -> bytes:
    """Return data as sealed JSON, `Sensitive` kept."""
    if not _is_plain(data):
        return seal.close(_encode(_mark(data)), owner)
    encoded = _encode(data)
    # A key that poses as a mark begins so; a text that does costs a closer look, no more.
    return seal.close(_encode(_mark(data)) if b'"$' in encoded else encoded, owner)


def open_data(seal: Seal, sealed: bytes, owner: str) -> Data:
    """Return what `seal_data` sealed for the same owner."""
    clear = seal.open(sealed, owner)
    if clear == b"{}":  # as most are before an install, which a resume reads by the ten thousand
        return {}
    data = _decode(clear)
    return _unmark(data) if b'"$' in clear or b"\\u" in clear else data


def to_seconds(moment: datetime | None) -> float | None:
    """Return a moment as seconds since the epoch."""
    return None if moment is None else moment.timestamp()


def to_moment(seconds: float) -> datetime:
    """Return seconds since the epoch as a moment in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def to_moment_or_none(seconds: float | None) -> datetime | None:
    """Return `to_moment`, or None for a time that was not set."""
    return None if seconds is None else to_moment(seconds)


def _is_plain(data: Data) -> bool:
    """Whether there is nothing but JSON in the data, as is nearly always so."""
    kind = type(data)
    if kind is dict:
        items = data.values()
    elif kind is list:
        items = data
    else:
        return kind in LEAVES
    return LEAVES.issuperset(map(type, items)) or all(map(_is_plain, items))


def _mark(data: Data) -> Data:
    if isinstance(data, dict | Mapping):
        return {("$" + key if key[:1] == "$" else key): _mark(item) for key, item in data.items()}
    if isinstance(data, list | tuple):
        return [_mark(item) for item in data]
    if isinstance(data, Sensitive):
        return {SENSITIVE: _mark(data.value)}
    return data


def _unmark(data: Data) -> Data:
    if isinstance(data, dict):
        if len(data) == 1 and SENSITIVE in data:
            return Sensitive(_unmark(data[SENSITIVE]))
        return {(key[1:] if key[:1] == "$" else key): _unmark(item) for key, item in data.items()}
    if isinstance(data, list):
        return [_unmark(item) for item in data]
    return data
