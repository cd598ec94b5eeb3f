"""Inputs that name something: it must exist and keep the constraints, or no deployment is made."""

import pytest

from groundplan.diagnostics.trouble import UsageError
from groundplan.model.deployment import Deployment
from groundplan.model.execution import Execution
from groundplan.model.ids import BlueprintId, DeploymentId
from groundplan.model.secret import SecretValue
from groundplan.model.values import Data
from groundplan.planning.inputs import Untyped
from groundplan.service import blueprints, deployments, executions
from groundplan.service.assembly import Engine, now

from .conftest import Write

NETWORK = """
blueprint_labels: {kind: {values: [net]}}
labels: {stage: {values: [prod, blue]}}
node_templates:
  lan: {type: groundplan.nodes.Nop}
  port: {type: groundplan.nodes.Nop}
groups: {both: {members: [lan]}}
policies: {s: {type: cloudify.policies.scaling, targets: [both]}}
capabilities: {range: {value: 10.0.0.0/8}}
"""


@pytest.fixture
def there(engine: Engine, write: Write) -> Engine:
    """An engine with a blueprint `net`, its deployment `net-1`, and a secret `token`."""
    make(engine, write, NETWORK, "net", "net-1")
    with engine.store.transaction() as transaction:
        transaction.put_secret("token", SecretValue(text="net-1"), now())
    return engine


def make(
    engine: Engine, write: Write, body: str, blueprint: str, id: str, inputs: dict[str, Data] | None = None
) -> Deployment:
    """Make a deployment of a new blueprint."""
    uploaded = BlueprintId(blueprint)
    blueprints.upload(engine.store, engine.home, engine.fetch, write(body, blueprint), now(), id=uploaded)
    new = deployments.NewDeployment(id=DeploymentId(id), blueprint=uploaded, inputs=inputs or {})
    return deployments.create(engine.store, engine.library, new, now())


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("type: blueprint_id, constraints: [{labels: [{kind: net}]}, {name_pattern: {starts_with: n}}]", "net"),
        ("type: deployment_id, constraints: [{labels: [{Stage: prod}, {stage: blue}]}]", "net-1"),
        ("type: deployment_id, constraints: [{tenants: [default_tenant, other]}]", "net-1"),
        ("type: secret_key, constraints: [{name_pattern: {contains: oke, ends_with: n}}]", "token"),
        ("type: node_id, constraints: [{deployment_id: net-1}, {name_pattern: {equals_to: lan}}]", "lan"),
        ("type: node_id, constraints: [{deployment_id: {get_secret: token}}]", "lan"),
        ("type: node_id", "own"),
        ("type: node_type, constraints: [{deployment_id: net-1}]", "groundplan.nodes.Nop"),
        ("type: scaling_group, constraints: [{deployment_id: net-1}]", "both"),
        ("type: operation_name", "cloudify.interfaces.lifecycle.start"),
        ("type: capability_value, constraints: [{deployment_id: net-1}]", "10.0.0.0/8"),
        ("type: list, item_type: deployment_id", ["net-1"]),
        ("type: deployment_id, required: false", None),
    ],
)
def test_what_exists_is_accepted(there: Engine, write: Write, declared: str, value: Data) -> None:
    body = f"inputs: {{x: {{{declared}}}}}\nnode_templates: {{own: {{type: groundplan.nodes.Nop}}}}"
    assert make(there, write, body, "own", "own", {"x": value}).inputs == {"x": value}


@pytest.mark.parametrize(
    ("declared", "value", "words"),
    [
        ("type: blueprint_id", "nett", "no blueprint 'nett', did you mean 'net'"),
        ("type: deployment_id", "net", "no deployment 'net'"),
        ("type: deployment_id, constraints: [{labels: [{stage: green}]}]", "net-1", "not one of those that labels"),
        ("type: deployment_id, constraints: [{tenants: [other]}]", "net-1", "that tenants allows"),
        ("type: deployment_id, constraints: [{filter_id: f}]", "net-1", "that filter_id allows"),
        ("type: secret_key, constraints: [{name_pattern: {starts_with: x}}]", "token", "that name_pattern allows"),
        ("type: node_id, constraints: [{deployment_id: gone}]", "lan", "no deployment 'gone'"),
        ("type: node_id, constraints: [{deployment_id: {get_input: y}}]", "lan", "cannot be evaluated"),
        ("type: node_id", "lan", "no node template 'lan'"),
        ("type: node_instance", "lan_1", "add the constraint deployment_id"),
        ("type: capability_value, constraints: [{deployment_id: net-1}]", "10", "no capability with the value '10'"),
        ("type: list, item_type: deployment_id", ["net-1", "x"], r"'x\[1\]': there is no deployment 'x'"),
    ],
)
def test_what_does_not_is_refused(there: Engine, write: Write, declared: str, value: Data, words: str) -> None:
    body = f"inputs: {{x: {{{declared}}}, y: {{default: net-1}}}}\nnode_templates: {{}}"
    with pytest.raises(UsageError, match=words):
        make(there, write, body, "own", "own", {"x": value})


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"node_ids": ["lan", "wan"]}, r"'node_ids\[1\]': there is no node template 'wan', did you mean 'lan'"),
        ({"node_instance_ids": ["lan_none"]}, "no node instance 'lan_none'"),
        (
            {"type_names": ["cloudify.nodes.Rot"]},
            "no node type 'cloudify.nodes.Rot', did you mean 'cloudify.nodes.Root'",
        ),
        ({"operation": "start"}, "no operation 'start', did you mean 'cloudify.interfaces.lifecycle.start'"),
        ({"node_ids": Untyped("[lan, wan]", ["lan", "wan"])}, "no node template 'wan'"),
    ],
)
def test_what_a_parameter_names_is_in_the_deployment(there: Engine, parameters: dict[str, Data], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        run(there, {"operation": "cloudify.interfaces.lifecycle.start", **parameters})


def test_a_parameter_may_name_what_is_there(there: Engine) -> None:
    with there.store.snapshot() as snapshot:
        instances = [item.id for item in snapshot.instances(DeploymentId("net-1"))]
    named = {"node_ids": ["lan"], "node_instance_ids": instances, "type_names": ["cloudify.nodes.Root"]}
    given = {"operation": "cloudify.interfaces.lifecycle.start", **named}
    assert given.items() <= run(there, given).parameters.items()


def run(engine: Engine, parameters: dict[str, Data]) -> Execution:
    new = executions.NewExecution(
        deployment=DeploymentId("net-1"), workflow="execute_operation", parameters=parameters, force=True
    )
    return executions.start(engine.store, engine.library, new, now())
