"""The keeper: what an execution's workflow is answered, after trouble too. Workflow and workers are the test itself."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from groundplan.model.execution import ExecutionStatus, Outcome, TaskState
from groundplan.model.ids import DeploymentId, ExecutionId
from groundplan.planning.workflows.table import workflow_stages
from groundplan.runtime.keeping import Keeping
from groundplan.runtime.policy import Policy
from groundplan.runtime.temporal.keeper import Keeper
from groundplan.runtime.temporal.messages import Answer, Flying, Landed, Order, Request
from groundplan.runtime.watching import ids
from groundplan.state.store import StaleLease, StoreFault

from ...planning.builders import blueprint, lifecycle, node, relationship
from ..rehearsal import DONE, Rehearsal, failed
from ..watching.kept import KeptSignal, watcher_of

TWO = blueprint(
    node("db", operations=lifecycle("create")),
    node("web", relationship("depends_on", "db"), operations=lifecycle("create")),
)
MANY = blueprint(*(node(f"n{number}", operations=lifecycle("create")) for number in range(130)))


@dataclass(kw_only=True)
class Shell:
    """What a workflow does, by hand."""

    rehearsal: Rehearsal
    execution: ExecutionId
    keeper: Keeper
    sequence: int = 0
    fence: int = 0
    flying: list[Flying] = field(default_factory=list)

    def begin(self) -> "Shell":
        """Make the first exchange, which hands nothing out."""
        assert self.ask().orders == []
        return self

    def ask(self, *landed: Landed, room: int = 100, repeat: bool = False, give_up: bool = False) -> Answer:
        """One exchange; a repeat has the number of the one before."""
        self.sequence += not repeat
        self.flying = [it for it in self.flying if it.task not in {each.task for each in landed}]
        request = Request(
            execution=self.execution,
            sequence=self.sequence,
            fence=self.fence,
            room=room,
            landed=list(landed),
            flying=self.flying,
            give_up=give_up,
        )
        answer = self.keeper.exchange(request)
        self.fence = answer.fence
        return answer

    def take(self, order: Order) -> None:
        """Hand an order out."""
        self.flying.append(Flying(task=order.task, number=order.number))

    def leave(self, order: Order, outcome: Outcome = DONE) -> Landed:
        """What a worker does at the end of an attempt."""
        with self.rehearsal.store.recording() as transaction:
            transaction.leave_outcome(self.execution, order.task, order.number, outcome)
        return Landed(task=order.task, number=order.number)


def keeper_of(rehearsal: Rehearsal, **policy: object) -> Keeper:
    """A keeper with nothing in memory."""
    keeping = Keeping(
        library=rehearsal.library,
        children=rehearsal.children,
        policy=Policy(**{"delays": (0,), **policy}),
        new_id=str,
        stages_of=workflow_stages,
        clock=_now,
        on_temporal=True,
    )
    return Keeper(
        store=rehearsal.store,
        library=rehearsal.library,
        keeping=keeping,
        workflows=rehearsal.workflows,
        queue="mine",
        clock=_now,
        observer=rehearsal.observer,
    )


def _now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def shell(rehearsal: Rehearsal) -> Shell:
    """An install of two nodes that nobody has asked about yet."""
    rehearsal.deploy(TWO)
    return Shell(rehearsal=rehearsal, execution=rehearsal.start(), keeper=keeper_of(rehearsal)).begin()


def test_an_execution_ends_by_exchanges(shell: Shell) -> None:
    first = shell.ask()
    second = shell.ask(shell.leave(first.orders[0]))
    last = shell.ask(shell.leave(second.orders[0]))
    assert [len(it.orders) for it in (first, second)] == [1, 1]
    assert (last.ended, last.status) == (True, "terminated")
    assert set(shell.rehearsal.states(shell.execution).values()) == {TaskState.SUCCEEDED}


def test_who_watches_is_told_of_every_commit_whichever_keeper_makes_it(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(TWO)
    kept, execution = KeptSignal(), rehearsal.start()
    told = watcher_of(rehearsal, kept, lambda _: None)
    shell = Shell(rehearsal=rehearsal, execution=execution, keeper=keeper_of(rehearsal)).begin()
    order = shell.ask().orders[0]
    shell.take(order)
    shell.keeper = keeper_of(rehearsal)
    shell.ask(shell.leave(shell.ask(shell.leave(order)).orders[0]))
    told.close()
    assert {trace for _, trace, _ in kept.traces} == {ids.trace_id(execution)}
    assert [batch.end.status for batch in kept.batches if batch.end is not None] == ["terminated"]
    begun = [start.task for batch in kept.batches for start in batch.started]
    assert len(begun) == len(set(begun)) == 2


def test_no_more_is_handed_out_than_there_is_room_for(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(MANY)
    shell = Shell(rehearsal=rehearsal, execution=rehearsal.start(), keeper=keeper_of(rehearsal)).begin()
    answer = shell.ask()
    assert (len(answer.orders), answer.more) == (100, True)
    assert list(rehearsal.states(shell.execution).values()).count(TaskState.STARTED) == 100


def test_a_repeated_request_is_answered_with_the_same_attempts(shell: Shell) -> None:
    first = shell.ask()
    assert shell.ask(repeat=True).orders == first.orders


def test_another_keeper_goes_on_without_losing_what_flies(shell: Shell) -> None:
    order = shell.ask().orders[0]
    shell.take(order)
    shell.keeper = keeper_of(shell.rehearsal)
    assert shell.ask().orders == []
    assert shell.ask(shell.leave(order)).orders[0].number == 1


def test_an_attempt_that_never_flew_is_handed_out_as_it_was(shell: Shell) -> None:
    lost = shell.ask().orders[0]
    shell.keeper = keeper_of(shell.rehearsal)
    assert shell.ask().orders == [lost]


def test_an_outcome_that_was_left_counts_although_its_worker_died(shell: Shell) -> None:
    order = shell.ask().orders[0]
    answer = shell.ask(replace(shell.leave(order), lost=True))
    assert [it.task for it in answer.orders] != [order.task]
    assert shell.rehearsal.states(shell.execution)["db create"] is TaskState.SUCCEEDED


def test_a_lost_attempt_is_made_again_as_another_one_that_knows(shell: Shell) -> None:
    order = shell.ask().orders[0]
    (again,) = shell.ask(Landed(task=order.task, number=1, lost=True)).orders
    assert (again.task, again.number, again.lost) == (order.task, 2, True)


def test_a_lost_attempt_is_remembered_across_a_move(shell: Shell) -> None:
    order = shell.ask().orders[0]
    shell.ask(Landed(task=order.task, number=1, lost=True))
    shell.keeper = keeper_of(shell.rehearsal)
    (again,) = shell.ask().orders
    assert (again.number, again.lost) == (2, True)


def test_what_kills_its_worker_each_time_fails_in_the_end(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(TWO)
    shell = Shell(rehearsal=rehearsal, execution=rehearsal.start(), keeper=keeper_of(rehearsal, retries=1)).begin()
    order = shell.ask().orders[0]
    shell.ask(Landed(task=order.task, number=1, lost=True))
    last = shell.ask(Landed(task=order.task, number=2, lost=True))
    assert (last.ended, last.status) == (True, "failed")
    assert rehearsal.executions()[0].error == "db_000001 create: The worker that ran it is gone [attempt 2]"


def test_the_outcome_of_an_older_attempt_is_dropped(shell: Shell) -> None:
    order = shell.ask().orders[0]
    shell.ask(Landed(task=order.task, number=1, lost=True))
    late = shell.leave(order)
    assert shell.ask(late).orders == []
    assert shell.rehearsal.states(shell.execution)["db create"] is TaskState.STARTED


def test_a_retry_waits_as_long_as_it_was_asked_to(shell: Shell) -> None:
    order = shell.ask().orders[0]
    answer = shell.ask(shell.leave(order, failed(retry_after=60)))
    assert answer.orders == []
    assert answer.wake_in == pytest.approx(60, abs=5)


def test_the_number_of_retries_may_come_with_the_request(shell: Shell) -> None:
    shell.keeper = keeper_of(shell.rehearsal)
    request = Request(execution=shell.execution, sequence=2, fence=shell.fence, room=9, retries=0)
    order = shell.keeper.exchange(request).orders[0]
    assert order.retries == 0


def test_an_older_keeper_is_refused(shell: Shell) -> None:
    order = shell.ask().orders[0]
    older, fence = shell.keeper, shell.fence
    shell.take(order)
    shell.keeper = keeper_of(shell.rehearsal)
    shell.ask()
    with pytest.raises(StaleLease):
        older.exchange(Request(execution=shell.execution, sequence=3, fence=fence, room=1))


def test_what_an_earlier_workflow_had_begun_is_lost_unless_it_left_an_outcome(shell: Shell) -> None:
    order = shell.ask().orders[0]
    shell.keeper.release_all()
    later = replace(shell, keeper=keeper_of(shell.rehearsal), sequence=0, fence=0, flying=[])
    again = later.begin().ask().orders[0]
    assert (again.task, again.number, again.lost) == (order.task, 2, True)
    shell.leave(again)
    later.keeper.release_all()
    last = replace(shell, keeper=keeper_of(shell.rehearsal), sequence=0, fence=0, flying=[])
    assert [it.number for it in last.begin().ask().orders] == [1]
    assert shell.rehearsal.states(shell.execution)["db create"] is TaskState.SUCCEEDED


def test_what_was_lost_to_an_earlier_workflow_stays_so_across_a_move(shell: Shell) -> None:
    shell.ask()
    shell.keeper.release_all()
    later = replace(shell, keeper=keeper_of(shell.rehearsal), sequence=0, fence=0, flying=[]).begin()
    later.keeper = keeper_of(shell.rehearsal)
    assert [(it.number, it.lost) for it in later.ask().orders] == [(2, True)]


def test_an_execution_of_a_living_driver_is_waited_for(shell: Shell) -> None:
    shell.keeper = keeper_of(shell.rehearsal)
    with shell.rehearsal.store.transaction() as transaction:
        transaction.acquire(shell.execution, f"elsewhere:1:{0}", _now())
    answer = shell.ask()
    assert (answer.held, answer.orders) == (True, [])


def test_after_a_failed_commit_the_record_counts(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    order = shell.ask().orders[0]
    landed = shell.leave(order)
    with monkeypatch.context() as patch:
        patch.setattr("groundplan.state.sql.writes.SqlTransaction.record", _no_room)
        with pytest.raises(StoreFault):
            shell.ask(landed)
    answer = shell.ask(landed, repeat=True)
    assert [it.number for it in answer.orders] == [1]
    assert shell.rehearsal.states(shell.execution)["db create"] is TaskState.SUCCEEDED


def test_giving_up_ends_the_execution_and_leaves_what_flies_as_begun(shell: Shell) -> None:
    shell.take(shell.ask().orders[0])
    answer = shell.ask(give_up=True)
    assert (answer.ended, answer.status) == (True, "cancelled")
    assert shell.rehearsal.states(shell.execution)["db create"] is TaskState.STARTED


def test_an_execution_that_is_gone_or_over_is_answered_so(shell: Shell) -> None:
    with shell.rehearsal.store.transaction() as transaction:
        transaction.set_execution(shell.execution, status=ExecutionStatus.CANCELLED, at=_now())
    assert shell.ask().ended
    with shell.rehearsal.store.transaction() as transaction:
        transaction.delete_deployment(DeploymentId("shop"))
    assert shell.ask().status == "gone"


def test_leases_are_renewed_and_given_back(shell: Shell) -> None:
    shell.ask()
    shell.keeper.beat()
    shell.keeper.release_all()
    with shell.rehearsal.store.snapshot() as snapshot:
        assert snapshot.lease(shell.execution) is None


@pytest.mark.parametrize(
    ("properties", "queue"),
    [({}, "default"), ({"groundplan_queue": "eu"}, "eu")],
)
def test_a_property_of_the_node_names_the_queue(rehearsal: Rehearsal, properties: dict, queue: str) -> None:
    rehearsal.deploy(blueprint(node("db", operations=lifecycle("create"), **properties)))
    shell = Shell(rehearsal=rehearsal, execution=rehearsal.start(), keeper=keeper_of(rehearsal)).begin()
    assert [order.queue for order in shell.ask().orders] == [queue]


def test_what_is_no_name_of_a_queue_fails_the_task(rehearsal: Rehearsal) -> None:
    rehearsal.deploy(blueprint(node("db", operations=lifecycle("create"), groundplan_queue="no such/queue")))
    shell = Shell(rehearsal=rehearsal, execution=rehearsal.start(), keeper=keeper_of(rehearsal)).begin()
    shell.ask()
    assert shell.ask().status == "failed"
    assert "'no such/queue' is not the name of a queue" in rehearsal.executions()[0].error


def _no_room(*_: object) -> None:
    raise StoreFault("no room")
