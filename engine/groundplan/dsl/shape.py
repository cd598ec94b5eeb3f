"""Holds a value against the language's table: is it the right kind of thing, with known keys, all that are needed?

Every section asks here first and then looks only at what is well formed. What could not be read is left out, so that
nothing is reported twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from groundplan.diagnostics.diagnostic import Place
from groundplan.diagnostics.report import Report
from groundplan.diagnostics.suggest import suggest
from groundplan.dsl import faults
from groundplan.dsl.reader import as_map, describe
from groundplan.dsl.shared import is_shared
from groundplan.dsl.versions import STANDARD_TYPES_SINCE, Element, Kind, Version
from groundplan.model.values import Field, Map, Seq, Value

NO_ENTRIES: Final[dict[str, Field]] = {}


@dataclass(frozen=True, slots=True)
class Reading:
    """What every reading function is handed.

    Attributes:
        version: the main file's, which decides what is allowed in every file that it imports (spec 1.1).
        ungated: where the texts begin that belong to an imported blueprint, which was written against its own
            version; noted while imports are followed.
    """

    report: Report
    version: Version
    ungated: set[int] = field(default_factory=set)

    def version_at(self, at: int) -> Version:
        """Return the version that is allowed at a position: some texts may say more than the main file."""
        if self.ungated and self.report.sources.base_of(at) in self.ungated:
            return Version.V1_5
        return max(self.version, STANDARD_TYPES_SINCE) if is_shared(at) else self.version

    def ungate(self, at: int) -> None:
        """Allow everything in the text that holds a position."""
        self.ungated.add(self.report.sources.base_of(at))


def entries_of(field: Field | None, path: str, reading: Reading) -> dict[str, Field]:
    """Return the entries of a mapping whose keys are the author's; empty, with a fault, for another kind of value."""
    if field is None or field.value is None:
        return NO_ENTRIES
    mapping = as_map(field.value)
    if mapping is None:
        wrong_kind(field, Kind.MAPPING, path, reading)
        return NO_ENTRIES
    return mapping.entries


def items_of(field: Field | None, path: str, reading: Reading) -> tuple[Field, ...]:
    """Return the items of a list; empty, with a fault, for another kind of value."""
    if field is None or field.value is None:
        return ()
    if not isinstance(field.value, Seq):
        wrong_kind(field, Kind.LIST, path, reading)
        return ()
    return field.value.items


def names_of(field: Field | None, path: str, reading: Reading) -> Iterator[tuple[str, int]]:
    """Yield the texts of a list with their positions; a fault for every other item."""
    for index, item in enumerate(items_of(field, path, reading)):
        if isinstance(item.value, str):
            yield item.value, item.at
        else:
            wrong_kind(item, Kind.TEXT, f"{path}.{index}", reading)


def element(field: Field, expected: Element, path: str, reading: Reading) -> dict[str, Field] | None:
    """Return the well-formed entries of a closed mapping, or None when it is no mapping at all.

    A key that is unknown, too new for the DSL version or of the wrong kind is a fault and left out; so is a missing
    one, which the caller finds absent.
    """
    value = field.value
    if type(value) is Map:
        entries = value.entries
    elif value is None:
        entries = NO_ENTRIES
    else:
        mapping = as_map(value)
        if mapping is None:
            wrong_kind(field, Kind.MAPPING, path, reading, what=expected.name)
            return None
        entries = mapping.entries
    if _is_well_formed(entries, expected, reading.version):
        return entries
    return _repair(field, entries, expected, path, reading)


def _is_well_formed(entries: dict[str, Field], expected: Element, version: Version) -> bool:
    keys = entries.keys()
    if not (keys <= expected.known(version) and expected.required <= keys):
        return False
    types = expected.types
    for key, found in entries.items():  # noqa: SIM110 - a loop; this is asked of every element
        if key in types and type(found.value) not in types[key]:
            return False
    return True


def _repair(
    field: Field, entries: dict[str, Field], expected: Element, path: str, reading: Reading
) -> dict[str, Field]:
    known = expected.known(reading.version_at(field.key_at))
    kept: dict[str, Field] = {}
    for key, found in entries.items():
        if found.value is None and key in expected.keys and key not in known:
            continue
        if key not in known:
            _unknown_key(key, found, expected, path, reading)
        elif key in expected.types and type(found.value) not in expected.types[key]:
            wrong_kind(found, expected.keys[key].kind, f"{path}.{key}" if path else key, reading)
        else:
            kept[key] = found
    for key in sorted(expected.required - entries.keys()):
        reading.report.tell(
            faults.KEY_MISSING, field.key_at, f"{expected.name} needs the key {key}", path=path, fix=f"add {key}."
        )
    return kept


def _unknown_key(key: str, found: Field, expected: Element, path: str, reading: Reading) -> None:
    if key in expected.keys:
        too_new(
            f"{key} of {expected.name}", found.key_at, expected.keys[key].since, f"{path}.{key}".lstrip("."), reading
        )
        return
    known = expected.known(reading.version_at(found.key_at))
    fault = faults.KEY_UNKNOWN if path else faults.SECTION_UNKNOWN
    reading.report.tell(
        fault,
        found.key_at,
        f"{expected.name} has no key {key}",
        path=path,
        detail=f"known keys: {', '.join(sorted(known))}" if len(known) <= 8 else "",
        suggestion=suggest(key, known),
    )


def too_new(what: str, at: int, since: Version, path: str, reading: Reading) -> None:
    """Tell that the main file's version does not have something yet."""
    reading.report.tell(
        faults.FEATURE_VERSION,
        at,
        f"{what} needs {since.text}",
        path=path,
        detail=f"the main file says {reading.version.text}.",
        fix=f"write tosca_definitions_version: {since.text}.",
    )


def wrong_kind(field: Field, kind: Kind, path: str, reading: Reading, *, what: str = "") -> None:
    """Tell that another kind of value stands here."""
    expected = f"{kind.words} for {what}" if what else kind.words
    reading.report.tell(
        faults.KIND_WRONG, _place(field), f"expected {expected}, found {describe(field.value)}", path=path
    )


def _place(field: Field) -> int:
    return field.at if field.value is not None else field.key_at


def declared(at: int, label: str) -> tuple[Place, ...]:
    """Return the second place of a fault, or none when no text holds it."""
    return (Place(at=at, label=label),) if at >= 0 else ()


def text_of(entries: dict[str, Field], key: str) -> str | None:
    """Return the text under a key that `element` has checked to be text."""
    field = entries.get(key)
    return field.value if field is not None and isinstance(field.value, str) else None


def flag_of(entries: dict[str, Field], key: str, default: bool) -> bool:
    """Return the truth value under a key that `element` has checked to be one."""
    field = entries.get(key)
    return field.value if field is not None and isinstance(field.value, bool) else default


def value_of(entries: dict[str, Field], key: str) -> Value:
    """Return whatever stands under a key, or None."""
    field = entries.get(key)
    return None if field is None else field.value
