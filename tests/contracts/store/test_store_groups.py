"""What a store promises of groups: members by age, executions and events by group, and what goes with what."""

from dataclasses import replace

import pytest
from msgspec import structs

from groundplan.model.group import DeploymentGroup, ExecutionGroup
from groundplan.model.ids import BlueprintId, DeploymentId, ExecutionGroupId, ExecutionId, GroupId
from groundplan.model.values import Sensitive
from groundplan.state.sql.store import SqlStore

from .nouns import DEPLOYMENT, EVENT, EXECUTION, LATER, NOW, PASSWORD, fill

SITES = DeploymentGroup(
    id=GroupId("sites"),
    created_at=NOW,
    description="ours",
    blueprint=BlueprintId("shop"),
    inputs={"key": Sensitive(PASSWORD)},
)
RUN = ExecutionGroup(
    id=ExecutionGroupId("r1"),
    group=SITES.id,
    workflow="install",
    created_at=NOW,
    concurrency=0,
    is_forced=True,
    success_group=GroupId("good"),
)
YOUNGER = replace(DEPLOYMENT, id=DeploymentId("a_younger_one"), created_at=LATER, owner=None)
MEMBER = replace(EXECUTION, id=ExecutionId("e2"), parent=None, group=RUN.id)


@pytest.fixture
def filled(store: SqlStore) -> SqlStore:
    """A store with a group of two deployments, and one execution in a group."""
    with store.transaction() as transaction:
        fill(transaction)
        transaction.add_deployment(YOUNGER, [])
        transaction.put_deployment_group(SITES)
        transaction.add_members(SITES.id, [YOUNGER.id, DEPLOYMENT.id])
        transaction.put_execution_group(RUN)
        transaction.add_execution(MEMBER)
        transaction.append_event(EVENT)
        transaction.append_event(EVENT.retold("second"))
    return store


def test_groups_come_back(filled: SqlStore) -> None:
    with filled.snapshot() as snapshot:
        assert snapshot.deployment_groups() == [SITES] == [snapshot.deployment_group(SITES.id)]
        assert snapshot.execution_groups() == [RUN] == [snapshot.execution_group(RUN.id)]
        assert snapshot.execution_group(ExecutionGroupId("none")) is None


def test_members_come_back_by_age_and_join_once(filled: SqlStore) -> None:
    with filled.transaction() as transaction:
        transaction.add_members(SITES.id, [DEPLOYMENT.id])
        assert transaction.members(SITES.id) == [DEPLOYMENT.id, YOUNGER.id]
        transaction.remove_members(SITES.id, [DEPLOYMENT.id])
        assert transaction.members(SITES.id) == [YOUNGER.id]


def test_executions_and_events_are_found_by_their_group(filled: SqlStore) -> None:
    with filled.transaction() as transaction:
        transaction.append_event(structs.replace(EVENT, execution=MEMBER.id, message="third"))
        assert transaction.executions(group=RUN.id) == [MEMBER]
        assert [event.message for _, event in transaction.events(group=RUN.id)] == ["third"]


def test_the_newest_events_come_first_when_they_are_asked_for(filled: SqlStore) -> None:
    with filled.snapshot() as snapshot:
        found = snapshot.events(deployment=DEPLOYMENT.id, newest=True, limit=1)
    assert [event.message for _, event in found] == ["second"]


def test_a_group_goes_and_its_deployments_stay(filled: SqlStore) -> None:
    with filled.transaction() as transaction:
        transaction.delete_deployment_group(SITES.id)
        assert transaction.members(SITES.id) == []
        assert transaction.deployment(YOUNGER.id) is not None


def test_a_group_of_executions_goes_with_the_last_of_them(filled: SqlStore) -> None:
    with filled.transaction() as transaction:
        transaction.delete_executions([EXECUTION.id])
        assert transaction.execution_groups() == [RUN]
        transaction.delete_executions([MEMBER.id])
        assert transaction.execution_groups() == []
