"""The command line from the first argument to the exit code, in a home of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from groundplan.cli import main

BLUEPRINT = """
tosca_definitions_version: cloudify_dsl_1_5
imports: [cloudify/types/types.yaml, plugin:groundplan-nop]
inputs: {password: {default: {get_secret: password}}}
node_templates:
  vm: {type: groundplan.nodes.Nop, properties: {message: {concat: ["uses ", {get_input: password}]}}}
  web:
    type: groundplan.nodes.Nop
    relationships: [{type: groundplan.relationships.Nop, target: vm}]
capabilities:
  password: {value: {get_input: password}}
  plain: {value: hello}
"""
PASSWORD = "correct horse battery"

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line and return what it printed; the exit code must be the one that is expected."""
    monkeypatch.setenv("GROUNDPLAN_HOME", str(tmp_path / "home"))

    def command(*arguments: str, code: int = 0) -> str:
        found = main.run([*arguments])
        printed = capsys.readouterr()
        said = printed.out + printed.err
        assert found == code, said
        assert PASSWORD not in said or "--reveal" in arguments
        return said

    return command


@pytest.fixture
def shop(run: Run, tmp_path: Path) -> Path:
    """A blueprint, and the secret that it needs."""
    run("secrets", "create", "password", "-s", PASSWORD)
    file = tmp_path / "shop" / "blueprint.yaml"
    file.parent.mkdir()
    file.write_text(BLUEPRINT)
    return file


def as_json(run: Run, *arguments: str) -> Any:
    """What a command prints for machines."""
    return json.loads(run(*arguments, "--json"))


def test_a_blueprint_lives_from_install_to_uninstall(run: Run, shop: Path) -> None:
    assert "Finished: install of shop" in run("install", str(shop), "-d", "shop")
    assert {item["state"] for item in as_json(run, "node-instances", "list", "-d", "shop")} == {"started"}
    said = run("uninstall", "shop")
    assert "Nothing is left" in said
    assert "Blueprint shop deleted" in said
    assert as_json(run, "deployments", "list") == []


def test_an_uninstall_that_fails_says_how_to_pass_by_it(run: Run, shop: Path) -> None:
    shop.write_text(BLUEPRINT.replace("Nop, properties: {", "Nop, properties: {fail: [delete], "))
    run("install", str(shop), "-d", "shop")
    said = run("uninstall", "shop", code=1)
    assert "Still there: node instance vm_" in said
    run(*said.partition("may stay: groundplan ")[2].split())
    assert as_json(run, "deployments", "list") == []


def test_sensitive_values_are_dots_until_somebody_asks_which_leaves_an_event(run: Run, shop: Path) -> None:
    run("install", str(shop), "-d", "shop")
    hidden = as_json(run, "deployments", "capabilities", "shop")
    assert (hidden["password"]["value"], hidden["plain"]["value"]) == ("******", "hello")
    assert PASSWORD in run("deployments", "capabilities", "shop", "--reveal")
    assert "Sensitive values were shown: capabilities of shop" in run("events", "list", "-d", "shop")


def test_what_an_operation_logs_of_a_secret_is_dots_in_the_events(run: Run, shop: Path) -> None:
    run("install", str(shop), "-d", "shop")
    (execution,) = as_json(run, "executions", "list", "-d", "shop")
    logged = [item["message"] for item in as_json(run, "events", "list", execution["id"]) if item["type"] == "log"]
    assert logged
    assert set(logged) == {"******"}


def test_the_beginning_of_an_executions_id_is_enough(run: Run, shop: Path) -> None:
    run("install", str(shop), "-d", "shop")
    (execution,) = as_json(run, "executions", "list", "-d", "shop")
    assert as_json(run, "executions", "get", execution["id"][:6])["id"] == execution["id"]
    run("executions", "resume", execution["id"][:6], code=2)


def test_a_folder_tree_is_uploaded_wherever_the_options_stand(run: Run, shop: Path) -> None:
    folder = str(shop.parent)
    assert "created" in run("blueprints", "upload", "--all", folder)
    shop.write_text(shop.read_text() + "description: another\n")
    assert "--replace" in run("blueprints", "upload", "--all", folder, code=2)
    assert "replaced" in run("blueprints", "upload", "--all", "--replace", folder)
    assert "unchanged" in run("blueprints", "upload", folder, "--all")


def test_a_faulty_blueprint_of_a_tree_keeps_none_of_the_others_out(run: Run, shop: Path) -> None:
    for name, text in ("another", "tosca_definitions_version: cloudify_dsl_9\n"), ("zoo", BLUEPRINT):
        shop.parent.with_name(name).mkdir()
        (shop.parent.with_name(name) / "blueprint.yaml").write_text(text)
    said = run("blueprints", "upload", "--all", str(shop.parent.parent), code=2)
    assert f"Blueprint of {shop.parent.with_name('another') / 'blueprint.yaml'} refused" in said
    assert {item["id"] for item in as_json(run, "blueprints", "list")} == {"shop", "zoo"}


def test_one_operation_runs_with_the_parameters_that_have_no_default_alone(run: Run, shop: Path) -> None:
    run("install", str(shop))
    operation = "operation=cloudify.interfaces.lifecycle.create"
    assert "Finished" in run("executions", "start", "execute_operation", "-d", "shop", "-p", operation)


def test_a_dry_run_starts_nothing(run: Run, shop: Path) -> None:
    run("blueprints", "upload", str(shop))
    run("deployments", "create", "shop", "-b", "shop")
    run("executions", "start", "install", "-d", "shop", "--dry-run")
    states = {item["id"]: item["runtime_properties"] for item in as_json(run, "node-instances", "list", "-d", "shop")}
    assert set(map(str, states.values())) == {"{}"}


def test_an_execution_that_fails_is_exit_code_one_and_says_how_to_go_on(run: Run, shop: Path) -> None:
    shop.write_text(BLUEPRINT.replace("properties: {message", "properties: {fail: [start], message"))
    said = run("install", str(shop), "-d", "shop", code=1)
    assert "start was told to fail" in said
    assert "groundplan executions resume" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["exections", "list"], "Did you mean 'executions'?"),
        (["executions", "strat"], "No such command"),
        (["deployments", "get", "nothing"], "There is no deployment 'nothing'"),
        (["blueprints", "upload"], "Name a blueprint"),
        (["events", "list"], "Name an execution"),
        (["events", "list", "-d", "x", "--tail"], "--tail follows one execution"),
        (["deployments", "create", "-b", "x", "--labels", "novalue"], "is not a label"),
    ],
)
def test_a_caller_who_errs_is_told_and_gets_exit_code_two(run: Run, arguments: list[str], words: str) -> None:
    assert words in run(*arguments, code=2)


@pytest.mark.parametrize("group", [[], ["blueprints"], ["deployments"], ["executions"], ["sandbox"]])
def test_a_list_of_commands_tells_each_summary_whole(run: Run, group: list[str]) -> None:
    assert "..." not in run(*group, "--help").partition("Commands:")[2]


def test_a_folder_is_validated_by_its_main_file(run: Run, shop: Path) -> None:
    assert f"{shop}: valid" in run("blueprints", "validate", str(shop.parent))


def test_an_installation_that_is_in_the_way_is_told_with_a_way_out(run: Run, shop: Path) -> None:
    run("install", str(shop))
    assert "groundplan uninstall shop" in run("install", str(shop), code=2)
    shop.write_text(BLUEPRINT.replace("plain: {value: hello}", "plain: {value: other}"))
    assert "blueprints upload --replace" in run("install", str(shop), code=2)


def test_a_bound_home_says_so_first_but_not_to_machines(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "sandbox.json").write_text("{}")
    assert run("blueprints", "list").splitlines()[0].startswith("sandbox")
    assert as_json(run, "blueprints", "list") == []


def test_a_fault_of_ours_is_exit_code_seventy(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groundplan.cli.commands.blueprints.use_case.listing", lambda _: 1 / 0)
    assert "fault of Groundplan itself" in run("blueprints", "list", code=70)


def without_reader(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command whose standard output nobody reads."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "groundplan.cli.main", *arguments]
    environment = {**os.environ, "GROUNDPLAN_HOME": str(home)}
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, env=environment)
    os.close(write)
    return done


def test_a_reader_who_goes_away_is_no_trouble(tmp_path: Path) -> None:
    done = without_reader(tmp_path / "home", "blueprints", "list")
    assert (done.returncode, done.stderr) == (0, "")


def test_an_install_goes_on_when_its_reader_goes_away(run: Run, shop: Path, tmp_path: Path) -> None:
    run("blueprints", "upload", str(shop))
    run("deployments", "create", "shop", "-b", "shop")
    without_reader(tmp_path / "home", "executions", "start", "install", "-d", "shop")
    (execution,) = as_json(run, "executions", "list", "-d", "shop")
    assert execution["status"] == "terminated"


def test_every_command_has_its_help(run: Run) -> None:
    context = main.cli.make_context("groundplan", ["--help"], resilient_parsing=True)
    for name in main.cli.list_commands(context):
        command = main.cli.get_command(context, name)
        assert command is not None
        assert command.help
        for inner in getattr(command, "commands", {}).values():
            assert inner.help, f"{name} {inner.name}"


UNREADABLE = """
tosca_definitions_version: cloudify_dsl_1_5
imports: [cloudify/types/types.yaml, plugin:groundplan-nop]
node_templates:
  vm: {type: groundplan.nodes.Nop, properties: {values: {ports: [1]}}}
capabilities:
  bad: {value: {string_split: [{get_attribute: [vm, ports]}, ","]}}
"""
OWNER = """
tosca_definitions_version: cloudify_dsl_1_5
imports: [cloudify/types/types.yaml]
node_templates:
  child:
    type: cloudify.nodes.ServiceComponent
    properties:
      resource_config: {blueprint: {id: inner, external_resource: true}, deployment: {id: inner}}
"""


def test_a_capability_that_cannot_be_evaluated_fails_those_who_read_it_in_words(run: Run, tmp_path: Path) -> None:
    for name, body in (("inner", UNREADABLE), ("owner", OWNER)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "blueprint.yaml").write_text(body)
        run("blueprints", "upload", str(tmp_path / name))
    run("deployments", "create", "owner", "-b", "owner")
    said = run("executions", "start", "install", "-d", "owner", code=1)
    assert "capabilities.bad has no value" in said
    assert {item["status"] for item in as_json(run, "executions", "list")} == {"failed", "terminated"}
    assert "(in capabilities.bad)" in run("deployments", "capabilities", "inner", code=1)


def test_a_dry_run_shows_what_would_run_and_changes_nothing(run: Run, shop: Path) -> None:
    run("blueprints", "upload", str(shop))
    run("deployments", "create", "shop", "-b", "shop")
    said = run("executions", "start", "install", "-d", "shop", "--dry-run")
    assert "would run; nothing was called and nothing changed (dry run)" in said
    assert "cloudify.interfaces.lifecycle.create" in said
    plan = as_json(run, "executions", "start", "install", "-d", "shop", "--dry-run")["plan"]
    begun = [(step["node_instance_id"].split("_")[0], step["operation"].rpartition(".")[2]) for step in plan]
    assert begun.index(("vm", "start")) < begun.index(("web", "create"))
    assert {item["state"] for item in as_json(run, "node-instances", "list", "-d", "shop")} == {"uninitialized"}


def test_a_schedule_is_made_changed_switched_and_deleted(run: Run, shop: Path) -> None:
    run("blueprints", "upload", str(shop))
    run("deployments", "create", "shop", "-b", "shop")
    when = ("--since", "2099-03-28 08:00", "--tz", "Europe/Berlin", "-r", "1 day")
    said = run("schedules", "create", "shop", "install", "-n", "daily", *when)
    assert "No worker serves this store" in said
    assert "2099-03-28T07:00" in run("schedules", "get", "shop", "daily", "--preview", "2")
    assert "2099-03-29T06:00" in run("schedules", "update", "shop", "daily", "--since", "2099-03-29 08:00")
    run("schedules", "disable", "shop", "daily")
    assert [item["enabled"] for item in as_json(run, "schedules", "list", "-d", "shop")] == [False]
    run("schedules", "enable", "shop", "daily")
    assert "install" in run("schedules", "summary", "workflow_id")
    run("schedules", "delete", "shop", "daily")
    assert "No schedules yet" in run("schedules", "list")
    assert "2099-01-01T" in run("executions", "start", "install", "-d", "shop", "--schedule", "2099-01-01 12:00")
    run("schedules", "create", "shop", "install", "--since", "whenever", code=2)
    run("executions", "start", "install", "-d", "shop", "--queue", "--force", code=2)


def test_a_group_is_made_run_explained_drawn_and_deleted(run: Run, shop: Path, tmp_path: Path) -> None:
    run("blueprints", "upload", str(shop))
    run("deployments", "groups", "create", "shops", "-b", "shop")
    run("deployments", "groups", "create", "done")
    run("deployments", "groups", "extend", "shops", code=2)
    assert "2 made" in run("deployments", "groups", "extend", "shops", "--count", "2")
    assert len(as_json(run, "deployments", "list", "-g", "shops")) == 2
    said = run("executions", "groups", "start", "install", "-g", "shops", "--success-group", "done")
    assert "2 completed" in said
    (group,) = as_json(run, "executions", "groups", "list")
    assert (group["status_display"], group["counts"]) == ("completed", {"terminated": 2})
    details = as_json(run, "executions", "groups", "details", group["id"][:6])
    assert len(details["events"]) == 10
    assert "succeeded" in run("events", "list", "-g", group["id"])
    (first, _) = details["executions"]
    assert "has succeeded; nothing waits" in run("executions", "explain", first["id"])
    assert "create" in run("executions", "graph", first["id"])
    picture = tmp_path / "graph.svg"
    run("executions", "graph", first["id"], "-o", str(picture))
    assert "web_" in picture.read_text()
    assert {item["state"] for item in as_json(run, "executions", "graph", first["id"])["tasks"]} == {"succeeded"}
    run("deployments", "groups", "delete", "shops", "--delete-deployments", code=2)
    run("executions", "groups", "start", "uninstall", "-g", "shops", "--concurrency", "1")
    assert "2 deployments" in run("deployments", "groups", "delete", "shops", "--delete-deployments")


def test_a_paused_group_says_so_and_goes_on_when_it_is_let(run: Run, shop: Path) -> None:
    run("blueprints", "upload", str(shop))
    run("deployments", "groups", "create", "shops", "-b", "shop")
    run("deployments", "groups", "extend", "shops", "--count", "1")
    paused = run("executions", "groups", "start", "install", "-g", "shops", "--concurrency", "0", code=1)
    assert "Paused" in paused
    (group,) = as_json(run, "executions", "groups", "list")
    (execution,) = as_json(run, "executions", "groups", "details", group["id"])["executions"]
    assert "is paused" in run("executions", "explain", execution["id"])
    run("executions", "groups", "set-concurrency", group["id"], "1")
    assert "1 completed" in run("executions", "groups", "resume", group["id"])
