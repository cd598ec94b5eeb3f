"""Canaries in secrets travel wherever a blueprint can carry them, and are found nowhere that people or disks see.

The way: secret -> inputs -> child deployment -> properties -> scripts -> output, errors, runtime properties,
capabilities -> parent; and through a workflow that is a program. Everything is watched all the while. Each canary is
looked for as it is, line by line, in base64 and in URL-quoted form.
"""

import base64
import json
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from ..runtime.watching.collector import Collector, collecting
from .user import User, command_line

PARENT = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml, plugin:groundplan-nop]
    inputs:
      token: {default: {get_secret: token}}
    node_templates:
      part:
        type: cloudify.nodes.ServiceComponent
        properties:
          resource_config:
            blueprint: {id: child, external_resource: true}
            deployment:
              id: part
              inputs:
                token: {get_input: token}
                password: {get_secret: [document, db, password]}
                key: {get_secret: key}
      echo:
        type: groundplan.nodes.Nop
        properties:
          message: {concat: ["the parent got ", {get_attribute: [part, capabilities, url]}]}
          values: {copy: {get_attribute: [part, capabilities, token]}}
        relationships: [{type: cloudify.relationships.depends_on, target: part}]
    outputs:
      key: {value: {get_attribute: [part, capabilities, key]}}
    capabilities:
      url: {value: {get_attribute: [part, capabilities, url]}}
      password: {value: {get_attribute: [part, capabilities, plain]}}
"""

CHILD = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml, plugin:groundplan-nop]
    inputs: {token: {}, password: {}, key: {}}
    node_templates:
      quiet:
        type: groundplan.nodes.Nop
        properties:
          message: {concat: ["token=", {get_input: token}]}
          values: {kept: {get_input: key}}
      loud:
        type: cloudify.nodes.Root
        interfaces:
          cloudify.interfaces.lifecycle:
            create:
              implementation: scripts/say.py
              inputs: &all
                token: {get_input: token}
                password: {get_input: password}
                key: {get_input: key}
            configure: {implementation: scripts/say.sh, inputs: *all}
            start: {implementation: scripts/fail_once.py, inputs: *all, retry_interval: 0.1}
    workflows:
      babble:
        mapping: scripts/babble.py
        parameters:
          key: {default: {get_secret: key}}
          password: {default: {get_secret: [document, db, password]}}
    outputs:
      token: {value: {get_input: token}}
    capabilities:
      token: {value: {get_attribute: [loud, deep, token]}}
      plain: {value: {get_attribute: [loud, word]}}
      url: {value: {concat: ["postgres://app:", {get_input: password}, "@db/app"]}}
      key: {value: {get_attribute: [quiet, kept]}}
"""

SAY_PYTHON = """
    import base64, sys, urllib.parse
    from cloudify import ctx
    from cloudify.state import ctx_parameters as inputs
    values = [inputs[name] for name in ("token", "password", "key")]
    for value in values:
        print("out:", value, base64.b64encode(value.encode()).decode(), urllib.parse.quote(value, safe=""))
        print("err:", repr(value), file=sys.stderr)
        ctx.logger.info("log: " + value)
        ctx.logger.warning("log: " + urllib.parse.quote_plus(value))
    ctx.instance.runtime_properties["deep"] = {"token": values[0], "list": values}
    ctx.instance.runtime_properties["word"] = values[1]
"""

SAY_SHELL = """
    #!/bin/bash -e
    echo "token $token, password $password"
    echo "$key"
    printf %s "$key" | base64
    printf %s "$password" | base64 -w0; echo
    sleep 1
"""

FAIL_ONCE = """
    from cloudify import ctx
    from cloudify.exceptions import RecoverableError
    from cloudify.state import ctx_parameters as inputs
    if ctx.operation.retry_number == 0:
        raise RecoverableError("login failed for " + inputs["password"] + " with " + inputs["key"])
"""

BABBLE = """
    import base64
    from cloudify.state import workflow_ctx as ctx, workflow_parameters as given
    for value in (given["password"], given["key"]):
        ctx.logger.info("log: " + value)
        ctx.logger.warning("log: " + base64.b64encode(value.encode()).decode())
        print("out:", repr(value))
    [loud] = ctx.get_node("loud").instances
    loud.execute_operation("cloudify.interfaces.lifecycle.configure", kwargs={"more": given["password"]}).get()
    raise ValueError("no use for " + given["password"] + " and " + given["key"])
"""

FAILING = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml]
    node_templates:
      loud:
        type: cloudify.nodes.Root
        interfaces:
          cloudify.interfaces.lifecycle:
            create:
              implementation: scripts/fail.sh
              inputs: {token: {get_secret: token}, key: {get_secret: key}}
              max_retries: 0
"""


@dataclass(frozen=True, kw_only=True)
class Overheard(User):
    """A user whose commands leave all that they print in `heard`."""

    heard: list[str] = field(default_factory=list)
    collector: Collector

    @property
    def watched(self) -> str:
        """The log, and all that the collector was sent."""
        return "\n".join([*map(_text, self.collector.bodies), (self.folder / "log").read_text()])

    def run(self, *arguments, **options):  # type: ignore[no-untyped-def]
        done = super().run(*arguments, **options)
        self.heard.append(f"$ {' '.join(map(str, arguments))}\n{done.stdout}\n{done.stderr}")
        return done


@dataclass(frozen=True, kw_only=True)
class Canaries:
    token: str
    password: str
    key: str

    def forms(self) -> Iterator[str]:
        """All that must not be found."""
        for value in (self.token, self.password, self.key):
            yield from (value, base64.b64encode(value.encode()).decode(), quote(value, safe=""), quote_plus(value))
            yield json.dumps(value)[1:-1]
            yield repr(value)[1:-1]
        yield from (line for line in self.key.splitlines() if not line.startswith("-----"))
        # What `base64` makes of a long text by default.
        whole = base64.b64encode(self.key.encode()).decode()
        yield from (whole[at : at + 76] for at in range(0, len(whole), 76) if len(whole) - at >= 12)

    def found_in(self, text: str) -> list[str]:
        return [form for form in self.forms() if form in text]


def canaries() -> Canaries:
    lines = [secrets.token_urlsafe(45) for _ in range(4)]
    key = "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----", ""])
    return Canaries(token=f"tok/en+{secrets.token_hex(12)}&=?", password=f"pass word%{secrets.token_hex(12)}", key=key)


@pytest.fixture
def planted() -> Canaries:
    return canaries()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


@pytest.fixture
def user(user: User, planted: Canaries, collector: Collector) -> Overheard:
    """A user who keeps the canaries as secrets, has uploaded the blueprints that carry them, and watches."""
    log = {"GROUNDPLAN_LOG_FILE": str(user.folder / "log")}
    watching = {**collector.environment(), **log}
    heard = Overheard(home=user.home, folder=user.folder, variables=watching, collector=collector)
    document = {"token": planted.token, "document": {"db": {"password": planted.password}}, "key": planted.key}
    heard.ok("secrets", "import", "-", stdin=json.dumps(document))
    for name, text in (
        ("say.py", SAY_PYTHON),
        ("say.sh", SAY_SHELL),
        ("fail_once.py", FAIL_ONCE),
        ("babble.py", BABBLE),
    ):
        heard.write(f"child/scripts/{name}", text.lstrip("\n"))
    heard.write("failing/scripts/fail.sh", '#!/bin/bash\necho "for $token" >&2\necho "$key" >&2\nexit 3\n')
    for name, text in (("child", CHILD), ("parent", PARENT), ("failing", FAILING)):
        heard.upload(name, text)
    return heard


@pytest.fixture
def arguments() -> Iterator[set[str]]:
    """The command lines of all processes of this machine while the test runs."""
    seen: set[str] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            seen.update(command_line(int(entry.name)) for entry in Path("/proc").glob("[0-9]*"))

    thread = threading.Thread(target=watch)
    thread.start()
    yield seen
    over.set()
    thread.join()


READS = (
    ["deployments", "inputs"],
    ["deployments", "outputs"],
    ["deployments", "capabilities"],
    ["deployments", "get"],
    ["node-instances", "list", "-d"],
    ["nodes", "list", "-d"],
    ["events", "list", "-d"],
    ["executions", "list", "-d"],
)


def read_everything(user: Overheard) -> None:
    """Have every read print what it knows: of the parent as text, of the child as JSON."""
    for command in READS:
        user.ok(*command, "parent")
        user.json(*command, "part")
    for name in ("token", "document", "key"):
        user.ok("secrets", "get", name)
    user.json("secrets", "list")
    user.json("blueprints", "plan", user.folder / "child/blueprint.yaml", user.folder / "parent/blueprint.yaml")


def _text(content: bytes) -> str:
    return content.decode("latin-1")


def on_disk(home: Path) -> str:
    """All bytes of a home, as text."""
    return "\n".join(_text(path.read_bytes()) for path in home.rglob("*") if path.is_file())


def test_a_secret_is_found_nowhere(user: Overheard, planted: Canaries, arguments: set[str]) -> None:
    user.ok("deployments", "create", "parent", "-b", "parent")
    user.install("parent")
    read_everything(user)
    babble = user.refused(1, "executions", "start", "babble", "-d", "part")
    for act in ("get", "graph", "explain"):
        user.json("executions", act, user.latest("part")["id"])
    kept = on_disk(user.home)
    user.ok("executions", "start", "uninstall", "-d", "parent")

    assert "no use for ******" in babble
    assert planted.found_in("\n".join(user.heard)) == []
    assert planted.found_in(user.watched) == []
    assert planted.found_in(kept + on_disk(user.home)) == []
    assert planted.found_in("\n".join(arguments)) == []
    told = "\n".join(map(str, user.collector.spans))
    assert "login failed for ******" in told, "the failure was not traced"
    assert "log: ******" in user.watched, "the workflow's words were not logged"
    assert "groundplan.attempts" in user.collector.metrics
    assert any("say.sh" in line for line in arguments), "nothing was overheard of the processes"


def test_it_arrives_where_it_is_needed(user: Overheard, planted: Canaries) -> None:
    user.ok("deployments", "create", "parent", "-b", "parent")
    user.install("parent")
    url = f"postgres://app:{planted.password}@db/app"
    assert user.capabilities("parent") == {"url": url, "password": planted.password}
    part = user.capabilities("part")
    assert (part["token"], part["key"]) == (planted.token, planted.key)
    shown = [item["message"] for item in user.events("part") if item["message"].startswith("Sensitive values")]
    assert shown == ["Sensitive values were shown: capabilities of part"]


def test_a_failure_says_nothing_of_it(user: Overheard, planted: Canaries) -> None:
    user.ok("deployments", "create", "failing", "-b", "failing")
    words = user.refused(1, "executions", "start", "install", "-d", "failing")
    assert "exit code 3" in words
    user.json("executions", "list")
    user.json("events", "list", "-d", "failing")
    assert planted.found_in("\n".join(user.heard)) == []
    assert planted.found_in(user.watched) == []
    assert planted.found_in(on_disk(user.home)) == []
    assert "exit code 3" in "\n".join(map(str, user.collector.spans))
