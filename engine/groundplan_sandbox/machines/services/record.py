"""Which servers run, kept with the machine, so that they come back when the sandbox itself was stopped or killed.

PostgreSQL is not here: it has a unit, and the machine's own systemctl remembers it.
"""

from collections.abc import Mapping
from typing import Any

from groundplan_sandbox.machines.services.household import Household, Running


class RunningRecord:
    """Changes are written at once, until it is closed: what runs then is what is to come back."""

    def __init__(self, household: Household) -> None:
        self._household = household
        self._running: dict[str, Running] = {}
        self._closed = False

    def add(self, name: str, kind: str, request: Mapping[str, Any]) -> None:
        """A server runs; `request` starts it again."""
        self._running[name] = Running(kind=kind, request=dict(request))
        self._write()

    def remove(self, name: str) -> None:
        """A server has stopped."""
        if self._running.pop(name, None) is not None:
            self._write()

    def close(self) -> None:
        """The machine is being put away; what stops from now on stays in the record."""
        self._closed = True

    def _write(self) -> None:
        if not self._closed:
            self._household.services_changed(list(self._running.values()))
