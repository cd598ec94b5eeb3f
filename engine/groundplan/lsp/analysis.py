"""What one blueprint holds, as an editor asks for it: faults, names with their places, and types with all they inherit.

A text that cannot be read gives faults and no names; the server then keeps the names of the last one that could.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groundplan.diagnostics.report import Report
from groundplan.diagnostics.span import Sources
from groundplan.dsl.compile import compile as compile_blueprint
from groundplan.dsl.folder import SourceFile
from groundplan.dsl.imports import Fetch, Importer, Unit
from groundplan.dsl.merging import Merged, merge
from groundplan.dsl.reader import as_map, read
from groundplan.dsl.sections import data_types, types
from groundplan.dsl.sections.types import Type
from groundplan.dsl.shape import Reading
from groundplan.dsl.versions import VERSIONS, Version
from groundplan.model.types import DataType
from groundplan.model.values import Field


@dataclass(frozen=True, kw_only=True)
class Names:
    """What stands in a blueprint and its imports.

    Attributes:
        sources: the texts that positions are in.
        units: the files, the main one first.
    """

    version: Version
    sources: Sources
    units: Sequence[Unit]
    merged: Merged
    data_types: Mapping[str, DataType]
    node_types: Mapping[str, Type]
    relationships: Mapping[str, Type]

    def section(self, name: str) -> Mapping[str, Field]:
        """Return the entries of a section of the whole blueprint."""
        return self.merged.section(name)


def faults(main: SourceFile, fetch: Fetch) -> Report:
    """Return the faults of a blueprint; none for a file that is no main file (an import, other YAML)."""
    report = Report()
    content = main.read()
    if content is not None and b"tosca_definitions_version" in content:
        compile_blueprint(main, fetch, report)
    return report


def names(main: SourceFile, fetch: Fetch) -> Names | None:
    """Return what stands in a file and its imports, whole or not; None when it is no YAML."""
    report = Report()
    content = main.read()
    document = read(content, main.display, report) if content is not None else None
    if document is None:
        return None
    root = as_map(document.root)
    written = root.get("tosca_definitions_version") if root is not None else None
    version = VERSIONS.get(written, Version.V1_5) if isinstance(written, str) else Version.V1_5
    reading = Reading(report, version)
    imported = Importer(fetch, reading).follow(main, document)
    merged = merge(imported.units, reading)
    structures = data_types.read(merged.section("data_types"), reading)
    return Names(
        version=version,
        sources=report.sources,
        units=imported.units,
        merged=merged,
        data_types=structures,
        node_types=types.read_node_types(merged.section("node_types"), structures, reading),
        relationships=types.read_relationships(merged.section("relationships"), structures, reading),
    )
