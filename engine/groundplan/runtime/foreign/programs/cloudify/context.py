"""The object `ctx` with the names of spec 7.1; everything is asked of the engine when it is used."""

import atexit
import copy
import logging
import os
import tempfile
from typing import Any, Callable, Dict, List, Optional

from . import _wire
from .exceptions import NonRecoverableError


class ReadOnly(Dict[str, Any]):
    """Properties of a node."""

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise NonRecoverableError("the properties of a node are read-only")

    __setitem__ = __delitem__ = update = pop = popitem = clear = setdefault = _refuse


class RuntimeProperties(Dict[str, Any]):
    """A dictionary whose changes go to the engine: at once at its top level, deeper ones at `flush`."""

    def __init__(self, path: List[str], stored: Dict[str, Any]) -> None:
        super().__init__(stored)
        self._path = path
        self._stored = copy.deepcopy(stored)

    def flush(self) -> None:
        """Send what differs from what the engine has."""
        put = {key: value for key, value in self.items() if key not in self._stored or self._stored[key] != value}
        remove = [key for key in self._stored if key not in self]
        if put or remove:
            _wire.call(*self._path, "change", {"put": put, "remove": remove})
            self._stored = copy.deepcopy(dict(self))

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self.flush()

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self.flush()

    def update(self, *args: Any, **kwargs: Any) -> None:
        super().update(*args, **kwargs)
        self.flush()

    def setdefault(self, key: str, default: Any = None) -> Any:
        found = super().setdefault(key, default)
        self.flush()
        return found

    def pop(self, *args: Any) -> Any:
        found = super().pop(*args)
        self.flush()
        return found

    def popitem(self) -> Any:
        found = super().popitem()
        self.flush()
        return found

    def clear(self) -> None:
        super().clear()
        self.flush()


class Named:
    """A level of `ctx`: each name is asked of the engine."""

    def __init__(self, path: List[str]) -> None:
        self._path = path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return _wire.call(*self._path, name)


class Node(Named):
    """`ctx.node`."""

    @property
    def properties(self) -> ReadOnly:
        return ReadOnly(_wire.call(*self._path, "properties"))


class Instance(Named):
    """`ctx.instance`; its runtime properties are read once and written as they change."""

    def __init__(self, path: List[str]) -> None:
        super().__init__(path)
        self._known = None  # type: Optional[RuntimeProperties]

    @property
    def runtime_properties(self) -> RuntimeProperties:
        if self._known is None:
            self._known = RuntimeProperties(self._path, _wire.call(*self._path, "runtime_properties"))
            atexit.register(self._flush_in, os.getpid())
        return self._known

    @property
    def relationships(self) -> List["Relationship"]:
        return [Relationship(written) for written in _wire.call(*self._path, "relationships")]

    def update(self, on_conflict: Optional[Callable[..., Any]] = None) -> None:
        """Send changes made inside values; there is one writer, so nothing conflicts."""
        self.runtime_properties.flush()

    def refresh(self, force: bool = False) -> None:
        """Read the runtime properties again."""
        self._known = None

    def _flush_in(self, process: int) -> None:
        if self._known is not None and os.getpid() == process:
            self._known.flush()


class Plain:
    """Names and values that were read before."""

    def __init__(self, values: Dict[str, Any]) -> None:
        self.__dict__.update(values)


class Relationship:
    """One of `ctx.instance.relationships`; its target is read-only."""

    def __init__(self, written: Dict[str, Any]) -> None:
        self.type = written["type"]
        self.type_hierarchy = written["type_hierarchy"]
        target = written["target"]
        self.target = Plain({"node": Plain(target["node"]), "instance": Plain(target["instance"])})


class End:
    """`ctx.source` or `ctx.target`."""

    def __init__(self, name: str) -> None:
        self.node = Node([name, "node"])
        self.instance = Instance([name, "instance"])


class Operation(Named):
    """`ctx.operation`."""

    def retry(self, message: str = "", retry_after: Optional[float] = None) -> None:
        _wire.call("retry_operation", message, retry_after)


class ToEngine(logging.Handler):
    """Puts log records into the deployment's log."""

    def emit(self, record: logging.LogRecord) -> None:
        levels = ((logging.ERROR, "error"), (logging.WARNING, "warning"), (logging.INFO, "info"))
        name = next((name for level, name in levels if record.levelno >= level), "debug")
        _wire.call("logger", name, self.format(record))


class Context(Named):
    """`ctx`."""

    def __init__(self) -> None:
        super().__init__([])
        self.node = Node(["node"])
        self.instance = Instance(["instance"])
        self.source = End("source")
        self.target = End("target")
        self.deployment = Named(["deployment"])
        self.blueprint = Named(["blueprint"])
        self.operation = Operation(["operation"])
        self.plugin = Named(["plugin"])
        self.logger = logging.getLogger("cloudify.ctx")
        self.logger.setLevel(logging.DEBUG)
        self.logger.propagate = False
        self.logger.addHandler(ToEngine())

    def _call(self, *arguments: Any) -> Any:
        return _wire.call(*arguments)

    def returns(self, value: Any = None) -> None:
        _wire.call("returns", value)

    def abort_operation(self, message: str = "") -> None:
        _wire.call("abort_operation", message)

    def retry_operation(self, message: str = "", retry_after: Optional[float] = None) -> None:
        _wire.call("retry_operation", message, retry_after)

    def send_event(self, event: str) -> None:
        _wire.call("send_event", event)

    def get_resource(self, resource_path: str) -> bytes:
        content = _wire.call("download_resource", resource_path).content
        assert isinstance(content, bytes)
        return content

    def get_resource_and_render(self, resource_path: str, template_variables: Optional[Dict[str, Any]] = None) -> Any:
        return _wire.call("get_resource_and_render", resource_path, template_variables)

    def download_resource(self, resource_path: str, target_path: Optional[str] = None) -> str:
        return _saved(_wire.call("download_resource", resource_path), target_path)

    def download_resource_and_render(
        self,
        resource_path: str,
        target_path: Optional[str] = None,
        template_variables: Optional[Dict[str, Any]] = None,
    ) -> str:
        arguments = ("download_resource_and_render", resource_path, "", template_variables)
        return _saved(_wire.call(*arguments), target_path)


def _saved(found: _wire.File, target: Optional[str]) -> str:
    if target is None:
        target = tempfile.mkdtemp()
    if os.path.isdir(target):
        target = os.path.join(target, found.name)
    with open(target, "wb") as out:
        out.write(found.content)
    return target
