"""Operations: what is written, how a template's lies over its type's, and what an implementation stands for.

Spec 1.12, 2.2 to 2.4. Functions in their inputs are checked in `references`.
"""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from sys import intern
from typing import Final, TypeVar
from urllib.parse import urlsplit

from groundplan.diagnostics.suggest import suggest
from groundplan.dsl import faults
from groundplan.dsl.conformance import Conformance
from groundplan.dsl.sections import schemas
from groundplan.dsl.sections.plugins import executor
from groundplan.dsl.shape import Reading, declared, element, entries_of, text_of, value_of
from groundplan.dsl.versions import OPERATION, OPERATION_INPUT
from groundplan.model.blueprint import Operation, Plugin
from groundplan.model.types import Schema
from groundplan.model.values import NOWHERE, TYPED_FUNCTIONS, Call, Field, Map, Seq, Value

RUN_SCRIPT: Final = "script_runner.tasks.run"
RUN_WORKFLOW_SCRIPT: Final = "script_runner.tasks.execute_workflow"
SCRIPT_INPUTS: Final = ("script_path", "script_source")
LIFECYCLE: Final = "cloudify.interfaces.lifecycle"


@dataclass(kw_only=True, slots=True)
class Written:
    """One operation as an author wrote it, at a type (inputs are schemas) or at a template (inputs are values).

    Nobody changes one; it is not frozen because making a frozen one takes five times as long.

    Attributes:
        implementation: empty when there is none.
        at: position of the implementation, or of the operation's name.
    """

    implementation: str = ""
    schemas: Mapping[str, Schema] = field(default_factory=dict)
    values: Mapping[str, Field] = field(default_factory=dict)
    executor: str | None = None
    max_retries: int | None = None
    retry_interval: float | None = None
    timeout: float | None = None
    timeout_recoverable: bool | None = None
    at: int = NOWHERE


T = TypeVar("T")
Interfaces = Mapping[str, Written]
"""By full name, INTERFACE.OPERATION: one text for all templates, of which there may be very many."""

NO_INTERFACES: Final[Interfaces] = {}


def read_interfaces(
    found: Field | None, path: str, reading: Reading, data_types: AbstractSet[str] | None
) -> Interfaces:
    """Return the operations of a mapping of interfaces.

    Args:
        data_types: names that input schemas may use, at a type; None at a template, where inputs are values.
    """
    if found is None:
        return NO_INTERFACES
    operations: dict[str, Written] = {}
    for interface, inner in entries_of(found, path, reading).items():
        for name, operation in entries_of(inner, f"{path}.{interface}", reading).items():
            where = f"{path}.{interface}.{name}"
            operations[intern(f"{interface}.{name}")] = _written(operation, where, reading, data_types)
    return operations


def _written(found: Field, path: str, reading: Reading, data_types: AbstractSet[str] | None) -> Written:
    if isinstance(found.value, str):
        return Written(implementation=found.value, at=found.at)
    entries = element(found, OPERATION, path, reading) or {}
    inputs = entries.get("inputs")
    implementation = entries.get("implementation")
    return Written(
        implementation=text_of(entries, "implementation") or "",
        schemas={}
        if data_types is None
        else schemas.read(inputs, OPERATION_INPUT, f"{path}.inputs", reading, data_types),
        values={} if data_types is not None else entries_of(inputs, f"{path}.inputs", reading),
        executor=executor(entries.get("executor"), f"{path}.executor", reading),
        max_retries=_integer(entries, "max_retries", -1, path, reading),
        retry_interval=_number(entries, "retry_interval", 0, path, reading),
        timeout=_number(entries, "timeout", 0, path, reading),
        timeout_recoverable=_boolean(value_of(entries, "timeout_recoverable")),
        at=implementation.at if implementation is not None else found.key_at,
    )


def _boolean(value: Value) -> bool | None:
    return value if isinstance(value, bool) else None


def _integer(entries: dict[str, Field], key: str, least: int, path: str, reading: Reading) -> int | None:
    number = _number(entries, key, least, path, reading)
    return None if number is None else int(number)


def _number(entries: dict[str, Field], key: str, least: int, path: str, reading: Reading) -> float | None:
    found = entries.get(key)
    if found is None or not isinstance(found.value, int | float):
        return None
    if found.value < least:
        reading.report.tell(
            faults.OPERATION_NUMBER, found.at, f"expected {least} or more, found {found.value}", path=f"{path}.{key}"
        )
        return None
    return found.value


def over(type_operation: Written | None, own: Written) -> Written:
    """Lay a template's operation over its type's (spec 2.3)."""
    if not own.implementation and not own.values and not _has_side_fields(own):
        return own
    if type_operation is None or not type_operation.implementation:
        return own
    if own.implementation and own.implementation != type_operation.implementation:
        return own
    return replace(
        type_operation,
        values=own.values,
        executor=own.executor or type_operation.executor,
        max_retries=_first(own.max_retries, type_operation.max_retries),
        retry_interval=_first(own.retry_interval, type_operation.retry_interval),
        timeout=_first(own.timeout, type_operation.timeout),
        timeout_recoverable=_first(own.timeout_recoverable, type_operation.timeout_recoverable),
        at=own.at,
    )


def _has_side_fields(written: Written) -> bool:
    sides = (
        written.executor,
        written.max_retries,
        written.retry_interval,
        written.timeout,
        written.timeout_recoverable,
    )
    return any(side is not None for side in sides)


def _first(own: T | None, inherited: T | None) -> T | None:
    return inherited if own is None else own


@dataclass(frozen=True, slots=True)
class Implementation:
    """What an implementation string stands for (spec 2.4).

    Attributes:
        script: (input name, value) of a script, else None.
    """

    plugin: str
    operation: str
    executor: str
    script: tuple[str, str] | None = None


_SCRIPT_ENDINGS: Final = frozenset({"bash", "pl", "ps1", "py", "rb", "sh"})


class Implementations:
    """Resolves implementation strings against the declared plugins and the files of the blueprint."""

    def __init__(
        self,
        plugins: Mapping[str, Plugin],
        is_file: Callable[[str], bool],
        nearest_file: Callable[[str], str],
        namespaces: AbstractSet[str],
        reading: Reading,
    ) -> None:
        self._plugins = plugins
        self._is_file = is_file
        self._nearest_file = nearest_file
        self._namespaces = namespaces
        self._reading = reading
        self._scripts = next((name for name in plugins if name.endswith("script")), None)
        self._known: dict[tuple[str, str], Implementation | None] = {}

    def resolve(self, text: str, at: int, path: str, run_script: str = RUN_SCRIPT) -> Implementation | None:
        """Return what a text stands for; None, with a fault at `at`, when it stands for nothing."""
        key = (text, run_script)
        found = self._known.get(key)
        if found is None:
            found = self._resolve(text, at, path, run_script)
            self._known[key] = found
        return found

    def _resolve(self, text: str, at: int, path: str, run_script: str) -> Implementation | None:
        candidates = self._candidates(text)
        if self._is_script(text, candidates):
            return self._script(text, at, path, run_script)
        if len(candidates) == 1:
            name, rest = candidates[0]
            return Implementation(name, rest, self._plugins[name].executor)
        if candidates:
            names = ", ".join(name for name, _ in candidates)
            self._reading.report.tell(
                faults.IMPLEMENTATION_AMBIGUOUS,
                at,
                f"begins with the names of several plugins: {names}",
                path=path,
                fix="rename one of the plugins.",
            )
            return None
        if self._scripts is not None and _names_a_script(text):
            self._reading.report.tell(
                faults.SCRIPT_MISSING, at, f"the blueprint's folder has no file {text!r}", path=path
            )
            return self._script(text, at, path, run_script)
        self._tell_unknown(text, at, path)
        return None

    def _candidates(self, text: str) -> list[tuple[str, str]]:
        """Return (plugin, rest of the text); a namespaced text may also mean a plugin of the standard types."""
        for form in (text, text.rpartition("--")[2]):
            found = [(name, form[len(name) + 1 :]) for name in self._plugins if form.startswith(f"{name}.")]
            if found:
                return found
        return []

    def _is_script(self, text: str, candidates: list[tuple[str, str]]) -> bool:
        if "\n" in text.strip() or is_url(text):
            return True
        namespace, separator, plain = text.rpartition("--")
        if self._is_file(text) or (separator and self._is_file(plain)):
            return True
        return not candidates and bool(separator) and namespace.partition("--")[0] in self._namespaces

    def _script(self, text: str, at: int, path: str, run_script: str) -> Implementation | None:
        if self._scripts is None:
            self._reading.report.tell(
                faults.SCRIPT_PLUGIN_MISSING, at, "a script", path=path, fix="import cloudify/types/types.yaml."
            )
            return None
        name = "script_source" if "\n" in text.strip() else "script_path"
        return Implementation(self._scripts, run_script, "auto", (name, text))

    def _tell_unknown(self, text: str, at: int, path: str) -> None:
        prefix = text.partition(".")[0]
        self._reading.report.tell(
            faults.IMPLEMENTATION_UNKNOWN,
            at,
            "neither a plugin's operation nor a file",
            path=path,
            detail=f"no plugin is called {prefix!r} and the blueprint's folder has no file {text!r}.",
            suggestion=suggest(prefix, self._plugins) or self._nearest_file(text),
        )


def _names_a_script(text: str) -> bool:
    """Whether a text is the bare name of a script, which cannot be meant for a plugin's operation."""
    return "/" not in text and text.count(".") == 1 and text.rpartition(".")[2] in _SCRIPT_ENDINGS


def is_url(text: str) -> bool:
    """Whether a text is an address with a scheme."""
    try:
        return "://" in text and bool(urlsplit(text).scheme)
    except ValueError:
        return False


class OperationBuilder:
    """Turns written operations into those of the model."""

    def __init__(self, implementations: Implementations, conformance: Conformance, reading: Reading) -> None:
        self._implementations = implementations
        self._conformance = conformance
        self._reading = reading

    def build(self, written: Written, path: str) -> Operation:
        """Return one operation; a no-op when it has no implementation or, with a fault, an unknown one."""
        if not written.implementation:
            given_only = {name: given.value for name, given in written.values.items()}
            return Operation(
                inputs=given_only,
                executor=written.executor,
                max_retries=written.max_retries,
                retry_interval=written.retry_interval,
                timeout=written.timeout,
                timeout_recoverable=written.timeout_recoverable,
                has_intrinsic_functions=any(may_hold_calls(value) for value in given_only.values()),
            )
        found = self._implementations.resolve(written.implementation, written.at, path)
        if found is None:
            return Operation()
        inputs = self._inputs(written, path)
        if found.script is not None:
            self._add_script(inputs, found.script, written, path)
        return Operation(
            plugin=found.plugin,
            operation=found.operation,
            inputs=inputs,
            executor=written.executor or found.executor,
            max_retries=written.max_retries,
            retry_interval=written.retry_interval,
            timeout=written.timeout,
            timeout_recoverable=written.timeout_recoverable,
            has_intrinsic_functions=any(may_hold_calls(value) for value in inputs.values()),
        )

    def _inputs(self, written: Written, path: str) -> dict[str, Value]:
        inputs: dict[str, Value] = {}
        for name, schema in written.schemas.items():
            given = written.values.get(name)
            if given is not None:
                inputs[name] = given.value
            elif schema.has_default:
                has_value = schema.default is not None
                inputs[name] = self._conformance.default(schema, f"{path}.inputs.{name}") if has_value else None
            elif schema.required:
                self._missing_input(name, schema, written, path)
            if name in inputs:
                inputs[name] = _typed(inputs[name], schema)
        for name, given in written.values.items():
            inputs.setdefault(name, given.value)
        return inputs

    def _missing_input(self, name: str, schema: Schema, written: Written, path: str) -> None:
        implied = self._conformance.implied(schema)
        if implied is None:
            self._reading.report.tell(
                faults.OPERATION_INPUT_MISSING,
                written.at,
                f"needs the input {name}",
                path=f"{path}.inputs.{name}",
                places=declared(schema.at, "declared here"),
                fix=f"give {name} a value under inputs, or a default where it is declared.",
            )

    def _add_script(self, inputs: dict[str, Value], script: tuple[str, str], written: Written, path: str) -> None:
        for name in SCRIPT_INPUTS:
            given = written.values.get(name)
            if name in inputs:
                at = given.key_at if given is not None else written.at
                self._reading.report.tell(
                    faults.SCRIPT_PATH_TWICE,
                    at,
                    "the implementation is a script already",
                    path=f"{path}.inputs.{name}",
                    fix=f"leave {name} out.",
                )
        inputs[script[0]] = script[1]


def _typed(value: Value, schema: Schema) -> Value:
    """Return a value whose function, where it can, asks for the type that the input declares (spec 3.1)."""
    if schema.type is None or not isinstance(value, Call) or value.name not in TYPED_FUNCTIONS:
        return value
    return Call(value.name, value.argument, value.at, schema.type, value.argument_at)


def may_hold_calls(value: Value) -> bool:
    """Whether a function may stand in a value."""
    return isinstance(value, Call) or (isinstance(value, Map | Seq) and value.may_hold_calls)
