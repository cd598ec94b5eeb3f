"""What a request to a cluster can come to when it does not succeed, before an operation's words are made of it."""

import re
from collections.abc import Mapping
from typing import Any, Final

_PASSING: Final = frozenset({408, 409, 429, 500, 502, 503, 504})
"""Answers after which another attempt may succeed."""
_FINAL_WORDS: Final = ("field not declared in schema", "failed to create typed patch object")
"""What a server says, with status 500, of an object that does not fit its kind."""
_OWNER: Final = re.compile(r'conflict with "([^"]+)"')
_PASSING_WORDS: Final = ("because it is being terminated", "error looking up service account")
"""What a server says, with status 403, while a namespace goes or is not complete yet."""


class Unreachable(Exception):
    """The cluster could not be asked.

    Attributes:
        passing: whether another attempt may succeed.
    """

    def __init__(self, words: str, *, passing: bool) -> None:
        self.passing = passing
        super().__init__(words)


class Missing(Exception):
    """The cluster has no such object."""


class UnknownKind(Missing):
    """The cluster serves no objects of that kind, so it has none."""


class Contested(Exception):
    """Fields of an object that is to be applied are managed by others, with other values.

    Its text says which, and by whom: `spec.replicas is managed by autoscaler`. Values are not told: they may be secret.
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        by_owner: dict[str, list[str]] = {}
        for field, owner in fields.items():
            by_owner.setdefault(owner, []).append(field)
        told = [
            f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} managed by {owner}"
            for owner, names in by_owner.items()
        ]
        super().__init__("; ".join(told))


class Refused(Exception):
    """The cluster refused a request.

    Attributes:
        status: HTTP status.
        words: the cluster's own, with the status before them.
        contested: fields that others manage, each with who does; only where that is why.
    """

    def __init__(self, status: int, message: str, details: Mapping[str, Any] | None = None) -> None:
        self.status = status
        self.words = f"{status} {message}"
        self.contested = _contested(details or {})
        super().__init__(self.words)

    @property
    def passing(self) -> bool:
        """Whether another attempt may succeed."""
        if self.status == 403:
            return any(words in self.words for words in _PASSING_WORDS)
        return self.status in _PASSING and not any(words in self.words for words in _FINAL_WORDS)


def _contested(details: Mapping[str, Any]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for cause in details.get("causes") or ():
        if cause.get("reason") == "FieldManagerConflict":
            owner = _OWNER.search(str(cause.get("message")))
            found[str(cause.get("field")).lstrip(".")] = owner[1] if owner else "others"
    return found
