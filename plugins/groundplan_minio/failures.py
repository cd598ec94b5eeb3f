"""What an S3 server refuses, and whether another attempt can help. Catching the library's exceptions is `client`'s
part.
"""

from typing import Final

from groundplan.sdk.errors import NonRecoverableError, OperationError, RecoverableError

_PASSING: Final = frozenset(
    {
        "InternalError",
        "OperationAborted",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "XMinioServerNotInitialized",
        "XMinioStorageFull",
    }
)
"""Codes that pass by themselves: the server is starting, busy, or somebody frees its disk."""

ABSENT: Final = frozenset({"NoSuchBucket", "NoSuchBucketPolicy", "NoSuchKey", "NoSuchObject", "NoSuchTagSet"})
"""Codes that say that the thing asked for does not exist."""


class RefusedError(NonRecoverableError):
    """The server refused, and would refuse the same request again; `code` is S3's."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def absent(self) -> bool:
        return self.code in ABSENT


def judge(act: str, code: str, message: str) -> OperationError:
    """The sdk's error for an error answer of the server to `act`."""
    said = f"{act}: {code}: {message}"
    return RecoverableError(said) if code in _PASSING else RefusedError(said, code=code)
