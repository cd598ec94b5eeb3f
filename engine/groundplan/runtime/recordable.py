"""What an operation hands back must be JSON, since it is recorded; anything else ends the attempt, not the driver.

Called by `attempt` in the thread of the operation, before the outcome goes to the driver. What is secret in it is
`masking`'s business.
"""

import math
from collections.abc import Collection, Mapping
from typing import Final

from groundplan.model.values import Data, Sensitive
from groundplan.sdk.errors import NonRecoverableError

DEEPEST: Final = 100
"""Lists and mappings inside each other, at most."""


_PLAIN: Final = frozenset({int, bool, type(None)})
_TEXT: Final = frozenset({str})


def recordable(data: Data, place: str) -> Data:
    """Return data made of plain JSON types only: a tuple as a list, a text of some library's own type as text.

    Data that is so already comes back as it is, not as a copy.

    Args:
        place: what it is, for people, for example `runtime_properties.addresses`.

    Raises:
        NonRecoverableError: it holds something that JSON cannot; the place is named, the value is not.
    """
    return data if _is_plain(data, 0) else _made_plain(data, place, 0)


def _is_plain(data: Data, depth: int) -> bool:
    """Whether nothing needs to be changed, nor looked at closely; nearly always so, and quick to see."""
    kind = type(data)
    if kind is str:
        return bool(data.isascii())
    if kind is dict:
        keys_are_plain = _TEXT.issuperset(map(type, data)) and all(map(str.isascii, data))
        return depth < DEEPEST and keys_are_plain and _are_plain(data.values(), depth + 1)
    if kind is list:
        return depth < DEEPEST and _are_plain(data, depth + 1)
    return kind in _PLAIN or (kind is float and math.isfinite(data))


def _are_plain(items: Collection[Data], depth: int) -> bool:
    if _TEXT.issuperset(map(type, items)):
        return all(map(str.isascii, items))
    return all(_is_plain(item, depth) for item in items)


def _made_plain(data: Data, place: str, depth: int) -> Data:
    if data is None or isinstance(data, bool):
        return data
    if isinstance(data, str):
        return _text(data, place)
    if isinstance(data, int):
        return int(data)
    if isinstance(data, float):
        return _number(data, place)
    if depth >= DEEPEST:
        raise NonRecoverableError(f"{place} is nested deeper than {DEEPEST} levels: it cannot be recorded")
    if isinstance(data, Sensitive):
        return Sensitive(_made_plain(data.value, place, depth + 1))
    if isinstance(data, Mapping):
        return {_key(key, place): _made_plain(item, f"{place}.{key}", depth + 1) for key, item in data.items()}
    if isinstance(data, list | tuple):
        return [_made_plain(item, f"{place}[{index}]", depth + 1) for index, item in enumerate(data)]
    raise NonRecoverableError(f"{place} is of type {type(data).__name__}, which is no JSON: it cannot be recorded")


def _text(text: str, place: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise NonRecoverableError(f"{place} is no valid Unicode text: it cannot be recorded") from None
    return text if type(text) is str else str.__str__(text)


def _number(number: float, place: str) -> float:
    if not math.isfinite(number):
        raise NonRecoverableError(f"{place} is {number}, which is no JSON number: it cannot be recorded")
    return float(number)


def _key(key: object, place: str) -> str:
    if not isinstance(key, str):
        raise NonRecoverableError(f"{place} has a key that is no text ({type(key).__name__}): it cannot be recorded")
    return _text(key, f"a key of {place}")
