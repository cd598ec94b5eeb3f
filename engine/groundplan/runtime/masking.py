"""Keeps secrets out of what people read: every known secret is replaced by dots, also in the forms programs write.

Those are base64, hexadecimal, URL-quoted, and inside the quotes of JSON, Python, a shell, XML. Other forms get through.

Texts under `SHORTEST` characters are left alone: masking them would blot out ordinary words and hide nothing.
"""

import base64
import json
import re
import threading
from collections.abc import Iterable
from html import escape
from typing import Final
from urllib.parse import quote, quote_plus

from groundplan.model.values import LEAVES, Data, Sensitive, is_sensitive_name

DOTS: Final = "******"
SHORTEST: Final = 6
SHORTEST_PIECE: Final = 12
"""A last line of base64 under this length is left alone: it says next to nothing and may be an ordinary word."""
_LINE_WIDTHS: Final = (64, 76)
_NO_TEXTS: Final = LEAVES - {str}


class Masker:
    """The secrets known to one execution; it learns more while operations run. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def learn(self, texts: Iterable[str]) -> None:
        """Have texts masked from now on."""
        with self._lock:
            new = {text for text in texts if len(text) >= SHORTEST} - self._texts
            if new:
                self._texts |= new
                self._pattern = _pattern(self._texts)

    def mask(self, text: str) -> str:
        """Return a text with every known secret replaced by dots."""
        pattern = self._pattern
        return text if pattern is None else pattern.sub(DOTS, text)

    def mark(self, data: Data, name: str = "") -> Data:
        """Return data of unknown origin with `Sensitive` where a known secret stands or a name says so."""
        if type(data) is dict and self._leaves_alone(data):
            return data.copy()
        if isinstance(data, dict):
            return {key: item if type(item) in _NO_TEXTS else self.mark(item, key) for key, item in data.items()}
        if isinstance(data, list):
            return [item if type(item) in _NO_TEXTS else self.mark(item, name) for item in data]
        if isinstance(data, str) and data and (is_sensitive_name(name) or self.mask(data) != data):
            return Sensitive(data)
        return data

    def _leaves_alone(self, data: dict[str, Data]) -> bool:
        """Whether nothing in the data is to be marked, as is nearly always so; said without a step for each item."""
        if any(map(is_sensitive_name, data)) or not LEAVES.issuperset(map(type, data.values())):
            return False
        pattern = self._pattern
        texts = [item for item in data.values() if type(item) is str]
        # What only looks like a secret across two texts costs a closer look, no more.
        return pattern is None or pattern.search("\n".join(texts)) is None


def _pattern(texts: Iterable[str]) -> re.Pattern[str]:
    forms: set[str] = set()
    for text in texts:
        forms.update(_forms(text))
    return re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)))


def _forms(text: str) -> Iterable[str]:
    yield text
    lines = [line for line in text.splitlines() if len(line) >= SHORTEST]
    if len(lines) > 1:
        # A key or certificate shows up line by line in logs; its markers are no secret.
        yield from (line for line in lines if not line.startswith("-----"))
    yield from _base64_forms(text.encode())
    yield text.encode().hex()
    yield quote(text, safe="")
    yield quote_plus(text)
    yield from _quoted_forms(text)


def _quoted_forms(text: str) -> Iterable[str]:
    """Yield how a text stands between quotes: as JSON, as Python's repr, for a shell, in XML."""
    for is_ascii in (True, False):
        yield json.dumps(text, ensure_ascii=is_ascii)[1:-1]
    yield repr(text)[1:-1]
    if "'" in text:
        yield text.replace("'", "'\"'\"'")
        yield text.replace("'", "'\\''")
    yield escape(text, quote=False)
    yield escape(text)


def _base64_forms(raw: bytes) -> Iterable[str]:
    """Yield what programs make of a text in base64 (RFC 4648).

    Without its last group too, which differs when padding is left out or a newline was encoded with it; and in pieces
    as long as the lines of `base64` (76, RFC 2045) and of PEM files (64, RFC 7468).
    """
    whole = base64.b64encode(raw).decode()
    yield whole
    yield base64.urlsafe_b64encode(raw).decode()
    stem = raw[: len(raw) // 3 * 3]
    yield base64.b64encode(stem).decode()
    yield base64.urlsafe_b64encode(stem).decode()
    for width in _LINE_WIDTHS:
        if len(whole) > width:
            pieces = (whole[at : at + width] for at in range(0, len(whole), width))
            yield from (piece for piece in pieces if len(piece) >= SHORTEST_PIECE)
