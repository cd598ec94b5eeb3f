"""What a blueprint calls its deployments: functions in labels and display names are evaluated when one is made."""

import pytest

from groundplan.diagnostics.trouble import UsageError
from groundplan.model.deployment import Deployment
from groundplan.model.ids import BlueprintId, DeploymentId
from groundplan.model.secret import SecretValue
from groundplan.service import blueprints, deployments
from groundplan.service.assembly import Engine, now

from .conftest import Write

BODY = """
inputs: {stage: {default: Prod}}
labels:
  Tier: {values: [web, {string_lower: {get_input: stage}}, {concat: [{get_sys: [deployment, id]}, -1]}]}
  size: {values: [{get_property: [one, size]}]}
  given: {values: [{get_label: [owner, 0]}]}
node_templates:
  one: {type: sized, properties: {size: 3}}
node_types:
  sized: {derived_from: cloudify.nodes.Root, properties: {size: {}}}
"""


def make(engine: Engine, write: Write, body: str, **new: object) -> Deployment:
    """Make a deployment of a blueprint."""
    blueprints.upload(engine.store, engine.home, engine.fetch, write(body), now(), id=BlueprintId("shop"))
    wanted = deployments.NewDeployment(id=DeploymentId("shop"), blueprint=BlueprintId("shop"), **new)  # type: ignore[arg-type]
    return deployments.create(engine.store, engine.library, wanted, now())


def test_functions_in_labels_are_evaluated(engine: Engine, write: Write) -> None:
    made = make(engine, write, BODY, labels={"owner": ("ann",), "TIER": ("web", "mine")})
    assert made.labels == {
        "owner": ("ann",),
        "tier": ("web", "mine", "prod", "shop-1"),
        "size": ("3",),
        "given": ("ann",),
    }


@pytest.mark.parametrize(("given", "shown"), [("", "site of Prod"), ("mine", "mine")])
def test_a_display_name_is_given_by_the_blueprint_unless_by_the_caller(
    engine: Engine, write: Write, given: str, shown: str
) -> None:
    body = "inputs: {stage: {default: Prod}}\ndeployment_settings:\n  display_name: {concat: [site of, ' ', %s]}\n"
    made = make(engine, write, body % "{get_input: stage}", display_name=given)
    assert made.display_name == shown


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("inputs: {i: {default: [a]}}\nlabels: {l: {values: [{get_input: i}]}}", "text is expected"),
        ("inputs: {i: {default: 'a\"b'}}\nlabels: {l: {values: [{get_input: i}]}}", "no control characters"),
        ("inputs: {i: {default: true}}\ndeployment_settings: {display_name: {get_input: i}}", "text is expected"),
    ],
)
def test_what_cannot_be_a_label_is_refused_and_nothing_is_made(
    engine: Engine, write: Write, body: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        make(engine, write, body)
    with engine.store.snapshot() as snapshot:
        assert snapshot.deployments() == []


def test_a_secret_becomes_no_label(engine: Engine, write: Write) -> None:
    with engine.store.transaction() as transaction:
        transaction.put_secret("token", SecretValue(text="very secret text"), now())
    with pytest.raises(UsageError, match="What is secret") as told:
        make(engine, write, "labels: {l: {values: [{concat: [a, {get_secret: token}]}]}}")
    assert "very secret" not in told.value.message
