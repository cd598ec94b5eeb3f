"""What an author can write as a value, and what evaluating it gives.

`Value` is the positioned form: scalars are plain Python objects, collections remember where they stood, and an
intrinsic function is a `Call`. `Data` is the evaluated form: plain lists and dictionaries, in which what came
from a secret is wrapped in `Sensitive`. Reading text is `dsl.reader`'s work, evaluating is `planning.evaluate`'s.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

NOWHERE: Final = -1
"""The position of a value that no text holds (a default of the engine's, or a plan read from the store)."""


class Field(msgspec.Struct, frozen=True, gc=False):
    """One entry of a mapping or one item of a sequence.

    Attributes:
        value: the value.
        at: position of the value (an offset into the source set, see `diagnostics.span`).
        key_at: position of the key; equal to `at` in a sequence.
    """

    value: "Value"
    at: int = NOWHERE
    key_at: int = NOWHERE


class Map(msgspec.Struct, frozen=True, gc=False):
    """A mapping with its entries in the author's order.

    Attributes:
        may_hold_calls: False when it is known that no call stands anywhere inside, so that a search can pass it by.
    """

    entries: dict[str, Field]
    at: int = NOWHERE
    may_hold_calls: bool = True

    def __contains__(self, key: str) -> bool:
        return key in self.entries

    def get(self, key: str) -> "Value":
        """Return the value under `key`, or None when it is absent."""
        field = self.entries.get(key)
        return None if field is None else field.value

    def items(self) -> Iterator[tuple[str, "Value"]]:
        """Yield (key, value) in the author's order."""
        return ((key, field.value) for key, field in self.entries.items())


class Seq(msgspec.Struct, frozen=True, gc=False):
    """A sequence of values; `may_hold_calls` as in `Map`."""

    items: tuple[Field, ...]
    at: int = NOWHERE
    may_hold_calls: bool = True

    def values(self) -> Iterator["Value"]:
        """Yield the values in order."""
        return (field.value for field in self.items)


class Call(msgspec.Struct, frozen=True, gc=False):
    """An intrinsic function that has not been evaluated: `{name: argument}` in a blueprint.

    Attributes:
        name: for example `get_input`.
        argument: as written; may hold further calls.
        at: position of the function's name.
        expected_type: the second key `type`, where the author gave one (spec 3.1).
        argument_at: position of the argument.
    """

    name: str
    argument: "Value"
    at: int = NOWHERE
    expected_type: str | None = None
    argument_at: int = NOWHERE


class Sensitive(msgspec.Struct, frozen=True, gc=False):
    """Evaluated data that came from a secret; people see dots."""

    value: Any

    def __repr__(self) -> str:
        return "Sensitive(******)"


Value: TypeAlias = bool | int | float | str | Map | Seq | Call | Sensitive | None
Data: TypeAlias = Any
"""JSON data (None, bool, int, float, str, list, dict with text keys), with `Sensitive` anywhere inside."""

FUNCTIONS: Final = frozenset(
    {
        "concat",
        "get_attribute",
        "get_attributes_dict",
        "get_attributes_list",
        "get_capability",
        "get_consumers",
        "get_environment_capability",
        "get_group_capability",
        "get_input",
        "get_label",
        "get_property",
        "get_secret",
        "get_sys",
        "merge",
        "string_find",
        "string_lower",
        "string_replace",
        "string_split",
        "string_upper",
    }
)
"""Names of the intrinsic functions (spec 3.3). A mapping with one of them as its only key is a call."""

TYPED_FUNCTIONS: Final = frozenset({"get_input"})
"""Functions that may carry a second key `type` (spec 3.1)."""

FUNCTION_MARK: Final = "$function"
"""The only key of a mapping by which the engine puts a function into runtime properties: `{"$function": {...}}`.

Everything else there is data, whatever its shape: what a script wrote is never evaluated (spec 7.4).
"""

LITERAL_MARK: Final = "$literal"
"""The only key of a mapping that shields another one: `{"$literal": {"get_secret": "x"}}` is the mapping inside, which
is no function although it looks like one. What stands under the keys inside is read as everywhere else."""


Noun = TypeVar("Noun", bound=msgspec.Struct)


def replaced(noun: Noun, **changes: Any) -> Noun:
    """Return a noun with some of its fields replaced: `dataclasses.replace` for the nouns that are no dataclasses."""
    return msgspec.structs.replace(noun, **changes)


def from_data(data: Data) -> Value:
    """Make a positionless value of JSON data, recognising intrinsic functions by their shape (spec 3.1)."""
    if isinstance(data, dict):
        shielded = literal(data)
        if shielded is not None:
            return Map({key: Field(from_data(item)) for key, item in shielded.items()})
        name = function_name(data)
        if name is not None:
            return Call(name, from_data(data[name]), NOWHERE, data.get("type"))
        return Map({key: Field(from_data(item)) for key, item in data.items()})
    if isinstance(data, list | tuple):
        return Seq(tuple(Field(from_data(item)) for item in data))
    return data  # type: ignore[no-any-return]


def to_data(value: Value) -> Data:
    """Return a value as JSON data with its functions as an author writes them."""
    if isinstance(value, Map):
        plain = {key: to_data(field.value) for key, field in value.entries.items()}
        return {LITERAL_MARK: plain} if _looks_special(plain) else plain
    if isinstance(value, Seq):
        return [to_data(field.value) for field in value.items]
    if isinstance(value, Call):
        written = {value.name: to_data(value.argument)}
        return written if value.expected_type is None else {**written, "type": value.expected_type}
    return value


def function_name(data: Mapping[str, Any]) -> str | None:
    """Return the name of the intrinsic function that a mapping's shape stands for, or None."""
    if len(data) == 1:
        (name,) = data
        return name if name in FUNCTIONS else None
    if len(data) == 2 and isinstance(data.get("type"), str):
        return next((name for name in data if name in TYPED_FUNCTIONS), None)
    return None


def literal(data: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the mapping that a `$literal` shields, or None when `data` is none."""
    shielded = data.get(LITERAL_MARK) if len(data) == 1 else None
    return shielded if isinstance(shielded, dict) else None


def quote(data: Data) -> Data:
    """Return evaluated data as it must be written where functions are recognised by their shape (inputs).

    `from_data` then gives the same data back and no function, whoever made the data.
    """
    return _quoted(data, _looks_special)


def quote_marks(data: Data) -> Data:
    """Return data as it must be written into runtime properties, so that nothing in it counts as the engine's function.

    Data that holds none of the engine's marks comes back as it is.
    """
    return _quoted(data, _is_marked)


def _quoted(data: Data, special: Callable[[Mapping[str, Any]], bool]) -> Data:
    if type(data) in LEAVES:
        return data
    if isinstance(data, Mapping):
        are_leaves = type(data) is dict and LEAVES.issuperset(map(type, data.values()))
        plain = dict(data) if are_leaves else {key: _quoted(item, special) for key, item in data.items()}
        return {LITERAL_MARK: plain} if special(data) else plain
    return [_quoted(item, special) for item in data] if isinstance(data, list | tuple) else data


def _looks_special(data: Mapping[str, Any]) -> bool:
    return function_name(data) is not None or _is_marked(data)


def _is_marked(data: Mapping[str, Any]) -> bool:
    return len(data) == 1 and (FUNCTION_MARK in data or LITERAL_MARK in data)


def is_inert(data: Data) -> bool:
    """Whether data is plain JSON that means itself: nothing in it is `Sensitive` or one of the engine's marks."""
    kind = type(data)
    if kind is dict:
        if _is_marked(data):
            return False
        items = data.values()
    elif kind is list:
        items = data
    else:
        return kind in LEAVES
    return LEAVES.issuperset(map(type, items)) or all(map(is_inert, items))


def calls(value: Value) -> Iterator[Call]:
    """Yield every call inside a value, the inner ones before the outer."""
    if isinstance(value, Map | Seq):
        if value.may_hold_calls:
            fields = value.entries.values() if isinstance(value, Map) else value.items
            for field in fields:
                yield from calls(field.value)
    elif isinstance(value, Call):
        yield from calls(value.argument)
        yield value


def reveal(data: Data) -> Data:
    """Return data with every `Sensitive` unwrapped."""
    return _transform(data, lambda found: reveal(found.value))


def conceal(data: Data, shown: str = "******") -> Data:
    """Return data with every `Sensitive` replaced by a constant that people may see."""
    return _transform(data, lambda _: shown)


def copy_data(data: Data) -> Data:
    """Return data in lists and dictionaries of its own, `Sensitive` kept."""
    return _transform(data, lambda found: found)


def _transform(data: Data, sensitive: Callable[[Sensitive], Data]) -> Data:
    if isinstance(data, Sensitive):
        return sensitive(data)
    if isinstance(data, dict):
        if LEAVES.issuperset(map(type, data.values())):
            return data.copy()
        return {key: item if type(item) in LEAVES else _transform(item, sensitive) for key, item in data.items()}
    if isinstance(data, list):
        return [item if type(item) in LEAVES else _transform(item, sensitive) for item in data]
    return data


LEAVES: Final = frozenset({str, int, float, bool, type(None)})
"""Types of data that hold nothing; every attempt walks through its data, and asking for the exact type is quickest."""


def is_sensitive(data: Data) -> bool:
    """Whether a `Sensitive` is anywhere inside."""
    if isinstance(data, Sensitive):
        return True
    items = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return not LEAVES.issuperset(map(type, items)) and any(map(is_sensitive, items))


def sensitive_texts(data: Data) -> Iterator[str]:
    """Yield every text (and every number as text) that stands inside a `Sensitive`."""
    if is_sensitive(data):
        yield from _sensitive_texts(data)


def _sensitive_texts(data: Data) -> Iterator[str]:
    if isinstance(data, Sensitive):
        yield from _texts(data.value)
    elif isinstance(data, dict):
        for item in data.values():
            yield from _sensitive_texts(item)
    elif isinstance(data, list):
        for item in data:
            yield from _sensitive_texts(item)


def _texts(data: Data) -> Iterator[str]:
    if isinstance(data, Sensitive):
        yield from _texts(data.value)
    elif isinstance(data, dict):
        for item in data.values():
            yield from _texts(item)
    elif isinstance(data, list):
        for item in data:
            yield from _texts(item)
    elif isinstance(data, str):
        yield data
    elif isinstance(data, int | float) and not isinstance(data, bool):
        yield str(data)


_SENSITIVE_NAMES: Final = ("password", "secret", "token", "private_key", "kubeconfig", "access_key")


@lru_cache(maxsize=4096)
def is_sensitive_name(name: str) -> bool:
    """Whether a name says that what it holds must not be seen: for values that have no origin to tell it."""
    lowered = name.lower().replace("-", "_")
    return any(part in lowered for part in _SENSITIVE_NAMES)


def is_text(data: Data) -> bool:
    """Whether every text in the data, keys too, can be written as UTF-8: half of a surrogate pair cannot."""
    if isinstance(data, Mapping):
        return all(is_text(key) and is_text(item) for key, item in data.items())
    if isinstance(data, list):
        return all(map(is_text, data))
    if isinstance(data, str) and not data.isascii():
        try:
            data.encode()
        except UnicodeEncodeError:
            return False
    return True
