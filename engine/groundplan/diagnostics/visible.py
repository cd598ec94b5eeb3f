"""Writes out what a terminal would obey, for text of strangers: logs of scripts, answers of servers, names.

Line ends and tabs stay. Reports have their own rules for one line of a file (`render`).
"""

import re
from typing import Final

# C0 and C1 controls (ECMA-48), and the marks that turn the direction of writing (UAX #9).
_OBEYED: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    r"""Return a text with control characters as `\x1b`: it can be printed, and can neither hide nor forge lines."""
    return _OBEYED.sub(_written, text)


def _written(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
