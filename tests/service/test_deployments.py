"""Making, reading and deleting deployments; starting, resuming and cancelling what runs on them."""

from datetime import timedelta

import pytest

from groundplan.diagnostics.trouble import Conflict, NotFound, UsageError
from groundplan.model.deployment import Dependency, DependencyKind, InstanceState
from groundplan.model.execution import (
    Change,
    Execution,
    ExecutionStatus,
    Failure,
    Outcome,
    ParentTask,
    TaskState,
    Verdict,
)
from groundplan.model.graph import TaskGraph
from groundplan.model.ids import DeploymentId, ExecutionId
from groundplan.planning.workflows.table import workflow_stages
from groundplan.runtime.liveness import LEASE_SECONDS, driver_name
from groundplan.service import blueprints, deployments, executions, standing
from groundplan.service.assembly import Engine, now
from groundplan.state.store import AttemptEnd, AttemptStart, Batch, InstanceChange

from ..planning.builders import facts_of
from .conftest import Write

BODY = """
inputs:
  port: {type: integer}
  zone: {type: string, default: a, constraints: [{valid_values: [a, b]}]}
node_templates:
  db: {type: groundplan.nodes.Nop, instances: {deploy: 2}}
workflows:
  mend: {mapping: default_workflows.cloudify.plugins.workflows.heal}
capabilities:
  port: {value: {get_input: port}}
"""
SHOP = DeploymentId("shop")


@pytest.fixture
def uploaded(engine: Engine, write: Write) -> Engine:
    """An engine with the blueprint above."""
    blueprints.upload(engine.store, engine.home, engine.fetch, write(BODY), now())
    return engine


@pytest.fixture
def shop(uploaded: Engine) -> Engine:
    """An engine with a deployment of it."""
    create(uploaded, port=80)
    return uploaded


def create(engine: Engine, name: str = SHOP, **inputs: object) -> None:
    """Make a deployment."""
    new = deployments.NewDeployment(id=DeploymentId(name), blueprint="shop", inputs=inputs)
    deployments.create(engine.store, engine.library, new, now())


def start(engine: Engine, workflow: str = "install", **more: object) -> Execution:
    """Record an execution."""
    new = executions.NewExecution(deployment=SHOP, workflow=workflow, **more)
    return executions.start(engine.store, engine.library, new, now())


def set_states(engine: Engine, *states: InstanceState) -> None:
    """Put the instances into states, in their order."""
    with engine.store.transaction() as transaction:
        for instance, state in zip(transaction.instances(SHOP), states, strict=False):
            transaction.put_instance(SHOP, instance.id, InstanceChange(state=state))


# -- deployments


def test_a_deployment_has_its_instances_inputs_and_capabilities(shop: Engine) -> None:
    with shop.store.snapshot() as snapshot:
        assert [item.index for item in snapshot.instances(SHOP)] == [1, 2]
        assert snapshot.deployment(SHOP).inputs == {"port": 80, "zone": "a"}
    assert deployments.capabilities(shop.store, shop.library, SHOP) == {"port": (80, None)}


def test_every_fault_of_the_inputs_is_told_at_once_and_nothing_stored(uploaded: Engine) -> None:
    with pytest.raises(deployments.InputsRefused) as refused:
        create(uploaded, zone="c", colour="red")
    assert len(refused.value.faults) == 3
    assert standing.listing(uploaded.store) == []


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "a b", "a\n", "x" * 257])
def test_an_id_that_no_folder_could_have_is_refused(uploaded: Engine, name: str) -> None:
    with pytest.raises(UsageError):
        create(uploaded, name, port=1)


def test_an_id_is_given_once(shop: Engine) -> None:
    with pytest.raises(Conflict, match="already"):
        create(shop, port=1)


def test_an_unknown_secret_is_told_before_anything_is_stored(engine: Engine, write: Write) -> None:
    body = "node_templates: {db: {type: groundplan.nodes.Nop, properties: {message: {get_secret: nothing}}}}\n"
    blueprints.upload(engine.store, engine.home, engine.fetch, write(body), now())
    with pytest.raises(UsageError, match="nothing"):
        create(engine)
    assert standing.listing(engine.store) == []


def test_what_still_exists_is_not_deleted_unless_forced(shop: Engine) -> None:
    set_states(shop, InstanceState.STARTED)
    with pytest.raises(Conflict, match="still has node instances"):
        deployments.delete(shop.store, shop.home, SHOP)
    deployments.delete(shop.store, shop.home, SHOP, force=True)
    assert standing.listing(shop.store) == []


def test_what_others_need_is_not_deleted(shop: Engine) -> None:
    create(shop, "user", port=1)
    need = Dependency(id="c", kind=DependencyKind.COMPONENT, source=DeploymentId("user"), target=SHOP)
    with shop.store.transaction() as transaction:
        transaction.put_dependency(need)
    with pytest.raises(Conflict, match=r"\[1\] user \(component\)"):
        deployments.delete(shop.store, shop.home, SHOP)


def test_it_is_active_when_all_of_it_is_started(shop: Engine) -> None:
    set_states(shop, InstanceState.STARTED)
    (partly,) = standing.listing(shop.store)
    set_states(shop, InstanceState.STARTED, InstanceState.STARTED)
    (wholly,) = standing.listing(shop.store)
    assert (partly.installation, wholly.installation) == ("inactive", "active")


# -- starting


def test_a_second_execution_waits_for_the_first(shop: Engine) -> None:
    first = start(shop)
    with pytest.raises(Conflict, match=first.id):
        start(shop)


@pytest.mark.parametrize(
    ("workflow", "states", "allowed"),
    [
        ("install", (), True),
        ("uninstall", (), False),
        ("uninstall", (InstanceState.STARTED,), True),
        ("install", (InstanceState.STARTED, InstanceState.STARTED), False),
    ],
)
def test_a_workflow_is_available_as_the_instances_stand(
    shop: Engine, workflow: str, states: tuple[InstanceState, ...], allowed: bool
) -> None:
    set_states(shop, *states)
    if allowed:
        assert start(shop, workflow).status is ExecutionStatus.PENDING
    else:
        with pytest.raises(UsageError, match="not available"):
            start(shop, workflow)
        assert start(shop, workflow, force=True).workflow == workflow


@pytest.mark.parametrize("workflow", ["heal", "mend"])
def test_what_others_need_is_not_taken_from_them_under_any_name(shop: Engine, workflow: str) -> None:
    create(shop, "user", port=1)
    set_states(shop, InstanceState.STARTED)
    need = Dependency(id="c", kind=DependencyKind.COMPONENT, source=DeploymentId("user"), target=SHOP)
    with shop.store.transaction() as transaction:
        transaction.put_dependency(need)
    with pytest.raises(Conflict, match=r"\[1\] user \(component\)"):
        start(shop, workflow)


def test_a_workflow_that_is_not_there_is_told_with_those_that_are(shop: Engine) -> None:
    with pytest.raises(NotFound, match=r"no workflow 'instal'.*install"):
        start(shop, "instal")


def test_a_parameter_that_nobody_declared_is_refused_unless_allowed(shop: Engine) -> None:
    with pytest.raises(deployments.InputsRefused):
        start(shop, parameters={"colour": "red"})
    assert start(shop, parameters={"colour": "red"}, allow_custom_parameters=True).parameters["colour"] == "red"


# -- resuming and cancelling


def hold(engine: Engine, execution: Execution) -> None:
    """Take the lease as this process, which lives."""
    with engine.store.transaction() as transaction:
        transaction.acquire(execution.id, driver_name(), now())


def test_the_beginning_of_an_id_is_enough_everywhere(shop: Engine) -> None:
    execution = start(shop)
    short = ExecutionId(execution.id[:6])
    assert executions.get(shop.store, short) == execution
    assert executions.end(shop.store, short, Change.CANCEL, now()).status is ExecutionStatus.CANCELLED
    assert executions.prepare_resume(shop.store, short, now()).status is ExecutionStatus.STARTED


def test_what_is_being_driven_is_not_resumed_from_the_beginning_of_its_id(shop: Engine) -> None:
    execution = start(shop)
    hold(shop, execution)
    with pytest.raises(Conflict, match="is being driven"):
        executions.prepare_resume(shop.store, ExecutionId(execution.id[:6]), now())


def test_a_lease_whose_heartbeat_is_old_holds_nobody_back(shop: Engine) -> None:
    execution = start(shop)
    hold(shop, execution)
    later = now() + timedelta(seconds=LEASE_SECONDS + 1)
    assert executions.prepare_resume(shop.store, execution.id, later).status is ExecutionStatus.STARTED


def test_what_was_cut_off_is_run_again_only_when_it_is_reset(shop: Engine) -> None:
    execution = cut_off(shop)
    executions.prepare_resume(shop.store, execution.id, now())
    assert first_task(shop, execution).state is TaskState.STARTED
    executions.prepare_resume(shop.store, execution.id, now(), reset_operations=True)
    reset = first_task(shop, execution)
    assert (reset.state, reset.earlier) == (TaskState.PENDING, 1)


def test_what_failed_before_a_later_stage_is_not_run_again(shop: Engine) -> None:
    execution = cut_off(shop)
    failure = Failure(type="Trouble", message="no room", recoverable=False)
    end = AttemptEnd(
        task=0, number=1, at=now(), state=TaskState.FAILED, outcome=Outcome(verdict=Verdict.FAILED, failure=failure)
    )
    with shop.store.transaction() as transaction:
        lease = transaction.acquire(execution.id, "gone:1:0", now())
        transaction.record(Batch(lease=lease, deployment=SHOP, ended=[end]))
        count = len(transaction.tasks(execution.id))
        transaction.append_tasks(execution.id, TaskGraph(tasks=(), waits=(), first=count), stage=2)
        transaction.release(lease)
    executions.prepare_resume(shop.store, execution.id, now(), reset_operations=True)
    assert first_task(shop, execution).state is TaskState.FAILED


def test_a_step_that_waits_for_a_cancelled_child_is_done_again(shop: Engine) -> None:
    create(shop, "inner", port=1)
    execution = cut_off(shop)
    new = executions.NewExecution(
        deployment=DeploymentId("inner"), workflow="install", parent=ParentTask(execution=execution.id, task=0)
    )
    child = executions.start(shop.store, shop.library, new, now())
    wait_for(shop, execution, child)
    executions.prepare_resume(shop.store, execution.id, now())
    assert first_task(shop, execution).state is TaskState.WAITING
    executions.end(shop.store, execution.id, Change.CANCEL, now())
    executions.prepare_resume(shop.store, execution.id, now())
    assert first_task(shop, execution).state is TaskState.PENDING


def test_what_has_succeeded_is_not_resumed(shop: Engine) -> None:
    execution = start(shop)
    with shop.store.transaction() as transaction:
        transaction.set_execution(execution.id, status=ExecutionStatus.TERMINATED, at=now())
    with pytest.raises(UsageError, match="nothing to resume"):
        executions.prepare_resume(shop.store, execution.id, now())


def test_a_driven_execution_is_asked_to_end_and_another_ends_at_once(shop: Engine) -> None:
    execution = start(shop)
    hold(shop, execution)
    assert executions.end(shop.store, execution.id, Change.CANCEL, now()).status is ExecutionStatus.CANCELLING


def test_a_cancel_goes_down_to_the_children(shop: Engine) -> None:
    create(shop, "inner", port=1)
    parent = start(shop)
    new = executions.NewExecution(
        deployment=DeploymentId("inner"),
        workflow="install",
        parent=ParentTask(execution=parent.id, task=0),
    )
    child = executions.start(shop.store, shop.library, new, now())
    executions.end(shop.store, parent.id, Change.CANCEL, now())
    assert executions.get(shop.store, child.id).status is ExecutionStatus.CANCELLED


def test_what_has_ended_is_not_cancelled(shop: Engine) -> None:
    execution = start(shop)
    executions.end(shop.store, execution.id, Change.CANCEL, now())
    with pytest.raises(UsageError, match="has ended already"):
        executions.end(shop.store, execution.id, Change.CANCEL, now())


def cut_off(engine: Engine) -> Execution:
    """An execution with one attempt that was begun by a driver that is gone."""
    execution = start(engine)
    with engine.store.transaction() as transaction:
        lease = transaction.acquire(execution.id, "gone:1:0", now())
        world = engine.library.world(transaction, deployments.existing(transaction, SHOP))
        graph = plan_install(world, execution)
        transaction.append_tasks(execution.id, graph, stage=1)
        start_ = AttemptStart(task=graph.tasks[0].number, number=1, at=now())
        transaction.record(Batch(lease=lease, deployment=SHOP, started=[start_]))
        transaction.release(lease)
    return execution


def wait_for(engine: Engine, execution: Execution, child: Execution) -> None:
    """Record that the first task waits for a child."""
    outcome = Outcome(verdict=Verdict.WAITING, waits_for=child.id)
    end = AttemptEnd(task=0, number=1, at=now(), state=TaskState.WAITING, outcome=outcome)
    with engine.store.transaction() as transaction:
        lease = transaction.acquire(execution.id, "gone:1:0", now())
        transaction.record(Batch(lease=lease, deployment=SHOP, ended=[end]))
        transaction.release(lease)


def plan_install(world: object, execution: Execution) -> object:
    """The tasks of an install."""
    return workflow_stages(world.blueprint, execution).next(facts_of(world.blueprint, world.instances)).graph


def first_task(engine: Engine, execution: Execution) -> object:
    """The record of the task that was begun."""
    with engine.store.snapshot() as snapshot:
        return snapshot.task(execution.id, 0)
