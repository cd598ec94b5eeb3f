"""The one way in: from the text of a blueprint to the typed `Blueprint`, or to the faults that forbid it.

It calls the readers of the sections in the order in which they need each other. It evaluates nothing and knows no
inputs.
"""

from collections.abc import Mapping
from typing import Final

from groundplan.diagnostics.report import Report
from groundplan.diagnostics.suggest import suggest
from groundplan.dsl import faults
from groundplan.dsl.conformance import Conformance
from groundplan.dsl.folder import SourceFile, nearest
from groundplan.dsl.imports import Fetch, Imported, Importer
from groundplan.dsl.merging import Merged, merge
from groundplan.dsl.operations import Implementations, OperationBuilder
from groundplan.dsl.reader import Document, as_map, describe, read
from groundplan.dsl.references import References
from groundplan.dsl.sections import (
    data_types,
    groups,
    inputs,
    labels,
    outputs,
    plugins,
    policies,
    settings,
    types,
    workflows,
)
from groundplan.dsl.sections.node_templates import TemplatesReader
from groundplan.dsl.shape import Reading
from groundplan.dsl.shared import is_bundled
from groundplan.dsl.topology import Topology
from groundplan.dsl.versions import VERSIONS, Version
from groundplan.model.blueprint import Blueprint, Scalable
from groundplan.model.types import DataType
from groundplan.model.values import Data, Map, to_data

UNKNOWN_NAMES: Final = (
    faults.TYPE_UNKNOWN,
    faults.PARENT_UNKNOWN,
    faults.NODE_TYPE_UNKNOWN,
    faults.RELATIONSHIP_TYPE_UNKNOWN,
    faults.TARGET_UNKNOWN,
    faults.PROPERTY_UNKNOWN,
    faults.IMPLEMENTATION_UNKNOWN,
    faults.SCRIPT_PLUGIN_MISSING,
    faults.GROUP_MEMBER_UNKNOWN,
    faults.GROUP_POLICY_UNKNOWN,
    faults.GROUP_TRIGGER_UNKNOWN,
    faults.POLICY_TARGET_UNKNOWN,
    faults.INPUT_UNKNOWN,
    faults.NODE_UNKNOWN,
    faults.REFERENCE_MISSING,
    faults.RELATIONSHIP_FAMILY,
    faults.HOST_MISSING,
    faults.LIFECYCLE_UNKNOWN,
)
"""Faults that a file which could not be read may explain."""


def compile(main: SourceFile, fetch: Fetch, report: Report) -> Blueprint | None:  # noqa: A001 - the glossary's word
    """Read a blueprint with all its imports.

    Args:
        main: the blueprint's main file; what it names relatively is looked for in its folder.
        fetch: gives plugins' manifests, addresses and other blueprints.
        report: takes the faults, errors and warnings; its sources take the texts.

    Returns:
        The blueprint, or None when the report has an error.
    """
    errors_before = len(report.errors)
    document = _read_main(main, report)
    version = _version(document, report) if document is not None else None
    if document is None or version is None:
        return None
    reading = Reading(report, version)
    imported = Importer(fetch, reading).follow(main, document)
    copies = imported.copies
    with report.worded(lambda found: copies.worded(found, report.sources)):
        merged = merge(imported.units, reading)
        imported.units.clear()
        del document  # with the units the last that holds the whole tree, which shrinks while the templates are read
        with report.silenced(() if imported.is_complete else UNKNOWN_NAMES):
            blueprint = _Compilation(main, imported, merged, reading).blueprint()
    return blueprint if len(report.errors) == errors_before else None


def _read_main(main: SourceFile, report: Report) -> Document | None:
    content = main.read()
    if content is None:
        at = report.sources.add(main.display, None)
        report.tell(faults.BLUEPRINT_MISSING, at, f"there is no readable file {main.display}")
        return None
    return read(content, main.display, report)


def _version(document: Document, report: Report) -> Version | None:
    """Return the version that the main file names; only with one can the rest be judged."""
    root = as_map(document.root)
    if root is None and document.root is not None:
        report.tell(
            faults.DOCUMENT_ROOT, document.at, f"expected a mapping of sections, found {describe(document.root)}"
        )
        return None
    written = root.entries.get("tosca_definitions_version") if root is not None else None
    newest = Version.V1_5.text
    if written is None:
        report.tell(
            faults.VERSION_MISSING,
            document.at,
            "expected tosca_definitions_version",
            fix=f"begin with tosca_definitions_version: {newest}.",
        )
        return None
    version = VERSIONS.get(written.value) if isinstance(written.value, str) else None
    if version is None:
        report.tell(
            faults.VERSION_UNKNOWN,
            written.at,
            f"expected {Version.V1_0.text} to {newest}, found {to_data(written.value)}",
            path="tosca_definitions_version",
            suggestion=suggest(str(written.value), VERSIONS),
        )
    return version


class _Compilation:
    """One blueprint on its way through the sections."""

    def __init__(self, main: SourceFile, imported: Imported, merged: Merged, reading: Reading) -> None:
        self._main = main
        self._imported = imported
        self._merged = merged
        self._reading = reading

    def blueprint(self) -> Blueprint:
        """Read every section and return what they make together."""
        section, reading = self._merged.section, self._reading
        structures = data_types.read(section("data_types"), reading)
        conformance = Conformance(structures, reading)
        declared = plugins.read(section("plugins"), reading)
        implementations = Implementations(declared, self._is_file, self._nearest_file, self._namespaces(), reading)
        templates = TemplatesReader(
            node_types=types.read_node_types(section("node_types"), structures, reading),
            relationships=types.read_relationships(section("relationships"), structures, reading),
            conformance=conformance,
            operations=OperationBuilder(implementations, conformance, reading),
            reading=reading,
        )
        nodes = templates.read(section("node_templates"))
        topology = Topology(
            nodes=nodes,
            fields=section("node_templates"),
            types=templates.relationships,
            targets_at=templates.targets_at,
            settings_at=templates.settings_at,
            reading=reading,
        )
        topology.check()
        grouped = self._groups(structures, conformance, topology)
        blueprint = Blueprint(
            version=reading.version.text,
            nodes=nodes,
            description=self._merged.description,
            metadata=self._metadata(),
            inputs=inputs.read(section("inputs"), structures.keys(), conformance, reading),
            data_types=structures,
            plugins=declared,
            workflows=workflows.read(section("workflows"), structures.keys(), conformance, implementations, reading),
            outputs=outputs.read(section("outputs"), "outputs", reading),
            capabilities=outputs.read(section("capabilities"), "capabilities", reading),
            labels=labels.read(section("labels"), "labels", reading),
            blueprint_labels=labels.read(section("blueprint_labels"), "blueprint_labels", reading),
            resource_tags={name: to_data(found.value) for name, found in section("resource_tags").items()},
            deployment_settings=settings.read(section("deployment_settings"), reading),
            imported_blueprints=tuple(self._imported.imported_blueprints),
            namespaces_mapping=self._imported.namespaces_mapping,
            **grouped,
        )
        return References(blueprint, self._merged, reading).checked()

    def _groups(self, structures: Mapping[str, DataType], conformance: Conformance, topology: Topology) -> Data:
        section, reading = self._merged.section, self._reading
        kinds, policy_types = groups.read_types(section("policy_types"), "policy_types", structures.keys(), reading)
        triggers, policy_triggers = groups.read_types(
            section("policy_triggers"), "policy_triggers", structures.keys(), reading
        )
        found = groups.GroupsReader(
            templates=section("node_templates"),
            policy_types=kinds,
            policy_triggers=triggers,
            conformance=conformance,
            reading=reading,
        ).read(section("groups"))
        scalings = policies.read(section("policies"), found.keys(), section("node_templates").keys(), reading)
        return {
            "groups": {
                name: {"members": list(group.members), "policies": group.policies} for name, group in found.items()
            },
            "scaling_groups": policies.scaling_groups(found, scalings, topology, reading),
            "policies": {
                name: {
                    "type": policies.SCALING,
                    "targets": list(policy.targets),
                    "properties": _numbers(policy.instances),
                }
                for name, policy in scalings.items()
            },
            "policy_types": policy_types,
            "policy_triggers": policy_triggers,
        }

    def _metadata(self) -> Data:
        written = self._merged.metadata
        return to_data(written.value) if written is not None and isinstance(written.value, Map) else {}

    def _is_file(self, path: str) -> bool:
        if self._main.folder.contains(path) or is_bundled(path):
            return True
        namespace, separator, plain = path.rpartition("--")
        folder = self._imported.folders.get(namespace) if separator else None
        return folder is not None and folder.contains(plain)

    def _nearest_file(self, path: str) -> str:
        return nearest(path, self._main.folder)

    def _namespaces(self) -> frozenset[str]:
        return frozenset(self._imported.namespaces_mapping)


def _numbers(instances: Scalable) -> Data:
    default = to_data(instances.default_instances)
    return {
        "default_instances": default,
        "min_instances": to_data(instances.min_instances),
        "max_instances": to_data(instances.max_instances),
        "current_instances": default,
        "planned_instances": default,
    }
