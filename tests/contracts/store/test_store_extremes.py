"""What is large, odd, late or at the same time comes back from every database alike."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from groundplan.model.deployment import NodeInstance
from groundplan.model.execution import Event, Failure, Lease, Outcome, TaskState, Verdict
from groundplan.model.ids import InstanceId, NodeId
from groundplan.model.secret import SecretValue
from groundplan.model.values import Sensitive
from groundplan.state.sql.store import SqlStore
from groundplan.state.store import AttemptEnd, AttemptStart, Batch, InstanceChange, StaleLease

from .nouns import BLUEPRINT, DEPLOYMENT, EVENT, EXECUTION, INSTANCE, NOW, PLAN

FFFD = "\N{REPLACEMENT CHARACTER}"
ODD = ["", "é ☃ 😀", "a\tb\r\n", "'; DROP TABLE events; --", "{%s} %(x)s :y ?", "\\x00 \\u0000", "\u2028\ufeff\x1b[0m"]


def batch(lease: Lease, **more: object) -> Batch:
    """A batch of a lease."""
    return Batch(lease=lease, deployment=DEPLOYMENT.id, **more)


# -- text and time


@pytest.mark.parametrize("text", ODD)
def test_text_comes_back_as_it_is(store: SqlStore, leases: list[Lease], text: str) -> None:
    with store.transaction() as transaction:
        transaction.append_event(structs.replace(EVENT, message=text))
        transaction.put_secret("odd", SecretValue(text=text), NOW)
        transaction.put_instance(DEPLOYMENT.id, INSTANCE.id, InstanceChange(runtime_properties={text: Sensitive(text)}))
    with store.snapshot() as snapshot:
        ((_, event),) = snapshot.events()
        assert event.message == text
        assert snapshot.secret("odd").text == text
        assert snapshot.instance(DEPLOYMENT.id, INSTANCE.id).runtime_properties == {text: Sensitive(text)}


@pytest.mark.parametrize(("text", "kept"), [("a\0b", f"a{FFFD}b"), ("é\0", f"é{FFFD}"), ("x\ud800", f"x{FFFD}")])
def test_words_of_the_world_that_are_no_text_are_recorded_readably(
    store: SqlStore, leases: list[Lease], text: str, kept: str
) -> None:
    failure = Failure(type=text, message=text, detail=text)
    end = AttemptEnd(
        task=1, number=1, at=NOW, state=TaskState.FAILED, outcome=Outcome(verdict=Verdict.FAILED, failure=failure)
    )
    with store.transaction() as transaction:
        transaction.put_blueprint(replace(BLUEPRINT, description=text), PLAN)
        transaction.record(batch(leases[0], started=[AttemptStart(task=1, number=1, at=NOW)]))
        transaction.record(batch(leases[0], ended=[end], events=[structs.replace(EVENT, message=text)]))
    with store.snapshot() as snapshot:
        assert [event.message for _, event in snapshot.events()] == [kept]
        assert snapshot.task(EXECUTION.id, 1).error == kept
        assert snapshot.blueprint(BLUEPRINT.id).description == kept


def test_nul_in_what_is_sealed_comes_back(store: SqlStore, leases: list[Lease]) -> None:
    with store.transaction() as transaction:
        transaction.put_secret("odd", SecretValue(text="a\0b"), NOW)
        assert transaction.secret("odd").text == "a\0b"


@pytest.mark.parametrize("microsecond", [0, 1, 123_457, 999_999])
@pytest.mark.parametrize("year", [1971, 2026, 2199])
def test_a_moment_keeps_its_microseconds(store: SqlStore, leases: list[Lease], year: int, microsecond: int) -> None:
    at = datetime(year, 12, 31, 23, 59, 59, microsecond, tzinfo=UTC)
    with store.transaction() as transaction:
        transaction.append_event(structs.replace(EVENT, at=at))
        ((_, event),) = transaction.events()
    assert event.at == at


# -- large


def test_a_large_batch_is_written_whole(store: SqlStore, leases: list[Lease]) -> None:
    count = 5000
    more = [NodeInstance(id=InstanceId(f"n_{i}"), node=NodeId("n"), index=i) for i in range(count)]
    changes = {item.id: InstanceChange(runtime_properties={"at": index}) for index, item in enumerate(more)}
    events = [structs.replace(EVENT, message=str(index)) for index in range(3 * count)]
    deployment = replace(DEPLOYMENT, id="large", owner=None)
    with store.transaction() as transaction:
        transaction.add_deployment(deployment, more)
    with store.recording() as recording:
        recording.record(Batch(lease=leases[0], deployment=deployment.id, instances=changes, events=events))
    with store.snapshot() as snapshot:
        found = snapshot.instances(deployment.id)
        assert [item.runtime_properties for item in found] == [{"at": index} for index in range(count)]
        told = snapshot.events(execution=EXECUTION.id, limit=4 * count)
    assert [event.message for _, event in told] == [str(index) for index in range(3 * count)]


def test_a_value_of_megabytes_comes_back(store: SqlStore) -> None:
    text = "0123456789abcdef" * 200_000
    with store.transaction() as transaction:
        transaction.put_secret("large", SecretValue(text=text), NOW)
        assert transaction.secret("large").text == text


# -- at the same time


def record_and_fail(recording: object, lease: Lease) -> None:
    recording.record(batch(lease, events=[EVENT]))
    raise RuntimeError


def test_a_recording_that_fails_leaves_nothing(store: SqlStore, leases: list[Lease]) -> None:
    with pytest.raises(RuntimeError), store.recording() as recording:
        record_and_fail(recording, leases[0])
    with store.snapshot() as snapshot:
        assert snapshot.events() == []


def test_a_stale_recording_is_refused(store: SqlStore, leases: list[Lease]) -> None:
    with store.transaction() as transaction:
        transaction.acquire(EXECUTION.id, "two:2:0", NOW)
    with pytest.raises(StaleLease), store.recording() as recording:
        recording.record(batch(leases[0], events=[EVENT]))
    with store.snapshot() as snapshot:
        assert snapshot.events() == []


def test_who_follows_events_misses_none_while_drivers_write_at_the_same_time(
    store: SqlStore, leases: list[Lease]
) -> None:
    rounds, done, seen = 40, threading.Event(), list[tuple[int, Event]]()

    def write(lease: Lease) -> None:
        for number in range(rounds):
            at = NOW + timedelta(seconds=number)
            event = structs.replace(EVENT, execution=lease.execution, at=at)
            with store.recording() as recording:
                recording.record(batch(lease, events=[event]))
                recording.record(batch(lease, events=[event]))

    def follow() -> None:
        is_last = False
        while not is_last:
            is_last = done.is_set()
            with store.snapshot() as snapshot:
                seen.extend(snapshot.events(after=seen[-1][0] if seen else 0))

    follower = threading.Thread(target=follow)
    writers = [threading.Thread(target=write, args=(lease,)) for lease in leases]
    for thread in (follower, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    follower.join()
    with store.snapshot() as snapshot:
        assert seen == snapshot.events(limit=10_000)
    assert len(seen) == 4 * rounds


def test_of_two_who_take_a_lease_at_once_the_later_has_it(store: SqlStore, leases: list[Lease]) -> None:
    taken: list[Lease] = []

    def take(name: str) -> None:
        with store.transaction() as transaction:
            taken.append(transaction.acquire(EXECUTION.id, name, NOW))

    threads = [threading.Thread(target=take, args=(f"{name}:1:0",)) for name in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(lease.fence for lease in taken) == [2, 3, 4, 5, 6, 7]
    with store.snapshot() as snapshot:
        assert snapshot.lease(EXECUTION.id) == max(taken, key=lambda lease: lease.fence)
