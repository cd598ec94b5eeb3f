"""Warns of interfaces and operations whose names are one slip away from what the type declares.

Such a blueprint is valid and the operation does nothing, for workflows run operations by name. What is further away
than a slip may be a name of the author's own and is left alone, and so are names that differ in digits only.
"""

from collections.abc import Collection, Iterator

from groundplan.diagnostics.suggest import slip
from groundplan.dsl import faults
from groundplan.dsl.operations import Interfaces
from groundplan.dsl.reader import as_map
from groundplan.dsl.shape import Reading
from groundplan.model.values import Field


def check_names(found: Field, own: Interfaces, declared: Interfaces, owner: str, path: str, reading: Reading) -> None:
    """Tell a warning for each name of `found` that is nearly one of `declared`.

    Args:
        found: the mapping of interfaces as written.
        own: its operations, by full name.
        declared: those of the type, or of a type's parent, called `owner`.
    """
    if not declared or own.keys() <= declared.keys():
        return
    interfaces = {full.rpartition(".")[0] for full in declared}
    for interface, inner in _entries(found):
        near = _near(interface, interfaces)
        if near:
            _tell(f"{owner} declares no interface {interface}", near, inner.key_at, f"{path}.{interface}", reading)
        prefix = f"{interface}."
        known = {full.removeprefix(prefix) for full in declared if full.startswith(prefix)}
        for name, operation in _entries(inner):
            near = _near(name, known)
            if near:
                label = f"{owner} declares no operation {name} in {interface}"
                _tell(label, near, operation.key_at, f"{path}.{interface}.{name}", reading)


def _entries(found: Field) -> Iterator[tuple[str, Field]]:
    mapping = as_map(found.value)
    return iter(mapping.entries.items() if mapping is not None else ())


def _near(name: str, known: Collection[str]) -> str:
    if name in known:
        return ""
    near = slip(name, known)
    return near if near and _without_digits(near) != _without_digits(name) else ""


def _without_digits(name: str) -> str:
    return "".join(letter for letter in name if not letter.isdigit())


def _tell(label: str, near: str, at: int, path: str, reading: Reading) -> None:
    reading.report.tell(faults.INTERFACE_MISSPELT, at, label, path=path, suggestion=near)
