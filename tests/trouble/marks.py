"""A composed environment whose operations mark on disk that they began and ended (see `groundplan_marks`)."""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from groundplan.service.assembly import open_engine

from ..proof.user import User, eventually, user_in
from .homes import settle

CHILD = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml, plugin:groundplan-marks]
    node_templates:
      first: &marked
        type: groundplan.nodes.Marked
        properties: {{seconds: {seconds}}}
      second:
        <<: *marked
        relationships: [{{type: cloudify.relationships.depends_on, target: first}}]
      third:
        <<: *marked
        relationships: [{{type: cloudify.relationships.depends_on, target: first}}]
"""

PARENT = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml, plugin:groundplan-marks]
    node_templates:
      ground: &marked
        type: groundplan.nodes.Marked
        properties: {{seconds: {seconds}}}
      left:
        type: cloudify.nodes.ServiceComponent
        properties:
          resource_config: &config
            blueprint: {{id: child, external_resource: true}}
            deployment: {{id: left}}
        relationships: &on_the_ground [{{type: cloudify.relationships.depends_on, target: ground}}]
      right:
        type: cloudify.nodes.ServiceComponent
        properties:
          resource_config:
            <<: *config
            deployment: {{id: right}}
        relationships: *on_the_ground
      top:
        <<: *marked
        relationships:
          - {{type: cloudify.relationships.depends_on, target: left}}
          - {{type: cloudify.relationships.depends_on, target: right}}
"""

_TEXTS: Final = {"child": CHILD, "parent": PARENT}
_NONE: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What the operations marked. `folder`: where the user stands who runs them."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "marks"

    @property
    def hold(self) -> Path:
        """While this file is there, no operation ends."""
        return self.folder / "hold"

    def lines(self, word: str) -> Counter[str]:
        """Count the marks of a kind, `begin` or `end`."""
        text = self.file.read_text() if self.file.exists() else ""
        return Counter(line.partition(" ")[2] for line in text.splitlines() if line.startswith(word))

    def wait_for_begin(self, count: int = 1) -> None:
        """Wait until operations began."""
        eventually(lambda: self.lines("begin").total() >= count, what=f"the begin of {count} operations")


def equip(folder: Path, **variables: str) -> tuple[User, Marks]:
    """Return a user with an empty home and the plugin on their path, and what will be marked."""
    site = folder / "site" / "groundplan_marks-0.1.0.dist-info"
    site.mkdir(parents=True)
    (site / "METADATA").write_text("Metadata-Version: 2.1\nName: groundplan-marks\nVersion: 0.1.0\n")
    (site / "entry_points.txt").write_text("[groundplan.plugins]\nmarks = groundplan_marks\n")
    user = user_in(folder, PYTHONPATH=f"{site.parent}:{Path(__file__).parent}", **variables)
    return user, Marks(folder=user.folder)


def plant(
    folder: Path, *, seconds: float = 0.0, deployments: Mapping[str, str] = _NONE, **variables: str
) -> tuple[User, Marks]:
    """Return a user with the plugin on their path and its blueprints uploaded, and what will be marked.

    Args:
        deployments: are created, from the id to the blueprint of each.
    """
    user, marks = equip(folder, **variables)
    texts = {name: text.format(seconds=seconds) for name, text in _TEXTS.items()}
    settle(user, texts, *(["deployments", "create", id_, "-b", name] for id_, name in deployments.items()))
    return user, marks


def moved(user: User, folder: Path, **variables: str) -> tuple[User, Marks]:
    """Return the user with a copy of their home and a place of their own to stand and to mark in."""
    shutil.copytree(user.home, folder / "home")
    (folder / "place").mkdir()
    variables = {**user.variables, **variables}
    copy = replace(user, home=folder / "home", folder=folder / "place", variables=variables)
    return copy, Marks(folder=copy.folder)


def queue_paused(user: User, deployment: str, blueprint: str) -> str:
    """Make a deployment whose install waits in a group that is paused, and return the execution group's id."""
    user.ok("deployments", "create", deployment, "-b", blueprint)
    user.ok("deployments", "groups", "create", deployment)
    user.ok("deployments", "groups", "extend", deployment, "-d", deployment)
    user.ok("executions", "groups", "start", "install", "-g", deployment, "--concurrency", "0", "--no-wait")
    return str(user.json("executions", "groups", "list")[-1]["id"])


def lose_plan(user: User, blueprint: str) -> None:
    """Take the plan of a blueprint out of a store in SQLite, as a damaged or half copied one."""
    with closing(sqlite3.connect(user.home / "state.db")) as store, store:
        store.execute("DELETE FROM plans WHERE digest = (SELECT digest FROM blueprints WHERE id = ?)", [blueprint])


def succeeded(user: User, *deployments: str) -> Counter[str]:
    """Count, by `INSTANCE.OPERATION`, the operations that the store says succeeded."""
    found: Counter[str] = Counter()
    with open_engine({"GROUNDPLAN_HOME": str(user.home)}) as engine, engine.store.snapshot() as snapshot:
        for deployment in snapshot.deployments():
            if deployment.id in deployments or not deployments:
                for _, event in snapshot.events(deployment=deployment.id, after=0, limit=10_000):
                    if event.type == "task_succeeded":
                        found[f"{event.instance}.{event.operation.rpartition('.')[2]}"] += 1
    return found
