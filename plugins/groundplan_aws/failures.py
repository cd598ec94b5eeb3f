"""What AWS refuses, in the provider's own words, and whether another attempt can help.

The rules read an error's code and HTTP status as the service sent them; catching vendor exceptions is `client`'s part.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from groundplan.sdk.errors import NonRecoverableError, RecoverableError

_THROTTLED: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
_PASSING: Final = frozenset(
    {
        "DeleteConflict",
        "DependencyViolation",
        "Gateway.NotAttached",
        "IncorrectInstanceState",
        "IncorrectState",
        "InvalidDBInstanceState",
        "InsufficientAddressCapacity",
        "InsufficientInstanceCapacity",
        "InvalidNetworkInterface.InUse",
        "OperationAborted",
        "ConcurrentModification",
        "ConcurrentModificationException",
        "RequestExpired",
        "RequestTimeout",
        "RequestTimeoutException",
    }
)
"""Client errors (HTTP 4xx) that pass by themselves: something is still being made, taken down or moved."""

_VAGUE: Final = frozenset({"ClientException", "ValidationError", "ValidationException", "InvalidParameterValue"})
_ABSENT: Final = ("does not exist", "not found", "Unable to describe")
"""Services without a code of their own for absence (CloudFormation, Auto Scaling, ECS) say it in these words only."""

_HELD: Final = frozenset({"ResourceInUse", "ResourceInUseException", "ResourceConflictException"})
"""Refusals of delete calls that pass when what holds the resource is gone."""

_UNSEEN: Final = ("cannot be assumed by Lambda", "Invalid IAM Instance Profile name")
"""What services say of a role or profile that IAM made seconds ago."""

_WORDLESS: Final = {
    "301": "it is in another region",
    "400": "S3 does not say why: the keys are not valid any more, or the region is none",
    "403": "S3 does not say why: the keys are wrong or do not allow it, or the name is another account's",
}
"""What may be wrong where the answer has no words: those to HEAD requests are a status alone (S3, HeadBucket)."""

THROTTLE_PAUSE: Final = 10.0
"""Seconds before the next attempt when a throttled answer gives no `Retry-After`; the SDK's own retries came before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """An error answer of AWS.

    Attributes:
        call: the API action, `CreateVpc`.
        code: of the service's error table, `VpcLimitExceeded`.
        status: HTTP status, 0 when unknown.
        retry_after: the answer's `Retry-After` in seconds, if it had one.
    """

    call: str
    code: str
    message: str
    status: int = 0
    request_id: str = ""
    retry_after: float | None = None

    @property
    def absent(self) -> bool:
        """Whether it says that the thing asked for does not exist."""
        if "NotFound" in self.code or self.code.startswith("NoSuch") or self.code == "404":
            return True
        if self.code == "InvalidAMIID.Unavailable" or "NonExistent" in self.code or "DoesNotExist" in self.code:
            return True
        return self.code in _VAGUE and any(words in self.message for words in _ABSENT)

    def __str__(self) -> str:
        guess = _WORDLESS.get(self.code)
        return f"{self.call}: {self.code}: {self.message}" + (f" ({guess})" if guess else "")


class RefusedError(NonRecoverableError):
    """AWS refused, and would refuse the same request again."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal), detail=_detail(refusal))
        self.refusal = refusal


class BusyError(RecoverableError):
    """AWS refused for a reason that passes."""

    def __init__(self, refusal: Refusal) -> None:
        pause = THROTTLE_PAUSE if refusal.code in _THROTTLED else None
        super().__init__(str(refusal), retry_after=refusal.retry_after or pause, detail=_detail(refusal))
        self.refusal = refusal


def judge(refusal: Refusal) -> RefusedError | BusyError:
    """Return the error that says whether the same request may succeed later.

    Sources: the error codes of the EC2 API reference ("Error codes for the Amazon EC2 API") and botocore's tables of
    throttling and transient codes.
    """
    named = refusal.code in _THROTTLED or refusal.code in _PASSING
    # A name that is taken has the same code in the create calls of these services, and does not pass.
    held = refusal.call.startswith("Delete") and refusal.code in _HELD
    unseen = any(words in refusal.message for words in _UNSEEN)
    passing = named or held or unseen or refusal.status >= 500
    return BusyError(refusal) if passing else RefusedError(refusal)


def partial(call: str, answer: Mapping[str, Any]) -> Refusal | None:
    """Return what a call for several things failed in, though AWS answers it with success; None when in nothing."""
    told = answer.get("UnsuccessfulFleetRequests") or ()
    failed = [each.get("Error") or {} for each in told]
    if answer.get("FailedEntryCount"):
        failed += [each for each in answer.get("FailedEntries") or answer.get("Entries") or () if each.get("ErrorCode")]
    if not failed:
        return None
    first = failed[0]
    message = str(first.get("ErrorMessage") or first.get("Message") or "")
    several = f" ({len(failed)} of them failed)" if len(failed) > 1 else ""
    return Refusal(call=call, code=str(first.get("ErrorCode") or first.get("Code")), message=message + several)


@contextmanager
def unless_gone(*also: str) -> Iterator[None]:
    """Take for done what the block takes away when AWS says that it is not there, or answers one of these codes."""
    try:
        yield
    except RefusedError as error:
        if not error.refusal.absent and error.refusal.code not in also:
            raise


def _detail(refusal: Refusal) -> str:
    return f"HTTP {refusal.status}, request {refusal.request_id}" if refusal.request_id else ""
