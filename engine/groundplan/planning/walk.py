"""Walks a path of keys and indexes into a value or into data, and says in plain words where it ends too early."""

from collections.abc import Sequence
from typing import Final

from groundplan.diagnostics.suggest import suggest
from groundplan.model.values import Call, Data, Map, Sensitive, Seq, Value, literal
from groundplan.planning.conform import kind
from groundplan.planning.evaluation import Here, Unresolved, make_sensitive

SHOWN_KEYS: Final = 12


class MissingStep(Exception):
    """A step of a path leads nowhere.

    Attributes:
        message: what is missing at which place and what exists there.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def walk_value(here: Here, what: str, value: Value, path: Sequence[Data]) -> Data:
    """Follow a path into a value, evaluating only what lies on it and what stands at its end.

    Args:
        what: the thing walked into, for messages: `input 'zones'`.

    Raises:
        MissingStep: when a step leads nowhere.
        EvaluationFault: when something on the way cannot be evaluated.
    """
    for place, step in enumerate(path):
        if isinstance(value, Call | Sensitive):
            return walk_data(what, here.evaluate(value), path, place)
        if isinstance(value, Map):
            if step not in value.entries:
                raise _missing(what, path, place, list(value.entries))
            value = value.entries[step].value
        elif isinstance(value, Seq):
            value = value.items[_index(what, path, place, len(value.items))].value
        else:
            raise _no_way_in(what, path, place, value)
    return here.evaluate(value)


def walk_data(what: str, data: Data, path: Sequence[Data], start: int = 0) -> Data:
    """Follow a path into data, from its step `start` on; what is reached inside a `Sensitive` is sensitive.

    Raises:
        MissingStep: when a step leads nowhere.
    """
    secret = False
    for place in range(start, len(path)):
        if isinstance(data, Sensitive):
            data, secret = data.value, True
        if isinstance(data, Unresolved):
            return data
        if isinstance(data, dict):
            shielded = literal(data)
            data = data if shielded is None else shielded
            if path[place] not in data:
                raise _missing(what, path, place, list(data))
            data = data[path[place]]
        elif isinstance(data, list):
            data = data[_index(what, path, place, len(data))]
        else:
            raise _no_way_in(what, path, place, data)
    return make_sensitive(data) if secret else data


def _index(what: str, path: Sequence[Data], place: int, length: int) -> int:
    step = path[place]
    if isinstance(step, bool) or not isinstance(step, int):
        raise MissingStep(f"{_at(what, path, place)} is a list, and {step!r} is no index.")
    if not -length <= step < length:
        raise MissingStep(f"{_at(what, path, place)} has {length} items, so there is no index {step}.")
    return step


def _missing(what: str, path: Sequence[Data], place: int, keys: Sequence[str]) -> MissingStep:
    step = path[place]
    shown = ", ".join(sorted(keys)[:SHOWN_KEYS]) + (", ..." if len(keys) > SHOWN_KEYS else "")
    there = f"the keys there are {shown}" if keys else "it is empty"
    near = suggest(step, keys) if isinstance(step, str) else ""
    hint = f"; did you mean {near!r}?" if near else "."
    return MissingStep(f"{_at(what, path, place)} has no key {step!r}; {there}{hint}")


def _no_way_in(what: str, path: Sequence[Data], place: int, found: Data) -> MissingStep:
    return MissingStep(f"{_at(what, path, place)} is of kind {kind(found)}, so {path[place]!r} is not in it.")


def _at(what: str, path: Sequence[Data], place: int) -> str:
    walked = "".join(f"[{step!r}]" for step in path[:place])
    what = what[:1].upper() + what[1:]
    return f"{what} at {walked}" if walked else what
