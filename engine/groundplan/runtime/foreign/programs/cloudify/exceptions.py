"""The errors that scripts raise to say whether trying again can help (spec 7.2)."""

from typing import Any, Optional


class NonRecoverableError(Exception):
    """Trying again cannot help."""

    def __init__(self, message: str = "", causes: Any = None, **_: Any) -> None:
        super().__init__(message)
        self.causes = causes or []


class RecoverableError(Exception):
    """Another attempt may succeed."""

    def __init__(self, message: str = "", retry_after: Optional[float] = None, causes: Any = None, **_: Any) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.causes = causes or []


class OperationRetry(RecoverableError):
    """The operation asks to be called again."""


class CloudifySerializationRetry(OperationRetry):
    """The operation waits for other instances of its node."""


class TimeoutException(Exception):
    """Something took too long."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)


class CommandExecutionException(Exception):
    """A command that the script ran failed."""

    def __init__(self, command: str, error: str, output: str, code: int) -> None:
        super().__init__("%s: exit code %s: %s" % (command, code, error))
        self.command = command
        self.error = error
        self.output = output
        self.code = code


class HttpException(NonRecoverableError):
    """A resource cannot be had."""

    def __init__(self, url: str, code: int, message: str) -> None:
        super().__init__("%s: %s %s" % (url, code, message))
        self.url = url
        self.code = code


class ContextError(NonRecoverableError):
    """The engine refused what the script asked of `ctx`."""


class StopOperation(SystemExit):
    """Ends the script because it asked for a retry or for the end of its operation."""
