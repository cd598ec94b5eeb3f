"""Heal, check_status and check_drift as users meet them: what runs, what is noted, and how the execution ends."""

import pytest
from msgspec import structs

from groundplan.model.deployment import InstanceState
from groundplan.model.execution import ExecutionStatus
from groundplan.model.values import Sensitive
from groundplan.planning.health import is_available, is_drifted

from ..planning.builders import blueprint, lifecycle, node, relationship
from .rehearsal import DONE, Rehearsal, Script, failed

OPERATIONS = lifecycle("create", "delete", "check_drift", "validation.check_status")
HEALING = lifecycle("create", "delete", "preheal", "heal", "postheal", "validation.check_status")
PLAN = blueprint(
    node("vm", operations=OPERATIONS, host=True),
    node("db", relationship("contained_in", "vm"), operations=HEALING),
    node("web", relationship("connected_to", "db", source="establish unlink"), operations=HEALING),
)
SICK = lambda _: failed("no answer", final=True)  # noqa: E731


def installed(rehearsal: Rehearsal) -> Rehearsal:
    """A deployment with everything started."""
    rehearsal.deploy(PLAN)
    assert rehearsal.drive(rehearsal.start()).status is ExecutionStatus.TERMINATED
    return rehearsal


def heal(rehearsal: Rehearsal, *sick: str, **parameters: object) -> tuple[list[str], str]:
    """Heal with these operations failing; return what ran besides checks, and the error."""
    script = Script(acts=dict.fromkeys(sick, SICK))
    ended = rehearsal.drive(rehearsal.start(workflow="heal", parameters=parameters), script, workers=1)
    states = {item.state for item in rehearsal.instances().values()}
    assert states == {InstanceState.STARTED} or ended.error
    return [name for name in script.ran if not name.endswith("check_status")], ended.error


def test_what_is_well_is_left_alone(rehearsal: Rehearsal) -> None:
    assert heal(installed(rehearsal)) == ([], "")


def test_what_can_heal_is_healed_and_then_well(rehearsal: Rehearsal) -> None:
    assert heal(installed(rehearsal), "web check_status") == (["web preheal", "web heal", "web postheal"], "")
    notes = rehearsal.instances()["web"].system_properties
    assert (notes["status"]["ok"], notes["previous_status"]["result"]) == (True, "no answer")


def test_what_cannot_heal_is_reinstalled_with_what_it_contains(rehearsal: Rehearsal) -> None:
    ran, error = heal(installed(rehearsal), "vm check_status", "db check_status")
    assert ran == ["web unlink", "db delete", "vm delete", "vm create", "db create", "web establish"]
    assert (error, rehearsal.instances()["vm"].system_properties) == ("", {})


def test_what_fails_to_heal_is_reinstalled_and_the_heal_succeeds(rehearsal: Rehearsal) -> None:
    ran, error = heal(installed(rehearsal), "db check_status", "db heal", "web check_status")
    assert ran[:2] == ["db preheal", "db heal"]
    assert ran[2:] == ["web unlink", "web delete", "db delete", "db create", "web create", "web establish"]
    assert error == ""


def test_nothing_is_touched_when_a_reinstallation_is_needed_and_forbidden(rehearsal: Rehearsal) -> None:
    ran, error = heal(installed(rehearsal), "vm check_status", "web check_status", allow_reinstall=False)
    assert (ran, "allow_reinstall is false" in error) == ([], True)


def test_a_failed_heal_is_told_when_reinstalling_is_forbidden(rehearsal: Rehearsal) -> None:
    _, error = heal(installed(rehearsal), "web check_status", "web heal", allow_reinstall=False)
    assert error.splitlines()[0].startswith("Only a reinstallation helps web_000002")
    assert error.splitlines()[1] == "web_000002 heal: no answer"


def test_a_reinstallation_by_force_asks_nobody(rehearsal: Rehearsal) -> None:
    ran, _ = heal(installed(rehearsal), node_instance_id="web_000002", force_reinstall=True)
    assert ran == ["web unlink", "web delete", "web create", "web establish"]


def test_a_named_instance_stands_for_its_host_and_what_is_in_it(rehearsal: Rehearsal) -> None:
    ran, _ = heal(installed(rehearsal), "db check_status", node_instance_id="db_000003")
    assert ran == ["db preheal", "db heal", "db postheal"]


def test_a_named_instance_without_a_check_counts_as_unwell(rehearsal: Rehearsal) -> None:
    ran, _ = heal(installed(rehearsal), node_instance_id="web_000002", check_status=False)
    assert ran == ["web preheal", "web heal", "web postheal"]


def test_an_unknown_instance_is_refused_with_those_that_there_are(rehearsal: Rehearsal) -> None:
    _, error = heal(installed(rehearsal), node_instance_id="nobody")
    assert error == "There is no node instance 'nobody'; there are: vm_000001, web_000002, db_000003."


def test_an_uninstallation_that_fails_is_passed_over_unless_told_otherwise(rehearsal: Rehearsal) -> None:
    ran, error = heal(installed(rehearsal), "web delete", node_instance_id="web_000002", force_reinstall=True)
    assert (ran[-1], error) == ("web establish", "")
    strict = {"force_reinstall": True, "ignore_failure": False, "node_instance_id": "web_000002"}
    ran, error = heal(rehearsal, "web delete", **strict)
    assert (ran[-1], error) == ("web delete", "web_000002 delete: no answer")


# -- notes


@pytest.mark.parametrize(("result", "drifted"), [(None, False), ({}, False), ({"size": 2}, True)])
def test_drift_is_noted(rehearsal: Rehearsal, result: object, drifted: bool) -> None:
    installed(rehearsal)
    acts = {"vm check_drift": lambda _: structs.replace(DONE, result=result)}
    rehearsal.drive(rehearsal.start(workflow="check_drift"), Script(acts=acts))
    instance = rehearsal.instances()["vm"]
    assert (instance.system_properties["configuration_drift"]["result"], is_drifted(instance)) == (result, drifted)


def test_drift_of_a_relationship_is_noted_at_its_side(rehearsal: Rehearsal) -> None:
    linked = relationship("depends_on", "a", source="check_drift", of_target="check_drift")
    rehearsal.deploy(blueprint(node("a", operations=OPERATIONS), node("b", linked, operations=OPERATIONS)))
    acts = {"b check_drift": lambda it: structs.replace(DONE, result=it.task.relationship is not None)}
    rehearsal.drive(rehearsal.start(workflow="check_drift"), Script(acts=acts))
    a, b = rehearsal.instances()["a"], rehearsal.instances()["b"]
    assert b.system_properties["source_relationships_configuration_drift"][a.id]["result"] is True
    assert a.system_properties["target_relationships_configuration_drift"][b.id]["result"] is True
    assert (is_drifted(a), is_drifted(b), b.system_properties["configuration_drift"]["result"]) == (True, True, False)


def test_a_failed_check_is_noted_and_fails_the_workflow_at_once(rehearsal: Rehearsal) -> None:
    installed(rehearsal)
    script = Script(acts={"vm check_status": lambda _: failed("no answer")})
    ended = rehearsal.drive(rehearsal.start(workflow="check_status"), script)
    assert (ended.status, script.ran.count("vm check_status")) == (ExecutionStatus.FAILED, 1)
    assert [is_available(item) for item in rehearsal.instances().values()] == [False, True, True]


def test_secrets_are_not_noted(rehearsal: Rehearsal) -> None:
    installed(rehearsal)
    acts = {"vm check_status": lambda _: structs.replace(DONE, result={"token": Sensitive("sesame-open")})}
    rehearsal.drive(rehearsal.start(workflow="check_status"), Script(acts=acts))
    assert rehearsal.instances()["vm"].system_properties["status"]["result"] == {"token": "******"}


def test_a_dry_run_notes_nothing(rehearsal: Rehearsal) -> None:
    installed(rehearsal)
    rehearsal.drive(rehearsal.start(workflow="check_status", is_dry_run=True))
    assert rehearsal.instances()["vm"].system_properties == {}


def test_what_is_uninstalled_forgets_what_was_noted(rehearsal: Rehearsal) -> None:
    installed(rehearsal)
    rehearsal.drive(rehearsal.start(workflow="check_status"))
    rehearsal.drive(rehearsal.start(workflow="uninstall"))
    assert rehearsal.instances()["vm"].system_properties == {}
