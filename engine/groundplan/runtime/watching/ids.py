"""Ids of traces and spans, made from ids in the store: whoever goes on with an execution goes on with its trace."""

from dataclasses import dataclass
from hashlib import blake2b

from groundplan.model.ids import ExecutionId


def trace_id(root: ExecutionId) -> int:
    """Return the trace of an execution that has no parent, and of all its children."""
    return _number("trace", root, size=16)


def execution_span(execution: ExecutionId) -> int:
    """Return the span of an execution."""
    return _number("execution", execution)


def task_span(execution: ExecutionId, task: int) -> int:
    """Return the span of a task."""
    return _number("task", execution, task)


def attempt_span(execution: ExecutionId, task: int, attempt: int) -> int:
    """Return the span of an attempt."""
    return _number("attempt", execution, task, attempt)


def call_span(execution: ExecutionId, task: int, attempt: int, call: int) -> int:
    """Return the span of a request that an attempt made."""
    return _number("call", execution, task, attempt, call)


def _number(*parts: object, size: int = 8) -> int:
    digest = blake2b("\0".join(map(str, parts)).encode(), digest_size=size).digest()
    return int.from_bytes(digest, "big") or 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where something stands in a trace."""

    trace: int
    span: int

    @property
    def trace_text(self) -> str:
        """The trace as W3C writes it."""
        return f"{self.trace:032x}"

    @property
    def span_text(self) -> str:
        """The span as W3C writes it."""
        return f"{self.span:016x}"
