"""What an operation asks of the world, as it is told to those who watch: `with span("aws", ...)` round each request.

A plugin's client says it at its one door; it costs a look at a variable while nobody watches. Who watches, what becomes
of it and how it is masked is `runtime`'s. Attributes say what was asked, never with what: no body, no credential.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Protocol

Attribute = str | int | float | bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A request that is under way.

    Attributes:
        traceparent: W3C trace context to hand on to the other side (variable TRACEPARENT, header traceparent); empty
            while nobody watches.
    """

    traceparent: str = ""

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that hand it on to a process: TRACEPARENT, or none."""
        return {"TRACEPARENT": self.traceparent} if self.traceparent else {}


class Spans(Protocol):
    """Takes the requests of one attempt."""

    def open(self, name: str, attributes: Mapping[str, Attribute]) -> AbstractContextManager[Span]:
        """Take a request from its beginning to the end of the block, and what was raised in it."""


WATCHED: Final[ContextVar[Spans | None]] = ContextVar("groundplan_spans", default=None)
"""Who takes the requests of the attempt that runs in this thread; set by the engine."""
_UNWATCHED: Final = nullcontext(Span())


def span(name: str, **attributes: Attribute) -> AbstractContextManager[Span]:
    """Tell of a request to the world while the block runs.

    Args:
        name: the kind and what is asked, from a small set: `aws ec2.create_vpc`, `kubernetes GET`.
        attributes: what else is worth knowing, by OpenTelemetry's names with `_` for `.`: `server_address="10.0.0.4"`.
    """
    watching = WATCHED.get()
    return _UNWATCHED if watching is None else watching.open(name, attributes)
