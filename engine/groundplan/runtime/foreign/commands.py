"""What a script may say to its attempt through `ctx`: the words of spec 7.4, from arguments to a reply.

No HTTP here (`proxy` has it) and no reflection: a script reads the plain data of `view` and calls what stands in the
table below. Calls of several processes at once are served one after another.
"""

import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from groundplan.model.values import Data
from groundplan.runtime.foreign import property_path
from groundplan.runtime.foreign.property_path import PathError
from groundplan.runtime.foreign.view import Attributes, view
from groundplan.sdk.context import Instance, OperationContext, ScriptAnswer
from groundplan.sdk.errors import OperationError

_RUNTIME: Final = "runtime_properties"


class ReplyType(StrEnum):
    """How a command ended (spec 7.4); `file` is a result that belongs into a file on the script's host."""

    RESULT = "result"
    ERROR = "error"
    STOP = "stop_operation"
    FILE = "file"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """The answer to one command.

    Attributes:
        payload: the result, or the text of an error or stop.
        content: of a file; then `name` is its name and `target` where the script wants it, empty for anywhere.
    """

    type: ReplyType
    payload: Data = None
    name: str = ""
    target: str = ""
    content: bytes = b""


class CommandError(Exception):
    """The command cannot be carried out; the script is told why."""


class ContextCommands:
    """The commands of one attempt's scripts."""

    def __init__(self, ctx: OperationContext) -> None:
        self._ctx = ctx
        self._lock = threading.Lock()
        self._closed = False
        self._answer = ScriptAnswer()
        self._calls: Mapping[tuple[str, ...], Callable[..., Data]] = self._table()

    @property
    def answer(self) -> ScriptAnswer:
        """How the script wants its operation to end."""
        return self._answer

    def close(self) -> None:
        """Refuse all further commands; one that is being carried out is waited for."""
        with self._lock:
            self._closed = True

    def run(self, arguments: Sequence[Data]) -> Reply:
        """Carry out one command, for example ["instance", "runtime-properties", "port", 80].

        Never raises for what a script says: that gives a reply of type error.
        """
        with self._lock:
            if self._closed:
                return Reply(type=ReplyType.ERROR, payload="the operation that this ctx belonged to is over")
            try:
                return self._run(arguments)
            except (CommandError, PathError) as error:
                return Reply(type=ReplyType.ERROR, payload=str(error))
            except OperationError as error:
                return Reply(type=ReplyType.ERROR, payload=error.message)

    def _run(self, arguments: Sequence[Data]) -> Reply:
        if not arguments:
            raise CommandError("ctx needs arguments, for example: ctx node properties")
        for count in (3, 2, 1):
            call = self._calls.get(tuple(_name(argument) for argument in arguments[:count]))
            if call is not None and len(arguments) >= count:
                given = call(*_bind(call, arguments, count))
                return given if isinstance(given, Reply) else Reply(type=ReplyType.RESULT, payload=given)
        return Reply(type=ReplyType.RESULT, payload=self._property(arguments))

    def _property(self, arguments: Sequence[Data]) -> Data:
        """Read what the arguments lead to, or write a runtime property."""
        found: Data = view(self._ctx)
        count = 0
        while isinstance(found, Attributes) and count < len(arguments):
            name = _name(arguments[count])
            if name not in found:
                raise CommandError(f"ctx has no {' '.join(map(str, arguments[: count + 1]))}; {_known(found)}")
            found = found[name]
            count += 1
        rest = arguments[count:]
        if len(rest) > 1:
            return self._write(arguments[:count], rest)
        return property_path.read(found, str(rest[0])) if rest else found

    def _write(self, way: Sequence[Data], rest: Sequence[Data]) -> None:
        names = [_name(step) for step in way]
        if names[-1:] != [_RUNTIME]:
            raise CommandError(f"{' '.join(map(str, way))} cannot be written")
        if len(rest) > 2:
            raise CommandError("too many arguments: give a path and one value")
        instance = self._instance(names[0])
        property_path.write(instance.runtime_properties, str(rest[0]), rest[1])

    def _instance(self, owner: str) -> Instance:
        end = {"source": self._ctx.source, "target": self._ctx.target}.get(owner)
        return self._ctx.instance if end is None else end.instance

    def _table(self) -> dict[tuple[str, ...], Callable[..., Data]]:
        log = self._ctx.logger
        table: dict[tuple[str, ...], Callable[..., Data]] = {
            ("logger", "debug"): lambda message: log.debug(str(message)),
            ("logger", "info"): lambda message: log.info(str(message)),
            ("logger", "warning"): lambda message: log.warning(str(message)),
            ("logger", "warn"): lambda message: log.warning(str(message)),
            ("logger", "error"): lambda message: log.error(str(message)),
            ("logger", "exception"): lambda message: log.error(str(message)),
            ("logger", "critical"): lambda message: log.error(str(message)),
            ("send_event",): lambda message: self._ctx.send_event(str(message)),
            ("returns",): self._returns,
            ("retry_operation",): self._retry,
            ("operation", "retry"): self._retry,
            ("abort_operation",): self._abort,
            ("fail_operation",): self._fail,
            ("await_others",): self._await_others,
            ("siblings",): self._siblings,
            ("get_resource",): self._get_resource,
            ("get_resource_and_render",): self._get_rendered,
            ("download_resource",): self._download,
            ("download_resource_and_render",): self._download_rendered,
            ("plugin", "workdir"): lambda: str(self._ctx.folder),
        }
        for owner in (("instance",), ("source", "instance"), ("target", "instance")):
            table[(*owner, "update")] = _nothing
            table[(*owner, "refresh")] = _nothing
        for name, instance in self._writable():
            table[(*name, "change")] = _changer(instance)
        return table

    def _writable(self) -> list[tuple[tuple[str, ...], Instance]]:
        if self._ctx.source is None or self._ctx.target is None:
            return [(("instance",), self._ctx.instance)]
        return [
            (("source", "instance"), self._ctx.source.instance),
            (("target", "instance"), self._ctx.target.instance),
        ]

    def _returns(self, value: Data = None) -> None:
        self._end(ScriptAnswer(returned=True, result=value))

    def _retry(self, message: Data = "", retry_after: Data = None) -> Reply:
        seconds = _seconds("retry-operation", retry_after)
        self._end(ScriptAnswer(retry=True, retry_after=seconds, message=str(message)))
        return Reply(type=ReplyType.STOP, payload=str(message))

    def _await_others(self, message: Data, retry_after: Data) -> Reply:
        seconds = _seconds("await-others", retry_after)
        self._end(ScriptAnswer(awaits=True, retry_after=seconds, message=str(message)))
        return Reply(type=ReplyType.STOP, payload=str(message))

    def _siblings(self) -> Data:
        return [{"id": each.id, "index": each.index, "state": each.state} for each in self._ctx.siblings]

    def _fail(self, message: Data = "", retry_after: Data = None) -> None:
        seconds = _seconds("fail-operation", retry_after)
        self._end(ScriptAnswer(fail=True, retry_after=seconds, message=str(message)))

    def _abort(self, message: Data = "") -> Reply:
        self._end(ScriptAnswer(abort=True, message=str(message)))
        return Reply(type=ReplyType.STOP, payload=str(message))

    def _end(self, answer: ScriptAnswer) -> None:
        """Take the script's answer; a second one is fatal (spec 7.3)."""
        if self._answer != ScriptAnswer():
            message = "a script may call one of returns, retry-operation and abort-operation, and only once"
            self._answer = ScriptAnswer(abort=True, message=message)
            raise CommandError(message)
        self._answer = answer

    def _get_resource(self, resource_path: Data) -> str:
        try:
            return self._ctx.resources.read(str(resource_path)).decode()
        except UnicodeDecodeError:
            raise CommandError(f"{resource_path} is not text: use download-resource") from None

    def _get_rendered(self, resource_path: Data, template_variables: Data = None) -> str:
        return self._ctx.resources.render(str(resource_path), _variables(template_variables))

    def _download(self, resource_path: Data, target_path: Data = "") -> Reply:
        return _file(resource_path, target_path, self._ctx.resources.read(str(resource_path)))

    def _download_rendered(self, resource_path: Data, target_path: Data = "", template_variables: Data = None) -> Reply:
        if isinstance(target_path, dict):
            target_path, template_variables = "", target_path
        text = self._ctx.resources.render(str(resource_path), _variables(template_variables))
        return _file(resource_path, target_path, text.encode())


def _seconds(command: str, given: Data) -> float | None:
    try:
        return None if given in (None, "") else float(given)
    except (TypeError, ValueError):
        raise CommandError(f"{command}: {given!r} is not a number of seconds") from None


def _name(argument: Data) -> str:
    return str(argument).replace("-", "_")


def _known(names: Mapping[str, Data]) -> str:
    return f"it has {', '.join(sorted(names))}"


def _nothing(*_: Data) -> None:
    """Changes are kept as they are made; there is nothing to fetch or to send."""


def _changer(instance: Instance) -> Callable[..., None]:
    def change(put: Data = None, remove: Data = None) -> None:
        """Put and remove top-level runtime properties at once."""
        if not isinstance(put or {}, dict) or not isinstance(remove or [], list):
            raise CommandError("change takes a mapping to put and a list of names to remove")
        for key in remove or []:
            instance.runtime_properties.pop(str(key), None)
        instance.runtime_properties.update(put or {})

    return change


def _bind(call: Callable[..., Data], arguments: Sequence[Data], count: int) -> Sequence[Data]:
    """Return the call's positional arguments; a final mapping with names of its parameters counts as keywords."""
    rest = list(arguments[count:])
    signature = inspect.signature(call)
    last = rest[-1] if rest else None
    keywords = isinstance(last, dict) and last and set(last) <= set(signature.parameters) and "value" not in last
    try:
        bound = signature.bind(*rest[:-1], **rest[-1]) if keywords else signature.bind(*rest)
    except TypeError as error:
        raise CommandError(f"{' '.join(map(str, arguments[:count]))}: {error}") from None
    bound.apply_defaults()
    return bound.args


def _variables(given: Data) -> dict[str, Data]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise CommandError("the variables of a template are a mapping")
    return given


def _file(path: Data, target: Data, content: bytes) -> Reply:
    return Reply(type=ReplyType.FILE, name=str(path).rpartition("/")[2], target=str(target or ""), content=content)
