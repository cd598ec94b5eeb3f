"""Run controllers on the event loop: a change marks keys, each marked key is reconciled once, in order.

No polling: work begins in the turn of the loop after the write. A controller that needs time asks to be called again
after so many seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol

from groundplan_sandbox.kubernetes.api import Api
from groundplan_sandbox.kubernetes.kinds import Kind, Object
from groundplan_sandbox.kubernetes.status import ApiError
from groundplan_sandbox.kubernetes.store import Change, ChangeType

log = logging.getLogger(__name__)

Key = tuple[str, str]
"""Namespace ("" when cluster-scoped) and name."""

_RETRY_SECONDS = 0.2


class Controller(Protocol):
    """Brings one kind of object to what it asks for."""

    def affected(self, change: Change) -> Iterable[Key]:
        """The objects to look at again after a change."""
        ...

    def reconcile(self, key: Key) -> float | None:
        """Bring one object nearer to what it asks for; seconds after which to look again, or None."""
        ...


class WorkQueue:
    """Pending (controller, key) pairs, each at most once, one reconciled in each turn of the loop."""

    def __init__(self, api: Api, controllers: Iterable[Controller]) -> None:
        self._api = api
        self._controllers = tuple(controllers)
        self._pending: dict[tuple[Controller, Key], None] = {}
        self._timers: dict[tuple[Controller, Key], asyncio.TimerHandle] = {}
        self._scheduled = False
        self._running = False

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._running = True
        self._forget = self._api.store.listen(self.observe)
        for kind, item in self._api.store.everything():
            self.observe(_as_added(kind, item, self._api.store.revision))

    def stop(self) -> None:
        self._running = False
        self._forget()
        for timer in self._timers.values():
            timer.cancel()

    def observe(self, change: Change) -> None:
        for controller in self._controllers:
            for key in controller.affected(change):
                self._add((controller, key))

    def _add(self, work: tuple[Controller, Key]) -> None:
        self._pending[work] = None
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        if not self._running or not self._pending:
            return
        work = next(iter(self._pending))
        del self._pending[work]
        self._reconcile(work)
        if self._pending and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _reconcile(self, work: tuple[Controller, Key]) -> None:
        controller, key = work
        try:
            again = controller.reconcile(key)
        except ApiError as error:
            log.debug("%s at %s: %s", type(controller).__name__, key, error.message)
            again = _RETRY_SECONDS
        except Exception:
            log.exception("%s failed at %s", type(controller).__name__, key)
            return
        if timer := self._timers.pop(work, None):
            timer.cancel()
        if again is not None:
            self._timers[work] = self._loop.call_later(again, self._add, work)


def _as_added(kind: Kind, item: Object, revision: int) -> Change:
    return Change(revision=revision, type=ChangeType.ADDED, kind=kind, object=item, previous=None)
