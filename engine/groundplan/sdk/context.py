"""What an operation is given: where it runs, what it may read and change, and what it needs of the machine.

These are protocols: `runtime` writes them for real attempts, `sdk.testing` for tests of plugins. A plugin never
reaches the store, the file system of the engine or the caller's environment by another way.
"""

from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from groundplan.model.values import Data


@dataclass(frozen=True, kw_only=True, slots=True)
class DeploymentView:
    """The deployment that an operation works in."""

    id: str
    display_name: str
    blueprint_id: str
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    resource_tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class PluginView:
    """The plugin of the operation, as the blueprint declares it.

    Attributes:
        properties: the values given in the plugin's import (spec 1.4), by name.
        settings: the home's settings for this plugin, for example `{"endpoint_url": "http://127.0.0.1:4566"}`.
        sandboxed: the home is bound to the sandbox. Then only `settings` and the operation's own inputs and
            properties say where to connect and with what: no environment variable, no file in HOME, no instance
            metadata, no proxy.
    """

    name: str
    package_name: str
    properties: Mapping[str, Data] = field(default_factory=dict)
    settings: Mapping[str, Data] = field(default_factory=dict)
    sandboxed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeView:
    """A node template, its properties evaluated and readable as plain data."""

    name: str
    type: str
    type_hierarchy: tuple[str, ...]
    properties: Mapping[str, Data]

    def is_a(self, ancestor: str) -> bool:
        """Whether its type is, or derives from, `ancestor`."""
        return ancestor in self.type_hierarchy


@dataclass(frozen=True, kw_only=True, slots=True)
class CurrentOperation:
    """The attempt that runs.

    Attributes:
        name: full name, `cloudify.interfaces.lifecycle.create`.
        retry_number: 0 in the first attempt.
        max_retries: attempts after the first, -1 without limit.
        attempt_id: unique in the store; fit for client tokens and for names of folders on a remote host.
        timeout: seconds this attempt may take.
        relationship: `source` or `target` in a relationship operation, else empty.
        lost_attempt: id of an earlier attempt of the same task whose end was not recorded (the engine died), or
            empty. What it left behind under its id tells how far it came.
    """

    name: str
    retry_number: int
    max_retries: int
    attempt_id: str
    timeout: float
    relationship: str = ""
    lost_attempt: str = ""


class Instance(Protocol):
    """A node instance.

    `runtime_properties` is a dictionary that the operation may change at any depth; changes are stored when the
    attempt ends, whether it succeeded or failed. Those of a neighbour (`Neighbour.instance`) are read-only copies.
    """

    @property
    def id(self) -> str: ...
    @property
    def index(self) -> int: ...
    @property
    def runtime_properties(self) -> MutableMapping[str, Data]: ...
    @property
    def host_ip(self) -> str | None: ...


class End(Protocol):
    """One end of a relationship, or a neighbour: an instance with its node."""

    @property
    def node(self) -> NodeView: ...
    @property
    def instance(self) -> Instance: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbour:
    """The other end of a relationship of the operation's own instance.

    Attributes:
        type: of the relationship; `type_hierarchy` has its ancestors.
        outgoing: this instance is the source and the neighbour its target; otherwise the other way round.
    """

    type: str
    type_hierarchy: tuple[str, ...]
    node: NodeView
    instance: Instance
    outgoing: bool = True

    def is_a(self, ancestor: str) -> bool:
        """Whether the relationship's type is, or derives from, `ancestor`."""
        return ancestor in self.type_hierarchy


@dataclass(frozen=True, kw_only=True, slots=True)
class Sibling:
    """An instance of the same node, the own one among them, as it was when it was asked for.

    Attributes:
        state: for example `started` (spec 5.2).
    """

    id: str
    index: int
    state: str


class Log(Protocol):
    """The deployment's log; secrets are masked on the way."""

    def debug(self, message: str) -> None: ...
    def info(self, message: str) -> None: ...
    def warning(self, message: str) -> None: ...
    def error(self, message: str) -> None: ...


class Resources(Protocol):
    """Files of the deployment and of its blueprint. Paths are relative; nothing outside is reachable."""

    def read(self, path: str) -> bytes:
        """Return a file's content.

        Raises:
            NonRecoverableError: there is no such file, or it lies outside.
        """

    def render(self, path: str, variables: Mapping[str, Data]) -> str:
        """Return a file rendered by Jinja2's sandboxed environment with `ctx` and `variables` (spec 7.1)."""

    def path(self, path: str) -> Path:
        """Return the place of a file or folder on this machine, for reading only."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Completed:
    """A child process that ended.

    Attributes:
        code: exit status; negative for a signal.
        timed_out: it was ended because its time was up.
    """

    code: int
    stdout: str
    stderr: str
    timed_out: bool = False


class ContextProxy(Protocol):
    """The context served over HTTP to one attempt's scripts (spec 7.4).

    Attributes:
        url: on loopback, with the token in it; give it as CTX_SOCKET_URL.
        port: the port it listens on, for forwarding to a remote host.
        path: the part of the URL behind the address, token included.
        client: text of the `ctx` program, for a host that has none: runs on Python 2.7 or later, else on sh with curl.
        modules: text of the Python package `cloudify` for such a host, by path (`cloudify/__init__.py`).
        answer: what the script asked for with `ctx returns`, `ctx retry-operation` or `ctx abort-operation`.
    """

    @property
    def url(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def path(self) -> str: ...
    @property
    def client(self) -> str: ...
    @property
    def modules(self) -> Mapping[str, str]: ...
    @property
    def answer(self) -> "ScriptAnswer": ...

    def replay(self, said: str) -> bool:
        """Carry out again what a script said to an attempt that was lost: property writes and its answer.

        Args:
            said: what the `ctx` program kept in the file that CTX_JOURNAL names.

        Returns:
            False when some of what the script said never reached the engine; then nothing was carried out.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class ScriptAnswer:
    """How a script wants its operation to end.

    Attributes:
        returned: whether it called `ctx returns`; `result` is what it gave.
        retry: it called `ctx retry-operation`; `retry_after` in seconds or None.
        awaits: it waits for other instances; `retry_after` as well.
        fail: it failed, and another attempt may succeed, `retry_after` seconds later or None.
        abort: it called `ctx abort-operation`.
        message: of the retry, failure or abort.
    """

    returned: bool = False
    result: Data = None
    retry: bool = False
    awaits: bool = False
    retry_after: float | None = None
    fail: bool = False
    abort: bool = False
    message: str = ""


class OperationContext(Protocol):
    """All that an operation may use.

    In a node operation `node`, `instance` and `neighbours` are its own, `source` and `target` are None; in a
    relationship operation it is the other way round: `source` and `target` are set, both instances writable, and
    `node` and `instance` are those of the end that the operation is mapped on.
    """

    @property
    def deployment(self) -> DeploymentView: ...
    @property
    def execution_id(self) -> str: ...
    @property
    def workflow_id(self) -> str: ...
    @property
    def operation(self) -> CurrentOperation: ...
    @property
    def plugin(self) -> PluginView: ...
    @property
    def node(self) -> NodeView: ...
    @property
    def instance(self) -> Instance: ...
    @property
    def neighbours(self) -> Sequence[Neighbour]: ...
    @property
    def siblings(self) -> Sequence[Sibling]:
        """The instances of the node, by index."""

    @property
    def source(self) -> End | None: ...
    @property
    def target(self) -> End | None: ...
    @property
    def logger(self) -> Log: ...
    @property
    def resources(self) -> Resources: ...
    @property
    def remembered(self) -> MutableMapping[str, str]:
        """Facts kept with the deployment for all its operations and forgotten at the end of an uninstall."""

    @property
    def folder(self) -> Path:
        """An empty folder of this attempt, mode 0700, removed when it ends; its children may write here."""

    @property
    def lasting_folder(self) -> Path:
        """A folder of this instance, mode 0700, in the home of this machine; what an operation leaves there stays.

        For what must outlive a killed engine. Another machine has another: what counts belongs into runtime properties.
        """

    @property
    def cache_folder(self) -> Path:
        """A folder of this plugin, mode 0700, in the home of this machine; it may be deleted while nothing runs."""

    def send_event(self, message: str) -> None:
        """Put a line into the deployment's events."""

    def mask(self, secret: str) -> None:
        """Have a text that the operation learnt masked from now on, wherever it would be shown."""

    def cancelled(self) -> bool:
        """Whether the attempt was given up (cancel, deadline); long waits ask now and then and stop."""

    def sleep(self, seconds: float) -> None:
        """Wait; returns early, by raising `RecoverableError`, when the attempt was given up."""

    def serve(self) -> AbstractContextManager[ContextProxy]:
        """Serve this context to a script until the block is left."""

    def run(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        stdin: str | None = None,
        timeout: float | None = None,
        on_line: "LineSink | None" = None,
        shown: Sequence[Path] = (),
        writable: Sequence[Path] = (),
        grace: float = 0,
    ) -> Completed:
        """Run a child process in an environment built for it (PATH, HOME, LANG and what is declared).

        It ends with its process group when the attempt is given up, `timeout` seconds are over, or the engine dies. The
        `ctx` program is on its PATH and `from cloudify import ctx` works in Python.

        Args:
            shown: files and folders that it may read, and `writable` those that it may write, where it is shut in.
            grace: seconds that it may take to end by itself once it was interrupted (SIGINT; the program alone, not its
                group), for a program that would lose what it has done; 0: it is terminated at once. When the engine
                dies, it goes on for that long before it is interrupted.
        """


class LineSink(Protocol):
    """Takes a child process's output while it runs."""

    def __call__(self, stream: str, line: str) -> None:
        """Take one line; `stream` is `out` or `err`."""
