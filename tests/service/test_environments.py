"""A deployment that reads capabilities of its environment has one that offers them (spec 3.5)."""

import pytest

from groundplan.diagnostics.trouble import NotFound, UsageError
from groundplan.model.ids import BlueprintId, DeploymentId
from groundplan.service import blueprints, deployments
from groundplan.service.assembly import Engine, now

from .conftest import Write

ENVIRONMENT = "capabilities: {zone: {value: a}}\n"
APP = """
node_templates:
  app: {type: groundplan.nodes.Nop, properties: {values: {zone: {get_environment_capability: zone}}}}
outputs:
  net: {value: {concat: [x, {get_environment_capability: [net, id]}]}}
"""


@pytest.fixture
def environment(engine: Engine, write: Write) -> Engine:
    """An engine with an environment, and the blueprint of an app for one."""
    for name, body in {"env": ENVIRONMENT, "app": APP, "fit": APP.replace("[net, id]", "zone")}.items():
        blueprints.upload(
            engine.store, engine.home, engine.fetch, write(body, folder=name), now(), id=BlueprintId(name)
        )
    create(engine, "env")
    return engine


def create(engine: Engine, name: str, parent: str = "") -> None:
    """Make a deployment."""
    labels = {"csys-obj-parent": (parent,)} if parent else {}
    new = deployments.NewDeployment(id=DeploymentId(name), blueprint=BlueprintId(name), labels=labels)
    deployments.create(engine.store, engine.library, new, now())


def test_what_the_environment_lacks_is_told_before_anything_is_made(environment: Engine) -> None:
    with pytest.raises(UsageError, match=r"(?s)'env' lacks.*- net \(in outputs.net\[1\]\)") as told:
        create(environment, "app", "env")
    assert "zone" not in told.value.message
    with environment.store.snapshot() as snapshot:
        assert snapshot.deployment(DeploymentId("app")) is None


def test_without_an_environment_it_is_not_made(environment: Engine) -> None:
    with pytest.raises(UsageError, match="reads capabilities of its environment, and has none"):
        create(environment, "fit")
    with pytest.raises(NotFound, match="no deployment 'nowhere'"):
        create(environment, "fit", "nowhere")


def test_with_what_it_reads_it_is_made(environment: Engine) -> None:
    create(environment, "fit", "env")
