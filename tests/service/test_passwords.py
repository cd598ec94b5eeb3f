"""A password goes when it is recorded as gone: no neighbour sees half of it, and a kill leaves nothing half done."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from groundplan.model.blueprint import Output
from groundplan.model.execution import Event, EventType, ExecutionStatus
from groundplan.model.ids import BlueprintId, DeploymentId, ExecutionId
from groundplan.model.secret import SecretValue
from groundplan.model.values import Data, from_data, reveal
from groundplan.runtime.evaluation import Evaluator
from groundplan.runtime.policy import Policy
from groundplan.service import blueprints, deployments, executions
from groundplan.service.assembly import Engine, now
from groundplan.service.driving import Unwatched, make_local_driver
from groundplan.state.store import Batch, Store, StoreFault, Transaction

from .conftest import Write

SHOP = DeploymentId("shop")
BODY = """
node_templates:
  password: {type: cloudify.nodes.PasswordSecret, properties: {length: 12, secret_name: key}}
  neighbour: {type: groundplan.nodes.Nop, properties: {values: {seen: {get_attribute: [password, password]}}}}
"""


@dataclass
class Dying:
    """A store whose process is killed as the end of an operation is about to be committed."""

    store: Store
    operation: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    @contextmanager
    def _dying(self, opened: Any) -> Iterator[Transaction]:
        with opened() as transaction:
            watched = Watched(transaction)
            yield watched
            if any(_is_end_of(event, self.operation) for event in watched.events):
                raise StoreFault("killed")

    def transaction(self) -> Any:
        return self._dying(self.store.transaction)

    def recording(self) -> Any:
        return self._dying(self.store.recording)


def _is_end_of(event: Event, operation: str) -> bool:
    done = event.type is EventType.TASK_SUCCEEDED and str(event.instance).startswith("password_")
    return done and event.operation.endswith(f".lifecycle.{operation}")


class Watched:
    """A transaction that tells what is recorded in it."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.events: list[Event] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transaction, name)

    def record(self, batch: Batch) -> None:
        self.events += batch.events
        self._transaction.record(batch)


@pytest.fixture
def shop(engine: Engine, write: Write) -> Engine:
    """An engine with a deployment of a password and its neighbour."""
    blueprints.upload(engine.store, engine.home, engine.fetch, write(BODY), now(), id=BlueprintId("shop"))
    deployments.create(
        engine.store, engine.library, deployments.NewDeployment(id=SHOP, blueprint=BlueprintId("shop")), now()
    )
    return engine


def drive(engine: Engine, execution: ExecutionId) -> ExecutionStatus:
    return make_local_driver(engine, Policy(), Unwatched(), print).run(execution).status


def run(engine: Engine, workflow: str) -> ExecutionStatus:
    new = executions.NewExecution(deployment=SHOP, workflow=workflow)
    return drive(engine, executions.start(engine.store, engine.library, new, now()).id)


def killed(engine: Engine, workflow: str, operation: str) -> ExecutionId:
    """Run a workflow until its driver dies with an operation done and not recorded."""
    store = engine.store
    engine.__dict__["store"] = Dying(store, operation)
    with pytest.raises(StoreFault, match="killed"):
        run(engine, workflow)
    engine.__dict__["store"] = store
    with store.snapshot() as snapshot:
        return snapshot.executions()[-1].id


def secrets(engine: Engine) -> list[str]:
    with engine.store.snapshot() as snapshot:
        return [secret.name for secret in snapshot.secrets()]


def seen(engine: Engine, written: Data) -> Data:
    """What an outsider finds in the deployment now."""
    with engine.store.snapshot() as snapshot:
        deployment = snapshot.deployment(SHOP)
        assert deployment is not None
        world = engine.library.world(snapshot, deployment)
    evaluator = Evaluator.of_store(engine.library, engine.store)
    return reveal(evaluator.outputs(world, {"it": Output(value=from_data(written))}, "outputs")["it"])


def test_a_neighbour_sees_the_password_until_it_is_recorded_as_gone(shop: Engine) -> None:
    assert run(shop, "install") is ExecutionStatus.TERMINATED
    execution = killed(shop, "uninstall", "delete")
    assert len(str(seen(shop, {"get_attribute": ["password", "password"]}))) == 12
    assert drive(shop, execution) is ExecutionStatus.TERMINATED
    assert (secrets(shop), seen(shop, {"get_attribute": ["password", "password"]})) == ([], None)


def test_a_kill_before_a_named_password_is_recorded_leaves_one_that_is_found_again(shop: Engine) -> None:
    execution = killed(shop, "install", "create")
    drawn = seen(shop, {"get_secret": "key"})
    assert drive(shop, execution) is ExecutionStatus.TERMINATED
    assert seen(shop, {"get_attribute": ["password", "password"]}) == drawn
    run(shop, "uninstall")
    assert secrets(shop) == []


def test_a_password_of_somebody_else_is_neither_taken_nor_deleted(shop: Engine) -> None:
    run(shop, "install")
    run(shop, "uninstall")
    with shop.store.transaction() as transaction:
        transaction.put_secret("key", SecretValue(text="of a person"), now())
    assert run(shop, "install") is ExecutionStatus.FAILED
    run(shop, "uninstall")
    assert secrets(shop) == ["key"]
