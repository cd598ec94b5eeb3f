"""What differs between the databases that a store may be in: opening, locking, and the words for faults.

`sqlite` and `postgresql` implement it, and know nothing of each other; what is alike is `store`'s.
"""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from groundplan.state.sql.batches import Writer
from groundplan.state.store import StoreFault


class Dialect(Protocol):
    """One kind of database, and where the store is in it."""

    @property
    def place(self) -> str:
        """Where the store is, for people; never with a password."""

    @property
    def upgrades_when_opened(self) -> bool:
        """Whether a store of an older form is brought up to date by whoever opens it, unasked."""

    @property
    def begin_reading(self) -> str:
        """Begins reads of one moment, which wait for nobody."""

    @property
    def begin_writing(self) -> str:
        """Begins a transaction beside which nobody writes: what it reads stays true until it commits."""

    @property
    def begin_recording(self) -> str:
        """Begins a transaction of a driver, which writes for its leases only; such ones may run beside each other."""

    @property
    def writer(self) -> Writer:
        """Writes drivers' batches."""

    @property
    def continue_counting(self) -> str:
        """Has a table (`{table}`) number its next row after those that came with numbers.

        Empty where that is so anyway.
        """

    @property
    def examine(self) -> Sequence[str]:
        """Queries by which the database looks at itself; each row that is not `ok` is a fault."""

    def ahead(self, connection: Connection) -> float:
        """Return how many seconds the clock that leases are told by is ahead of this host's."""

    def connect(self) -> Engine:
        """Return an engine whose connections begin transactions only when they are told to.

        Raises:
            StoreFault: the place cannot be used.
        """

    def fault(self, error: DBAPIError) -> StoreFault:
        """Return what went wrong in words, with the place and what to do."""
