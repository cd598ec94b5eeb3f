"""Groups of deployments: what joins, what is made, under which ids, and what a group collects."""

from dataclasses import replace

import pytest

from groundplan.diagnostics.trouble import Conflict, NotFound, UsageError
from groundplan.model.execution import Change, ExecutionStatus
from groundplan.model.group import PAUSED
from groundplan.model.ids import BlueprintId, DeploymentId, ExecutionGroupId, GroupId
from groundplan.planning.evaluation import EvaluationFault
from groundplan.runtime.evaluation import Evaluator
from groundplan.runtime.policy import Policy
from groundplan.service import blueprints, deployments, execution_groups, executions, queue
from groundplan.service import deployment_groups as groups
from groundplan.service.assembly import Engine, now
from groundplan.service.deployment_groups import Extension, Selection, Wanted
from groundplan.service.driving import Unwatched, make_local_driver
from groundplan.service.execution_groups import GroupSource, NewRun
from groundplan.service.given import read_given

from .conftest import Write

SITE = """
inputs: {bad: {default: []}}
node_templates:
  vm: {type: groundplan.nodes.Nop, properties: {fail: {get_input: bad}}}
capabilities:
  name: {value: {get_sys: [deployment, id]}}
"""
SITES, GOOD, BAD = GroupId("sites"), GroupId("good"), GroupId("bad")


@pytest.fixture
def sites(engine: Engine, write: Write) -> Engine:
    """An engine with the blueprint `site` and the groups `sites`, `good` and `bad`."""
    upload(engine, write, SITE)
    groups.create(engine.store, SITES, Wanted(blueprint=BlueprintId("site")), now())
    for empty in (GOOD, BAD):
        groups.create(engine.store, empty, Wanted(), now())
    return engine


def upload(engine: Engine, write: Write, body: str, name: str = "site") -> None:
    """Upload a blueprint."""
    blueprints.upload(engine.store, engine.home, engine.fetch, write(body, name), now(), id=BlueprintId(name))


def extend(engine: Engine, id: str = SITES, **how: object) -> list[str]:
    """Extend a group, and return the deployments that were made."""
    _, made = groups.extend(engine.store, engine.library, GroupId(id), Extension(**how), now())
    return [*made]


def deploy(engine: Engine, id: str, **inputs: object) -> DeploymentId:
    """Make a deployment of the blueprint `site`."""
    new = deployments.NewDeployment(id=DeploymentId(id), blueprint=BlueprintId("site"), inputs=inputs)
    return deployments.create(engine.store, engine.library, new, now()).id


def start(engine: Engine, **more: object) -> ExecutionGroupId:
    """Queue an install of all sites."""
    new = NewRun(group=SITES, workflow="install", **more)
    return execution_groups.start(engine.store, engine.library, new, now()).id


def drive(engine: Engine, id: ExecutionGroupId) -> execution_groups.Run:
    """Drive a group of executions, and return how it stands then."""
    driver = make_local_driver(engine, Policy(), Unwatched(), lambda _: None)
    driver.serve(source(engine, id, driver.request_drain))
    return execution_groups.get(engine.store, id, now())


def source(engine: Engine, id: ExecutionGroupId, done=lambda: None, told=lambda _: None) -> GroupSource:
    """What a driver of a group asks."""
    return GroupSource(
        store=engine.store,
        library=engine.library,
        group=id,
        clock=now,
        most=20,
        say=lambda _: None,
        done=done,
        told=told,
    )


# -- deployments


def test_deployments_join_once_from_lists_and_from_other_groups(sites: Engine) -> None:
    one, other = deploy(sites, "one"), deploy(sites, "other")
    extend(sites, GOOD, selection=Selection(deployments=[other]))
    extend(sites, selection=Selection(deployments=[one, one], from_group=GOOD))
    assert groups.members(sites.store, SITES) == [one, other]
    assert groups.shrink(sites.store, SITES, Selection(from_group=GOOD)) == [other]
    assert groups.members(sites.store, SITES) == [one]


def test_deployments_are_made_under_ids_of_the_blueprints_template(engine: Engine, write: Write) -> None:
    upload(engine, write, SITE + 'deployment_settings: {id_template: "{group_id}-{count}", default_groups: [all]}')
    groups.create(engine.store, SITES, Wanted(blueprint=BlueprintId("site")), now())
    assert extend(engine, count=10)[::9] == ["sites-1", "sites-10"]
    groups.shrink(engine.store, SITES, Selection(deployments=[DeploymentId("sites-3")]))
    assert extend(engine, count=1) == ["sites-11"]
    assert len(groups.members(engine.store, GroupId("all"))) == 11


def test_a_deployment_is_made_in_each_environment_of_another_group(sites: Engine) -> None:
    extend(sites, GOOD, selection=Selection(deployments=[deploy(sites, "env1"), deploy(sites, "env2")]))
    made = extend(sites, into_environments=GOOD)
    with sites.store.snapshot() as snapshot:
        found = [snapshot.deployment(DeploymentId(each)) for each in made]
    assert [each.labels["csys-obj-parent"] for each in found] == [("env1",), ("env2",)]
    assert [each.display_name for each in found] == [f"site-{each}" for each in made]


def test_text_of_a_groups_inputs_becomes_what_the_blueprint_declares(engine: Engine, write: Write) -> None:
    upload(engine, write, "inputs: {size: {type: integer}, name: {type: string}}\nnode_templates: {}")
    given = read_given(["size=3;name=4"])
    groups.create(engine.store, SITES, Wanted(blueprint=BlueprintId("site"), inputs=given), now())
    (made,) = extend(engine, count=1)
    with engine.store.snapshot() as snapshot:
        assert snapshot.deployment(DeploymentId(made)).inputs == {"size": 3, "name": "4"}


def test_an_unknown_word_in_an_id_template_is_refused() -> None:
    with pytest.raises(UsageError, match="no sites"):
        groups.expanded("{site_name}", {})


def test_all_deployments_join_or_none(sites: Engine) -> None:
    with pytest.raises(NotFound):
        extend(sites, selection=Selection(deployments=[deploy(sites, "one"), DeploymentId("none")]), count=2)
    assert groups.members(sites.store, SITES) == []
    with pytest.raises(UsageError, match="no blueprint"):
        extend(sites, GOOD, count=1)


def test_a_group_takes_its_deployments_along_when_asked(sites: Engine, write: Write) -> None:
    upload(sites, write, SITE + "outputs: {it: {value: {get_capability: [one, name]}}}", "user")
    one = deploy(sites, "one")
    user = deployments.NewDeployment(id=DeploymentId("user"), blueprint=BlueprintId("user"))
    deployments.create(sites.store, sites.library, user, now())
    extend(sites, selection=Selection(deployments=[one, user.id]))
    assert set(groups.delete(sites.store, sites.home, SITES, with_deployments=True)) == {one, user.id}
    with sites.store.snapshot() as snapshot:
        assert snapshot.deployments() == []


def test_capabilities_of_a_group_are_those_of_its_deployments_that_have_them(sites: Engine, write: Write) -> None:
    upload(sites, write, "node_templates: {}\noutputs: {all: {value: {get_group_capability: [sites, name]}}}", "user")
    user = deployments.NewDeployment(id=DeploymentId("user"), blueprint=BlueprintId("user"))
    deployments.create(sites.store, sites.library, user, now())
    named = [deploy(sites, "zulu"), deploy(sites, "alpha"), user.id]
    extend(sites, selection=Selection(deployments=named))
    assert deployments.outputs(sites.store, sites.library, user.id)["all"][0] == ["alpha", "zulu"]
    groups.delete(sites.store, sites.home, SITES)
    with pytest.raises(EvaluationFault, match="no deployment group 'sites'"):
        deployments.outputs(sites.store, sites.library, user.id)


# -- executions


def test_what_fails_stops_no_other_and_each_is_collected_by_its_result(sites: Engine) -> None:
    extend(sites, count=3)
    extend(sites, selection=Selection(deployments=[deploy(sites, "broken", bad=["start"])]))
    run = start(sites, concurrency=2, success_group=GOOD, failure_group=BAD)
    found = drive(sites, run)
    assert (found.status, dict(found.counts)) == ("failed", {"terminated": 3, "failed": 1})
    assert len(groups.members(sites.store, GOOD)) == 3
    assert groups.members(sites.store, BAD) == ["broken"]


def test_no_more_begin_at_once_than_the_group_says_and_none_while_it_is_paused(sites: Engine) -> None:
    extend(sites, count=4)
    run = start(sites, concurrency=3)

    def begin() -> list[str]:
        with sites.store.snapshot() as snapshot:
            return [item.deployment for item in queue.read_lines(snapshot, now(), 20).next]

    assert begin() == groups.members(sites.store, SITES)[:3]
    execution_groups.set_concurrency(sites.store, run, PAUSED)
    assert begin() == []
    assert drive(sites, run).status is ExecutionStatus.QUEUED
    execution_groups.set_concurrency(sites.store, run, 2)
    first = execution_groups.get(sites.store, run, now()).executions[0].execution
    with sites.store.transaction() as transaction:
        transaction.set_execution(first.id, status=ExecutionStatus.STARTED, at=now())
    assert len(begin()) == 1


def test_a_resumed_group_goes_on_with_what_failed_and_collects_it_anew(sites: Engine) -> None:
    extend(sites, selection=Selection(deployments=[deploy(sites, "broken", bad=["start"]), deploy(sites, "well")]))
    run = start(sites, failure_group=BAD, success_group=GOOD)
    drive(sites, run)
    with sites.store.transaction() as transaction:
        broken = transaction.deployment(DeploymentId("broken"))
        instances = transaction.instances(broken.id)
        executions_ = transaction.executions(group=run)
        transaction.delete_deployment(broken.id)
        transaction.add_deployment(replace(broken, inputs={"bad": []}), instances)
        failed = next(item for item in executions_ if item.deployment == broken.id)
        transaction.add_execution(replace(failed, stage=0, status=ExecutionStatus.FAILED))
        transaction.add_members(BAD, [broken.id])
    execution_groups.resume(sites.store, run, now())
    found = drive(sites, run)
    assert found.status is ExecutionStatus.TERMINATED
    assert groups.members(sites.store, BAD) == []
    assert set(groups.members(sites.store, GOOD)) == {"broken", "well"}
    with pytest.raises(UsageError, match="nothing to resume"):
        execution_groups.resume(sites.store, run, now())


def test_what_waits_in_a_cancelled_group_never_begins(sites: Engine) -> None:
    extend(sites, count=2)
    run = start(sites)
    assert execution_groups.end(sites.store, run, Change.CANCEL, now()).status is ExecutionStatus.CANCELLED
    with pytest.raises(UsageError, match="left to end"):
        execution_groups.end(sites.store, run, Change.CANCEL, now())


def test_one_that_cannot_begin_any_more_fails_alone(sites: Engine) -> None:
    extend(sites, count=2)
    run = start(sites, concurrency=1)
    first, second = execution_groups.get(sites.store, run, now()).executions
    source(sites, run).refuse(first.execution.id, "others need it")
    statuses = [item.execution.status for item in execution_groups.get(sites.store, run, now()).executions]
    assert statuses == ["failed", "queued"]
    assert source(sites, run).seek([]) == [second.execution.id]


def test_what_ended_before_is_collected_when_a_group_for_it_is_named(sites: Engine) -> None:
    extend(sites, count=1)
    run = start(sites)
    drive(sites, run)
    execution_groups.set_success_group(sites.store, run, GOOD)
    assert len(groups.members(sites.store, GOOD)) == 1
    with pytest.raises(UsageError, match="both"):
        execution_groups.set_failure_group(sites.store, run, GOOD)


def test_a_group_begins_whole_or_not_at_all(sites: Engine) -> None:
    with pytest.raises(UsageError, match="no deployments"):
        start(sites)
    extend(sites, count=2)
    with pytest.raises(UsageError, match="parameter"):
        start(sites, parameters={"nonsense": 1})
    assert executions.listing(sites.store, now()) == []
    assert execution_groups.listing(sites.store, now()) == []


def test_names_are_refused_in_words(sites: Engine) -> None:
    with pytest.raises(Conflict, match="already"):
        groups.create(sites.store, SITES, Wanted(), now())
    with pytest.raises(NotFound) as refused:
        groups.members(sites.store, GroupId("site"))
    assert "'sites'" in refused.value.fix


def test_an_evaluator_within_a_transaction_sees_members_that_joined_in_it(sites: Engine) -> None:
    one = deploy(sites, "one")
    with sites.store.transaction() as transaction:
        transaction.add_members(SITES, [one])
        world = sites.library.world(transaction, transaction.deployment(one))
        lookup = Evaluator.within(sites.library, transaction).lookup(world)
        assert lookup.group_capability("sites", ["name"]) == {"one": ["one"]}
