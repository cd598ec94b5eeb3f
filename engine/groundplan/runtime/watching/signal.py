"""What each of logs, traces and metrics does with what is told; the `watcher` calls them one after another."""

from typing import Protocol

from groundplan.runtime.observer import Attempted, Committed, Written


class Signal(Protocol):
    """Takes what is told, in one thread.

    `trace` is the id of the trace that the execution belongs to.
    """

    def committed(self, told: Committed, trace: int) -> None: ...

    def attempted(self, told: Attempted, trace: int) -> None: ...

    def written(self, told: Written) -> None: ...

    def dropped(self, count: int) -> None:
        """Take note that so much was told faster than it could be handed on."""

    def close(self) -> None:
        """Hand on what is left."""

    def give_up(self) -> None:
        """Have `close`, which runs in another thread, end without handing on the rest."""
