"""Notes that somebody had sensitive values shown: every `--reveal` leaves an event."""

from datetime import datetime

from groundplan.model.execution import Event, EventType
from groundplan.model.ids import DeploymentId
from groundplan.state.store import Store


def note_reveal(store: Store, what: str, now: datetime, *, deployment: str = "") -> None:
    """Leave an event that sensitive values were shown.

    Args:
        what: for people, for example `capabilities of app_dev_small` or `secret db_password`.
        deployment: whose events it joins; empty for none.
    """
    event = Event(
        at=now,
        type=EventType.REVEALED,
        message=f"Sensitive values were shown: {what}",
        execution=None,
        deployment=DeploymentId(deployment),
    )
    with store.transaction() as transaction:
        transaction.append_event(event)
