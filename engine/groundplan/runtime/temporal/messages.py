"""What travels through Temporal: ids and numbers, never a value of a blueprint; histories are readable by operators.

Imported by the workflow, so standard library only. Fields may be added with a default, never renamed: histories of
earlier versions are read with these classes.
"""

import re
from dataclasses import dataclass, field
from typing import Final

EXECUTION: Final = "groundplan-execution"
"""The workflow's name."""
EXCHANGE: Final = "groundplan-exchange"
ATTEMPT: Final = "groundplan-attempt"
LOOK: Final = "look"
"""The signal that has an execution look at the store at once."""

CONTROL_QUEUE: Final = "groundplan"
"""Where workflows run, and where an execution finds a keeper."""
DEFAULT_QUEUE: Final = "default"
QUEUE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
MOST: Final = 100
"""Outcomes and ready tasks of one exchange, and attempts of one execution under way."""


def task_queue(queue: str) -> str:
    """Return the Temporal task queue of attempts for a queue as users name it."""
    return f"{CONTROL_QUEUE}-on-{queue}"


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How long silence may last, in seconds, and a history, in events.

    Attributes:
        silence: without a heartbeat, a worker is taken for dead.
        keeper_patience: a keeper that does not begin an exchange by then is given up.
        longest_history: from here on no attempt starts until those under way have ended and the workflow has continued
            as new; before that it does so when nothing happens to be under way.
    """

    silence: float = 20.0
    keeper_patience: float = 20.0
    longest_history: int = 20_000


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """What an execution's workflow begins with, anew each time it continues as new.

    Attributes:
        keeper: the task queue of the worker that keeps it, or empty.
        fence: fencing number of that keeper's lease.
        sequence: of the last exchange.
        children: executions that it waits for and that have workflows.
        retries: attempts after the first, where a blueprint says nothing; None for the keeper's own number.
    """

    execution: str
    retries: int | None = None
    timing: Timing = field(default_factory=Timing)
    keeper: str = ""
    fence: int = 0
    sequence: int = 0
    children: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Order:
    """One attempt to be made; see `runtime.attempt.Assignment`."""

    execution: str
    task: int
    number: int
    earlier: int
    retries: int
    timeout: float
    lost: bool
    queue: str


@dataclass(frozen=True, kw_only=True)
class Landed:
    """An attempt that is under way no more; `lost` when it left no outcome as far as the workflow can tell."""

    task: int
    number: int
    lost: bool = False


@dataclass(frozen=True, kw_only=True)
class Flying:
    """An attempt that is under way."""

    task: int
    number: int


@dataclass(frozen=True, kw_only=True)
class Child:
    """A child execution that is to get a workflow of its own."""

    execution: str
    deployment: str
    blueprint: str
    workflow: str


@dataclass(frozen=True, kw_only=True)
class Request:
    """What an execution tells its keeper.

    Attributes:
        sequence: one more than that of the exchange before; a repeat has the same.
        fence: the fencing number that it knows of; another worker may take over from that one only.
        room: attempts that may be handed out.
        children: executions that it waits for and that have workflows already.
        give_up: the execution is to end without waiting for what is under way.
    """

    execution: str
    sequence: int
    fence: int
    room: int
    retries: int | None = None
    landed: list[Landed] = field(default_factory=list)
    flying: list[Flying] = field(default_factory=list)
    children: list[str] = field(default_factory=list)
    give_up: bool = False


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What its keeper tells an execution.

    Attributes:
        status: of the execution, for the search attribute.
        ended: the execution is over; nothing else counts.
        held: another driver has it; ask again in `wake_in` seconds.
        keeper: the task queue to ask from now on.
        children: those that are to get workflows.
        awaited: all executions that it waits for.
        more: further tasks are ready than there was room for.
        wake_in: seconds until an attempt is due, or None.
    """

    status: str
    ended: bool = False
    held: bool = False
    keeper: str = ""
    fence: int = 0
    orders: list[Order] = field(default_factory=list)
    children: list[Child] = field(default_factory=list)
    awaited: list[str] = field(default_factory=list)
    more: bool = False
    wake_in: float | None = None
