"""Has the dialogues of a keeper's custom workflows: one thread takes what their processes say, a batch at a time.

What is said is recorded and answered at once, beside the exchanges; only when operations are to be made, or the
program has come to its end, is the execution's Temporal workflow told to ask. Which is the `keeper`'s decision.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

from groundplan.model.ids import ExecutionId
from groundplan.runtime.dialogue.dialogue import Dialogue
from groundplan.runtime.foreign.workflow_process import Heard
from groundplan.state.store import StaleLease, StoreFault

_MOST: Final = 1000
"""Messages that are taken at once."""
_logger = logging.getLogger(__name__)


class Said(NamedTuple):
    """What a process said, and in which dialogue: one that was closed meanwhile takes no notice."""

    dialogue: Dialogue
    message: Heard


Hear = Callable[[ExecutionId, Sequence[Said]], float | None]
"""Takes what was said; returns when it is to be called next at the latest, on the monotonic clock, or None."""


class Conversing:
    """The thread, from the first dialogue on.

    Args:
        hear: makes a turn of what was said, or of nothing when that is due.
    """

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._said: SimpleQueue[tuple[ExecutionId, Said | float | None] | None] = SimpleQueue()
        self._closing = False
        self._due: dict[ExecutionId, float] = {}
        self._thread: threading.Thread | None = None
        self._beginning = threading.Lock()

    def begin(self) -> None:
        """Listen, if nobody does yet. Safe to call from any thread."""
        with self._beginning:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="groundplan-dialogues", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Listen no more; what was said so far is heard."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._said.put(None)
            thread.join()

    def post(self, execution: ExecutionId, said: Said | None) -> None:
        """Take a message, or the wish for a turn (None). Safe to call from any thread."""
        self._said.put((execution, said))

    def expect(self, execution: ExecutionId, due: float) -> None:
        """Make a turn then, on the monotonic clock, if nothing is said before. Safe to call from any thread."""
        self._said.put((execution, due))

    def _run(self) -> None:
        while not self._closing:
            for execution, messages in self._collect().items():
                self._turn(execution, messages)

    def _collect(self) -> Mapping[ExecutionId, list[Said]]:
        """Wait for messages or for what is due."""
        found: dict[ExecutionId, list[Said]] = {}
        wait = max(0.0, min(self._due.values()) - time.monotonic()) if self._due else None
        with suppress(Empty):
            for _ in range(_MOST):
                item = self._said.get(timeout=0 if found else wait)
                if item is None:
                    self._closing = True
                    break
                execution, said = item
                if isinstance(said, float):
                    self._due[execution] = said
                    break
                messages = found.setdefault(execution, [])
                if said is not None:
                    messages.append(said)
        now = time.monotonic()
        for execution in [it for it, due in self._due.items() if due <= now]:
            found.setdefault(execution, [])
        return found

    def _turn(self, execution: ExecutionId, messages: Sequence[Said]) -> None:
        self._due.pop(execution, None)
        try:
            due = self._hear(execution, messages)
        except (StaleLease, StoreFault) as error:
            _logger.warning("The custom workflow of execution %s begins anew: %s", execution, error)
        except Exception:
            # Its next exchange reads the record again.
            _logger.exception("The custom workflow of execution %s", execution)
        else:
            if due is not None:
                self._due[execution] = due
