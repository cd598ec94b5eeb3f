"""What a driver says while its store fails for a while, and how it finds out what had been written all the same.

A COMMIT that failed may have landed all the same, when the server went away while it answered. What a driver holds in
memory is then worth nothing: it goes on from the record, and from the reports that are not in it.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from groundplan.state.store import Batch, Snapshot, StoreFault

RETRY_SECONDS: Final = 3.0
"""Between two tries to write again."""


def paused_words(fault: StoreFault, now: datetime, leaving: str = "Ctrl-C leaves; resume it later.") -> str:
    """Return what people are told when an execution pauses.

    Args:
        leaving: how they may, and what follows then.
    """
    since = f"{now.astimezone():%H:%M:%S}"
    cure = f" {fault.cure}" if fault.cure else ""
    return (
        f"Paused since {since}: {fault.message}{cure} Nothing is lost: it goes on when the store is back, and tries "
        f"every {RETRY_SECONDS:g} s. {leaving}"
    )


def resumed_words(seconds: float) -> str:
    """Return what people are told when it goes on."""
    return f"The store is back after {seconds:.0f} s: going on."


def has_landed(snapshot: Snapshot, batches: Iterable[Batch]) -> bool:
    """Whether a transaction that failed was committed all the same; its batches happened together or not at all.

    One that held nothing but events cannot be told from none: those are then told twice.
    """
    for batch in batches:
        execution = batch.lease.execution
        for start in batch.started[:1]:
            record = snapshot.task(execution, start.task)
            return record is not None and record.attempts >= start.number
        for end in batch.ended[:1]:
            record = snapshot.task(execution, end.task)
            return record is not None and record.state is end.state
        if batch.end is not None:
            found = snapshot.execution(execution)
            return found is not None and found.status is batch.end.status
    return False
