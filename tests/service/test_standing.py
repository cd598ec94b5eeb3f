"""How deployments stand: alone, with what was noted of their instances, and with what is below them."""

from dataclasses import replace

import pytest

from groundplan.model.deployment import Deployment, InstanceState, Modification, NodeInstance, Scaling
from groundplan.model.execution import Execution, ExecutionStatus
from groundplan.model.ids import BlueprintId, DeploymentId, Digest, ExecutionId, InstanceId, NodeId
from groundplan.model.reshape import Reshape
from groundplan.service.assembly import Engine, now
from groundplan.service.standing import Standing, listing, unwell

SICK = {"status": {"ok": False}}
DRIFTED = {"configuration_drift": {"ok": True, "result": {"size": 2}}}


def put(engine: Engine, name: str, state: str = "started", parent: str = "", type_: str = "", **notes: object) -> None:
    """Store a deployment with one instance."""
    labels = {key: (value,) for key, value in {"csys-obj-parent": parent, "csys-obj-type": type_}.items() if value}
    deployment = Deployment(
        id=DeploymentId(name), blueprint=BlueprintId("b"), digest=Digest("b"), created_at=now(), labels=labels
    )
    instance = NodeInstance(
        id=InstanceId(f"{name}_1"),
        node=NodeId("n"),
        index=1,
        state=InstanceState(state),
        system_properties=notes,
    )
    with engine.store.transaction() as transaction:
        transaction.add_deployment(deployment, [instance])


def run(engine: Engine, name: str, status: ExecutionStatus) -> None:
    """Store an execution that stands so."""
    execution = Execution(
        id=ExecutionId(f"{name}1"), deployment=DeploymentId(name), workflow="install", status=status, created_at=now()
    )
    with engine.store.transaction() as transaction:
        transaction.add_execution(execution)


def standings(engine: Engine) -> dict[str, Standing]:
    """How each deployment stands."""
    return {item.deployment.id: item.standing for item in listing(engine.store)}


@pytest.mark.parametrize(
    ("state", "last", "expected"),
    [
        ("started", None, Standing.GOOD),
        ("started", ExecutionStatus.TERMINATED, Standing.GOOD),
        ("started", ExecutionStatus.CANCELLED, Standing.GOOD),
        ("started", ExecutionStatus.FAILED, Standing.REQUIRES_ATTENTION),
        ("created", ExecutionStatus.TERMINATED, Standing.REQUIRES_ATTENTION),
        ("created", ExecutionStatus.STARTED, Standing.IN_PROGRESS),
    ],
)
def test_a_deployment_alone(engine: Engine, state: str, last: ExecutionStatus | None, expected: Standing) -> None:
    put(engine, "shop", state)
    if last is not None:
        run(engine, "shop", last)
    assert standings(engine) == {"shop": expected}


def test_what_is_below_counts_by_kind_and_is_passed_up(engine: Engine) -> None:
    put(engine, "cloud")
    put(engine, "zone", parent="cloud", type_="environment")
    put(engine, "shop", "deleted", parent="zone")
    cloud, zone, _ = listing(engine.store)
    assert standings(engine) == dict.fromkeys(("cloud", "zone", "shop"), Standing.REQUIRES_ATTENTION)
    assert (cloud.services.count, cloud.environments.count) == (0, 1)
    assert (zone.services.standing, zone.environments.standing) == (Standing.REQUIRES_ATTENTION, None)


def test_a_circle_of_parents_does_not_hang(engine: Engine) -> None:
    put(engine, "a", parent="b")
    put(engine, "b", parent="a")
    assert standings(engine) == {"a": Standing.GOOD, "b": Standing.GOOD}


def test_unavailable_and_drifted_instances_are_counted_while_they_exist(engine: Engine) -> None:
    put(engine, "shop", **SICK, **DRIFTED)
    put(engine, "gone", "deleted", **SICK, **DRIFTED)
    shop, gone = listing(engine.store)
    assert [(item.unavailable, item.drifted) for item in (shop, gone)] == [(1, 1), (0, 0)]


def test_what_a_modification_adds_and_takes_away_is_planned_and_not_there(engine: Engine) -> None:
    put(engine, "shop")
    begun = Modification(execution=ExecutionId("e1"), counts={}, added=(InstanceId("n_2"), InstanceId("n_3")))
    made = tuple(NodeInstance(id=own, node=NodeId("n"), index=2) for own in begun.added)
    with engine.store.transaction() as transaction:
        transaction.reshape(DeploymentId("shop"), Reshape(added=made, scaling=Scaling(modification=begun)))
    (shop,) = listing(engine.store)
    assert (shop.instances, shop.planned) == (1, 3)


def test_every_reason_why_a_deployment_is_not_well_is_told(engine: Engine) -> None:
    put(engine, "shop", "created", **SICK, **DRIFTED)
    run(engine, "shop", ExecutionStatus.CANCELLED)
    (shop,) = listing(engine.store)
    assert [reason.split()[-1] for reason in unwell(shop)] == ["inactive", "cancelled", "unavailable", "drifted"]
    assert unwell(replace(shop, installation="active", latest=None, unavailable=0, drifted=0)) == [
        "a deployment below it requires attention"
    ]
