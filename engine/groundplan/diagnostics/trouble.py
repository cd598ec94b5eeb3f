"""The kinds of trouble that stop a call: the caller must act, or somebody else changed the same thing.

Faults of authors are diagnostics (`diagnostic`), what the world does is an outcome (`model.execution`).
"""


class UsageError(Exception):
    """The caller asked for something that cannot be done as asked.

    Attributes:
        message: one sentence that says what is wrong, with the names involved.
        fix: what to do about it, or an empty string.
    """

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


class Conflict(UsageError):
    """Somebody else holds or changed what the call wanted to change."""


class NotFound(UsageError):
    """The thing that the call names does not exist."""
