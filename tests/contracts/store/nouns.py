"""One of each noun that a store keeps, with values in every field."""

from datetime import UTC, datetime, timedelta

from groundplan.model.deployment import (
    Dependency,
    DependencyKind,
    Deployment,
    GroupMembership,
    InstanceState,
    NodeInstance,
    Owner,
    RelationshipInstance,
)
from groundplan.model.execution import Event, EventType, Execution, ExecutionStatus, ParentTask
from groundplan.model.graph import RelationshipRef, Side, Task, TaskGraph, TaskKind
from groundplan.model.ids import BlueprintId, DeploymentId, Digest, ExecutionId, InstanceId, NodeId
from groundplan.model.plugin import PluginManifest, StandIn
from groundplan.model.schedule import Rule, Schedule, ScheduleId
from groundplan.model.values import Sensitive
from groundplan.state.store import StoredBlueprint

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
PASSWORD = "correct horse battery staple"

BLUEPRINT = StoredBlueprint(
    id=BlueprintId("shop"),
    digest=Digest("abc"),
    main_file="blueprint.yaml",
    created_at=NOW,
    updated_at=LATER,
    description="A shop",
    labels={"env": ("dev", "test")},
)
PLAN = {"version": "cloudify_dsl_1_5", "nodes": {"db": {"properties": {"$sensitive": 1, "$literal": [None, 1.5]}}}}
DEPLOYMENT = Deployment(
    id=DeploymentId("shop1"),
    blueprint=BLUEPRINT.id,
    digest=BLUEPRINT.digest,
    created_at=NOW,
    inputs={"password": Sensitive(PASSWORD), "$odd": {"$sensitive": "data"}, "list": [Sensitive({"a": 1}), None]},
    labels={"csys-obj-parent": ("env1",)},
    display_name="Shop 1",
    owner=Owner(deployment=DeploymentId("env1"), instance=InstanceId("shop_a1")),
)
INSTANCE = NodeInstance(
    id=InstanceId("db_a1"),
    node=NodeId("db"),
    index=2,
    host=InstanceId("vm_b2"),
    state=InstanceState.CREATED,
    relationships=(
        RelationshipInstance(index=1, type="contained_in", target_node=NodeId("vm"), target=InstanceId("vm_b2")),
    ),
    scaling_groups=(GroupMembership(name="tier", id="tier_1"),),
    runtime_properties={"token": Sensitive(PASSWORD), "ports": [1, 2], "$function": "data"},
    system_properties={"status": {"ok": True}},
    version=3,
)
HOST = NodeInstance(id=InstanceId("vm_b2"), node=NodeId("vm"), index=1, host=InstanceId("vm_b2"))
EXECUTION = Execution(
    id=ExecutionId("e1"),
    deployment=DEPLOYMENT.id,
    workflow="install",
    status=ExecutionStatus.PENDING,
    created_at=NOW,
    started_at=LATER,
    parameters={"key": Sensitive(PASSWORD)},
    parent=ParentTask(execution=ExecutionId("e0"), task=7),
    is_dry_run=True,
    stage=0,
)
PLAIN_TASK = Task(number=0, kind=TaskKind.STATE, instance=HOST.id, after=InstanceState.STARTED)
FULL_TASK = Task(
    number=1,
    kind=TaskKind.OPERATION,
    instance=INSTANCE.id,
    operation="cloudify.interfaces.relationship_lifecycle.establish",
    relationship=RelationshipRef(index=1, source=INSTANCE.id, target=HOST.id, side=Side.TARGET),
    before=InstanceState.CREATING,
    after=InstanceState.CREATED,
    ignore_failure=True,
    retries=0,
    arguments={"force": True},
)
GRAPH = TaskGraph(tasks=[PLAIN_TASK, FULL_TASK], waits=[(), (0,)])
DEPENDENCY = Dependency(
    id="component.db_a1",
    kind=DependencyKind.COMPONENT,
    source=DEPLOYMENT.id,
    target=DeploymentId("env1"),
    node=NodeId("db"),
)
EVENT = Event(
    at=NOW,
    type=EventType.LOG,
    message="it works",
    execution=EXECUTION.id,
    deployment=DEPLOYMENT.id,
    level="info",
    instance=INSTANCE.id,
    target=HOST.id,
    operation="create",
)
SCHEDULE = Schedule(
    id=ScheduleId("nightly"),
    deployment=DEPLOYMENT.id,
    workflow="check_drift",
    rule=Rule(since=NOW, recurrence="1 days"),
    created_at=NOW,
    parameters={"key": Sensitive(PASSWORD)},
    next_at=LATER,
)
MANIFEST = PluginManifest(
    name="aws",
    version="1.2",
    package="groundplan_aws",
    text="node_types: {}",
    stands_for=(StandIn(name="cloudify-aws-plugin", version="3.0"),),
    operations={"a.b": "c:d"},
)


def fill(transaction) -> None:
    """Write the blueprint, the deployment with its instances, and the execution with its tasks."""
    transaction.put_blueprint(BLUEPRINT, PLAN)
    transaction.add_deployment(DEPLOYMENT, [HOST, INSTANCE])
    transaction.add_execution(EXECUTION)
    transaction.append_tasks(EXECUTION.id, GRAPH, stage=1)
