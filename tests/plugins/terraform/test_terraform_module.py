"""A module's life with the real binary: applied, read, changed, checked, destroyed; its secrets and its state."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from groundplan.model.values import Sensitive
from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan.sdk.testing import BenchContext, BenchLog, context
from groundplan_terraform import installation, tasks

from .conftest import PHRASE, Bench, terraform

pytestmark = pytest.mark.live


@pytest.fixture
def applied(bench: Bench) -> Bench:
    terraform()
    tasks.apply(bench.ctx)
    return bench


def test_resources_and_outputs_become_runtime_properties(applied: Bench) -> None:
    one = applied.properties["resources"]["one"]

    assert (one["mode"], one["type"], one["name"]) == ("managed", "terraform_data", "one")
    assert one["instances"][0]["attributes"]["output"] == "hello"
    assert applied.properties["outputs"]["word"]["value"] == "hello"


def test_what_the_module_calls_sensitive_is_sensitive_and_told_nowhere(applied: Bench) -> None:
    assert applied.properties["outputs"]["phrase"]["value"] == Sensitive(PHRASE)
    assert applied.properties["resources"]["hidden"]["instances"][0]["attributes"]["input"] == Sensitive(PHRASE)
    assert isinstance(applied.properties["terraform_state"], Sensitive)
    assert PHRASE in applied.ctx.masked
    assert PHRASE not in applied.log


def test_nothing_of_it_is_left_on_the_disk(applied: Bench) -> None:
    assert [path.name for path in applied.home.rglob("*") if path.is_file()] == ["lock", "lock"]
    assert not list(applied.ctx.folder.rglob("*.tf"))


def test_applying_again_changes_nothing(applied: Bench) -> None:
    before = applied.properties["resources"]
    applied.settle()

    tasks.apply(applied.ctx)

    assert "0 added, 0 changed, 0 destroyed" in applied.log
    assert applied.properties["resources"] == before


def test_an_attempt_that_nobody_recorded_is_found_again(bench: Bench) -> None:
    terraform()
    tasks.apply(bench.ctx)
    made = bench.properties["resources"]
    bench.ctx.instance.runtime_properties.clear()

    tasks.apply(bench.ctx)

    assert bench.properties["resources"] == made


def test_drift_is_told_without_values(applied: Bench) -> None:
    applied.settle()
    assert tasks.check_drift(applied.ctx) == {}
    assert tasks.check_status(applied.ctx) == ["hidden", "one"]

    applied.ctx.node.properties["resource_config"]["variables"]["phrase"] = "another-phrase"
    found = tasks.check_drift(applied.ctx)

    assert found == {"terraform_data.hidden": {"actions": ["update"], "fields": ["input"]}}
    assert applied.properties["is_drifted"] is True
    assert applied.properties["drifts"]["hidden"]["after"]["input"] == Sensitive("another-phrase")


def test_a_plan_changes_nothing_and_a_reload_counts_from_then_on(applied: Bench) -> None:
    applied.settle()
    tasks.plan(applied.ctx, variables={"word": "other"})
    assert '"hello" -> "other"' in applied.properties["plain_text_plan"]
    assert applied.properties["plan"]["resource_changes"][1]["change"]["actions"] == ["update"]
    assert applied.properties["outputs"]["word"]["value"] == "hello"

    applied.settle()
    tasks.reload_template(applied.ctx, variables={"word": "other"})
    applied.settle()
    tasks.apply(applied.ctx)
    assert applied.properties["outputs"]["word"]["value"] == "other"

    applied.settle()
    tasks.update(applied.ctx)
    assert applied.properties["outputs"]["word"]["value"] == "hello"


def test_destroying_works_by_what_was_applied_and_twice(applied: Bench) -> None:
    applied.settle()
    applied.write("this is no module any more")
    recorded = applied.properties

    tasks.destroy(applied.ctx)
    assert applied.properties == {}
    assert "2 destroyed" in applied.log

    applied.ctx.instance.runtime_properties.update(recorded)
    tasks.destroy(applied.ctx)
    assert applied.properties == {}
    assert "nothing to destroy" in applied.log


@contextmanager
def giving_up_at(ctx: BenchContext, said: str) -> Iterator[None]:
    """Give the attempt up when something is logged."""
    log = BenchLog.info

    def info(self: BenchLog, message: str) -> None:
        log(self, message)
        ctx.given_up = ctx.given_up or said in message

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BenchLog, "info", info)
        yield


def test_an_interrupted_apply_ends_gracefully_and_its_state_is_kept(bench: Bench) -> None:
    terraform()
    bench.write(
        """
        resource "terraform_data" "first" {}
        resource "terraform_data" "second" {
          depends_on = [terraform_data.first]
          provisioner "local-exec" { command = "sleep 1" }
        }
        resource "terraform_data" "third" { depends_on = [terraform_data.second] }
        """
    )
    bench.ctx.node.properties["resource_config"]["variables"] = {}
    with giving_up_at(bench.ctx, "Provisioning with"), pytest.raises(RecoverableError, match="given up"):
        tasks.apply(bench.ctx)
    state = json.loads(next(iter(bench.ctx.remembered.values())))
    assert {each["name"] for each in state["resources"]} == {"first", "second"}


def test_a_fault_of_the_module_is_final_and_names_its_place(bench: Bench) -> None:
    terraform()
    bench.write('resource "terraform_data" "one" { input = var.nobody }')
    with pytest.raises(NonRecoverableError, match=r"main\.tf"):
        tasks.apply(bench.ctx)


def test_what_a_resource_meets_may_be_tried_again_and_what_was_made_is_kept(bench: Bench) -> None:
    terraform()
    bench.write(
        """
        resource "terraform_data" "made" {}
        resource "terraform_data" "bad" {
          depends_on = [terraform_data.made]
          provisioner "local-exec" { command = "exit 3" }
        }
        """
    )
    with pytest.raises(RecoverableError, match="exit status 3"):
        tasks.apply(bench.ctx)
    assert "terraform_data" in bench.properties["terraform_state"].value
    assert '"made"' in bench.properties["terraform_state"].value


def test_the_binary_that_is_there_is_used_and_installation_source_is_not_fetched(bench: Bench) -> None:
    path = terraform()
    source = {"installation_source": "https://example.org/terraform_0.14.3.zip"}
    ctx = context(properties={"resource_config": source}, machine=bench.ctx.machine)

    installation.install(ctx)

    assert ctx.instance.runtime_properties["executable_path"] == str(path.resolve())
    [(level, message)] = ctx.log
    assert level == "warning"
    assert ctx.instance.runtime_properties["version"] in message


def test_without_a_binary_it_is_said_what_to_install(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NonRecoverableError, match=r"Install Terraform .* or OpenTofu"):
        installation.install(bench.ctx)


def test_importing_again_finds_it_there_and_another_is_refused(bench: Bench) -> None:
    bench.write('resource "terraform_data" "one" {}\n')
    bench.ctx.node.properties["resource_config"]["variables"] = {}
    for _ in range(2):
        tasks.import_resource(bench.ctx, resource_address="terraform_data.one", resource_id="-own")
        assert bench.properties["resources"]["one"]["instances"][0]["attributes"]["id"] == "-own"
        bench.settle()
    with pytest.raises(NonRecoverableError, match="another terraform_data"):
        tasks.import_resource(bench.ctx, resource_address="terraform_data.one", resource_id="other")
