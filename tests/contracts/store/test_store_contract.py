"""What a store promises: what was written comes back, whole transactions or nothing, and one moment per snapshot."""

import threading
from dataclasses import fields, replace

import pytest
from msgspec import structs

from groundplan.model.deployment import InstanceState, Modification, NodeInstance, Scaling
from groundplan.model.execution import ExecutionStatus, Outcome, TaskState, Verdict
from groundplan.model.ids import BlueprintId, Digest, InstanceId
from groundplan.model.reshape import Content, Reshape
from groundplan.model.secret import SecretValue
from groundplan.model.values import Sensitive
from groundplan.state.sql.store import SqlStore
from groundplan.state.store import AttemptEnd, AttemptStart, Batch, FilePart, InstanceChange, StageRecord, StoreFault

from .nouns import (
    BLUEPRINT,
    DEPENDENCY,
    DEPLOYMENT,
    EVENT,
    EXECUTION,
    FULL_TASK,
    GRAPH,
    HOST,
    INSTANCE,
    LATER,
    MANIFEST,
    NOW,
    PASSWORD,
    PLAIN_TASK,
    PLAN,
    fill,
)


@pytest.fixture
def filled(store: SqlStore) -> SqlStore:
    """A store with one deployment and one execution."""
    with store.transaction() as transaction:
        fill(transaction)
    return store


# -- what was written comes back


def test_a_blueprint_comes_back_with_its_plan(filled: SqlStore) -> None:
    with filled.snapshot() as snapshot:
        assert snapshot.blueprint(BLUEPRINT.id) == BLUEPRINT
        assert snapshot.blueprints() == [BLUEPRINT]
        assert snapshot.plan(BLUEPRINT.digest) == PLAN


def test_files_of_a_blueprint_come_back_in_order(store: SqlStore) -> None:
    parts = [
        FilePart("a/b.sh", 0, 0o755, b"x" * 70_000),
        FilePart("a/b.sh", 1, 0o755, b"\0"),
        FilePart("c", 0, 0o644, b""),
        *(FilePart("d", number, 0o644, bytes([number])) for number in range(40)),
    ]
    with store.transaction() as transaction:
        assert not transaction.has_blueprint_files(BLUEPRINT.digest)
        transaction.put_blueprint_files(BLUEPRINT.digest, reversed(parts))
        assert transaction.has_blueprint_files(BLUEPRINT.digest)
    with store.snapshot() as snapshot:
        assert list(snapshot.blueprint_files(BLUEPRINT.digest)) == parts
        assert list(snapshot.blueprint_files("other")) == []


def test_a_deployment_comes_back_with_what_is_sensitive_in_it(filled: SqlStore) -> None:
    with filled.snapshot() as snapshot:
        assert snapshot.deployment(DEPLOYMENT.id) == DEPLOYMENT
        assert snapshot.deployments() == [DEPLOYMENT]


def test_instances_come_back_in_the_order_in_which_they_were_made(filled: SqlStore) -> None:
    with filled.snapshot() as snapshot:
        assert snapshot.instances(DEPLOYMENT.id) == [HOST, INSTANCE]
        assert snapshot.instance(DEPLOYMENT.id, INSTANCE.id) == INSTANCE


def test_an_execution_comes_back(filled: SqlStore) -> None:
    with filled.snapshot() as snapshot:
        assert snapshot.execution(EXECUTION.id) == replace(EXECUTION, stage=1)
        assert snapshot.executions(parent=EXECUTION.parent.execution) == [replace(EXECUTION, stage=1)]


def test_tasks_come_back_with_what_they_wait_for(filled: SqlStore) -> None:
    with filled.snapshot() as snapshot:
        found = snapshot.tasks(EXECUTION.id)
        assert [(item.task, item.waits) for item in found] == [(PLAIN_TASK, ()), (FULL_TASK, (0,))]
        assert snapshot.task(EXECUTION.id, 1) == found[1]


def test_a_dependency_is_found_from_both_ends(filled: SqlStore) -> None:
    with filled.transaction() as transaction:
        transaction.put_dependency(DEPENDENCY)
    with filled.snapshot() as snapshot:
        assert snapshot.dependencies(source=DEPENDENCY.source) == [DEPENDENCY]
        assert snapshot.dependencies(target=DEPENDENCY.target) == [DEPENDENCY]
        assert snapshot.dependencies(target=DEPENDENCY.source) == []


def test_events_come_back_oldest_first_in_pages(filled: SqlStore) -> None:
    with filled.transaction() as transaction:
        for number in range(3):
            transaction.append_event(EVENT.retold(str(number)))
    with filled.snapshot() as snapshot:
        ((first, event), _) = snapshot.events(execution=EXECUTION.id, limit=2)
        assert event == EVENT.retold("0")
        rest = snapshot.events(deployment=DEPLOYMENT.id, after=first)
        assert [event.message for _, event in rest] == ["1", "2"]


@pytest.mark.parametrize("value", [SecretValue(text=PASSWORD), SecretValue(text='{"a": 1}', is_document=True)])
def test_a_secret_comes_back(store: SqlStore, value: SecretValue) -> None:
    with store.transaction() as transaction:
        transaction.put_secret("db.password", SecretValue(text="old"), NOW)
        transaction.put_secret("db.password", value, LATER)
    with store.snapshot() as snapshot:
        assert snapshot.secret("db.password") == value
        ((listed),) = snapshot.secrets()
        assert (listed.name, listed.created_at, listed.updated_at) == ("db.password", NOW, LATER)


def test_a_manifest_comes_back_with_its_fingerprint(store: SqlStore) -> None:
    with store.transaction() as transaction:
        transaction.put_manifest("old", MANIFEST)
        transaction.put_manifest("new", MANIFEST)
    with store.snapshot() as snapshot:
        assert snapshot.manifests() == {"aws": ("new", MANIFEST)}


def test_what_is_remembered_comes_back_until_it_is_forgotten(filled: SqlStore) -> None:
    with filled.transaction() as transaction:
        transaction.remember(DEPLOYMENT.id, "host key", "ssh-ed25519 AAAA")
        transaction.remember(DEPLOYMENT.id, "other", "1")
        transaction.remember(DEPLOYMENT.id, "other", None)
        assert transaction.remembered(DEPLOYMENT.id) == {"host key": "ssh-ed25519 AAAA"}


@pytest.mark.parametrize("read", ["blueprint", "deployment", "execution", "plan", "secret", "lease"])
def test_what_is_not_there_is_none(store: SqlStore, read: str) -> None:
    with store.snapshot() as snapshot:
        assert getattr(snapshot, read)("nothing") is None


# -- changes


def test_a_change_of_an_instance_leaves_the_rest_of_it(filled: SqlStore) -> None:
    with filled.transaction() as transaction:
        transaction.put_instance(DEPLOYMENT.id, INSTANCE.id, InstanceChange(state=InstanceState.STARTED))
        transaction.put_instance(DEPLOYMENT.id, INSTANCE.id, InstanceChange(runtime_properties={"a": Sensitive(1)}))
        found = transaction.instance(DEPLOYMENT.id, INSTANCE.id)
    assert found == structs.replace(
        INSTANCE, state=InstanceState.STARTED, runtime_properties={"a": Sensitive(1)}, version=INSTANCE.version + 2
    )


def test_a_reset_task_counts_its_attempts_no_longer(filled: SqlStore) -> None:
    with filled.transaction() as transaction:
        transaction.reset_tasks(EXECUTION.id, [1])
        found = transaction.task(EXECUTION.id, 1)
    assert (found.state, found.earlier, found.due_at) == (TaskState.PENDING, found.attempts, None)


def test_a_deployment_goes_with_all_that_is_its(filled: SqlStore) -> None:
    with filled.transaction() as transaction:
        transaction.put_dependency(DEPENDENCY)
        transaction.append_event(EVENT)
        transaction.remember(DEPLOYMENT.id, "a", "b")
        transaction.delete_deployment(DEPLOYMENT.id)
    with filled.snapshot() as snapshot:
        assert snapshot.instances(DEPLOYMENT.id) == snapshot.tasks(EXECUTION.id) == []
        assert snapshot.executions() == snapshot.dependencies() == snapshot.events() == []
        assert snapshot.remembered(DEPLOYMENT.id) == {}


def test_nothing_is_told_of_an_execution_that_is_gone(filled: SqlStore) -> None:
    with filled.transaction() as transaction:
        lease = transaction.acquire(EXECUTION.id, "here:1:1", NOW)
        start = AttemptStart(0, 1, NOW)
        transaction.record(Batch(lease=lease, deployment=DEPLOYMENT.id, started=[start], events=[EVENT]))
        transaction.delete_executions([EXECUTION.id])
        transaction.append_event(EVENT)
        assert transaction.events() == []
        assert transaction.running_since(EXECUTION.id) == {}


def test_an_end_has_its_time_and_a_new_beginning_has_none(filled: SqlStore) -> None:
    with filled.transaction() as transaction:
        transaction.set_execution(EXECUTION.id, status=ExecutionStatus.FAILED, error="no", at=LATER)
        ended = transaction.execution(EXECUTION.id)
        transaction.set_execution(EXECUTION.id, status=ExecutionStatus.STARTED, at=LATER)
        again = transaction.execution(EXECUTION.id)
    assert (ended.error, ended.ended_at, again.error, again.ended_at) == ("no", LATER, "", None)


def test_a_further_stage_is_added_to_the_first(filled: SqlStore) -> None:
    further = structs.replace(PLAIN_TASK, number=2)
    with filled.transaction() as transaction:
        transaction.append_tasks(EXECUTION.id, replace(GRAPH, tasks=[further], waits=[(1,)], first=2), stage=2)
        assert [item.task.number for item in transaction.tasks(EXECUTION.id)] == [0, 1, 2]
        assert transaction.execution(EXECUTION.id).stage == 2
        assert transaction.stages(EXECUTION.id) == [StageRecord(number=1, first=0), StageRecord(number=2, first=2)]


def test_what_tasks_returned_comes_back(filled: SqlStore) -> None:
    outcome = Outcome(verdict=Verdict.SUCCEEDED, result={"password": Sensitive(PASSWORD)})
    end = AttemptEnd(task=1, number=1, at=NOW, state=TaskState.SUCCEEDED, outcome=outcome)
    with filled.transaction() as transaction:
        lease = transaction.acquire(EXECUTION.id, "me", NOW)
        transaction.record(Batch(lease=lease, deployment=DEPLOYMENT.id, ended=[end]))
        assert transaction.results(EXECUTION.id) == {1: outcome.result}


# -- reshaping


def test_instances_come_go_and_get_other_links(filled: SqlStore) -> None:
    more = structs.replace(INSTANCE, id=InstanceId("db_c3"), host=None, relationships=(), index=7)
    moved = structs.replace(INSTANCE, host=None, relationships=(), scaling_groups=(), index=1)
    reshape = Reshape(added=(more,), removed=frozenset({HOST.id}), relinked=(structs.replace(moved, version=99),))
    with filled.transaction() as transaction:
        transaction.reshape(DEPLOYMENT.id, reshape)
        assert transaction.instances(DEPLOYMENT.id) == [structs.replace(moved, version=INSTANCE.version + 1), more]


def test_links_are_all_that_relinking_changes(filled: SqlStore) -> None:
    bare = NodeInstance(id=INSTANCE.id, node=INSTANCE.node, index=5)
    with filled.transaction() as transaction:
        transaction.reshape(DEPLOYMENT.id, Reshape(relinked=(bare,)))
        found = transaction.instance(DEPLOYMENT.id, INSTANCE.id)
    assert found == INSTANCE.relinked(bare)
    assert (found.state, found.runtime_properties) == (INSTANCE.state, INSTANCE.runtime_properties)


def test_notes_counts_and_content_of_a_deployment_change(filled: SqlStore) -> None:
    content = Content(
        blueprint=BlueprintId("new"), digest=Digest("d2"), inputs={"key": Sensitive(PASSWORD)}, labels={"a": ("b",)}
    )
    begun = Modification(execution=EXECUTION.id, counts={"db": 2}, added=(INSTANCE.id,), removed=(HOST.id,))
    scaling = Scaling(counts={"db": 1}, modification=begun)
    with filled.transaction() as transaction:
        transaction.reshape(DEPLOYMENT.id, Reshape(noted={HOST.id: {"status": {"ok": False}}}, scaling=scaling))
        assert transaction.deployment(DEPLOYMENT.id) == replace(DEPLOYMENT, scaling=scaling)
        transaction.reshape(DEPLOYMENT.id, Reshape(content=content))
        assert transaction.instance(DEPLOYMENT.id, HOST.id).system_properties == {"status": {"ok": False}}
        assert transaction.deployment(DEPLOYMENT.id) == replace(DEPLOYMENT, scaling=scaling, **fields_of(content))


def fields_of(content: Content) -> dict[str, object]:
    """The fields of a content."""
    return {field.name: getattr(content, field.name) for field in fields(content)}


# -- transactions and snapshots


def fill_twice(transaction: object) -> None:
    """Write what cannot be written a second time."""
    fill(transaction)
    fill(transaction)


def test_a_transaction_that_fails_leaves_nothing(store: SqlStore) -> None:
    with pytest.raises(StoreFault), store.transaction() as transaction:
        fill_twice(transaction)
    with store.snapshot() as snapshot:
        assert snapshot.blueprints() == snapshot.deployments() == snapshot.executions() == []


def test_a_snapshot_does_not_see_what_is_committed_after_it_began(store: SqlStore) -> None:
    with store.snapshot() as snapshot:
        assert snapshot.secrets() == []
        with store.transaction() as transaction:
            transaction.put_secret("late", SecretValue(text="1"), NOW)
        assert snapshot.secrets() == []
    with store.snapshot() as snapshot:
        assert [item.name for item in snapshot.secrets()] == ["late"]


def test_what_is_not_committed_is_seen_by_nobody_else(store: SqlStore) -> None:
    with store.transaction() as transaction:
        transaction.put_secret("early", SecretValue(text="1"), NOW)
        with store.snapshot() as snapshot:
            assert snapshot.secrets() == []


def test_writers_wait_for_each_other(store: SqlStore) -> None:
    def write(name: str) -> None:
        for number in range(20):
            with store.transaction() as transaction:
                transaction.put_secret(f"{name}{number}", SecretValue(text=str(len(transaction.secrets()))), NOW)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.snapshot() as snapshot:
        counts = sorted(int(snapshot.secret(item.name).text) for item in snapshot.secrets())
    assert counts == list(range(80))
