"""How far a server's clock is ahead of this host's: leases are told by the one clock that all hosts share.

Asked for anew now and then, and at once when this host's clock was set. What is a moment elsewhere is the host's own.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

_FRESH_SECONDS: Final = 30.0
_UNSEEN_SECONDS: Final = 1.0
"""Below it, clocks agree; also by how much a clock must jump to have been set."""


class ServerClock:
    """The clock of one server, as one process sees it.

    Args:
        host: this host's clock, in seconds since the epoch.
    """

    def __init__(self, host: Callable[[], float] = time.time) -> None:
        self._host = host
        self._lock = threading.Lock()
        self._asked_at = -_FRESH_SECONDS
        self._since_start = 0.0
        self._ahead = 0.0

    def ahead(self, ask: Callable[[], float]) -> float:
        """Return the seconds that the server's clock is ahead; 0 when nobody would notice.

        Args:
            ask: asks the server for its time.
        """
        with self._lock:
            steady = time.monotonic()
            was_set = abs(self._host() - steady - self._since_start) > _UNSEEN_SECONDS
            if was_set or steady - self._asked_at >= _FRESH_SECONDS:
                began = self._host()
                answer = ask()
                ended = self._host()
                found = answer - (began + ended) / 2
                self._ahead = found if abs(found) > max(_UNSEEN_SECONDS, ended - began) else 0.0
                self._asked_at, self._since_start = steady, began - steady
            return self._ahead
