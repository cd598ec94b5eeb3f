"""Events: what the controllers tell people, as `kubectl describe` and `kubectl get events` show it.

The same message about the same object is counted, not repeated; the oldest events go when there are too many.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from groundplan_sandbox.kubernetes.api import Api, Options
from groundplan_sandbox.kubernetes.kinds import EVENT, Kind, Object
from groundplan_sandbox.kubernetes.metadata import random_suffix, timestamp
from groundplan_sandbox.kubernetes.status import ApiError
from groundplan_sandbox.kubernetes.store import name_of, namespace_of

SOURCE = "sandbox"
MOST_EVENTS = 1000
_OPTIONS = Options(manager=SOURCE)


@dataclass(kw_only=True)
class Recorder:
    api: Api
    _seen: dict[tuple[str, str, str], Object] = field(default_factory=dict)

    def normal(self, kind: Kind, item: Object, reason: str, message: str) -> None:
        self._record("Normal", kind, item, reason, message)

    def warning(self, kind: Kind, item: Object, reason: str, message: str) -> None:
        self._record("Warning", kind, item, reason, message)

    def _record(self, event_type: str, kind: Kind, item: Object, reason: str, message: str) -> None:
        key = (item["metadata"]["uid"], reason, message)
        known = self._seen.get(key)
        if known is not None and self.api.store.get(EVENT, namespace_of(known), name_of(known)):
            self.api.modify(EVENT, known, _count, _OPTIONS)
            return
        namespace = namespace_of(item) or "default"
        body = _event(event_type, kind, item, reason, message)
        try:
            self._seen[key] = self.api.create(EVENT, namespace, body, _OPTIONS)
        except ApiError:
            # A namespace that is going away takes no new objects; nobody is left to read the event.
            return
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        if len(self._seen) > MOST_EVENTS:
            event = self._seen.pop(next(iter(self._seen)))
            if self.api.store.get(EVENT, namespace_of(event), name_of(event)):
                self.api.store.remove(EVENT, event)


def _count(event: Object) -> None:
    event |= {"count": event["count"] + 1, "lastTimestamp": timestamp()}


def _event(event_type: str, kind: Kind, item: Object, reason: str, message: str) -> Object:
    now = timestamp()
    involved = {"kind": kind.kind, "apiVersion": kind.api_version, "name": name_of(item)}
    involved |= {"namespace": namespace_of(item), "uid": item["metadata"]["uid"]}
    involved["resourceVersion"] = item["metadata"]["resourceVersion"]
    return {
        "metadata": {"name": f"{name_of(item)}.{random_suffix(16)}"},
        "involvedObject": involved,
        "reason": reason,
        "message": message,
        "type": event_type,
        "source": {"component": SOURCE},
        "reportingComponent": SOURCE,
        "reportingInstance": "",
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
