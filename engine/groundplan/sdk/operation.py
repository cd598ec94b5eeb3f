"""How a plugin marks a function as an operation.

The function takes the context first and the operation's inputs as keywords; it is ordinary blocking Python and
runs in a thread of its own. Which function stands behind which operation path is said in plugin.yaml.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext

_TRAITS: Final = "__groundplan_operation__"


class OperationFunction(Protocol):
    """What the engine calls. Its result must be JSON data or None."""

    def __call__(self, ctx: OperationContext, /, **inputs: Any) -> Data:
        """Do the operation.

        Raises:
            RecoverableError: another attempt may succeed.
            NonRecoverableError: it cannot.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Traits:
    """What the engine may assume of an operation.

    Attributes:
        repeatable: calling it again after it ended, or was cut off, does no harm: it finds what it made. An operation
            that is not repeatable and was in flight when the engine died is not run again unasked.
        finds_lost_attempt: though not repeatable, it finds out by `ctx.operation.lost_attempt` what became of an
            attempt that was cut off, and goes on from there.
    """

    repeatable: bool = True
    finds_lost_attempt: bool = False


_F = TypeVar("_F", bound=Callable[..., Any])


def operation(*, repeatable: bool = True, finds_lost_attempt: bool = False) -> Callable[[_F], _F]:
    """Mark a function as an operation with its traits; without the mark it counts as not repeatable."""

    def mark(function: _F) -> _F:
        setattr(function, _TRAITS, Traits(repeatable=repeatable, finds_lost_attempt=finds_lost_attempt))
        return function

    return mark


def traits(function: Callable[..., Any]) -> Traits:
    """Return the traits of a function; of an unmarked one, those that promise nothing."""
    found = getattr(function, _TRAITS, None)
    return found if isinstance(found, Traits) else Traits(repeatable=False)
