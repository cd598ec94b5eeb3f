"""Lays the files of a blueprint together, section by section (spec 1.5)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from groundplan.dsl import faults
from groundplan.dsl.imports import Unit
from groundplan.dsl.reader import as_map
from groundplan.dsl.shape import NO_ENTRIES, Reading, declared, entries_of
from groundplan.dsl.versions import BLUEPRINT, KEEPS_FIRST, MERGEABLE, MERGEABLE_SINCE_1_3, Kind, Version
from groundplan.model.values import Field, Map, Seq

_FREE = frozenset({"dsl_definitions", "metadata", "imports", "imported_blueprints", "namespaces_mapping"})


@dataclass(kw_only=True)
class Merged:
    """The sections of a whole blueprint: entries by section and name."""

    description: str | None = None
    metadata: Field | None = None
    sections: dict[str, dict[str, Field]] = field(default_factory=dict)

    def section(self, name: str) -> dict[str, Field]:
        """Return the entries of a section; empty when no file has it."""
        return self.sections.get(name, NO_ENTRIES)


def merge(units: Iterable[Unit], reading: Reading) -> Merged:
    """Return the sections of all files; where two define the same name without need, that is a fault."""
    merged = Merged()
    owners: dict[tuple[str, str], Unit] = {}
    first_at: dict[str, int] = {}
    for unit in units:
        description = unit.sections.get("description")
        if merged.description is None and description is not None and isinstance(description.value, str):
            merged.description = description.value
        if unit.is_main:
            merged.metadata = unit.sections.get("metadata")
        for name, found in unit.sections.items():
            if name in _FREE or BLUEPRINT.keys[name].kind is not Kind.MAPPING:
                continue
            is_alone = not _is_mergeable(name, reading.version_at(found.key_at))
            if is_alone and name in first_at:
                reading.report.tell(
                    faults.SECTION_TWICE,
                    found.key_at,
                    f"{name} stands in another file too",
                    path=name,
                    places=declared(first_at[name], "the other one"),
                )
                continue
            if is_alone:
                first_at[name] = found.key_at
            _Section(name, merged.sections.setdefault(name, {}), owners, reading).lay(
                entries_of(found, name, reading), unit
            )
    return merged


def _is_mergeable(name: str, version: Version) -> bool:
    return name in MERGEABLE or (name in MERGEABLE_SINCE_1_3 and version >= Version.V1_3)


@dataclass(frozen=True, slots=True)
class _Section:
    name: str
    entries: dict[str, Field]
    owners: dict[tuple[str, str], Unit]
    reading: Reading

    def lay(self, entries: Mapping[str, Field], unit: Unit) -> None:
        """Add the entries of one more file."""
        for key, found in entries.items():
            first = self.entries.get(key)
            if first is None:
                self.entries[key] = found
                self.owners[self.name, key] = unit
            else:
                self._both(key, first, found, unit)

    def _both(self, key: str, first: Field, second: Field, unit: Unit) -> None:
        if self.name in KEEPS_FIRST:
            return
        if key.startswith("cloudify.") or unit.is_standard:
            if self.name in ("node_types", "relationships", "data_types", "workflows"):
                self._tell_redefined(key, first, second)
            self.entries[key] = second
            return
        if self.name == "plugins" and self.owners[self.name, key].is_standard:
            return  # the manifest of a plugin that the standard types declare already
        joined = _joined(self.name, first, second)
        if joined is not None:
            self.entries[key] = joined
            return
        self.reading.report.tell(
            faults.DEFINED_TWICE,
            second.key_at,
            f"{key} is defined in {self.owners[self.name, key].name} too",
            path=f"{self.name}.{key}",
            places=declared(first.key_at, "the other definition"),
        )

    def _tell_redefined(self, key: str, first: Field, second: Field) -> None:
        if first.at == second.at:
            return
        self.reading.report.tell(
            faults.REDEFINED,
            first.key_at,
            "this definition is not used",
            path=f"{self.name}.{key}",
            places=declared(second.key_at, "this one is"),
        )


def _joined(section: str, first: Field, second: Field) -> Field | None:
    if section == "workflows" and isinstance(first.value, str) and first.value == second.value:
        return first
    one, two = as_map(first.value), as_map(second.value)
    if one is None or two is None:
        return None
    if section == "workflows":
        return Field(Map({**two.entries, **one.entries}, one.at), first.at, first.key_at)
    if section == "node_templates" and "relationships" in {*one.entries, *two.entries}:
        return _joined_relationships(first, one, second, two)
    return None


def _joined_relationships(first: Field, one: Map, second: Field, two: Map) -> Field | None:
    if one.entries.keys() == {"relationships"}:
        whole, place = two, second
    elif two.entries.keys() == {"relationships"}:
        whole, place = one, first
    else:
        return None
    lists = [mapping.get("relationships") for mapping in (one, two)]
    items = tuple(item for each in lists if isinstance(each, Seq) for item in each.items)
    joined = Field(Seq(items, place.at), place.at, place.key_at)
    return Field(Map({**whole.entries, "relationships": joined}, whole.at), place.at, place.key_at)
