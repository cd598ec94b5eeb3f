"""A bench for the operations of plugins: a context made of plain data, and a proof that an operation can be repeated.

Nothing here touches the machine: time does not pass unless a `sleep` is given, and `serve` and `run` work only with
a `machine` (the engine's own is `groundplan.runtime.foreign.machine.Machine`). `runtime.attempt` writes the real one.
"""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from groundplan.model.values import Data
from groundplan.sdk.context import (
    Completed,
    ContextProxy,
    CurrentOperation,
    DeploymentView,
    LineSink,
    Neighbour,
    NodeView,
    OperationContext,
    PluginView,
    Resources,
    Sibling,
)
from groundplan.sdk.errors import NonRecoverableError, RecoverableError


class BenchMachine(Protocol):
    """What a bench needs to serve scripts and to run programs."""

    @property
    def folder(self) -> Path: ...
    @property
    def lasting_folder(self) -> Path: ...
    @property
    def cache_folder(self) -> Path: ...

    def resources(self, context: Callable[[], OperationContext], /) -> Resources: ...

    def serve(self, ctx: OperationContext, /) -> AbstractContextManager[ContextProxy]: ...

    def run(
        self,
        command: Sequence[str],
        *,
        cancelled: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        stdin: str | None = None,
        timeout: float | None = None,
        on_line: LineSink | None = None,
        shown: Sequence[Path] = (),
        writable: Sequence[Path] = (),
        grace: float = 0,
    ) -> Completed: ...


@dataclass(kw_only=True, slots=True)
class BenchInstance:
    """A node instance; its host's address is runtime property `ip`, else node property `ip` (spec 7.1)."""

    id: str
    index: int = 1
    runtime_properties: MutableMapping[str, Data] = field(default_factory=dict)
    node_properties: Mapping[str, Data] = field(default_factory=dict)

    @property
    def host_ip(self) -> str | None:
        found = self.runtime_properties.get("ip") or self.node_properties.get("ip")
        return None if found is None else str(found)


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchEnd:
    """One end of a relationship."""

    node: NodeView
    instance: BenchInstance


@dataclass(frozen=True, slots=True)
class BenchLog:
    """Keeps what was logged as (level, message)."""

    records: list[tuple[str, str]] = field(default_factory=list)

    def debug(self, message: str) -> None:
        self.records.append(("debug", message))

    def info(self, message: str) -> None:
        self.records.append(("info", message))

    def warning(self, message: str) -> None:
        self.records.append(("warning", message))

    def error(self, message: str) -> None:
        self.records.append(("error", message))


@dataclass(frozen=True, slots=True)
class FolderResources:
    """Files below one folder; rendering them needs a machine."""

    folder: Path | None

    def path(self, path: str) -> Path:
        if self.folder is None:
            raise NonRecoverableError("the bench was given no resources")
        root = self.folder.resolve()
        found = (root / path).resolve()
        if not found.is_relative_to(root) or not found.exists():
            raise NonRecoverableError(f"there is no resource {path}")
        return found

    def read(self, path: str) -> bytes:
        return self.path(path).read_bytes()

    def render(self, path: str, variables: Mapping[str, Data]) -> str:
        raise NonRecoverableError(f"rendering {path} needs a bench with a machine")


@dataclass(kw_only=True, slots=True)
class BenchContext:
    """An `OperationContext` of plain data that keeps what the operation did with it.

    Attributes:
        events: what was sent by `send_event`.
        masked: the texts that the operation asked to be masked.
        slept: the waits it asked for, in seconds.
        given_up: set it to have `cancelled` answer True.
    """

    node: NodeView
    instance: BenchInstance
    operation: CurrentOperation
    plugin: PluginView
    deployment: DeploymentView
    resources: Resources
    neighbours: Sequence[Neighbour] = ()
    siblings: Sequence[Sibling] = ()
    source: BenchEnd | None = None
    target: BenchEnd | None = None
    execution_id: str = "execution_bench"
    workflow_id: str = "install"
    remembered: MutableMapping[str, str] = field(default_factory=dict)
    logger: BenchLog = field(default_factory=BenchLog)
    events: list[str] = field(default_factory=list)
    masked: set[str] = field(default_factory=set)
    slept: list[float] = field(default_factory=list)
    given_up: bool = False
    machine: BenchMachine | None = None
    pause: Callable[[float], None] | None = None

    @property
    def log(self) -> list[tuple[str, str]]:
        """What was logged, as (level, message)."""
        return self.logger.records

    @property
    def folder(self) -> Path:
        return self._machine().folder

    @property
    def lasting_folder(self) -> Path:
        return self._machine().lasting_folder

    @property
    def cache_folder(self) -> Path:
        return self._machine().cache_folder

    def send_event(self, message: str) -> None:
        self.events.append(message)

    def mask(self, secret: str) -> None:
        self.masked.add(secret)

    def cancelled(self) -> bool:
        return self.given_up

    def sleep(self, seconds: float) -> None:
        if self.given_up:
            raise RecoverableError("the attempt was given up")
        self.slept.append(seconds)
        if self.pause is not None:
            self.pause(seconds)

    def serve(self) -> AbstractContextManager[ContextProxy]:
        return self._machine().serve(self)

    def run(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        stdin: str | None = None,
        timeout: float | None = None,
        on_line: LineSink | None = None,
        shown: Sequence[Path] = (),
        writable: Sequence[Path] = (),
        grace: float = 0,
    ) -> Completed:
        return self._machine().run(
            command,
            cancelled=self.cancelled,
            environment=environment,
            folder=folder,
            stdin=stdin,
            timeout=timeout,
            on_line=on_line,
            shown=shown,
            writable=writable,
            grace=grace,
        )

    def _machine(self) -> BenchMachine:
        if self.machine is None:
            raise NonRecoverableError("this bench has no machine to run programs on")
        return self.machine


def context(
    *,
    properties: Mapping[str, Data] | None = None,
    runtime_properties: MutableMapping[str, Data] | None = None,
    node_type: str = "cloudify.nodes.Root",
    type_hierarchy: Sequence[str] = (),
    settings: Mapping[str, Data] | None = None,
    plugin_properties: Mapping[str, Data] | None = None,
    sandboxed: bool = False,
    neighbours: Sequence[Neighbour] = (),
    source: BenchEnd | None = None,
    target: BenchEnd | None = None,
    resources: Path | None = None,
    operation: str = "cloudify.interfaces.lifecycle.create",
    retry_number: int = 0,
    machine: BenchMachine | None = None,
    sleep: Callable[[float], None] | None = None,
) -> BenchContext:
    """Return a context to call an operation with.

    Args:
        type_hierarchy: ancestors of `node_type`; the type itself is added when it is missing.
        settings: the section of the home's settings that the plugin gets.
        plugin_properties: what the import of the plugin gave.
        source, target: give both for a relationship operation; it is then mapped on the source.
        resources: the folder of the blueprint's files; a machine brings its own.
        machine: needed by operations that serve scripts, run programs, or render resources.
        sleep: called for each wait of the operation, for example `time.sleep`; without it time does not pass.
    """
    own = source or end(
        node_type=node_type,
        type_hierarchy=type_hierarchy,
        properties=properties,
        runtime_properties=runtime_properties,
    )
    bench = BenchContext(
        node=own.node,
        instance=own.instance,
        operation=CurrentOperation(
            name=operation,
            retry_number=retry_number,
            max_retries=5,
            attempt_id="attempt1",
            timeout=3600,
            relationship="source" if source else "",
        ),
        plugin=PluginView(
            name="bench",
            package_name="bench",
            properties=plugin_properties or {},
            settings=settings or {},
            sandboxed=sandboxed,
        ),
        deployment=DeploymentView(id="bench", display_name="bench", blueprint_id="bench"),
        resources=FolderResources(resources),
        neighbours=neighbours,
        source=source,
        target=target,
        machine=machine,
        pause=sleep,
    )
    if machine is not None:
        bench.resources = machine.resources(lambda: bench)
    return bench


def end(
    *,
    node_type: str = "cloudify.nodes.Root",
    type_hierarchy: Sequence[str] = (),
    properties: Mapping[str, Data] | None = None,
    runtime_properties: MutableMapping[str, Data] | None = None,
    name: str = "node",
) -> BenchEnd:
    """Return an end of a relationship: instance `NAME_1` of a node of the given type."""
    hierarchy = (*(ancestor for ancestor in type_hierarchy if ancestor != node_type), node_type)
    node = NodeView(name=name, type=node_type, type_hierarchy=hierarchy, properties=properties or {})
    written = {} if runtime_properties is None else runtime_properties
    return BenchEnd(
        node=node,
        instance=BenchInstance(id=f"{name}_1", runtime_properties=written, node_properties=node.properties),
    )


def neighbour(
    type: str = "cloudify.relationships.depends_on",
    *,
    node_type: str,
    type_hierarchy: Sequence[str] = (),
    properties: Mapping[str, Data] | None = None,
    runtime_properties: MutableMapping[str, Data] | None = None,
    outgoing: bool = True,
    name: str = "neighbour",
) -> Neighbour:
    """Return the other end of a relationship of the operation's instance.

    Args:
        type_hierarchy: ancestors of `node_type`, as in `context`.
    """
    other = end(
        node_type=node_type,
        type_hierarchy=type_hierarchy,
        properties=properties,
        runtime_properties=runtime_properties,
        name=name,
    )
    parents = ("cloudify.relationships.depends_on",) if type != "cloudify.relationships.depends_on" else ()
    return Neighbour(
        type=type, type_hierarchy=(*parents, type), node=other.node, instance=other.instance, outgoing=outgoing
    )


def run_twice(
    function: Callable[..., Data], ctx: BenchContext, **inputs: Any
) -> tuple[dict[str, Data], dict[str, Data]]:
    """Run an operation, forget all that it recorded, and run it again: what happens when the engine dies before it
    could commit the first outcome.

    The second run is an attempt of its own that knows the first as `lost_attempt`. Whatever either raises is raised.

    Returns:
        The instance's runtime properties after the first run and after the second, for comparison.
    """
    instances = [ctx.instance, *(side.instance for side in (ctx.source, ctx.target) if side is not None)]
    before = [deepcopy(dict(instance.runtime_properties)) for instance in instances]
    remembered = dict(ctx.remembered)

    function(ctx, **deepcopy(inputs))
    first = deepcopy(dict(ctx.instance.runtime_properties))

    for instance, properties in zip(instances, before, strict=True):
        instance.runtime_properties.clear()
        instance.runtime_properties.update(properties)
    ctx.remembered.clear()
    ctx.remembered.update(remembered)
    lost = ctx.operation.attempt_id
    ctx.operation = replace(ctx.operation, attempt_id=f"{lost}-again", lost_attempt=lost)

    function(ctx, **deepcopy(inputs))
    return first, deepcopy(dict(ctx.instance.runtime_properties))
