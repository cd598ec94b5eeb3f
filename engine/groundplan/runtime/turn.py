"""What the local driver's loop holds between two commits: what came in, what is in flight, and what is to be written.

Nouns only: `local` says what happens to them, in the driver's one thread.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

from groundplan.model.execution import Event, Outcome
from groundplan.model.ids import ExecutionId
from groundplan.runtime.dialogue.dialogue import Dialogue
from groundplan.runtime.drive import Drive, Start
from groundplan.runtime.foreign import workflow_process
from groundplan.runtime.workers import Flag
from groundplan.state.store import Batch


@dataclass(slots=True)
class Flight:
    """An attempt that was handed to the threads.

    Attributes:
        given_up: set when nobody waits for its outcome any more.
        begun: when a thread took it (monotonic); its time counts from then on.
    """

    drive: Drive
    start: Start
    given_up: threading.Event = field(default_factory=Flag)
    begun: float | None = None
    takers: Iterator[int] = field(default_factory=count)

    def take(self) -> bool:
        """Whether the caller is the first to ask: a thread that runs it, or the loop that has it run no more."""
        return not next(self.takers)

    def is_over(self, clock: float) -> bool:
        """Whether it has had its time."""
        return self.begun is not None and self.begun + self.start.timeout <= clock


class Heard(NamedTuple):
    """What the process of a custom workflow said, and in which dialogue: an earlier one's counts no more."""

    dialogue: Dialogue
    message: workflow_process.Heard


class Report(NamedTuple):
    """What comes back from threads: an outcome, an event to be told, or what a custom workflow's process says.

    Attributes:
        took: seconds that the attempt took.
    """

    execution: ExecutionId
    task: int = -1
    number: int = 0
    outcome: Outcome | None = None
    event: Event | None = None
    took: float = 0.0
    heard: Heard | None = None


@dataclass(kw_only=True, slots=True)
class Turn:
    """What happens between two commits; kept while the store fails.

    Attributes:
        taken: the attempts whose outcomes are among the reports.
        recorded: the drive of each batch.
        late: reports that came in while the store failed.
    """

    reports: list[Report]
    taken: dict[tuple[ExecutionId, int], Flight] = field(default_factory=dict)
    starts: list[tuple[Drive, Start]] = field(default_factory=list)
    ended: list[Drive] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    recorded: list[Drive] = field(default_factory=list)
    late: list[Report] = field(default_factory=list)
