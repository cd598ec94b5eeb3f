"""Faults on demand: a share of the calls is throttled, fails, is lost or hangs, so that people can rehearse a bad day.

Seeded, so that the same calls in the same order meet the same faults, and bounded, so that a rehearsal ends. `gate`
asks before it lets a request through and words what comes back; the calls' names are `operations`' to find.
"""

import random
import threading
import time
from collections.abc import Callable
from enum import Enum
from typing import Any

import msgspec

LONGEST_HANG = 300.0
MOST_FAULTS = 10_000


class Kind(Enum):
    """What happens to a call."""

    THROTTLE = "throttle"
    """Refused, in the service's own words for too many requests."""
    FAIL = "fail"
    """Refused with a code and an HTTP status."""
    LOSE = "lose"
    """Carried out, and its answer lost: the caller is told of an internal error."""
    HANG = "hang"
    """Answered late."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Faults for calls of `service` (its signing name) and `operation`; `*` is every one.

    share: 0 to 1 of the calls. limit: after so many faults the rule is used up. seconds: how long a call hangs.
    code, status: what a failing call is told, such as InsufficientInstanceCapacity and 500.
    """

    service: str
    operation: str = "*"
    kind: Kind
    share: float = 0.3
    limit: int = 20
    seed: int = 1
    seconds: float = 5.0
    code: str = "InternalError"
    status: int = 500

    def __post_init__(self) -> None:
        """Raises ValueError in words for whoever wrote the rule."""
        if not 0 < self.share <= 1:
            raise ValueError(f"share must be above 0 and at most 1, not {self.share}")
        if not 1 <= self.limit <= MOST_FAULTS:
            raise ValueError(f"limit must be 1 to {MOST_FAULTS}, not {self.limit}")
        if not 0 < self.seconds <= LONGEST_HANG:
            raise ValueError(f"seconds must be above 0 and at most {LONGEST_HANG:.0f}, not {self.seconds}")
        if not 400 <= self.status <= 599:
            raise ValueError(f"status must be an HTTP error, 400 to 599, not {self.status}")
        if self.operation != "*" and self.service in ("*", "s3"):
            raise ValueError("an operation needs its service, and S3's calls are not told apart: use *")


class _Active:
    """A rule in force. `met`: calls that it was asked about; `dealt`: those that it spoiled."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.met = self.dealt = 0
        self._random = random.Random(rule.seed)  # noqa: S311 - repeatable on purpose

    def draw(self, service: str, operation: Callable[[], str]) -> bool:
        if self.dealt >= self.rule.limit or self.rule.service not in ("*", service):
            return False
        if self.rule.operation not in ("*", operation()):
            return False
        self.met += 1
        hit = self._random.random() < self.rule.share
        self.dealt += hit
        return hit


class Faults:
    """The rules in force. Any thread may call."""

    def __init__(self, sleep: Callable[[float], object] = time.sleep) -> None:
        self._active: list[_Active] = []
        self._lock = threading.Lock()
        self.sleep = sleep

    def add(self, rule: Rule) -> None:
        """Put a rule in force, in place of one for the same service, operation and kind."""
        with self._lock:
            self._active = [each for each in self._active if _aim(each.rule) != _aim(rule)] + [_Active(rule)]

    def clear(self) -> int:
        """Take every rule back; gives how many there were."""
        with self._lock:
            count = len(self._active)
            self._active = []
        return count

    def draw(self, service: str, operation: Callable[[], str]) -> Rule | None:
        """The rule that spoils this call, if any: the first that hits. `operation` is called when a rule names one."""
        with self._lock:
            return next((each.rule for each in self._active if each.draw(service, operation)), None)

    def listing(self) -> list[dict[str, Any]]:
        """The rules as JSON, with `met` and `dealt`."""
        with self._lock:
            return [{**msgspec.to_builtins(each.rule), "met": each.met, "dealt": each.dealt} for each in self._active]


def _aim(rule: Rule) -> tuple[str, str, Kind]:
    return rule.service, rule.operation, rule.kind
