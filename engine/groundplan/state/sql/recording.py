"""A driver's transaction that begins when it must: one that records a batch and no more is a single statement.

Most of a driver's commits are such, and a server would be asked three times for each: to begin, to write, to commit.
"""

from collections.abc import Callable

from sqlalchemy import Connection

from groundplan.state.seal import Seal
from groundplan.state.sql.batches import Columns, Writer
from groundplan.state.sql.journal import stale
from groundplan.state.sql.writes import SqlTransaction
from groundplan.state.store import Batch


class Recording(SqlTransaction):
    """Implements `store.Transaction` for `Store.recording`."""

    def __init__(
        self, connection: Connection, seal: Seal, ahead: Callable[[], float], writer: Writer, begin: Callable[[], None]
    ) -> None:
        """Wrap a connection without a transaction.

        Args:
            begin: begins one on it, beside other drivers'.
        """
        self._begin = begin
        self._has_begun = False
        self._kept: tuple[Batch, Columns] | None = None
        super().__init__(connection, seal, ahead, writer, beside=True)

    @property
    def _connection(self) -> Connection:
        """The connection in its transaction, for whatever asks or writes."""
        if not self._has_begun:
            self._begin()
            self._has_begun = True
        kept, self._kept = self._kept, None
        if kept is not None:
            self._record(*kept)
        return self._bare

    @_connection.setter
    def _connection(self, connection: Connection) -> None:
        self._bare = connection

    def record(self, batch: Batch) -> None:
        columns = self._columns(batch)
        is_first = not self._has_begun and self._kept is None
        is_whole = batch.end is None and not batch.forgotten and self._writer.is_whole(columns)
        if is_first and is_whole:
            self._kept = batch, columns
        else:
            self._record(batch, columns)

    def commit(self) -> None:
        """Write what is kept, and commit.

        Raises:
            StaleLease: the lease of the batch that was kept is no longer the newest; nothing was written.
        """
        if self._kept is not None:
            batch, columns = self._kept
            lease, write = batch.lease, self._writer.write_whole
            if not write(self._bare, lease.execution, batch.deployment, columns, fence=lease.fence):
                raise stale(lease)
        elif self._has_begun:
            self._bare.commit()
