"""From declared inputs and supplied values to the inputs of a deployment, or the parameters of a workflow (spec 1.6).

Collects every fault instead of stopping at the first. Values that hold functions are kept as written; whoever reads
the input evaluates them (`evaluate`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from groundplan.diagnostics.suggest import suggest
from groundplan.model.types import OBJECT_TYPES, PRIMITIVES, Constraint, DataType, Schema
from groundplan.model.values import Data, Value, calls, function_name, is_sensitive, reveal, to_data
from groundplan.planning.conform import EXPECTED, conforms, kind
from groundplan.planning.constraints import OF_OBJECTS, is_known, violation
from groundplan.planning.evaluation import EvaluationFault

Path = tuple[str | int, ...]
_FORMS: Final = {
    "list": "Write it in YAML or JSON, for example [a, b].",
    "dict": "Write it in YAML or JSON, for example {key: value}.",
}


class Untyped(str):
    """A text that somebody typed where no type can be written (`-i replicas=2`): it becomes what is declared.

    Attributes:
        document: the list or mapping that it is when it is read as YAML, or None.
    """

    __slots__ = ("document",)
    document: Data

    def __new__(cls, text: str, document: Data = None) -> "Untyped":
        """Make one."""
        made = super().__new__(cls, text)
        made.document = document
        return made


@dataclass(frozen=True, kw_only=True, slots=True)
class InputFault:
    """One thing wrong with supplied inputs.

    Attributes:
        code: `unknown-input`, `missing-input`, `input-type`, `input-constraint`, `input-field-unknown`,
            `input-field-missing`, `input-object`, `input-function`.
        path: the input's name, and the steps inside its value.
        message: one sentence; shows no sensitive value.
        fix: what to do about it, for example `did you mean 'env_type'?`; may be empty.
        schema: the declaration, whose position a diagnostic may show; None for an unknown input.
    """

    code: str
    path: Path
    message: str
    fix: str = ""
    schema: Schema | None = None

    @property
    def input(self) -> str:
        """The input's name."""
        return str(self.path[0])


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """What resolving gives: every declared input with its value, and what is wrong.

    Attributes:
        values: by name, functions as an author writes them; an input with a fault may be missing here.
    """

    values: Mapping[str, Data]
    faults: Sequence[InputFault]


Exists = Callable[[str, Data, Sequence[Constraint]], str | None]
"""Given an object type, a value and the constraints on it (arguments evaluated), returns None when such an entity
exists and keeps them all, else a sentence that says what is wrong."""


def resolve_inputs(
    schemas: Mapping[str, Schema],
    data_types: Mapping[str, DataType],
    supplied: Mapping[str, Data],
    *,
    evaluate: Callable[[Value], Data] | None = None,
    exists: Exists | None = None,
    convert: bool = False,
    allow_unknown: bool = False,
    noun: str = "input",
) -> Resolved:
    """Return the value of every declared input: supplied, else its default, else its data type's, else null.

    Args:
        supplied: by name; an explicit null is a value. May hold functions as authors write them.
        evaluate: evaluates functions in arguments of constraints; without it they are faults.
        exists: judges inputs of object types; without it they are taken as they are.
        convert: make integers, floats and booleans of strings where those are declared (`true` and `false` only in
            lower case).
        allow_unknown: keep undeclared ones instead of refusing them (custom parameters, spec 5.8).
        noun: what people call them, `input` or `parameter`.
    """
    resolving = _Resolving(schemas, data_types, evaluate, exists, convert, noun)
    for name, schema in schemas.items():
        resolving.resolve(name, schema, supplied)
    resolving.refuse_unknown(supplied, allow_unknown)
    return Resolved(values=resolving.values, faults=tuple(resolving.faults))


def supplied_values(supplied: Mapping[str, Data]) -> Sequence[Data]:
    """Return what was supplied, and each item of what is a list."""
    read = [it.document if isinstance(it, Untyped) and it.document else it for it in supplied.values()]
    return [*supplied.values(), *(item for value in read if isinstance(value, list) for item in value)]


class _Unset:
    """Stands for a value that nobody gave."""


_UNSET: Final = _Unset()


class _Resolving:
    def __init__(
        self,
        schemas: Mapping[str, Schema],
        data_types: Mapping[str, DataType],
        evaluate: Callable[[Value], Data] | None,
        exists: Exists | None,
        convert: bool,
        noun: str,
    ) -> None:
        self._schemas = schemas
        self._data_types = data_types
        self._evaluate = evaluate
        self._exists = exists
        self._convert = convert
        self._noun = noun
        self.values: dict[str, Data] = {}
        self.faults: list[InputFault] = []

    def resolve(self, name: str, schema: Schema, supplied: Mapping[str, Data]) -> None:
        """Find one input's value, check it, and note it."""
        value = self._chosen(name, schema, supplied)
        if isinstance(value, _Unset):
            if schema.required:
                self._missing(name, schema)
            else:
                self.values[name] = None
            return
        if isinstance(value, Untyped):
            value = _read(self._kind(schema), value)
        elif self._convert:
            value = _converted(schema.type, value)
        self.values[name] = self._checked((name,), schema, value)

    def refuse_unknown(self, supplied: Mapping[str, Data], allowed: bool) -> None:
        """Note what was supplied and is not declared."""
        for name, value in supplied.items():
            if name in self._schemas:
                continue
            if allowed:
                self.values[name] = str(value) if isinstance(value, Untyped) else value
                continue
            near = suggest(name, self._schemas)
            declared = ", ".join(self._schemas) or "none"
            self.faults.append(
                InputFault(
                    code="unknown-input",
                    path=(name,),
                    message=f"There is no {self._noun} {name!r}; declared: {declared}.",
                    fix=f"did you mean {near!r}?" if near else "",
                )
            )

    def _chosen(self, name: str, schema: Schema, supplied: Mapping[str, Data]) -> Data | _Unset:
        if name in supplied:
            return supplied[name]
        if schema.has_default and schema.default is not None:
            return to_data(schema.default)
        data_type = self._data_type(schema)
        return _UNSET if data_type is None else self._type_default(data_type)

    def _data_type(self, schema: Schema) -> DataType | None:
        return None if schema.type is None else self._data_types.get(schema.type)

    def _kind(self, schema: Schema) -> str | None:
        """Return the primitive type that a value has to have, or None when any will do."""
        return schema.type if self._data_type(schema) is None else "dict"

    def _type_default(self, data_type: DataType) -> Data | _Unset:
        """Return the value that a data type's own defaults make, if they are complete (spec 1.6)."""
        made: dict[str, Data] = {}
        for name, schema in data_type.properties.items():
            value = self._chosen(name, schema, {})
            if not isinstance(value, _Unset):
                made[name] = value
            elif schema.required:
                return _UNSET
        return made

    def _missing(self, name: str, schema: Schema) -> None:
        about = f" ({schema.description.strip().rstrip('.')})" if schema.description else ""
        self._fault("missing-input", (name,), schema, f"{self._named(name)}{about} has no value{_needed(schema)}.")

    def _checked(self, path: Path, schema: Schema, value: Data) -> Data:
        """Check a value and return it, completed where its data type has defaults."""
        if _is_function(value):
            if schema.constraints:
                self._fault(
                    "input-function", path, schema, f"{self._named(*path)} has constraints, so it cannot be a function."
                )
            return value
        if value is None and not schema.required:
            return value
        if schema.type == "list" and schema.item_type is not None and isinstance(value, list):
            item = replace(schema, type=schema.item_type, item_type=None, required=True)
            return [self._checked((*path, index), item, found) for index, found in enumerate(value)]
        data_type = self._data_type(schema)
        if data_type is not None:
            return self._completed(path, data_type, schema, value)
        if self._of_type(path, schema, value):
            self._keep_constraints(path, schema, value)
        return value

    def _of_type(self, path: Path, schema: Schema, value: Data) -> bool:
        if schema.type is None or (schema.type not in PRIMITIVES and schema.type not in OBJECT_TYPES):
            return True
        if conforms(schema.type, reveal(value)):
            return True
        self._fault(
            "input-type",
            path,
            schema,
            f"{self._named(*path)} is {_shown(value)}; {EXPECTED[schema.type]} is expected.",
            _FORMS.get(schema.type, "") if isinstance(value, str) else "",
        )
        return False

    def _completed(self, path: Path, data_type: DataType, schema: Schema, value: Data) -> Data:
        if not isinstance(value, dict):
            message = f"{self._named(*path)} is {_shown(value)}; a mapping ({data_type.name}) is expected."
            self._fault("input-type", path, schema, message, _FORMS["dict"] if isinstance(value, str) else "")
            return value
        made: dict[str, Data] = {}
        for name, field in data_type.properties.items():
            found = self._chosen(name, field, value)
            if not isinstance(found, _Unset):
                made[name] = (
                    found if found is None and not field.required else self._checked((*path, name), field, found)
                )
            elif field.required:
                self._fault("input-field-missing", (*path, name), field, f"{self._named(*path, name)} has no value.")
        for name in value:
            if name not in data_type.properties:
                near = suggest(name, data_type.properties)
                fields = ", ".join(data_type.properties)
                self._fault(
                    "input-field-unknown",
                    (*path, name),
                    schema,
                    f"{data_type.name} has no field {name!r}; it has {fields}.",
                    fix=f"did you mean {near!r}?" if near else "",
                )
        return made

    def _keep_constraints(self, path: Path, schema: Schema, value: Data) -> None:
        evaluated = list(self._evaluated(path, schema))
        for constraint in evaluated:
            if constraint.operator in OF_OBJECTS:
                continue
            wanted = violation(constraint.operator, reveal(constraint.argument), reveal(value))
            if wanted is not None:
                self._violated(path, schema, constraint, value, wanted)
        is_whole = all(isinstance(step, int) for step in path[1:])  # fields of data types may name what is yet to be
        if schema.type in OBJECT_TYPES and self._exists is not None and is_whole:
            wrong = self._exists(schema.type, value, evaluated)
            if wrong is not None:
                self._fault("input-object", path, schema, f"{self._named(*path)}: {wrong}")

    def _violated(self, path: Path, schema: Schema, constraint: Constraint, value: Data, wanted: str) -> None:
        message = f"{self._named(*path)} is {_shown(value)}, and must be {wanted}."
        if constraint.error_message:
            message = f"{self._named(*path)} is invalid: {constraint.error_message}"
        fix = ""
        if constraint.operator == "valid_values" and isinstance(value, str):
            near = suggest(value, [item for item in reveal(constraint.argument) if isinstance(item, str)])
            fix = f"did you mean {near!r}?" if near else ""
        self._fault("input-constraint", path, schema, message, fix=fix)

    def _evaluated(self, path: Path, schema: Schema) -> Iterator[Constraint]:
        """Yield the constraints with plain data as arguments."""
        for constraint in schema.constraints:
            if not is_known(constraint.operator):
                self._fault("input-constraint", path, schema, f"There is no constraint {constraint.operator!r}.")
                continue
            argument = to_data(constraint.argument)
            if any(calls(constraint.argument)):
                try:
                    argument = self._argument(constraint.argument)
                except EvaluationFault as fault:
                    where = f"The constraint {constraint.operator!r} of {self._named(*path)}"
                    self._fault("input-function", path, schema, f"{where} cannot be evaluated: {fault.message}")
                    continue
            yield replace(constraint, argument=argument)

    def _argument(self, argument: Value) -> Data:
        if self._evaluate is None:
            raise EvaluationFault("functions have no meaning in this place.")
        return self._evaluate(argument)

    def _fault(self, code: str, path: Path, schema: Schema, message: str, fix: str = "") -> None:
        self.faults.append(InputFault(code=code, path=path, message=message, fix=fix, schema=schema))

    def _named(self, *path: str | int) -> str:
        steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path[1:])
        return f"{self._noun.capitalize()} '{path[0]}{steps}'"


def _needed(schema: Schema) -> str:
    """Return what is needed where nothing was given, as the end of a sentence."""
    for constraint in schema.constraints:
        if constraint.operator == "valid_values" and not any(calls(constraint.argument)):
            return f"; one of {', '.join(map(str, to_data(constraint.argument)))} is needed"
    return f"; {EXPECTED[schema.type]} is needed" if schema.type in EXPECTED else ""


def _is_function(value: Data) -> bool:
    return isinstance(value, dict) and function_name(value) is not None


def _shown(value: Data) -> str:
    """Return how a value is shown to people: scalars as they are, collections by kind, secrets not at all."""
    if is_sensitive(value):
        return "a sensitive value"
    if isinstance(value, str):
        return repr(value) if len(value) <= 60 else f"a text of {len(value)} characters"
    if value is None or isinstance(value, dict | list):
        return {"null": "null", "list": "a list", "mapping": "a mapping"}[kind(value)]
    return "true" if value is True else "false" if value is False else str(value)


def _read(wanted: str | None, typed: Untyped) -> Data:
    """Make of what somebody typed what is wanted, where it says so; else it is text."""
    if (wanted == "list" and isinstance(typed.document, list)) or (
        wanted == "dict" and isinstance(typed.document, dict)
    ):
        return typed.document
    return _converted(wanted, str(typed))


def _converted(wanted: str | None, value: Data) -> Data:
    """Make of a string what is declared, where it says so; anything else stays as it is (spec 1.6)."""
    if not isinstance(value, str):
        return value
    if wanted == "boolean":
        return {"true": True, "false": False}.get(value, value)
    if wanted not in ("integer", "float"):
        return value
    try:
        return int(value) if wanted == "integer" else float(value)
    except ValueError:
        return value
