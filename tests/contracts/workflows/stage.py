"""A home with a deployment of nodes that do nothing, and custom workflows that a real driver plays in it."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

from groundplan.model.deployment import NodeInstance
from groundplan.model.execution import Event, Execution, TaskState
from groundplan.model.ids import BlueprintId, DeploymentId, ExecutionId
from groundplan.runtime.driver import Driver, Serving
from groundplan.runtime.policy import Policy
from groundplan.service import blueprints, deployments, executions
from groundplan.service.assembly import Engine
from groundplan.service.deployments import NewDeployment
from groundplan.service.distribution import ADDRESS_VARIABLE
from groundplan.service.driving import make_driver, make_queue_worker
from groundplan.service.executions import NewExecution
from groundplan.state.store import Batch, TaskRecord

SHOP = """
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml, plugin:groundplan-nop]
plugins:
  acme: {executor: central_deployment_agent, source: acme}
inputs:
  secret: {default: {get_secret: canary}}
node_templates:
  db:
    type: groundplan.nodes.Nop
    properties: {values: {port: 5432}}
  web:
    type: groundplan.nodes.Nop
    relationships: [{type: groundplan.relationships.Nop, target: db}]
  broken:
    type: groundplan.nodes.Nop
    properties: {fail: [start, delete]}
workflows:
  play: acme.acme.play
  play_script:
    mapping: scripts/play.py
    parameters:
      count: {type: integer, default: 2}
      word: {default: hello}
      hidden: {default: {get_secret: canary}}
"""
FAST = Policy(retries=1, delays=(0,))


@dataclass(kw_only=True)
class Seen:
    """What was committed; `look` is told of each batch."""

    look: Callable[[Batch], None] = lambda _: None

    def committed(self, batch: Batch) -> None:
        """Take a batch."""
        self.look(batch)


@dataclass(kw_only=True)
class Stage:
    """One home. `folder`: where the blueprint is written."""

    engine: Engine
    folder: Path
    seen: Seen = field(default_factory=Seen)
    driver: Driver | None = None
    worker: Serving | None = None
    _thread: threading.Thread | None = None

    def play(self, workflow: str, *, body: str = SHOP, script: str = "", **more: object) -> Execution:
        """Deploy the shop with a workflow of this text and drive it to its end."""
        self.deploy(workflow, body=body, script=script)
        return self.drive(self.start(**more))

    def deploy(self, workflow: str = "", *, body: str = SHOP, script: str = "") -> None:
        """Write the shop, with `play` in the blueprint's own plugin, upload and deploy it."""
        self.write("plugins/acme/acme.py", IMPORTS + dedent(workflow))
        self.write("scripts/play.py", dedent(script) or "pass\n")
        file = self.write("blueprint.yaml", body)
        blueprints.upload(self.engine.store, self.engine.home, self.engine.fetch, file, NOW, id=BlueprintId("shop"))
        new = NewDeployment(id=DeploymentId("shop"), blueprint=BlueprintId("shop"))
        deployments.create(self.engine.store, self.engine.library, new, NOW)

    def start(self, workflow: str = "play", **more: object) -> ExecutionId:
        """Record an execution."""
        new = NewExecution(deployment=DeploymentId("shop"), workflow=workflow, **more)  # type: ignore[arg-type]
        return executions.start(self.engine.store, self.engine.library, new, NOW).id

    def drive(self, execution: ExecutionId) -> Execution:
        """Drive an execution to its end."""
        if self.worker is None and ADDRESS_VARIABLE in self.engine.environment:
            self.serve()
        self.driver = make_driver(self.engine, FAST, self.seen, print)
        return self.driver.run(execution)

    def serve(self) -> None:
        """Have a worker serve until the end of the test, or until another one takes its place."""
        self.close()
        worker, ready = make_queue_worker(self.engine, FAST, ["default"], "", source=None), threading.Event()
        self._thread = threading.Thread(target=lambda: worker.run(ready.set), daemon=True)
        self._thread.start()
        assert ready.wait(60)
        self.worker = worker

    def close(self) -> None:
        """End the worker."""
        if self.worker is not None and self._thread is not None:
            self.worker.request_stop()
            self._thread.join(60)
            assert not self._thread.is_alive()

    def resume(self, execution: ExecutionId, **more: bool) -> Execution:
        """Resume an execution and drive it to its end."""
        executions.prepare_resume(self.engine.store, execution, NOW, **more)
        return self.drive(execution)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the blueprint."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def replace(self, workflow: str) -> None:
        """Put another workflow in the place of the uploaded one, as one who edits files under the engine."""
        with self.engine.store.snapshot() as snapshot:
            deployment = snapshot.deployment(DeploymentId("shop"))
        assert deployment is not None
        kept = self.engine.home.blueprint_folder(deployment.digest) / "plugins/acme/acme.py"
        kept.chmod(0o600)
        kept.write_text(IMPORTS + dedent(workflow))

    def records(self, execution: ExecutionId) -> list[TaskRecord]:
        """The tasks of an execution."""
        with self.engine.store.snapshot() as snapshot:
            return list(snapshot.tasks(execution))

    def ran(self, execution: ExecutionId) -> list[tuple[str, str, TaskState, int]]:
        """The operations of an execution: node, name, state, attempts."""
        return [
            (it.task.instance.rpartition("_")[0], it.task.name, it.state, it.attempts)
            for it in self.records(execution)
            if it.task.kind == "operation"
        ]

    def executions(self) -> list[Execution]:
        """All executions."""
        with self.engine.store.snapshot() as snapshot:
            return list(snapshot.executions())

    def instances(self) -> Mapping[str, NodeInstance]:
        """The instances by node."""
        with self.engine.store.snapshot() as snapshot:
            return {item.node: item for item in snapshot.instances(DeploymentId("shop"))}

    def events(self, execution: ExecutionId) -> list[Event]:
        """The events of an execution."""
        with self.engine.store.snapshot() as snapshot:
            return [event for _, event in snapshot.events(execution=execution, limit=20_000)]

    def said(self, execution: ExecutionId) -> list[str]:
        """The messages of an execution's events."""
        return [event.message for event in self.events(execution)]


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
IMPORTS = """
import os, sys, time
from cloudify.decorators import workflow
from cloudify.plugins import lifecycle
from cloudify.workflows import api, ctx, parameters
from cloudify.workflows.tasks import HandlerResult, forkjoin
START = "cloudify.interfaces.lifecycle.start"
STOP = "cloudify.interfaces.lifecycle.stop"
def one(node):
    return next(ctx.get_node(node).instances)
"""
