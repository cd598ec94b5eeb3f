"""A cascading workflow is queued for the deployments of components as well, at any depth (spec 6.2)."""

from groundplan.model.deployment import Owner
from groundplan.model.execution import ExecutionStatus
from groundplan.model.ids import BlueprintId, DeploymentId, InstanceId
from groundplan.service import blueprints, deployments, executions
from groundplan.service.assembly import Engine, now

from .conftest import Write

MAPPED = "default_workflows.cloudify.plugins.workflows.execute_operation"
BODY = """
node_templates: {db: {type: groundplan.nodes.Nop}}
workflows:
  everywhere: {mapping: MAPPED, is_cascading: true, parameters: {operation: {default: x.y}}}
  here: {mapping: MAPPED, parameters: {operation: {default: x.y}}}
""".replace("MAPPED", MAPPED)


def test_a_cascade_reaches_what_components_made_and_nothing_else(engine: Engine, write: Write) -> None:
    bare = "node_templates: {db: {type: groundplan.nodes.Nop}}\n"
    for name, body in (("shop", BODY), ("bare", bare)):
        blueprints.upload(
            engine.store, engine.home, engine.fetch, write(body, folder=name), now(), id=BlueprintId(name)
        )
    tree = {"parent": None, "child": "parent", "grandchild": "child", "without": "parent", "other": None}
    for name, above in tree.items():
        owner = None if above is None else Owner(deployment=DeploymentId(above), instance=InstanceId("part_1"))
        blueprint = BlueprintId("bare" if name == "without" else "shop")
        new = deployments.NewDeployment(id=DeploymentId(name), blueprint=blueprint, owner=owner)
        deployments.create(engine.store, engine.library, new, now())
    for workflow in ("everywhere", "here"):
        asked = executions.NewExecution(
            deployment=DeploymentId("parent"), workflow=workflow, parameters={"operation": "a.b"}, force=True
        )
        executions.start(engine.store, engine.library, asked, now())
    with engine.store.snapshot() as snapshot:
        found = {(item.deployment, item.workflow): item for item in snapshot.executions()}
    assert {deployment for deployment, workflow in found if workflow == "everywhere"} == {
        "parent",
        "child",
        "grandchild",
    }
    assert {deployment for deployment, workflow in found if workflow == "here"} == {"parent"}
    assert found["grandchild", "everywhere"].status is ExecutionStatus.QUEUED
    assert found["grandchild", "everywhere"].parameters["operation"] == "a.b"
