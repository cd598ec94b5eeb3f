"""Who follows an execution is told everything once, also when the store breaks off while it is read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from groundplan.model.deployment import InstanceState
from groundplan.model.execution import ExecutionStatus
from groundplan.runtime.following import Following
from groundplan.state.store import Snapshot, StoreFault

from ..planning.builders import blueprint, lifecycle, node
from .rehearsal import Rehearsal, Seen


@dataclass(kw_only=True)
class Breaking:
    """A store whose next snapshot breaks off at its end, where told so."""

    of: Rehearsal
    breaks: bool = False

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        with self.of.store.snapshot() as snapshot:
            yield snapshot
        if self.breaks:
            self.breaks = False
            raise StoreFault("The store broke off.", passes=True)


def test_what_a_look_that_broke_off_had_read_is_told_by_the_next(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(blueprint(node("db", operations=lifecycle("create", "start"))))
    execution, store, told = rehearsal.start(), Breaking(of=rehearsal), Seen()
    following = Following(store, execution, told)
    rehearsal.drive(execution)
    store.breaks = True
    with pytest.raises(StoreFault):
        following.look()
    for _ in range(2):
        found = following.look()
        assert found is not None
        assert found.status is ExecutionStatus.TERMINATED
    (batch,) = told.batches
    assert [event.message for event in batch.events] == [event.message for event in rehearsal.events(execution)]
    assert {it.state for it in batch.instances.values()} == {InstanceState.STARTED}
    assert batch.end is not None
