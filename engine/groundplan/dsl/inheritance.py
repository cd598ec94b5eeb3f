"""Types and their parents: the order to read them in, cycles, and how a child's properties lie over its parent's.

What a type declares is read in `sections`; how operations are overridden is in `operations`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from groundplan.diagnostics.suggest import suggest
from groundplan.dsl import faults
from groundplan.dsl.conformance import merged
from groundplan.dsl.shape import Reading
from groundplan.model.types import Schema
from groundplan.model.values import Field, Map

T = TypeVar("T")

MAX_ANCESTORS: Final = 100


def resolve(
    parents: Mapping[str, Field | None], build: Callable[[str, T | None], T], section: str, reading: Reading
) -> dict[str, T]:
    """Build every type after its parent.

    Args:
        parents: the field `derived_from` of every declared type, None where there is none.
        build: (name, the parent as built or None) -> the type.

    Returns:
        All types; one with an unknown parent, in a cycle or with too many ancestors, which is a fault, is built as if
        it had none.
    """
    built: dict[str, T] = {}
    depth: dict[str, int] = {}
    cyclic: set[str] = set()
    for name in parents:
        chain = list(_unbuilt_ancestry(name, parents, built))
        if chain and _name(parents[chain[-1]]) in chain:
            _tell_cycle(chain, parents, cyclic, section, reading)
        for each in reversed(chain):
            path = f"{section}.{each}.derived_from"
            parent = parents[each]
            if parent is not None and parent.value is not None and parent.value not in parents:
                _tell_unknown(parent, parents, path, reading)
            above = _name(parent)
            depth[each] = depth.get(above, 0) + 1 if above is not None else 1
            if parent is not None and depth[each] > MAX_ANCESTORS:
                reading.report.tell(faults.INHERITANCE_DEEP, parent.at, f"more than {MAX_ANCESTORS}", path=path)
                above, depth[each] = None, 1
            built[each] = build(each, built.get(above) if above is not None else None)
    return {name: built[name] for name in parents}


def _name(parent: Field | None) -> str | None:
    return parent.value if parent is not None and isinstance(parent.value, str) else None


def _unbuilt_ancestry(name: str, parents: Mapping[str, Field | None], built: Mapping[str, object]) -> Iterator[str]:
    seen: set[str] = set()
    following: str | None = name
    while following is not None and following in parents and following not in built and following not in seen:
        seen.add(following)
        yield following
        following = _name(parents[following])


def _tell_cycle(
    chain: list[str], parents: Mapping[str, Field | None], cyclic: set[str], section: str, reading: Reading
) -> None:
    again = _name(parents[chain[-1]])
    assert again is not None, "the chain was seen to close"
    cycle = chain[chain.index(again) :]
    if cyclic.intersection(cycle):
        return
    cyclic.update(cycle)
    first = parents[cycle[0]]
    assert first is not None, "a type in a cycle has a parent"
    reading.report.tell(
        faults.INHERITANCE_CYCLE,
        first.at,
        "leads back to itself",
        path=f"{section}.{cycle[0]}.derived_from",
        detail=" -> ".join([*cycle, cycle[0]]),
    )


def _tell_unknown(parent: Field, parents: Mapping[str, Field | None], path: str, reading: Reading) -> None:
    name = str(parent.value)
    reading.report.tell(
        faults.PARENT_UNKNOWN, parent.at, f"there is no type {name}", path=path, suggestion=suggest(name, parents)
    )


def overlaid(parent: Mapping[str, Schema], own: Mapping[str, Schema], data_types: frozenset[str]) -> dict[str, Schema]:
    """Lay a child's property schemas over its parent's by name (spec 2.1).

    A schema replaces the parent's wholesale; when both have the same data type the child's default is laid over the
    parent's, field by field.
    """
    schemas = {**parent, **own}
    for name in parent.keys() & own.keys():
        above, below = parent[name], own[name]
        if below.type not in data_types or below.type != above.type or not above.has_default:
            continue
        if not below.has_default:
            schemas[name] = replace(below, default=above.default, has_default=True)
        elif isinstance(above.default, Map) and isinstance(below.default, Map):
            schemas[name] = replace(below, default=merged(above.default, below.default))
    return schemas
