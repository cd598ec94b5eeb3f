"""Imports (spec 1.4): every file that a blueprint is made of, in the order in which they merge.

Texts are found by `locating`, names of a namespaced file are rewritten by `namespaces`, sections merged by `merging`.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from groundplan.diagnostics.diagnostic import Fault, Place
from groundplan.diagnostics.report import Report
from groundplan.dsl import faults, namespaces
from groundplan.dsl.copies import Copies
from groundplan.dsl.fetch import Fetch, FetchError, NoFetch, Text
from groundplan.dsl.folder import Folder, SourceFile
from groundplan.dsl.locating import Found, Locator, Origin, Wanted
from groundplan.dsl.plugin_properties import with_values
from groundplan.dsl.reader import Document, as_map, describe
from groundplan.dsl.shape import Reading, declared, element, items_of, too_new
from groundplan.dsl.versions import BLUEPRINT, IMPORT_PROPERTIES_SINCE, VERSIONS, Version
from groundplan.model.values import Field, Map, Value, to_data

__all__ = ["Fetch", "FetchError", "Imported", "Importer", "NoFetch", "Text", "Unit"]

_DROPPED_FROM_PLUGINS: Final = frozenset({"groundplan", "labels", "blueprint_labels", "resource_tags"})
DELIMITER: Final = namespaces.DELIMITER
MAX_FILES: Final = 500
MAX_NAMESPACES: Final = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """One file of a blueprint, its names already in its namespace.

    Attributes:
        sections: the well-formed top-level entries.
        is_standard: it declares the standard types.
    """

    name: str
    sections: Mapping[str, Field]
    is_standard: bool = False
    is_main: bool = False


@dataclass(kw_only=True)
class Imported:
    """All files of a blueprint in the order of merging, and what was noted on the way."""

    units: list[Unit] = field(default_factory=list)
    namespaces_mapping: dict[str, str] = field(default_factory=dict)
    imported_blueprints: list[str] = field(default_factory=list)
    folders: dict[str, Folder] = field(default_factory=dict)
    """Folder of the blueprint behind a namespace, for its scripts."""
    copies: Copies = field(default_factory=Copies)
    is_complete: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class _Request:
    """One import to be resolved."""

    wanted: Wanted
    namespace: str
    own_namespace: str
    is_ungated: bool
    properties: Field | None = None


class Importer:
    """Follows the imports of one blueprint, breadth first."""

    def __init__(self, fetch: Fetch, reading: Reading) -> None:
        self._locator = Locator(fetch, reading)
        self._reading = reading
        self._report: Report = reading.report
        self._seen: set[tuple[str, str]] = set()
        self._waiting: deque[_Request] = deque()
        self._namespaces_at: dict[str, int] = {}
        self.result = Imported()

    def follow(self, main: SourceFile, document: Document) -> Imported:
        """Return every file of the blueprint whose main file holds `document`."""
        root = Field(document.root, document.at, document.at)
        origin = Origin(folder=main.folder, path=main.path)
        self._locator.know(main.display, document)
        self._seen.add((main.display, ""))
        self.result.copies.note(self._report.sources.base_of(document.at), "")
        sections = element(root, BLUEPRINT, "", self._reading) or {}
        self.result.units.append(
            Unit(name=main.display, sections=sections, is_main=True, is_standard=_is_standard(sections))
        )
        self._enqueue(sections, origin, "", is_ungated=False)
        while self._waiting:
            request = self._waiting.popleft()
            if self._is_beyond_limits(request):
                break
            found = self._locator.find(request.wanted)
            if found is None or (found.is_blueprint and not self._note_blueprint(request, found)):
                self.result.is_complete = False
            elif (found.key, request.namespace) not in self._seen:
                self._seen.add((found.key, request.namespace))
                self._add(found, request)
        return self.result

    def _is_beyond_limits(self, request: _Request) -> bool:
        deep = request.namespace.count(DELIMITER) >= MAX_NAMESPACES
        if deep or len(self.result.units) >= MAX_FILES:
            label = f"{MAX_NAMESPACES} namespaces deep already" if deep else f"{MAX_FILES} files already"
            self._tell(faults.IMPORT_LIMIT, request, label)
            self.result.is_complete = False
            return True
        return False

    def _enqueue(self, sections: Mapping[str, Field], origin: Origin, namespace: str, *, is_ungated: bool) -> None:
        seen: dict[str, int] = {}
        for index, item in enumerate(items_of(sections.get("imports"), "imports", self._reading)):
            path = f"imports.{index}"
            entry = self._entry(item, path)
            if entry is None:
                continue
            text, at, properties = entry
            if text in seen:
                self._report.tell(
                    faults.IMPORT_DUPLICATE, at, "imported above", path=path, places=declared(seen[text], "first here")
                )
                continue
            seen[text] = at
            own, target = self._split(text, at, path)
            if target is None:
                self.result.is_complete = False
                continue
            self._waiting.append(
                _Request(
                    wanted=Wanted(text=target, at=at, path=path, origin=origin),
                    namespace=DELIMITER.join(part for part in (namespace, own) if part),
                    own_namespace=own,
                    is_ungated=is_ungated,
                    properties=properties and namespaces.qualify_values(properties, namespace),
                )
            )

    def _entry(self, item: Field, path: str) -> tuple[str, int, Field | None] | None:
        if isinstance(item.value, str):
            return item.value, item.at, None
        mapping = as_map(item.value)
        if mapping is None or len(mapping.entries) != 1:
            found = describe(item.value) if mapping is None else f"{len(mapping.entries)} keys"
            self._report.tell(faults.IMPORT_FORM, item.at, f"expected one import, found {found}", path=path)
            return None
        ((text, properties),) = mapping.entries.items()
        if self._reading.version_at(properties.key_at) < IMPORT_PROPERTIES_SINCE:
            too_new("an import with plugin properties", properties.key_at, IMPORT_PROPERTIES_SINCE, path, self._reading)
            return None
        if as_map(properties.value) is None:
            self._report.tell(
                faults.IMPORT_FORM,
                properties.at,
                f"expected plugin properties, found {describe(properties.value)}",
                path=path,
            )
            return None
        return text, properties.key_at, properties

    def _split(self, text: str, at: int, path: str) -> tuple[str, str | None]:
        """Return (namespace, import); the import is None, with a fault, when the namespace is wrong."""
        namespace, separator, target = text.rpartition(DELIMITER)
        if not separator or "/" in namespace or ":" in namespace:
            if text.startswith("blueprint:"):
                self._report.tell(
                    faults.NAMESPACE_MISSING,
                    at,
                    "expected NAMESPACE--blueprint:ID",
                    path=path,
                    fix=f"write NAME--{text}.",
                )
                return "", None
            return "", text
        if DELIMITER in namespace or not namespace:
            self._report.tell(
                faults.NAMESPACE_FORM,
                at,
                f"expected one name before --, found {namespace!r}",
                path=path,
                fix=f"write {namespace.rpartition(DELIMITER)[2] or 'NAME'}--{target}.",
            )
            return "", None
        return namespace, target

    def _note_blueprint(self, request: _Request, found: Found) -> bool:
        """Note an imported blueprint under its namespace; False, with a fault, when that is another's."""
        namespace, identifier = request.namespace, request.wanted.text.removeprefix("blueprint:")
        used = self.result.namespaces_mapping.setdefault(namespace, identifier)
        first_at = self._namespaces_at.setdefault(namespace, request.wanted.at)
        if used != identifier:
            self._tell(
                faults.NAMESPACE_SHARED,
                request,
                f"{namespace} is the blueprint {used} already",
                places=declared(first_at, "imported here"),
            )
            return False
        if found.origin.folder is not None:
            self.result.folders[namespace] = found.origin.folder
        if identifier not in self.result.imported_blueprints:
            self.result.imported_blueprints.append(identifier)
        return True

    def _add(self, found: Found, request: _Request) -> None:
        is_ungated = request.is_ungated or found.is_blueprint
        # An installed plugin has one file for blueprints of all versions.
        if is_ungated or found.is_plugin:
            self._reading.ungate(found.document.at)
        root = _without_private(found.document.root) if found.is_plugin else found.document.root
        if root is not None and as_map(root) is None:
            self._report.tell(faults.DOCUMENT_ROOT, found.document.at, f"expected a mapping, found {describe(root)}")
            self.result.is_complete = False
            return
        may_be_newer = is_ungated or found.is_standard
        newest = self._reading.version_at(found.document.at) if may_be_newer else self._reading.version
        if not self._has_fitting_version(root, request, newest):
            self.result.is_complete = False
            return
        sections = element(Field(root, found.document.at, found.document.at), BLUEPRINT, "", self._reading) or {}
        is_standard = found.is_standard or _is_standard(sections)
        if is_standard and request.own_namespace:
            self._tell(
                faults.NAMESPACE_STANDARD,
                request,
                f"{found.document.name} declares the standard types",
                fix=f"write {request.wanted.text}.",
            )
        namespace = "" if is_standard else request.namespace
        self._enqueue(sections, found.origin, request.namespace, is_ungated=is_ungated)
        self.result.copies.note(self._report.sources.base_of(found.document.at), namespace, request.wanted.at)
        if namespace:
            sections = namespaces.qualify(sections, namespace)
        if request.properties is not None:
            sections = with_values(sections, request.properties, request.wanted.path, self._reading)
        self.result.units.append(Unit(name=found.document.name, sections=sections, is_standard=is_standard))

    def _has_fitting_version(self, root: Value, request: _Request, newest: Version) -> bool:
        """Whether a file names no version, or one that is no newer than the main file's."""
        mapping = as_map(root)
        written = mapping.entries.get("tosca_definitions_version") if mapping is not None else None
        if written is None:
            return True
        path = "tosca_definitions_version"
        version = VERSIONS.get(written.value) if isinstance(written.value, str) else None
        if version is None:
            self._report.tell(faults.VERSION_UNKNOWN, written.at, f"found {to_data(written.value)!r}", path=path)
            return False
        if version > newest:
            self._report.tell(
                faults.VERSION_NEWER,
                written.at,
                f"{version.text} is newer than the main file's {newest.text}",
                path=path,
                places=declared(request.wanted.at, "imported here"),
                fix=f"write tosca_definitions_version: {version.text} in the main file.",
            )
            return False
        return True

    def _tell(self, fault: Fault, request: _Request, label: str, places: tuple[Place, ...] = (), fix: str = "") -> None:
        self._report.tell(fault, request.wanted.at, label, path=request.wanted.path, places=places, fix=fix)


def _is_standard(sections: Mapping[str, Field]) -> bool:
    types = sections.get("node_types")
    return types is not None and isinstance(types.value, Map) and "cloudify.nodes.Root" in types.value


def _without_private(root: Value) -> Value:
    if not isinstance(root, Map):
        return root
    return Map({key: found for key, found in root.entries.items() if key not in _DROPPED_FROM_PLUGINS}, root.at)
