"""The intrinsic functions as they are written: how many arguments of which kind each takes (spec 3.3).

What the names in the arguments refer to is checked in `references`; values are worked out by `planning.evaluate`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from groundplan.dsl import faults
from groundplan.dsl.reader import describe
from groundplan.dsl.shape import Reading, too_new
from groundplan.dsl.versions import FUNCTIONS_SINCE
from groundplan.model.values import Call, Field, Map, Seq, Value

Wrong = tuple[int, str]
"""Where, and what was expected and found."""

SYSTEM_PROPERTIES: Final = {"tenant": ("name",), "deployment": ("id", "name", "blueprint", "owner")}
OF_INSTANCES: Final = frozenset({"get_attribute", "get_attributes_dict", "get_attributes_list"})
"""They read node instances: where a deployment is only being made there are none."""
_PATHS: Final = frozenset({"get_attribute", "get_property"})
_CONSUMERS: Final = ("ids", "names", "count")


def check(call: Call, path: str, reading: Reading) -> bool:
    """Whether a call is well formed; faults tell why it is not."""
    since = FUNCTIONS_SINCE.get(call.name)
    if since is not None and reading.version_at(call.at) < since:
        too_new(f"the function {call.name}", call.at, since, path, reading)
        return False
    if call.name in _PATHS and _is_plain_path(call.argument):
        return True
    wrong = next(_CHECKS[call.name](call), None)
    if wrong is None:
        return True
    at, label = wrong
    reading.report.tell(faults.FUNCTION_ARGUMENTS, at, label, path=path, fix=f"write {call.name}: {FORMS[call.name]}.")
    return False


def _is_plain_path(value: Value) -> bool:
    """Whether a value is what most paths are: a list of two texts or more."""
    if type(value) is not Seq or len(value.items) < 2:
        return False
    for item in value.items:  # noqa: SIM110 - a loop; this is asked of most calls
        if type(item.value) is not str:
            return False
    return True


def _is_text(value: Value) -> bool:
    return isinstance(value, str | Call)


def _is_step(value: Value) -> bool:
    return isinstance(value, Call | str) or (isinstance(value, int) and not isinstance(value, bool))


def _place(call: Call) -> int:
    return call.argument_at if call.argument_at >= 0 else call.at


def _items(call: Call, least: int, most: int | None = None) -> Iterator[Wrong]:
    """Yield what is wrong when the argument is no list of so many items."""
    if not isinstance(call.argument, Seq):
        yield _place(call), f"expected a list, found {describe(call.argument)}"
        return
    count = len(call.argument.items)
    if count < least or (most is not None and count > most):
        wanted = f"{least}" if least == most else f"{least} or more" if most is None else f"{least} to {most}"
        yield _place(call), f"expected {wanted} items, found {count}"


def _fields(call: Call) -> tuple[Field, ...]:
    return call.argument.items if isinstance(call.argument, Seq) else ()


def _all_of(fields: tuple[Field, ...], fits: Callable[[Value], bool], words: str) -> Iterator[Wrong]:
    for field in fields:
        if not fits(field.value):
            yield field.at, f"expected {words}, found {describe(field.value)}"


def _name_with_path(least: int) -> Callable[[Call], Iterator[Wrong]]:
    """A name alone, or a list of a name and the steps of a path, `least` items at least."""

    def wrong(call: Call) -> Iterator[Wrong]:
        if _is_text(call.argument):
            return
        yield from _items(call, least)
        yield from _all_of(_fields(call)[:1], _is_text, "a name")
        yield from _all_of(_fields(call)[1:], _is_step, "a key or an index")

    return wrong


def _path(call: Call) -> Iterator[Wrong]:
    """A list of two names and the steps of a path."""
    yield from _items(call, 2)
    yield from _all_of(_fields(call)[:1], _is_text, "a name")
    yield from _all_of(_fields(call)[1:], _is_step, "a key or an index")


def _attributes_dict(call: Call) -> Iterator[Wrong]:
    yield from _items(call, 2)
    yield from _all_of(_fields(call)[:1], _is_text, "a name")
    seen: set[str] = set()
    for field in _fields(call)[1:]:
        steps = [item.value for item in field.value.items] if isinstance(field.value, Seq) else [field.value]
        if not steps or not all(_is_step(step) for step in steps):
            yield field.at, f"expected an attribute or a list of steps, found {describe(field.value)}"
            continue
        if any(isinstance(step, Call) for step in steps):
            continue
        joined = ".".join(str(step) for step in steps)
        if joined in seen:
            yield field.at, f"{joined} is asked for twice"
        seen.add(joined)


def _group_capability(call: Call) -> Iterator[Wrong]:
    yield from _items(call, 2)
    yield from _all_of(_fields(call)[:1], _is_text, "a group's name")
    for field in _fields(call)[1:2]:
        names = [item.value for item in field.value.items] if isinstance(field.value, Seq) else [field.value]
        if not all(_is_text(name) for name in names):
            yield field.at, f"expected a capability's name or a list of them, found {describe(field.value)}"
    yield from _all_of(_fields(call)[2:], _is_step, "a key or an index")


def _label(call: Call) -> Iterator[Wrong]:
    if _is_text(call.argument):
        return
    yield from _items(call, 2, 2)
    yield from _all_of(_fields(call)[:1], _is_text, "a label's key")
    yield from _all_of(_fields(call)[1:], lambda value: _is_step(value) and not isinstance(value, str), "an index")


def _sys(call: Call) -> Iterator[Wrong]:
    yield from _items(call, 2, 2)
    fields = _fields(call)
    if len(fields) != 2 or any(isinstance(field.value, Call) for field in fields):
        return
    entity, name = fields
    known = SYSTEM_PROPERTIES.get(entity.value) if isinstance(entity.value, str) else None
    if known is None:
        yield entity.at, f"expected {' or '.join(SYSTEM_PROPERTIES)}, found {_shown(entity.value)}"
    elif name.value not in known:
        yield name.at, f"expected {', '.join(known)}, found {_shown(name.value)}"


def _consumers(call: Call) -> Iterator[Wrong]:
    if not isinstance(call.argument, Call) and call.argument not in _CONSUMERS:
        yield _place(call), f"expected {', '.join(_CONSUMERS)}, found {_shown(call.argument)}"


def _merge(call: Call) -> Iterator[Wrong]:
    yield from _items(call, 0)
    yield from _all_of(_fields(call), lambda value: isinstance(value, Map | Call), "a mapping or a function")


def _texts(least: int, most: int, number_from: int) -> Callable[[Call], Iterator[Wrong]]:
    """A list of texts; from item `number_from` on, whole numbers."""

    def wrong(call: Call) -> Iterator[Wrong]:
        yield from _items(call, least, most)
        yield from _all_of(_fields(call)[:number_from], _is_text, "text or a function")
        yield from _all_of(
            _fields(call)[number_from:],
            lambda value: isinstance(value, Call) or type(value) is int,
            "a whole number",
        )

    return wrong


def _one_text(call: Call) -> Iterator[Wrong]:
    if not _is_text(call.argument):
        yield _place(call), f"expected text or a function, found {describe(call.argument)}"


def _shown(value: Value) -> str:
    return repr(value) if isinstance(value, str) else describe(value)


_CHECKS: Final[Mapping[str, Callable[[Call], Iterator[Wrong]]]] = {
    "concat": lambda call: _items(call, 0),
    "get_attribute": _path,
    "get_attributes_dict": _attributes_dict,
    "get_attributes_list": _path,
    "get_capability": _path,
    "get_consumers": _consumers,
    "get_environment_capability": _name_with_path(2),
    "get_group_capability": _group_capability,
    "get_input": _name_with_path(1),
    "get_label": _label,
    "get_property": _path,
    "get_secret": _name_with_path(2),
    "get_sys": _sys,
    "merge": _merge,
    "string_find": _texts(2, 2, 2),
    "string_lower": _one_text,
    "string_replace": _texts(3, 4, 3),
    "string_split": _texts(2, 3, 2),
    "string_upper": _one_text,
}
FORMS: Final[Mapping[str, str]] = {
    "concat": "[TEXT, ...]",
    "get_attribute": "[NODE, ATTRIBUTE, KEY...]",
    "get_attributes_dict": "[NODE, ATTRIBUTE, ...]",
    "get_attributes_list": "[NODE, ATTRIBUTE, KEY...]",
    "get_capability": "[DEPLOYMENT, CAPABILITY, KEY...]",
    "get_consumers": "ids, names or count",
    "get_environment_capability": "NAME or [NAME, KEY, ...]",
    "get_group_capability": "[GROUP, CAPABILITY, KEY...]",
    "get_input": "NAME or [NAME, KEY, ...]",
    "get_label": "KEY or [KEY, INDEX]",
    "get_property": "[NODE, PROPERTY, KEY...]",
    "get_secret": "NAME or [NAME, KEY, ...]",
    "get_sys": "[tenant, name] or [deployment, id]",
    "merge": "[MAPPING, ...]",
    "string_find": "[TEXT, PART]",
    "string_lower": "TEXT",
    "string_replace": "[TEXT, OLD, NEW, COUNT]",
    "string_split": "[TEXT, SEPARATOR, INDEX]",
    "string_upper": "TEXT",
}
