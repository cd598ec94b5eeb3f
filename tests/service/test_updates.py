"""Stories of updates: what runs, what is left, and what an update that fails leaves to the next (spec 5.10)."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from groundplan.diagnostics.trouble import Conflict, NotFound, UsageError
from groundplan.model.blueprint import to_plan
from groundplan.model.deployment import Dependency, DependencyKind
from groundplan.model.execution import EventType, Execution, ExecutionStatus
from groundplan.model.ids import BlueprintId, DeploymentId, InstanceId
from groundplan.model.update import UpdateId, UpdateState
from groundplan.runtime.policy import Policy
from groundplan.service import asking, blueprints, deployments, executions, updates
from groundplan.service.assembly import Engine, now
from groundplan.service.driving import make_local_driver
from groundplan.service.preparing import NewUpdate, UpdateRefused
from groundplan.state.store import Batch

from .conftest import Write

SHOP = DeploymentId("shop")
TYPES = """
inputs:
  port: {type: integer, default: 80}
  fail: {type: list, default: []}
node_types:
  App:
    derived_from: cloudify.nodes.Root
    properties: {port: {default: 1}, fail: {default: []}, fail_times: {default: 0}, drift: {default: {}}}
    interfaces:
      cloudify.interfaces.lifecycle:
        create: nop.groundplan_nop.operations.run
        preupdate: nop.groundplan_nop.operations.run
        update: nop.groundplan_nop.operations.run
        delete: nop.groundplan_nop.operations.run
  Bare:
    derived_from: cloudify.nodes.Root
    properties: {port: {default: 1}, fail: {default: []}, fail_times: {default: 0}, drift: {default: {}}}
    interfaces:
      cloudify.interfaces.lifecycle:
        create: nop.groundplan_nop.operations.run
        delete: nop.groundplan_nop.operations.run
  Asked:
    derived_from: App
    interfaces:
      cloudify.interfaces.lifecycle:
        check_drift: nop.groundplan_nop.operations.run
  Sick:
    derived_from: Bare
    properties: {fail: {default: [check_status]}}
    interfaces:
      cloudify.interfaces.validation:
        check_status: nop.groundplan_nop.operations.run
node_templates:
"""
LINK = "relationships: [{type: groundplan.relationships.Nop, target: %s}]"


class Shop:
    """A deployment that was installed, and what one does with it."""

    def __init__(self, engine: Engine, write: Write) -> None:
        self.engine = engine
        self._write = write
        self._count = 0

    def upload(self, nodes: str, more: str = "") -> BlueprintId:
        """Upload a blueprint of these node templates."""
        self._count += 1
        body = TYPES + "".join(f"  {line.strip()}\n" for line in nodes.strip().splitlines()) + more
        file = self._write(body, folder=f"shop{self._count}")
        return blueprints.upload(self.engine.store, self.engine.home, self.engine.fetch, file, now()).blueprint.id

    def install(self, nodes: str, more: str = "", **inputs: object) -> None:
        """Make the deployment and install it."""
        new = deployments.NewDeployment(id=SHOP, blueprint=self.upload(nodes, more), inputs=inputs)
        deployments.create(self.engine.store, self.engine.library, new, now())
        asked = executions.NewExecution(deployment=SHOP, workflow="install")
        assert self.run(executions.start(self.engine.store, self.engine.library, asked, now())) is not None

    def start(self, nodes: str = "", more: str = "", **wishes: object) -> Execution:
        """Begin an update."""
        blueprint = self.upload(nodes, more) if nodes else None
        new = NewUpdate(deployment=SHOP, blueprint=blueprint, by="me", **wishes)
        return updates.start(self.engine.store, self.engine.library, self.engine.home, new, now())

    def update(self, nodes: str = "", more: str = "", **wishes: object) -> list[str]:
        """Update the deployment; return what was run."""
        execution = self.start(nodes, more, **wishes)
        assert self.run(execution).status is ExecutionStatus.TERMINATED
        assert self.last.state is UpdateState.SUCCESSFUL
        return self.ran(execution)

    def run(self, execution: Execution, look: Callable[[Batch], None] = lambda _: None) -> Execution:
        """Drive an execution to its end."""

        class Watch:
            def committed(self, batch: Batch) -> None:
                look(batch)

        return make_local_driver(self.engine, Policy(delays=(0,)), Watch(), lambda _: None).run(execution.id)

    def resume(self, execution: Execution) -> Execution:
        """Go on with an execution."""
        return self.run(executions.prepare_resume(self.engine.store, execution.id, now()))

    def ran(self, execution: Execution) -> list[str]:
        """The operations that were begun, in order: `db create`, `web->db establish`."""
        with self.engine.store.snapshot() as snapshot:
            events = [event for _, event in snapshot.events(execution=execution.id)]
        nodes = [
            (event.instance or "").rpartition("_")[0] + (f"->{event.target.rpartition('_')[0]}" if event.target else "")
            for event in events
            if event.type is EventType.TASK_STARTED
        ]
        names = [event.operation.rpartition(".")[2] for event in events if event.type is EventType.TASK_STARTED]
        return [f"{node} {name}" for node, name in zip(nodes, names, strict=True)]

    @property
    def last(self) -> updates.Update:
        """The newest update."""
        return updates.listing(self.engine.store, SHOP)[-1]

    @property
    def states(self) -> dict[str, str]:
        """The state of each instance by its node."""
        with self.engine.store.snapshot() as snapshot:
            return {item.node: str(item.state) for item in snapshot.instances(SHOP)}

    @property
    def deployment(self) -> deployments.Deployment:
        """The deployment as it is."""
        with self.engine.store.snapshot() as snapshot:
            return deployments.existing(snapshot, SHOP)

    def instance(self, node: str) -> InstanceId:
        """The id of a node's instance."""
        with self.engine.store.snapshot() as snapshot:
            return next(item.id for item in snapshot.instances(SHOP) if item.node == node)


@pytest.fixture
def shop(engine: Engine, write: Write) -> Shop:
    """An engine in which nothing is deployed yet."""
    return Shop(engine, write)


def test_a_node_is_added_and_linked(shop: Shop) -> None:
    shop.install("db: {type: Bare}")
    ran = shop.update("db: {type: Bare}\n web: {type: Bare, %s}" % (LINK % "db"))
    assert ran[:2] == ["web create", "web->db preconfigure"]
    assert ran.count("web->db establish") == 2
    assert shop.states == {"db": "started", "web": "started"}


def test_a_node_is_removed_and_forgotten(shop: Shop) -> None:
    shop.install("db: {type: Bare}\n web: {type: Bare, %s}" % (LINK % "db"))
    ran = shop.update("db: {type: Bare}")
    assert sorted(set(ran)) == ["web delete", "web->db unlink"]
    assert shop.states == {"db": "started"}
    with shop.engine.store.snapshot() as snapshot:
        assert list(snapshot.plan(shop.deployment.digest)["nodes"]) == ["db"]


def test_what_goes_is_uninstalled_as_it_was_made(shop: Shop) -> None:
    shop.install("old: {type: Bare, properties: {fail: {get_input: fail}}}", fail=[])
    assert shop.update("new: {type: Bare}", inputs={"fail": ["delete"]}) == ["old delete", "new create"]
    assert shop.deployment.inputs == {"port": 80, "fail": ["delete"]}


def test_a_changed_property_is_updated_where_the_node_can(shop: Shop) -> None:
    shop.install("db: {type: App, properties: {port: {get_input: port}}}")
    assert shop.update(inputs={"port": 81}) == ["db preupdate", "db update"]
    assert shop.deployment.inputs["port"] == 81


def test_a_changed_property_is_reinstalled_where_the_node_cannot_with_what_is_inside(shop: Shop) -> None:
    inside = "app: {type: Bare, relationships: [{type: cloudify.relationships.contained_in, target: db}]}"
    shop.install(f"db: {{type: Bare}}\n {inside}\n other: {{type: Bare}}")
    ran = shop.update(f"db: {{type: Bare, properties: {{port: 2}}}}\n {inside}\n other: {{type: Bare}}")
    assert ran == ["app delete", "db delete", "db create", "app create"]
    assert set(shop.states.values()) == {"started"}


def test_an_update_that_fails_is_a_reinstallation(shop: Shop) -> None:
    shop.install("db: {type: App}")
    ran = shop.update("db: {type: App, properties: {fail: [update]}}")
    assert ran == ["db preupdate", "db update", "db delete", "db create"]


def test_what_says_that_it_has_not_drifted_is_left(shop: Shop) -> None:
    shop.install("db: {type: Asked}")
    assert shop.update("db: {type: Asked, properties: {port: 2}}") == ["db check_drift"]
    assert shop.update("db: {type: Asked, properties: {port: 3}}", skip_drift_check=True) == [
        "db preupdate",
        "db update",
    ]


def test_what_has_drifted_is_updated_although_nothing_else_changes(shop: Shop) -> None:
    shop.install("db: {type: Asked, properties: {drift: {port: 2}}}\n other: {type: Asked}")
    ran = shop.update(drift_only=True)
    assert sorted(ran[:2]) == ["db check_drift", "other check_drift"]
    assert ran[2:] == ["db preupdate", "db update"]


def test_what_is_unwell_is_healed_or_reinstalled(shop: Shop) -> None:
    shop.install("db: {type: Sick}\n other: {type: groundplan.nodes.Nop, properties: {fail: [check_status]}}")
    ran = shop.update(drift_only=True)
    assert [name for name in ran if "heal" in name] == ["other preheal", "other heal", "other postheal"]
    assert [name for name in ran if "db" in name] == ["db check_status", "db delete", "db create"]
    assert shop.update(drift_only=True, skip_heal=True) == ["other check_drift"]


def test_relationships_are_unlinked_and_established(shop: Shop) -> None:
    both = "a: {type: Bare}\n b: {type: Bare}\n"
    shop.install(both + "web: {type: Bare, %s}" % (LINK % "a"))
    ran = shop.update(both + "web: {type: Bare, %s}" % (LINK % "b"))
    assert ran == ["web->a unlink", "web->a unlink", "web->b establish", "web->b establish"]
    with shop.engine.store.snapshot() as snapshot:
        web = snapshot.instance(SHOP, shop.instance("web"))
    assert [(link.index, link.target_node) for link in web.relationships] == [(0, "b")]
    assert not shop.update(both + "web: {type: Bare, %s}" % (LINK % "b"))


def test_flags(shop: Shop) -> None:
    shop.install("db: {type: App}\n old: {type: Bare}")
    ran = shop.update(
        "db: {type: App, properties: {port: 2}}\n new: {type: Bare}",
        skip_install=True,
        skip_uninstall=True,
        force_reinstall=True,
        skip_reinstall=True,
        reinstall=(shop.instance("db"),),
    )
    assert ran == ["db delete", "db create"]
    assert shop.states == {"db": "started", "new": "uninitialized"}


def test_a_failure_leaves_what_can_be_resumed(shop: Shop) -> None:
    shop.install("db: {type: Bare}\n old: {type: Bare}")
    execution = shop.start("db: {type: Bare}\n new: {type: Bare, properties: {fail_times: {get_input: port}}}")
    assert shop.run(execution).status is ExecutionStatus.FAILED
    assert shop.last.state is UpdateState.FAILED
    assert shop.states == {"db": "started", "old": "deleted", "new": "creating"}
    with shop.engine.store.snapshot() as snapshot:
        assert "old" in shop.engine.library.blueprint(snapshot, shop.deployment.digest).nodes


def test_the_next_update_goes_on_from_one_that_failed(shop: Shop) -> None:
    shop.install("db: {type: Bare}\n old: {type: Bare}")
    assert shop.run(shop.start("db: {type: Bare}\n new: {type: Bare, properties: {fail: [create]}}")).error
    assert shop.update("db: {type: Bare}\n new: {type: Bare}") == ["new create"]
    assert shop.states == {"db": "started", "new": "started"}


def test_the_way_back_from_an_update_that_failed(shop: Shop) -> None:
    shop.install("db: {type: Bare}\n old: {type: Bare}")
    assert shop.run(shop.start("db: {type: Bare}\n new: {type: Bare, properties: {fail: [create]}}")).error
    assert shop.update("db: {type: Bare}\n old: {type: Bare}") == ["new delete", "old create"]
    assert shop.states == {"db": "started", "old": "started"}


def test_a_preview_changes_nothing(shop: Shop) -> None:
    shop.install("db: {type: App}\n old: {type: Bare}")
    before = shop.deployment, shop.states
    new = NewUpdate(
        deployment=SHOP, blueprint=shop.upload("db: {type: App, properties: {port: 2}}\n new: {type: Bare}")
    )
    found = updates.preview(shop.engine.store, shop.engine.library, new, now())
    assert (shop.deployment, shop.states) == before
    assert [":".join(step.path) for step in found.update.steps] == [
        "nodes:old",
        "nodes:new",
        "nodes:db:properties:port",
    ]
    assert found.forecast.installed == ("new (new 1)",)
    assert found.forecast.uninstalled == (shop.instance("old"),)
    assert found.forecast.updated == (shop.instance("db"),)
    assert updates.get(shop.engine.store, found.update.id).state is UpdateState.PREVIEW
    with pytest.raises(NotFound):
        updates.get(shop.engine.store, UpdateId("none"))


def test_what_cannot_be_updated_is_refused_and_nothing_changes(shop: Shop) -> None:
    shop.install("db: {type: App}")
    before = shop.deployment
    with pytest.raises(UpdateRefused, match=r"type 'App' and would become one of 'Bare'.*another name"):
        shop.start("db: {type: Bare}")
    with pytest.raises(UsageError, match="port"):
        shop.start(inputs={"port": "many"})
    with pytest.raises(UsageError, match="Nothing says"):
        shop.start()
    with pytest.raises(NotFound, match="no workflow 'mine'"):
        shop.start(drift_only=True, workflow="mine")
    assert shop.deployment == before
    assert not updates.listing(shop.engine.store, SHOP)


def test_a_deployment_that_others_need_is_updated_only_by_force(shop: Shop) -> None:
    shop.install("db: {type: Bare}")
    with shop.engine.store.transaction() as transaction:
        transaction.put_dependency(
            Dependency(id="sharedresource.x", kind=DependencyKind.SHARED_RESOURCE, source=SHOP, target=SHOP)
        )
    with pytest.raises(Conflict, match="others need it"):
        shop.start("db: {type: Bare}")
    assert shop.update("db: {type: Bare}", force=True) == []


def test_an_update_of_what_is_not_installed_installs_nothing(shop: Shop) -> None:
    new = deployments.NewDeployment(id=SHOP, blueprint=shop.upload("db: {type: Bare}"))
    deployments.create(shop.engine.store, shop.engine.library, new, now())
    assert shop.update("db: {type: Bare}\n web: {type: Bare}") == []
    assert shop.states == {"db": "uninitialized", "web": "uninitialized"}


def test_capabilities_that_are_used_no_longer_are_no_dependency(shop: Shop) -> None:
    shop.install(
        "db: {type: Bare}", "capabilities: {port: {value: 1}}\noutputs: {o: {value: {get_capability: [shop, port]}}}"
    )
    with shop.engine.store.snapshot() as snapshot:
        assert [item.kind for item in snapshot.dependencies(source=SHOP)] == [DependencyKind.CAPABILITY]
    shop.update("db: {type: Bare}", force=True)
    with shop.engine.store.snapshot() as snapshot:
        assert not snapshot.dependencies(source=SHOP)


@pytest.mark.parametrize("moment", range(1, 12, 2))
def test_an_update_that_is_cut_off_anywhere_goes_on(shop: Shop, moment: int) -> None:
    shop.install("db: {type: App}\n old: {type: Bare}")
    execution = shop.start("db: {type: App, properties: {port: 2}}\n new: {type: Bare, %s}" % (LINK % "db"))
    seen = 0

    class Cut(Exception):
        pass

    def look(_: Batch) -> None:
        nonlocal seen
        seen += 1
        if seen == moment:
            raise Cut

    with suppress(Cut):
        shop.run(execution, look)
    # How many outcomes share a commit is up to the threads, so that the last commit may come before the last moments.
    if executions.get(shop.engine.store, execution.id).status is not ExecutionStatus.TERMINATED or moment < 6:
        assert shop.resume(execution).status is ExecutionStatus.TERMINATED
    assert shop.states == {"db": "started", "new": "started"}
    assert shop.last.state is UpdateState.SUCCESSFUL
    with shop.engine.store.snapshot() as snapshot:
        blueprint = shop.engine.library.blueprint(snapshot, shop.deployment.digest)
    assert list(to_plan(blueprint)["nodes"]) == ["db", "new"]


CHILD = """
inputs: {size: {type: integer, default: 1}, fail: {type: list, default: []}}
node_templates:
  disk: {type: groundplan.nodes.Nop, properties: {values: {size: {get_input: size}}, fail: {get_input: fail}}}
capabilities: {size: {value: {get_attribute: [disk, size]}}}
"""
PART = (
    "part: {type: cloudify.nodes.ServiceComponent, properties: {resource_config: {"
    "blueprint: {id: child, external_resource: true}, deployment: {id: part, inputs: {size: %d, fail: [%s]}}}}}"
)


@pytest.fixture
def composed(shop: Shop, write: Write) -> Shop:
    """A deployment with a component, installed."""
    engine = shop.engine
    file = write(CHILD, folder="child")
    blueprints.upload(engine.store, engine.home, engine.fetch, file, now(), id=BlueprintId("child"))
    shop.install(PART % (1, ""))
    return shop


def of_child(shop: Shop) -> tuple[object, list[str]]:
    """The input of the child, and what was run in it last."""
    with shop.engine.store.snapshot() as snapshot:
        child = deployments.existing(snapshot, DeploymentId("part"))
        last = snapshot.executions(deployment=child.id)[-1]
    return child.inputs["size"], [last.workflow, str(last.status)]


def test_a_component_updates_its_child(composed: Shop) -> None:
    assert "part update" in composed.update(PART % (2, ""))
    assert of_child(composed) == (2, ["csys_new_deployment_update", "terminated"])
    (update,) = updates.listing(composed.engine.store, DeploymentId("part"))
    assert update.by == f"component {composed.instance('part')} of shop"


def test_a_component_whose_child_is_as_it_says_is_left(composed: Shop) -> None:
    assert "part update" not in composed.update(PART % (1, "") + "\n  more: {type: Bare}")
    assert of_child(composed) == (1, ["install", "terminated"])


def test_a_child_follows_its_blueprint_to_new_content(composed: Shop, write: Write) -> None:
    engine, more = (
        composed.engine,
        CHILD.replace("capabilities:", "  more: {type: groundplan.nodes.Nop}\ncapabilities:"),
    )
    file = write(more, folder="child")
    blueprints.upload(engine.store, engine.home, engine.fetch, file, now(), id=BlueprintId("child"), replace=True)
    assert "part update" in composed.update(drift_only=True)
    with engine.store.snapshot() as snapshot:
        assert {item.node for item in snapshot.instances(DeploymentId("part"))} == {"disk", "more"}
    assert "part update" not in composed.update(drift_only=True)


def test_a_child_that_is_to_have_another_id_is_made_anew(composed: Shop) -> None:
    ran = composed.update((PART % (1, "")).replace("{id: part", "{id: other"))
    assert [name for name in ran if name in ("part update", "part stop", "part delete")] == [
        "part update",
        "part stop",
        "part delete",
    ]
    with composed.engine.store.snapshot() as snapshot:
        assert {item.id for item in snapshot.deployments()} == {"shop", "other"}


def test_a_child_of_a_component_is_not_updated_beside_it(composed: Shop) -> None:
    new = NewUpdate(deployment=DeploymentId("part"), inputs={"size": 3})
    engine = composed.engine
    with pytest.raises(Conflict, match="others need it"):
        updates.start(engine.store, engine.library, engine.home, new, now())


def test_a_workflow_id_stands_for_an_update(shop: Shop) -> None:
    shop.install("db: {type: App, properties: {port: {get_input: port}}}")

    def asked(workflow: str, **parameters: object) -> executions.NewExecution:
        return executions.NewExecution(deployment=SHOP, workflow=workflow, parameters=parameters)

    engine = shop.engine
    for name in ("update", "csys_update_deployment", "csys_new_deployment_update"):
        assert asking.is_update(engine.store, engine.library, asked(name))
    assert not asking.is_update(engine.store, engine.library, asked("install"))
    found = asking.wished(asked("update", inputs={"port": 2}, skip_heal=True, reinstall_list=["a"]), "me")
    assert (found.inputs, found.skip_heal, found.reinstall, found.by) == ({"port": 2}, True, ("a",), "me")
    with pytest.raises(UsageError, match="no parameter 'skip_heall'"):
        asking.wished(asked("update", skip_heall=True), "me")


def test_a_workflow_of_the_blueprint_does_the_update_and_it_is_concluded(shop: Shop) -> None:
    shop.install("db: {type: Bare}\n old: {type: Bare}")
    mapped = (
        "workflows: {mine: {mapping: default_workflows.cloudify.plugins.workflows.execute_operation, "
        "parameters: {operation: {default: cloudify.interfaces.lifecycle.create}}}}"
    )
    execution = shop.start("db: {type: Bare}\n new: {type: Bare}", mapped, workflow="mine")
    assert execution.parameters["added_instance_ids"] == [shop.instance("new")]
    assert execution.parameters["removed_instance_ids"] == [shop.instance("old")]
    assert shop.run(execution).status is ExecutionStatus.TERMINATED
    assert set(shop.states) == {"db", "new"}


def test_schedules_of_the_new_blueprint_are_added_and_none_is_deleted(shop: Shop) -> None:
    def written(**since: str) -> str:
        entries = (f"{{{name}: {{workflow: install, since: '{at}'}}}}" for name, at in since.items())
        return f"deployment_settings: {{default_schedules: {', '.join(entries)}}}"

    shop.install("db: {type: Bare}", written(first="2099-01-01 10:00"))
    shop.update("db: {type: Bare}", written(second="2099-01-01 11:00"))
    with shop.engine.store.snapshot() as snapshot:
        assert sorted(item.id for item in snapshot.schedules(deployment=SHOP)) == ["first", "second"]
