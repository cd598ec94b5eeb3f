"""Progress of an install: lines where nobody watches, a live tree on a terminal."""

import os
import pty
import re
import select
import subprocess
import time

import pytest

from .user import User

SHOP = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml, plugin:groundplan-nop]
    node_templates:
      host: {type: groundplan.nodes.Nop, properties: {seconds: 0.3}}
      shop:
        type: groundplan.nodes.Nop
        properties: {seconds: 0.1, message: open for business}
        relationships: [{type: cloudify.relationships.depends_on, target: host}]
"""


@pytest.fixture
def shopper(user: User) -> User:
    user.upload("shop", SHOP)
    user.ok("deployments", "create", "shop", "-b", "shop")
    return user


def on_terminal(user: User, *arguments: str) -> str:
    """Run a command on a pseudo-terminal and return all that it drew."""
    ours, theirs = pty.openpty()
    variables = user.environment | {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    with subprocess.Popen(
        [*user.program, *arguments], env=variables, cwd=user.folder, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        drawn = b""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            ready, _, _ = select.select([ours], [], [], 1)
            if not ready:
                continue
            try:
                piece = os.read(ours, 65536)
            except OSError:
                break
            drawn += piece
        os.close(ours)
    assert process.returncode == 0, drawn
    return drawn.decode()


def test_lines_where_nobody_watches(shopper: User) -> None:
    said = shopper.install("shop")
    line = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  (CFY|LOG) <shop> "
    body = said.splitlines()
    assert all(re.match(line, item) for item in body[:-1]), said
    assert body[-1].startswith("Finished: install of shop in ")
    assert any(item.endswith("INFO: open for business") for item in body)
    assert "\x1b" not in said


def test_a_tree_on_a_terminal(shopper: User) -> None:
    drawn = on_terminal(shopper, "executions", "start", "install", "-d", "shop")
    assert "\x1b[" in drawn, "nothing was drawn anew"
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)
    for words in (
        "install shop",
        "creating",
        "create",
        "2/2 started",
        "open for business",
        "Finished: install of shop",
    ):
        assert words in plain
    assert re.search(r"(├──|└──) . (host|shop)_\w+", plain)


def test_json_prints_the_execution_and_nothing_else(shopper: User) -> None:
    ended = shopper.json("executions", "start", "install", "-d", "shop")
    assert (ended["status"], ended["deployment_id"]) == ("terminated", "shop")
