"""What a label of a deployment or blueprint may be (spec 1.17, 6.5).

Who is told of a wrong one is the business of `dsl`, for authors, and of `service`, for callers.
"""

import re
from typing import Final

PARENT: Final = "csys-obj-parent"
"""Names the deployment that the labelled one stands in."""
_KEY: Final = re.compile(r"[A-Za-z0-9_.\-]{1,256}\Z")
_RESERVED: Final = "csys-"
_ALLOWED: Final = frozenset(
    {
        PARENT,
        "csys-obj-type",
        "csys-obj-name",
        "csys-env-type",
        "csys-environment",
        "csys-wrcp-services",
        "csys-wrcp-group-id",
        "csys-location-name",
        "csys-location-lat",
        "csys-location-long",
    }
)


def key_fault(key: str) -> str:
    """Return why a text cannot be a label's key, or nothing."""
    if not _KEY.match(key):
        return "not letters, digits, - . _"
    if key.lower().startswith(_RESERVED) and key.lower() not in _ALLOWED:
        return "keys that begin with csys- are reserved"
    return ""


def value_fault(value: str) -> str:
    """Return why a text cannot be a label's value, or nothing."""
    if len(value) > 256 or '"' in value or any(ord(character) < 32 for character in value):
        return "at most 256 characters, no control characters or double quotes"
    return ""
