"""Waits until AWS reached a state, looking through botocore's waiters and sleeping by the context's clock.

Looks come quickly at first and slow down to the pace that AWS advises: a rehearsal is quick, an account is not worn.
"""

from collections.abc import Callable
from typing import Final

from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan_aws.client import Progress
from groundplan_aws.resource import POLLED, first
from groundplan_aws.target import Target

_FIRST_PAUSE: Final = 0.1
_SANDBOX_PAUSE: Final = 1.0
_GROWTH: Final = 1.6
_RESERVE: Final = 0.8
"""The share of the attempt's time that waiting may take; the rest is for recording what came of it."""

_STATE_DELAY: Final = 10.0
_STATE_PATIENCE: Final = 1800.0
"""Seconds between two looks, and in all, where botocore has no waiter that says how AWS advises it."""

_SIGHT_DELAY: Final = 5.0
_SIGHT_PATIENCE: Final = 60.0
"""Seconds until a new resource is seen by all of AWS (EC2 API reference, "Eventual consistency")."""


def wait(target: Target, waiter: str, identifier: str) -> None:
    """Return when the waiter's state is reached.

    Raises:
        RecoverableError: it was not reached in time; the next attempt goes on waiting.
        NonRecoverableError: the resource came to a state from which it cannot be reached.
    """
    waiting = target.api.waiter(waiter)
    parameters = target.locator(identifier)
    progress = _poll(target, identifier, lambda: waiting.look(**parameters), waiting.delay, waiting.patience)
    if progress is Progress.FAILED:
        raise NonRecoverableError(f"{target} is {_state(target, identifier)} and will not come to {waiter}")


def wait_until_seen(target: Target, identifier: str) -> None:
    """Return when AWS can describe what it made. Raises `RecoverableError` when it cannot in time."""

    def look() -> Progress:
        return Progress.PENDING if target.describe(identifier) is None else Progress.REACHED

    _poll(target, identifier, look, _SIGHT_DELAY, _SIGHT_PATIENCE)


def wait_until(target: Target, identifier: str, reached: Callable[[], bool]) -> None:
    """Return when a condition holds. Raises `RecoverableError` when it does not in time."""

    def look() -> Progress:
        return Progress.REACHED if reached() else Progress.PENDING

    _poll(target, identifier, look, _STATE_DELAY, _STATE_PATIENCE)


def wait_until_works(target: Target, identifier: str) -> None:
    """Return when the resource is in a state in which it does its work. Raises as `wait`."""

    def look() -> Progress:
        description = target.describe(identifier)
        if description is None:
            return Progress.PENDING
        if target.works(description):
            return Progress.REACHED
        return Progress.FAILED if target.state_of(description) in target.resource.failed else Progress.PENDING

    if _poll(target, identifier, look, _STATE_DELAY, _STATE_PATIENCE) is Progress.FAILED:
        raise NonRecoverableError(f"{target} is {_state(target, identifier)}")


def wait_until_gone(target: Target, waiter: str, identifier: str) -> None:
    """Return when the resource is gone, by the waiter or because AWS knows nothing of it any more. Raises as `wait`."""
    if target.describe(identifier) is None:
        return
    if waiter != POLLED:
        wait(target, waiter, identifier)
        return

    def look() -> Progress:
        description = target.describe(identifier)
        if description is None or not target.lives(description):
            return Progress.REACHED
        return Progress.FAILED if target.state_of(description) in target.resource.failed else Progress.PENDING

    if _poll(target, identifier, look, _STATE_DELAY, _STATE_PATIENCE) is Progress.FAILED:
        raise NonRecoverableError(f"{target} is {_state(target, identifier)}")


def _poll(target: Target, identifier: str, look: Callable[[], Progress], delay: float, patience: float) -> Progress:
    """Look until something else than pending is seen, at most `delay` seconds apart, for at most `patience` seconds."""
    slowest = min(delay, _SANDBOX_PAUSE) if target.ctx.plugin.sandboxed else delay
    patience = min(patience, target.ctx.operation.timeout * _RESERVE)
    waited, pause = 0.0, _FIRST_PAUSE
    while (progress := look()) is Progress.PENDING:
        if waited >= patience:
            raise RecoverableError(f"{target}: still {_state(target, identifier)} after {waited:.0f} s")
        target.ctx.sleep(pause)
        waited += pause
        pause = min(pause * _GROWTH, slowest)
    return progress


def _state(target: Target, identifier: str) -> str:
    """The state as AWS tells it, with its reason if it gives one."""
    description = target.describe(identifier)
    if description is None:
        return "absent"
    state = target.state_of(description) or "there"
    reason = first(description, target.resource.reason) if target.resource.reason else None
    return f"{state} ({reason})" if reason else state
