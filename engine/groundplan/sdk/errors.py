"""What an operation raises to say whether trying again can help (spec 5.6).

Any other exception counts as recoverable. What follows from a failure is the engine's decision, not the plugin's.
"""


class OperationError(Exception):
    """Base of the errors below; not raised itself."""

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        """Longer text for the log (a script's output, a provider's answer); may be empty."""


class RecoverableError(OperationError):
    """The attempt failed and another may succeed.

    Attributes:
        retry_after: seconds to wait before the next attempt, or None for the configured interval.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, detail: str = "") -> None:
        super().__init__(message, detail=detail)
        self.retry_after = retry_after


class OperationRetry(RecoverableError):
    """The operation asks to be called again: it is not done yet, and nothing went wrong."""


class AwaitsOthers(OperationRetry):
    """The operation waits for other instances.

    While anything else of the execution goes on, that counts for no limit of attempts.
    """


class NonRecoverableError(OperationError):
    """Trying again cannot help: somebody must change something first."""
