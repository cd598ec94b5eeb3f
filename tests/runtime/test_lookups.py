"""What functions find in the store: inputs, secrets, labels, capabilities of others, and of others' others."""

from dataclasses import replace

import pytest

from groundplan.model.blueprint import Output
from groundplan.model.deployment import Dependency, DependencyKind, Deployment
from groundplan.model.ids import BlueprintId, DeploymentId, Digest
from groundplan.model.labels import PARENT
from groundplan.model.secret import SecretValue
from groundplan.model.values import FUNCTION_MARK, Data, Sensitive, Value, from_data
from groundplan.planning.evaluation import EvaluationFault
from groundplan.runtime.evaluation import Evaluator
from groundplan.runtime.world import World
from groundplan.state.store import InstanceChange

from ..planning.builders import blueprint, node
from .rehearsal import NOW, Rehearsal


def deploy(rehearsal: Rehearsal, name: str, url: Data = "none", **labels: tuple[str, ...]) -> Deployment:
    """A deployment with one capability, `url`."""
    plan = replace(blueprint(node("db")), capabilities={"url": Output(value=from_data(url))})
    deployment = rehearsal.deploy(plan, name, port=80)
    if labels:
        with rehearsal.store.transaction() as transaction:
            transaction.delete_deployment(deployment.id)
            deployment = replace(deployment, labels=labels)
            transaction.add_deployment(deployment, [])
    return deployment


def evaluate(rehearsal: Rehearsal, deployment: Deployment, written: Data) -> Data:
    """Evaluate a value where a deployment's outputs stand."""
    evaluator = Evaluator.of_store(rehearsal.library, rehearsal.store)
    with rehearsal.store.snapshot() as snapshot:
        world = rehearsal.library.world(snapshot, deployment)
    value: Value = from_data(written)
    return evaluator.outputs(world, {"it": Output(value=value)}, "outputs")["it"]


def test_an_input_is_found(rehearsal: Rehearsal) -> None:
    assert evaluate(rehearsal, deploy(rehearsal, "a"), {"get_input": "port"}) == 80


def test_a_secret_is_found_and_stays_sensitive(rehearsal: Rehearsal) -> None:
    with rehearsal.store.transaction() as transaction:
        transaction.put_secret("key", SecretValue(text="abcdef"), NOW)
    assert evaluate(rehearsal, deploy(rehearsal, "a"), {"get_secret": "key"}) == Sensitive("abcdef")


def test_a_capability_of_another_is_found(rehearsal: Rehearsal) -> None:
    deploy(rehearsal, "env", {"get_input": "port"})
    assert evaluate(rehearsal, deploy(rehearsal, "app"), {"get_capability": ["env", "url"]}) == 80


def test_a_capability_is_followed_through_others(rehearsal: Rehearsal) -> None:
    deploy(rehearsal, "far", "the end")
    deploy(rehearsal, "near", {"get_capability": ["far", "url"]})
    assert evaluate(rehearsal, deploy(rehearsal, "app"), {"get_capability": ["near", "url"]}) == "the end"


def test_capabilities_that_read_each_other_end(rehearsal: Rehearsal) -> None:
    deploy(rehearsal, "one", {"get_capability": ["two", "url"]})
    deploy(rehearsal, "two", {"get_capability": ["one", "url"]})
    with pytest.raises(EvaluationFault, match="do they read each other"):
        evaluate(rehearsal, deploy(rehearsal, "app"), {"get_capability": ["one", "url"]})


def test_a_capability_whose_secret_is_gone_is_told(rehearsal: Rehearsal) -> None:
    deploy(rehearsal, "env", {"get_secret": "gone"})
    with pytest.raises(EvaluationFault, match="is a secret that is not there"):
        evaluate(rehearsal, deploy(rehearsal, "app"), {"get_capability": ["env", "url"]})


def test_the_environment_is_the_deployment_of_the_label(rehearsal: Rehearsal) -> None:
    deploy(rehearsal, "env", "of the environment")
    app = deploy(rehearsal, "app", **{PARENT: ("env",)})
    assert evaluate(rehearsal, app, {"get_environment_capability": "url"}) == "of the environment"


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"get_input": "nothing"}, "no input 'nothing'"),
        ({"concat": ["x", {"get_secret": "nothing"}]}, "nothing"),
        ({"get_capability": ["nobody", "url"]}, "no deployment 'nobody'"),
        ({"get_capability": ["app", "uri"]}, "no capability 'uri'; it has url"),
        ({"get_environment_capability": "url"}, "no environment"),
    ],
)
def test_what_is_not_there_is_named(rehearsal: Rehearsal, written: Data, words: str) -> None:
    with pytest.raises(EvaluationFault, match=words):
        evaluate(rehearsal, deploy(rehearsal, "app"), written)


def test_those_who_use_a_deployment_are_its_consumers(rehearsal: Rehearsal) -> None:
    env, app = deploy(rehearsal, "env"), deploy(rehearsal, "app")
    need = Dependency(id="c", kind=DependencyKind.COMPONENT, source=app.id, target=env.id)
    with rehearsal.store.transaction() as transaction:
        transaction.put_dependency(need)
    assert evaluate(rehearsal, env, {"get_consumers": "ids"}) == ["app"]


def test_within_a_transaction_its_own_writes_are_seen(rehearsal: Rehearsal) -> None:
    app = deploy(rehearsal, "app")
    with rehearsal.store.transaction() as transaction:
        transaction.put_secret("fresh", SecretValue(text="abcdef"), NOW)
        world = rehearsal.library.world(transaction, app)
        outputs = {"it": Output(value=from_data({"get_secret": "fresh"}))}
        found = Evaluator.within(rehearsal.library, transaction).outputs(world, outputs, "outputs")
    assert found == {"it": Sensitive("abcdef")}


def test_a_deployment_knows_itself(rehearsal: Rehearsal) -> None:
    deployment = Deployment(
        id=DeploymentId("me"), blueprint=BlueprintId("me"), digest=Digest("me"), created_at=NOW, display_name="Me"
    )
    deploy(rehearsal, "me")
    assert evaluate(rehearsal, deployment, {"get_sys": ["deployment", "name"]}) == "Me"


def test_a_secret_that_went_with_what_led_to_it_is_no_fault(rehearsal: Rehearsal) -> None:
    deployment = deploy(rehearsal, "a")
    with rehearsal.store.snapshot() as snapshot:
        world = rehearsal.library.world(snapshot, deployment)
    db = world.instances_of("db")[0].id
    # Read before an outcome that cleared it and took the secret.
    world.apply(db, InstanceChange(runtime_properties={"key": {FUNCTION_MARK: {"get_secret": "gone"}}}))
    evaluator, written = (
        Evaluator.of_store(rehearsal.library, rehearsal.store),
        from_data({"get_attribute": ["db", "key"]}),
    )

    def read(now: Evaluator, then: World) -> dict[str, Data]:
        return now.outputs(then, {"it": Output(value=written)}, "outputs")

    with pytest.raises(EvaluationFault, match="no secret 'gone'"):
        read(evaluator, world)
    assert evaluator.steadily(world, read) == {"it": None}
