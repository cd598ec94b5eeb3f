"""What is noted of an instance's health in its system properties (spec 5.7), and how that reads.

The driver stores the notes with the outcome that they come from; `heal` and the status of deployments read them.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from groundplan.model.deployment import InstanceState, NodeInstance
from groundplan.model.execution import Outcome, Verdict
from groundplan.model.graph import Side, Task
from groundplan.model.ids import InstanceId
from groundplan.model.values import Data, conceal
from groundplan.planning.lifecycle import LIFECYCLE, RELATIONSHIP_LIFECYCLE, VALIDATION

CHECK_STATUS: Final = f"{VALIDATION}.check_status"
CHECK_DRIFT: Final = f"{LIFECYCLE}.check_drift"
CHECK_RELATIONSHIP_DRIFT: Final = f"{RELATIONSHIP_LIFECYCLE}.check_drift"
NOTED_OPERATIONS: Final = frozenset({CHECK_STATUS, CHECK_DRIFT, CHECK_RELATIONSHIP_DRIFT})

STATUS: Final = "status"
PREVIOUS_STATUS: Final = "previous_status"
DRIFT: Final = "configuration_drift"
_LINK_DRIFTS: Final = {
    Side.SOURCE: "source_relationships_configuration_drift",
    Side.TARGET: "target_relationships_configuration_drift",
}
_OWN: Final = frozenset({STATUS, PREVIOUS_STATUS, DRIFT, *_LINK_DRIFTS.values()})

Notes = Mapping[str, Data]
"""The system properties of an instance."""


def noted_instance(task: Task) -> InstanceId:
    """Return the instance that the outcome of one of `NOTED_OPERATIONS` is noted at."""
    ref = task.relationship
    return task.instance if ref is None or ref.side is Side.SOURCE else ref.target


def note_outcome(notes: Notes, task: Task, outcome: Outcome, now: datetime) -> Notes:
    """Return an instance's notes with how one of `NOTED_OPERATIONS` ended. Secrets in its result are masked."""
    ok = outcome.verdict is Verdict.SUCCEEDED
    failure = outcome.failure
    result = conceal(outcome.result) if ok else None if failure is None else failure.message
    entry = _entry(task.operation, result, now, ok=ok)
    if task.operation == CHECK_STATUS:
        return _with_status(notes, entry)
    if task.relationship is None:
        return {**notes, DRIFT: entry}
    key, ref = _LINK_DRIFTS[task.relationship.side], task.relationship
    other = ref.target if ref.side is Side.SOURCE else ref.source
    known = notes.get(key)
    return {**notes, key: {**(known if isinstance(known, dict) else {}), other: entry}}


def note_healed(notes: Notes, now: datetime) -> Notes:
    """Return an instance's notes after its heal operations have ended well."""
    return _with_status(notes, _entry(f"{LIFECYCLE}.heal", None, now, ok=True))


def note_updated(notes: Notes) -> Notes:
    """Return an instance's notes after its update operations have ended well: it has not drifted any more."""
    return {key: value for key, value in notes.items() if key not in (DRIFT, *_LINK_DRIFTS.values())}


def note_state(notes: Notes, state: InstanceState) -> Notes:
    """Return an instance's notes as it reaches a state: of one that is made anew, earlier notes are forgotten."""
    if state in (InstanceState.STARTED, InstanceState.DELETED):
        return {key: value for key, value in notes.items() if key not in _OWN}
    return notes


def _entry(task: str, result: Data, now: datetime, *, ok: bool) -> dict[str, Data]:
    return {"ok": ok, "task": task, "timestamp": now.isoformat(), "result": result}


def _with_status(notes: Notes, entry: Data) -> Notes:
    changed = {**notes, STATUS: entry}
    if STATUS in notes:
        changed[PREVIOUS_STATUS] = notes[STATUS]
    return changed


# -- how notes read


def is_available(instance: NodeInstance) -> bool | None:
    """Whether its status was found to be well, or None when nobody has looked."""
    found = instance.system_properties.get(STATUS)
    return found.get("ok") is True if isinstance(found, dict) else None


def is_drifted(instance: NodeInstance) -> bool:
    """Whether it, or one of its relationships, was found to be other than declared."""
    return bool(drifts(instance))


def drifts(instance: NodeInstance) -> list[str]:
    """Return the kinds of drift that were found, as they are called in the system properties."""
    notes = instance.system_properties
    found = [DRIFT] if _tells_drift(notes.get(DRIFT)) else []
    for key in _LINK_DRIFTS.values():
        links = notes.get(key)
        if isinstance(links, dict) and any(map(_tells_drift, links.values())):
            found.append(key)
    return found


def _tells_drift(entry: Data) -> bool:
    return isinstance(entry, dict) and entry.get("ok") is True and bool(entry.get("result"))
