"""Collects what one attempt asks of the world (`sdk.spans`), to be told when it has ended and its secrets are known.

What becomes of it is the `observer`'s affair.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from groundplan.sdk.spans import WATCHED, Attribute, Span

MOST_CALLS: Final = 1_000
"""Kept of one attempt; one that polls for an hour asks more often, and the first say what it does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request to the world that has ended.

    Attributes:
        number: in the order of their beginnings within the attempt, from 1.
        within: number of the call that it was made in, or 0.
        began, ended: nanoseconds since 1970.
        error: name of the exception that left it, or empty.
        message: the exception's words.
    """

    number: int
    within: int
    name: str
    attributes: Mapping[str, Attribute]
    began: int
    ended: int
    error: str = ""
    message: str = ""

    def masked(self, mask: Callable[[str], str]) -> "Call":
        """Return it with every text masked."""
        attributes = {key: mask(item) if isinstance(item, str) else item for key, item in self.attributes.items()}
        return replace(self, name=mask(self.name), attributes=attributes, message=mask(self.message))


@dataclass(kw_only=True, slots=True)
class Calls:
    """The calls of one attempt.

    Attributes:
        traceparent: gives a call's W3C trace context, by its number.
        dropped: how many were not kept.
    """

    traceparent: Callable[[int], str]
    dropped: int = 0
    _ended: list[Call] = field(default_factory=list)
    _open: list[int] = field(default_factory=list)
    _count: int = 0

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Take the calls of this thread until the block is left."""
        token = WATCHED.set(self)
        try:
            yield
        finally:
            WATCHED.reset(token)

    @contextmanager
    def open(self, name: str, attributes: Mapping[str, Attribute]) -> Iterator[Span]:
        """Take a call; see `sdk.spans.Spans`."""
        self._count += 1
        number, within, began = self._count, self._open[-1] if self._open else 0, time.time_ns()
        self._open.append(number)
        failure: BaseException | None = None
        try:
            yield Span(traceparent=self.traceparent(number))
        except GeneratorExit:  # nobody wants more of an answer that came in pieces
            raise
        # Whatever ends the call, a cancelled attempt too, is told of it and goes on its way.
        except BaseException as error:
            failure = error
            raise
        finally:
            self._open.remove(number)
            call = Call(
                number=number,
                within=within,
                name=name,
                attributes={key.replace("_", "."): item for key, item in attributes.items()},
                began=began,
                ended=time.time_ns(),
                error="" if failure is None else type(failure).__name__,
                message="" if failure is None else str(failure),
            )
            self._keep(call)

    def _keep(self, call: Call) -> None:
        if len(self._ended) < MOST_CALLS:
            self._ended.append(call)
        else:
            self.dropped += 1

    def masked(self, mask: Callable[[str], str]) -> tuple[Call, ...]:
        """Return what was kept, masked."""
        return tuple(call.masked(mask) for call in self._ended)
