"""Scale as users meet it: what runs, what the deployment consists of afterwards, failures, kills and refusals."""

import pytest

from groundplan.model.blueprint import Scalable, ScalingGroup
from groundplan.model.deployment import Deployment, InstanceState
from groundplan.model.execution import EventType, Execution, ExecutionStatus
from groundplan.runtime.attempt import Assignment
from groundplan.state.store import Batch

from ..planning.builders import blueprint, lifecycle, node, relationship
from .rehearsal import DONE, Rehearsal, Script, failed

OPERATIONS = lifecycle("create", "start", "stop", "delete")
VM = "vm_000003"
LINK = {"source": "establish unlink"}
PLAN = blueprint(
    node("vm", operations=OPERATIONS, host=True),
    node("app", relationship("contained_in", "vm"), operations=OPERATIONS),
    node("lb", relationship("connected_to", "app", **LINK), operations=OPERATIONS),
    groups={"farm": ScalingGroup(members=("vm",), instances=Scalable(default_instances=1))},
)


@pytest.fixture
def shop(rehearsal: Rehearsal) -> Rehearsal:
    """A deployment with everything started."""
    rehearsal.deploy(PLAN)
    assert rehearsal.drive(rehearsal.start()).status is ExecutionStatus.TERMINATED
    return rehearsal


def scale(shop: Rehearsal, name: str, delta: object = 1, script: Script | None = None, **more: object) -> Execution:
    """Scale, one operation at a time."""
    parameters = {"scalable_entity_name": name, "delta": delta, **more}
    return shop.drive(shop.start(workflow="scale", parameters=parameters), script or Script(), workers=1)


def deployment(shop: Rehearsal) -> Deployment:
    """The deployment as it is."""
    with shop.store.snapshot() as snapshot:
        return snapshot.deployment("shop")


def states(shop: Rehearsal) -> dict[str, str]:
    """The instances and their states."""
    with shop.store.snapshot() as snapshot:
        return {item.id: str(item.state) for item in snapshot.instances("shop")}


def ids(shop: Rehearsal, node: str) -> list[str]:
    """The instances of a node."""
    return [own for own in states(shop) if own.startswith(f"{node}_")]


def breaking(*names: str, times: int = 99) -> Script:
    """Operations that fail for good on instances that scaling made."""
    left = [times]

    def act(assignment: Assignment) -> object:
        if "new" in assignment.task.instance and left[0]:
            left[0] -= 1
            return failed("no room", final=True)
        return DONE

    return Script(acts=dict.fromkeys(names, act))


def test_more_of_a_node_brings_what_is_in_it_and_links_what_relates_to_it(shop: Rehearsal) -> None:
    script = Script()
    assert scale(shop, "vm", script=script).error == ""
    assert script.ran == ["vm create", "vm start", "app create", "app start", "lb establish"]
    assert (len(ids(shop, "vm")), len(ids(shop, "app")), set(states(shop).values())) == (2, 2, {"started"})
    assert (deployment(shop).scaling.counts["vm"], deployment(shop).scaling.modification) == (2, None)


def test_fewer_of_a_node_takes_what_is_in_it_along_and_the_deployment_is_as_before(shop: Rehearsal) -> None:
    before = states(shop)
    scale(shop, "vm")
    script = Script()
    assert scale(shop, "vm", "-1", script).error == ""
    assert script.ran == ["lb unlink", "app stop", "app delete", "vm stop", "vm delete"]
    assert states(shop) == before
    with shop.store.snapshot() as snapshot:
        (lb,) = [item for item in snapshot.instances("shop") if item.node == "lb"]
    assert [link.target for link in lb.relationships] == ids(shop, "app")


def test_a_scaling_group_is_preferred_and_has_instances_of_its_own(shop: Rehearsal) -> None:
    assert scale(shop, "farm", 2).error == ""
    with shop.store.snapshot() as snapshot:
        groups = {item.scaling_groups[0].id for item in snapshot.instances("shop") if item.node == "vm"}
    assert (len(groups), len(ids(shop, "vm")), deployment(shop).scaling.counts["farm"]) == (3, 3, 3)


def test_named_instances_go_or_stay(shop: Rehearsal) -> None:
    scale(shop, "farm", 2)
    first, second, third = ids(shop, "vm")
    assert scale(shop, "farm", -1, include_instances=[first]).error == ""
    assert scale(shop, "farm", -1, exclude_instances=[third]).error == ""
    assert ids(shop, "vm") == [third]
    assert second


def test_the_host_of_a_node_is_scaled_on_request(shop: Rehearsal) -> None:
    assert scale(shop, "app", scale_compute=True).error == ""
    assert (deployment(shop).scaling.counts["vm"], deployment(shop).scaling.counts["app"]) == (2, 1)


@pytest.mark.parametrize(
    ("name", "more", "words"),
    [
        ("nobody", {}, "there are: app, farm, lb, vm"),
        ("vm", {"delta": -2}, "'vm' has 1 instances"),
        ("vm", {"include_instances": [VM]}, "are for scaling in"),
        ("vm", {"delta": -1, "include_instances": ["lb_1"]}, "are no instances of 'vm': lb_1"),
        ("vm", {"delta": -1, "include_instances": [VM], "exclude_instances": [VM]}, "both"),
        ("vm", {"delta": -1, "exclude_instances": [VM]}, "none of exclude_instances"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_changes(
    shop: Rehearsal, name: str, more: dict[str, object], words: str
) -> None:
    before = states(shop)
    ended = scale(shop, name, **more)
    assert words in ended.error
    assert (states(shop), deployment(shop).scaling.modification) == (before, None)


def test_nothing_happens_by_nought(shop: Rehearsal) -> None:
    script = Script()
    assert (scale(shop, "vm", 0, script).status, script.ran) == (ExecutionStatus.TERMINATED, [])


# -- failures


def test_a_failure_takes_back_what_was_added_and_is_the_error(shop: Rehearsal) -> None:
    before, script = states(shop), breaking("app start")
    ended = scale(shop, "vm", script=script)
    assert (ended.status, ended.error) == (ExecutionStatus.FAILED, "app_new2 start: no room")
    assert script.ran[4:] == ["app stop", "lb unlink", "app delete", "vm stop", "vm delete"]
    assert (states(shop), deployment(shop).scaling.modification) == (before, None)
    assert deployment(shop).scaling.counts.get("vm", 1) == 1


def test_without_rollback_it_stays_begun_a_second_is_refused_and_a_resume_finishes_it(shop: Rehearsal) -> None:
    ended = scale(shop, "vm", script=breaking("app start"), rollback_if_failed=False)
    begun = deployment(shop).scaling.modification
    assert (begun.execution, begun.counts["vm"], len(ids(shop, "vm"))) == (ended.id, 2, 2)
    assert f"Execution {ended.id} has begun to scale" in scale(shop, "vm").error
    reset(shop, ended)
    assert shop.drive(ended.id).status is ExecutionStatus.TERMINATED
    assert (deployment(shop).scaling.modification, deployment(shop).scaling.counts["vm"]) == (None, 2)


def reset(shop: Rehearsal, execution: Execution) -> None:
    """Prepare what failed for a resume."""
    with shop.store.transaction() as transaction:
        numbers = [it.task.number for it in transaction.tasks(execution.id) if it.state == "failed"]
        transaction.reset_tasks(execution.id, numbers)


def test_what_another_began_is_cleared_away_on_request(shop: Rehearsal) -> None:
    scale(shop, "vm", script=breaking("app start"), rollback_if_failed=False)
    left = ids(shop, "vm")[-1]
    assert scale(shop, "vm", 2, abort_started=True).error == ""
    assert (left in states(shop), len(ids(shop, "vm")), set(states(shop).values())) == (False, 3, {"started"})


def test_a_failed_scale_in_keeps_the_counts(shop: Rehearsal) -> None:
    scale(shop, "vm")
    script = Script(acts={"app delete": lambda _: failed("locked", final=True)})
    ended = scale(shop, "vm", -1, script)
    assert ended.error.endswith("delete: locked")
    assert (deployment(shop).scaling.counts["vm"], deployment(shop).scaling.modification) == (2, None)
    assert str(InstanceState.DELETING) in states(shop).values()


def test_a_failure_while_taking_back_leaves_the_rest_to_a_resume(shop: Rehearsal) -> None:
    before, script = states(shop), breaking("app start", "vm delete", times=2)
    ended = scale(shop, "vm", script=script)
    assert ended.error.splitlines()[1:] == ["app_new2 start: no room", "vm_new1 delete: no room"]
    assert deployment(shop).scaling.modification is not None
    with shop.store.transaction() as transaction:
        last = transaction.stages(ended.id)[-1].first
        transaction.reset_tasks(ended.id, [it.task.number for it in transaction.tasks(ended.id)[last:] if it.error])
    again = shop.drive(ended.id, script)
    assert (again.error, states(shop)) == ("app_new2 start: no room", before)
    assert deployment(shop).scaling.modification is None


class Killed(Exception):
    """The process ends here."""


@pytest.mark.parametrize("moment", range(1, 12))
def test_a_kill_at_any_moment_loses_and_doubles_nothing(shop: Rehearsal, moment: int) -> None:
    left = [moment]

    def look(batch: Batch) -> None:
        left[0] -= 1
        if not left[0]:
            raise Killed

    shop.seen.look = look
    script = Script()
    execution = shop.start(workflow="scale", parameters={"scalable_entity_name": "vm", "delta": 1})
    try:
        shop.drive(execution, script, workers=1)
    except Killed:
        shop.seen.look = lambda _: None
        assert shop.drive(execution, script, workers=1).status is ExecutionStatus.TERMINATED
    assert (len(ids(shop, "vm")), len(ids(shop, "app")), set(states(shop).values())) == (2, 2, {"started"})
    assert (deployment(shop).scaling.counts["vm"], deployment(shop).scaling.modification) == (2, None)


def test_a_dry_run_leaves_the_deployment_as_it_is(shop: Rehearsal) -> None:
    before = deployment(shop), states(shop)
    parameters = {"scalable_entity_name": "vm", "delta": 1}
    execution = shop.start(workflow="scale", parameters=parameters, is_dry_run=True)
    assert shop.drive(execution).status is ExecutionStatus.TERMINATED
    assert before == (deployment(shop), states(shop))
    told = [event.message for event in shop.events(execution) if event.type is EventType.WORKFLOW_STAGE]
    assert told == [
        "Stage 1 of 'scale': scale vm from 1 to 2 (dry run)",
        "Stage 2 of 'scale': commit the counts (dry run)",
    ]
