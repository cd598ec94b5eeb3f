"""The context of a real attempt: what `sdk.context` promises, backed by the world, the store and the machine.

It collects what the operation changes; `attempt` turns that into an outcome.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

from groundplan.model.deployment import NodeInstance
from groundplan.model.execution import EventType
from groundplan.model.ids import DeploymentId, InstanceId
from groundplan.model.values import LEAVES, Data, quote_marks, reveal
from groundplan.runtime.foreign.machine import Machine
from groundplan.runtime.masking import Masker
from groundplan.runtime.world import World
from groundplan.sdk.context import (
    Completed,
    ContextProxy,
    CurrentOperation,
    DeploymentView,
    End,
    LineSink,
    Neighbour,
    NodeView,
    PluginView,
    Resources,
    Sibling,
)
from groundplan.sdk.errors import RecoverableError
from groundplan.sdk.spans import span
from groundplan.state.store import Store

Say = Callable[[EventType, str, str], None]
"""Takes the type, the level and the text of something to be told."""
ReadRuntime = Callable[[NodeInstance], Mapping[str, Data]]
"""Gives an instance's runtime properties as plain data, functions in them evaluated; they are not to be changed."""
ReadProperties = Callable[[NodeInstance], Mapping[str, Data]]
"""Evaluates the properties of an instance's template and gives them as plain data."""


class _Copies(NamedTuple):
    """Runtime properties as an operation found them, and as it leaves them."""

    before: Mapping[str, Data]
    after: dict[str, Data]


_COPYING: Final = threading.RLock()


class LiveInstance:
    """A node instance with a copy of its runtime properties that the operation may change.

    The operation sees plain data: what the engine's own functions in it give, and no marks.
    """

    def __init__(
        self,
        world: World,
        instance: NodeInstance,
        properties: Callable[[InstanceId], Mapping[str, Data]],
        read_runtime: ReadRuntime,
    ) -> None:
        self._world = world
        self._instance = instance
        self._properties = properties
        self._read_runtime = read_runtime
        self._copies: _Copies | None = None

    @property
    def id(self) -> str:
        return self._instance.id

    @property
    def index(self) -> int:
        return self._instance.index

    @property
    def runtime_properties(self) -> MutableMapping[str, Data]:
        return (self._copies or self._copied()).after

    def _copied(self) -> "_Copies":
        # Scripts ask from threads of their own.
        with _COPYING:
            if self._copies is None:
                before = self._read_runtime(self._instance)
                self._copies = _Copies(before, reveal(before))
            return self._copies

    @property
    def host_ip(self) -> str | None:
        """Own or host's runtime property `ip`, else node property `ip` (spec 7.1)."""
        found = self.runtime_properties.get("ip") or self._properties(self._instance.id).get("ip")
        host = self._instance.host
        if not found and host is not None and host != self._instance.id:
            found = self._world.instance(host).runtime_properties.get("ip") or self._properties(host).get("ip")
        return str(reveal(found)) if found else None

    @property
    def changed(self) -> bool:
        """Whether the operation changed anything, at any depth (spec Appendix B 5)."""
        return self._copies is not None and self._copies.after != self._copies.before

    def stored(self, *, trusted: bool) -> dict[str, Data]:
        """Return the runtime properties as they are to be stored: what was not changed stays as it was.

        Args:
            trusted: the engine's own operation may put functions there; a plugin's or script's data is data (spec 7.4).
        """
        raw, (before, after) = self._instance.runtime_properties, self._copies or self._copied()
        if before is raw and LEAVES.issuperset(map(type, after.values())):
            return after.copy()
        return {
            key: raw[key]
            if key in raw and key in before and before[key] == value
            else (value if trusted or type(value) in LEAVES else quote_marks(value))
            for key, value in after.items()
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveEnd:
    """One end of a relationship."""

    node: NodeView
    instance: LiveInstance


class LiveLog:
    """The deployment's log."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def debug(self, message: str) -> None:
        self._say(EventType.LOG, "debug", message)

    def info(self, message: str) -> None:
        self._say(EventType.LOG, "info", message)

    def warning(self, message: str) -> None:
        self._say(EventType.LOG, "warning", message)

    def error(self, message: str) -> None:
        self._say(EventType.LOG, "error", message)


class Remembered(MutableMapping[str, str]):
    """Facts kept with a deployment, written through at once: they must survive the attempt that learnt them."""

    def __init__(self, store: Store, deployment: DeploymentId) -> None:
        self._store = store
        self._deployment = deployment

    def _all(self) -> Mapping[str, str]:
        with self._store.snapshot() as snapshot:
            return snapshot.remembered(self._deployment)

    def __getitem__(self, key: str) -> str:
        return self._all()[key]

    def __setitem__(self, key: str, value: str) -> None:
        with self._store.transaction() as transaction:
            transaction.remember(self._deployment, key, value)

    def __delitem__(self, key: str) -> None:
        if key not in self._all():
            raise KeyError(key)
        with self._store.transaction() as transaction:
            transaction.remember(self._deployment, key, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


class Place(NamedTuple):
    """Where an attempt stands among the instances.

    Attributes:
        own: the instance that the operation is mapped on.
        source: in a relationship operation, the source's instance; else None.
        target: likewise.
    """

    own: InstanceId
    source: InstanceId | None = None
    target: InstanceId | None = None


class AttemptContext:
    """Implements `sdk.context.OperationContext` for one attempt.

    What few operations ask for is made when it is asked for.
    """

    def __init__(
        self,
        *,
        world: World,
        place: Place,
        execution_id: str,
        workflow_id: str,
        operation: CurrentOperation,
        plugin: Callable[[], PluginView],
        machine: Callable[[], Machine],
        store: Store,
        masker: Masker,
        given_up: threading.Event,
        check_world: Callable[[], None],
        say: Say,
        properties: ReadProperties,
        read_runtime: ReadRuntime,
        resource_tags: Callable[[], Mapping[str, Data]],
    ) -> None:
        self.execution_id = execution_id
        self.workflow_id = workflow_id
        self.operation = operation
        self._store = store
        self._world = world
        self._place = place
        self._masker = masker
        self._given_up = given_up
        self._check_world = check_world
        self._say = say
        self._read_properties = properties
        self._read_runtime = read_runtime
        self._read_tags = resource_tags
        self._make_plugin = plugin
        self._make_machine = machine
        self._views: dict[InstanceId, NodeView] = {}
        self._live: dict[InstanceId, LiveInstance] = {}

    @cached_property
    def deployment(self) -> DeploymentView:
        deployment = self._world.deployment
        return DeploymentView(
            id=deployment.id,
            display_name=deployment.display_name or deployment.id,
            blueprint_id=deployment.blueprint,
            labels=deployment.labels,
            resource_tags={key: str(value) for key, value in self._read_tags().items()},
        )

    @cached_property
    def logger(self) -> LiveLog:
        return LiveLog(self._say)

    @cached_property
    def remembered(self) -> MutableMapping[str, str]:
        return Remembered(self._store, self._world.deployment.id)

    @cached_property
    def plugin(self) -> PluginView:
        return self._make_plugin()

    @cached_property
    def _machine(self) -> Machine:
        return self._make_machine()

    @property
    def node(self) -> NodeView:
        return self._view(self._place.own)

    @property
    def instance(self) -> LiveInstance:
        return self._live_instance(self._place.own)

    @property
    def source(self) -> End | None:
        return self._end(self._place.source)

    @property
    def target(self) -> End | None:
        return self._end(self._place.target)

    @property
    def siblings(self) -> Sequence[Sibling]:
        own = self._world.instance(self._place.own)
        found = [Sibling(id=it.id, index=it.index, state=it.state) for it in self._world.instances_of(own.node)]
        return sorted(found, key=lambda it: it.index)

    @cached_property
    def neighbours(self) -> Sequence[Neighbour]:
        own = self._world.instance(self._place.own)
        found = [self._neighbour(own, index, outgoing=True) for index in range(len(own.relationships))]
        for source in self._world.sources_of(own.id):
            found.extend(
                self._neighbour(source, index, outgoing=False)
                for index, relationship in enumerate(source.relationships)
                if relationship.target == own.id
            )
        return tuple(found)

    @property
    def resources(self) -> Resources:
        return self._machine.resources(lambda: self)

    @property
    def folder(self) -> Path:
        return self._machine.folder

    @property
    def lasting_folder(self) -> Path:
        return self._machine.lasting_folder

    @property
    def cache_folder(self) -> Path:
        return self._machine.cache_folder

    def send_event(self, message: str) -> None:
        self._say(EventType.PLUGIN_EVENT, "", message)

    def mask(self, secret: str) -> None:
        self._masker.learn([secret])

    def cancelled(self) -> bool:
        return self._given_up.is_set()

    def sleep(self, seconds: float) -> None:
        if self._given_up.wait(seconds):
            raise RecoverableError("The attempt was given up while it waited.")
        # What is waited for never comes true in a sandbox that died meanwhile.
        self._check_world()

    def serve(self) -> AbstractContextManager[ContextProxy]:
        return self._machine.serve(self)

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
        program = Path(command[0]).name if command else ""
        with span("process", process_executable_name=program) as process:
            return self._machine.run(
                command,
                cancelled=self.cancelled,
                environment={**process.environment, **(environment or {})},
                folder=folder,
                stdin=stdin,
                timeout=timeout,
                on_line=on_line,
                shown=shown,
                writable=writable,
                grace=grace,
            )

    def changes(self, *, trusted: bool) -> Mapping[InstanceId, Mapping[str, Data]]:
        """Return the runtime properties of every instance that the operation changed (see `LiveInstance.stored`)."""
        return {key: live.stored(trusted=trusted) for key, live in self._live.items() if live.changed}

    def close(self) -> None:
        """Let go of what was made for the attempt: it refers back to the context, and would wait to be collected."""
        machine = self.__dict__.pop("_machine", None)
        if machine is not None:
            machine.close()
        self._live.clear()
        self._views.clear()
        self.__dict__.pop("neighbours", None)

    def _view(self, id: InstanceId) -> NodeView:
        if id not in self._views:
            template = self._world.template(id)
            self._views[id] = NodeView(
                name=template.name,
                type=template.type,
                type_hierarchy=template.type_hierarchy,
                properties=self._properties(id),
            )
        return self._views[id]

    def _properties(self, id: InstanceId) -> Mapping[str, Data]:
        if id in self._views:
            return self._views[id].properties
        return self._read_properties(self._world.instance(id))

    def _live_instance(self, id: InstanceId) -> LiveInstance:
        if id not in self._live:
            self._live[id] = self._live_copy(id)
        return self._live[id]

    def _live_copy(self, id: InstanceId) -> LiveInstance:
        return LiveInstance(self._world, self._world.instance(id), self._properties, self._read_runtime)

    def _end(self, id: InstanceId | None) -> LiveEnd | None:
        return None if id is None else LiveEnd(node=self._view(id), instance=self._live_instance(id))

    def _neighbour(self, source: NodeInstance, index: int, *, outgoing: bool) -> Neighbour:
        link = source.relationships[index]
        relationship = self._world.template(source.id).relationships[link.index]
        other = link.target if outgoing else source.id
        return Neighbour(
            type=relationship.type,
            type_hierarchy=relationship.type_hierarchy,
            node=self._view(other),
            instance=self._live_copy(other),
            outgoing=outgoing,
        )
