"""Which fields of an object differ from what applying its definition again would make of it; pure.

What servers and controllers write on their own (status, counters, who manages what) is no drift.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

_THEIRS: Final = frozenset({"status", "metadata.managedFields", "metadata.resourceVersion", "metadata.generation"})


def changed_fields(live: Mapping[str, Any], applied: Mapping[str, Any]) -> list[str]:
    """Return the paths of fields that differ, `spec.template.spec.containers[0].image`, in order.

    Args:
        live: the object as the cluster has it.
        applied: the object as a dry run of applying says it would become.
    """
    return sorted(set(_differences(live, applied, "")))


def _differences(live: Any, applied: Any, path: str) -> Iterator[str]:
    if path in _THEIRS or live == applied:
        return
    if isinstance(live, Mapping) and isinstance(applied, Mapping):
        for key in {*live, *applied}:
            yield from _differences(live.get(key), applied.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(live, list) and isinstance(applied, list) and len(live) == len(applied):
        for position, (one, other) in enumerate(zip(live, applied, strict=True)):
            yield from _differences(one, other, f"{path}[{position}]")
    else:
        yield path
