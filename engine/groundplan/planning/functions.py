"""The intrinsic functions (spec 3.3), one Python function each, and the table that finds them.

Secret stays secret: what is made of a `Sensitive` is one. Which instance or attribute is meant is `attributes`' work.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from groundplan.model.values import Data, Sensitive, from_data, is_sensitive, is_sensitive_name, reveal
from groundplan.planning.attributes import SCOPES, attribute, named_end, named_instance, strict_property
from groundplan.planning.conform import EXPECTED, conforms, kind
from groundplan.planning.evaluation import (
    Function,
    Here,
    is_unresolved,
    make_named_sensitive,
    make_sensitive,
)
from groundplan.planning.walk import MissingStep, walk_data, walk_value


def _get_input(here: Here, argument: Data) -> Data:
    name, *path = _names(here, argument)
    with here.evaluation.following(here, f"input {name!r}" + _steps(path)):
        found = _walked(here, lambda: walk_value(here, f"input {name!r}", here.lookup.input(name), path))
    expected = here.expected_type
    if expected in EXPECTED and not is_unresolved(found) and not conforms(expected, reveal(found)):
        raise here.fault(f"Input {name!r} gives a {kind(reveal(found))} where {EXPECTED[expected]} is expected.")
    return found


def _get_property(here: Here, argument: Data) -> Data:
    node, *path = _names(here, argument, least=2)
    return _walked(here, lambda: strict_property(here, named_end(here, node), path))


def _get_attribute(here: Here, argument: Data) -> Data:
    node, *path = _names(here, argument, least=2)
    return attribute(here, named_instance(here, node), path)


def _get_attributes_list(here: Here, argument: Data) -> Data:
    node, *path = _names(here, argument, least=2)
    return [attribute(here, item, path) for item in here.lookup.instances_of(_plain_node(here, node))]


def _get_attributes_dict(here: Here, argument: Data) -> Data:
    node, *wanted = _names(here, argument, least=2)
    paths = [item if isinstance(item, list) else [item] for item in wanted]
    return {
        item.id: {".".join(map(str, path)): attribute(here, item, path) for path in paths}
        for item in here.lookup.instances_of(_plain_node(here, node))
    }


def _plain_node(here: Here, name: Data) -> Data:
    if name in SCOPES:
        raise here.fault(f"{name} cannot be used here: name the node whose instances are meant.")
    return here.lookup.node(name).name


def _get_secret(here: Here, argument: Data) -> Data:
    name, *path = _names(here, argument)
    secret = here.lookup.secret(name)
    if not path:
        return Sensitive(secret.text)
    try:
        content = json.loads(secret.text)
    except ValueError:
        raise here.fault(f"Secret {name!r} is not JSON, so {path[0]!r} cannot be looked up in it.") from None
    found = _walked_data(here, f"secret {name!r}", content, path)
    with here.evaluation.following(here, f"secret {name!r}" + _steps(path)):
        evaluated = here.evaluate(from_data(found))
    if secret.is_document and not any(is_sensitive_name(str(step)) for step in path):
        return make_named_sensitive(evaluated)
    return make_sensitive(evaluated)


def _get_capability(here: Here, argument: Data) -> Data:
    deployment, name, *path = _names(here, argument, least=2)
    what = f"capability {name!r} of deployment {deployment!r}"
    return _walked_data(here, what, here.lookup.capability(deployment, name), path)


def _get_group_capability(here: Here, argument: Data) -> Data:
    group, wanted, *path = _names(here, argument, least=2)
    names = wanted if isinstance(wanted, list) else [wanted]
    plain = [name.removeprefix(BY_DEPLOYMENT) for name in names]
    found = here.lookup.group_capability(group, plain)
    walked: dict[str, Data] = {}
    for deployment in sorted(found):
        values = [_walked_data(here, f"capability of {deployment!r}", item, path) for item in found[deployment]]
        walked[deployment] = values if isinstance(wanted, list) else values[0]
    return walked if plain != names else list(walked.values())


BY_DEPLOYMENT: Final = "deployment_id:"
"""Before a capability's name in `get_group_capability`: the values are wanted by deployment id."""


def _get_environment_capability(here: Here, argument: Data) -> Data:
    name, *path = _names(here, argument)
    found = here.lookup.environment_capability(name)
    return _walked_data(here, f"capability {name!r} of the environment", found, path)


def _get_label(here: Here, argument: Data) -> Data:
    key, *path = _names(here, argument)
    if len(path) > 1:
        raise here.fault("get_label takes a key, or a key and an index.")
    values = list(here.lookup.label(key))
    if not values:
        raise here.fault(f"This deployment has no label {key!r}.")
    return _walked_data(here, f"label {key!r}", values, path)


def _get_sys(here: Here, argument: Data) -> Data:
    names = _names(here, argument, least=2)
    if len(names) > 2:
        raise here.fault("get_sys takes an entity and one of its properties.")
    return here.lookup.sys(*names)


def _get_consumers(here: Here, argument: Data) -> Data:
    wanted = reveal(argument)
    found = here.lookup.consumers()
    if wanted == "ids":
        return list(found)
    if wanted == "names":
        return list(found.values())
    if wanted == "count":
        return len(found)
    raise here.fault(f"get_consumers knows ids, names and count, not {wanted!r}.")


def _concat(here: Here, argument: Data) -> Data:
    items = _items(here, argument)
    return _tainted("".join(str(reveal(item)) for item in items), items)


def _merge(here: Here, argument: Data) -> Data:
    merged: dict[str, Data] = {}
    for item in _items(here, argument):
        shape = make_sensitive(item.value) if isinstance(item, Sensitive) else item
        if not isinstance(shape, dict):
            raise here.fault(f"merge takes mappings, and one item is of kind {kind(reveal(item))}.")
        merged.update(shape)
    return merged


def _string_find(here: Here, argument: Data) -> Data:
    items = _items(here, argument)
    text, part = _texts(here, items, 2)
    return _tainted(text.find(part), items)


def _string_replace(here: Here, argument: Data) -> Data:
    items = _items(here, argument)
    text, old, new = _texts(here, items[:3], 3)
    count = _whole_number(here, items[3]) if len(items) == 4 else -1
    _refuse_more(here, items, 4)
    return _tainted(text.replace(old, new, count), items)


def _string_split(here: Here, argument: Data) -> Data:
    items = _items(here, argument)
    text, separator = _texts(here, items[:2], 2)
    _refuse_more(here, items, 3)
    if not separator:
        raise here.fault("string_split needs a separator that is not empty.")
    parts = text.split(separator)
    if len(items) == 2:
        return make_sensitive(parts) if is_sensitive(items) else parts
    index = _whole_number(here, items[2])
    if not -len(parts) <= index < len(parts):
        raise here.fault(f"Splitting gives {len(parts)} parts, so there is no index {index}.")
    return _tainted(parts[index], items)


def _string_lower(here: Here, argument: Data) -> Data:
    return _tainted(_texts(here, [argument], 1)[0].lower(), argument)


def _string_upper(here: Here, argument: Data) -> Data:
    return _tainted(_texts(here, [argument], 1)[0].upper(), argument)


def _names(here: Here, argument: Data, least: int = 1) -> list[Data]:
    """Return what an argument names: a name, or a name and steps; secrets serve as names too."""
    names = reveal(argument)
    if least == 1 and isinstance(names, str):
        return [names]
    if not isinstance(names, list) or len(names) < least:
        shape = "a name, or a list that begins with one" if least == 1 else f"a list of {least} or more items"
        raise here.fault(f"{here.function} takes {shape}, not {_shown(names)}.")
    if not all(isinstance(name, str) for name in names[:1]):
        raise here.fault(f"{here.function} takes a name first, not {_shown(names[0])}.")
    return names


def _shown(found: Data) -> str:
    return "a list" if isinstance(found, list) else f"a value of kind {kind(found)}"


def _items(here: Here, argument: Data) -> Sequence[Data]:
    if not isinstance(argument, list):
        raise here.fault(f"{here.function} takes a list, not a value of kind {kind(reveal(argument))}.")
    return argument


def _texts(here: Here, items: Sequence[Data], count: int) -> list[str]:
    texts = [reveal(item) for item in items]
    if len(texts) != count or not all(isinstance(text, str) for text in texts):
        kinds = ", ".join(map(kind, texts)) or "nothing"
        raise here.fault(f"{here.function} takes strings ({count}), and was given {kinds}.")
    return texts


def _whole_number(here: Here, item: Data) -> int:
    number = reveal(item)
    if isinstance(number, bool) or not isinstance(number, int):
        raise here.fault(f"{here.function} takes a whole number at the end, not a value of kind {kind(number)}.")
    return number


def _refuse_more(here: Here, items: Sequence[Data], most: int) -> None:
    if len(items) > most:
        raise here.fault(f"{here.function} takes at most {most} items, and was given {len(items)}.")


def _tainted(result: Data, made_of: Data) -> Data:
    return Sensitive(result) if is_sensitive(made_of) else result


def _steps(path: Sequence[Data]) -> str:
    return "".join(f"[{step!r}]" for step in path)


def _walked_data(here: Here, what: str, data: Data, path: Sequence[Data]) -> Data:
    return _walked(here, lambda: walk_data(what, data, path))


def _walked(here: Here, walk: Callable[[], Data]) -> Data:
    try:
        return walk()
    except MissingStep as missing:
        raise here.fault(missing.message) from None


FUNCTIONS: Final[Mapping[str, Function]] = {
    "concat": _concat,
    "get_attribute": _get_attribute,
    "get_attributes_dict": _get_attributes_dict,
    "get_attributes_list": _get_attributes_list,
    "get_capability": _get_capability,
    "get_consumers": _get_consumers,
    "get_environment_capability": _get_environment_capability,
    "get_group_capability": _get_group_capability,
    "get_input": _get_input,
    "get_label": _get_label,
    "get_property": _get_property,
    "get_secret": _get_secret,
    "get_sys": _get_sys,
    "merge": _merge,
    "string_find": _string_find,
    "string_lower": _string_lower,
    "string_replace": _string_replace,
    "string_split": _string_split,
    "string_upper": _string_upper,
}

RUN_TIME: Final = frozenset(
    {
        "get_attribute",
        "get_attributes_dict",
        "get_attributes_list",
        "get_capability",
        "get_consumers",
        "get_environment_capability",
        "get_group_capability",
        "get_label",
        "get_sys",
    }
)
"""Functions whose result depends on what exists when they are read; `get_secret` can be tried before (spec 3.2)."""
