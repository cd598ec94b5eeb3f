"""What a request to a cluster can come to when it does not succeed, before an operation's words are made of it."""

from typing import Final

_PASSING: Final = frozenset({408, 409, 429, 500, 502, 503, 504})
"""Answers after which another attempt may succeed."""
_FINAL_WORDS: Final = ("field not declared in schema", "failed to create typed patch object")
"""What a server says, with status 500, of an object that does not fit its kind."""
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


class Refused(Exception):
    """The cluster refused a request.

    Attributes:
        status: HTTP status.
        words: the cluster's own, with the status before them.
    """

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.words = f"{status} {message}"
        super().__init__(self.words)

    @property
    def passing(self) -> bool:
        """Whether another attempt may succeed."""
        if self.status == 403:
            return any(words in self.words for words in _PASSING_WORDS)
        return self.status in _PASSING and not any(words in self.words for words in _FINAL_WORDS)
