"""What is queued and meets no worker is begun by hand, in its turn and not before."""

import json

from .conftest import Run, Write

BODY = "node_templates: {db: {type: groundplan.nodes.Nop}}\n"


def queued(run: Run) -> dict[str, str]:
    """The executions that wait, by deployment."""
    found = json.loads(run("executions", "list", "--status", "queued", "--json"))
    return {item["deployment_id"]: item["id"] for item in found}


def group_of(run: Run, write: Write, *deployments: str, concurrency: int) -> dict[str, str]:
    """The executions that wait, of an install of a group of deployments."""
    run("blueprints", "upload", write("shop", BODY), "-b", "shop")
    run("deployments", "groups", "create", "shops")
    for name in deployments:
        run("deployments", "create", name, "-b", "shop")
        run("deployments", "groups", "extend", "shops", "-d", name)
    run("executions", "groups", "start", "install", "-g", "shops", "--concurrency", str(concurrency), "--no-wait")
    return queued(run)


def test_a_queued_execution_is_begun_by_hand_as_its_turn_comes(run: Run, write: Write) -> None:
    waiting = group_of(run, write, "one", "two", concurrency=1)
    assert f"before it comes {waiting['one']}" in run("executions", "resume", waiting["two"], code=2)
    # Whoever drives goes on with what is queued.
    run("executions", "resume", waiting["one"])
    assert queued(run) == {}
    ended = json.loads(run("executions", "list", "--status", "completed", "--json"))
    assert {item["deployment_id"] for item in ended} == {"one", "two"}


def test_one_of_a_group_that_is_paused_is_not_begun(run: Run, write: Write) -> None:
    waiting = group_of(run, write, "one", concurrency=0)
    assert f"groundplan executions explain {waiting['one']}" in run("executions", "resume", waiting["one"], code=2)
