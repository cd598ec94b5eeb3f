"""Imports (spec 1.4): every file that a blueprint is made of, found, read and in the order in which they merge.

What lies outside the blueprint's folder and the bundled resources is asked for through `Fetch`; nothing is fetched
here. Names of a namespaced file are rewritten by `namespaces`, sections are merged by `merging`.
"""

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from posixpath import dirname, join, splitext
from typing import Final, Protocol
from urllib.parse import parse_qsl, urljoin

from groundplan.diagnostics.diagnostic import Fault
from groundplan.diagnostics.report import Report
from groundplan.dsl import faults, namespaces
from groundplan.dsl.folder import Folder, Outside, SourceFile
from groundplan.dsl.operations import is_url
from groundplan.dsl.plugin_properties import with_values
from groundplan.dsl.reader import as_map, describe, read
from groundplan.dsl.shape import Reading, declared, element, items_of, too_new
from groundplan.dsl.shared import bundled, read_shared
from groundplan.dsl.versions import BLUEPRINT, IMPORT_PROPERTIES_SINCE, VERSIONS, Version
from groundplan.model.values import Field, Map, Value, to_data

STANDARD_TYPES: Final = "cloudify/types/types.yaml"
_STANDARD_URL: Final = re.compile(
    r"(?:https?|ftp)://(?:www\.)?(?:cloudify\.co|getcloudify\.org)/spec/cloudify/[^/]+/types(?:_1_[345])?\.yaml\Z"
)
_DROPPED_FROM_PLUGINS: Final = frozenset({"groundplan", "labels", "blueprint_labels", "resource_tags"})
_QUERY_KEYS: Final = frozenset({"version", "distribution"})
DELIMITER: Final = namespaces.DELIMITER
MAX_FILES: Final = 500
MAX_NAMESPACES: Final = 8


@dataclass(frozen=True, slots=True)
class Text:
    """A text from elsewhere, and what people call it."""

    name: str
    text: str


class FetchError(Exception):
    """A text could not be had; the message says why in one sentence."""


class Fetch(Protocol):
    """Gives the texts that lie outside the blueprint's folder."""

    def plugin(self, name: str, specifiers: str) -> Text | None:
        """Return the manifest of the installed plugin that goes by, or stands for, a name.

        Args:
            specifiers: PEP 440 version specifiers joined by commas; empty for any; a bare version means that one.
        """
        ...

    def url(self, location: str) -> Text:
        """Return the text at an address. Raises `FetchError`."""
        ...

    def blueprint(self, blueprint_id: str) -> SourceFile | None:
        """Return the main file of an uploaded blueprint, or None when there is no such blueprint."""
        ...


class NoFetch:
    """Gives nothing: for texts that need none but themselves and the bundled resources."""

    def plugin(self, name: str, specifiers: str) -> Text | None:
        """Return None."""
        return None

    def url(self, location: str) -> Text:
        """Raise `FetchError`."""
        raise FetchError("nothing is fetched here")

    def blueprint(self, blueprint_id: str) -> SourceFile | None:
        """Return None."""
        return None


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
    is_complete: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class _Origin:
    """Where a file stands, for what it names relatively: a folder and a path in it, or an address."""

    folder: Folder | None = None
    path: str = ""
    url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    key: str
    root: Value
    at: int
    name: str
    origin: _Origin
    is_plugin: bool = False
    is_blueprint: bool = False
    is_standard: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class _Request:
    """One import to be resolved."""

    text: str
    at: int
    path: str
    origin: _Origin
    namespace: str
    own_namespace: str
    is_ungated: bool
    properties: Field | None = None


class Importer:
    """Follows the imports of one blueprint, breadth first."""

    def __init__(self, fetch: Fetch, reading: Reading) -> None:
        self._fetch = fetch
        self._reading = reading
        self._report: Report = reading.report
        self._seen: set[tuple[str, str]] = set()
        self._waiting: deque[_Request] = deque()
        self.result = Imported()

    def follow(self, main: SourceFile, root: Field) -> Imported:
        """Return every file of the blueprint whose main file has `root`."""
        origin = _Origin(folder=main.folder, path=main.path)
        self._seen.add((main.display, ""))
        sections = element(root, BLUEPRINT, "", self._reading) or {}
        self.result.units.append(
            Unit(name=main.display, sections=sections, is_main=True, is_standard=_is_standard(sections))
        )
        self._enqueue(sections, origin, "", is_ungated=False)
        while self._waiting:
            request = self._waiting.popleft()
            if self._is_beyond_limits(request):
                break
            found = self._find(request)
            if found is None:
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

    def _enqueue(self, sections: Mapping[str, Field], origin: _Origin, namespace: str, *, is_ungated: bool) -> None:
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
                    text=target,
                    at=at,
                    path=path,
                    origin=origin,
                    namespace=DELIMITER.join(part for part in (namespace, own) if part),
                    own_namespace=own,
                    is_ungated=is_ungated,
                    properties=properties,
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
        if self._reading.version < IMPORT_PROPERTIES_SINCE:
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
            self._report.tell(faults.NAMESPACE_FORM, at, f"found {namespace!r}", path=path)
            return "", None
        return namespace, target

    def _find(self, request: _Request) -> _Found | None:
        text = request.text
        if text.startswith("plugin:"):
            return self._plugin(request)
        if text.startswith("blueprint:"):
            return self._blueprint(request)
        if _STANDARD_URL.match(text):
            return self._bundled(STANDARD_TYPES, request)
        if text.startswith("file://"):
            return self._file(text.removeprefix("file://"), request)
        if is_url(text):
            return self._url(text, request)
        if request.origin.url:
            return self._bundled(text, request, is_last=False) or self._url(urljoin(request.origin.url, text), request)
        return self._file(text, request)

    def _plugin(self, request: _Request) -> _Found | None:
        name, _, query = request.text.removeprefix("plugin:").partition("?")
        given = dict(parse_qsl(query, keep_blank_values=True))
        unknown = given.keys() - _QUERY_KEYS
        if unknown:
            self._tell(
                faults.IMPORT_FORM, request, f"no parameter {', '.join(sorted(unknown))}; version or distribution"
            )
            return None
        specifiers = given.get("version", "").strip()
        text = self._fetch.plugin(name.strip(), specifiers)
        if text is None:
            wanted = f"{name} {specifiers}".strip()
            self._tell(faults.PLUGIN_UNAVAILABLE, request, f"no installed plugin is, or stands for, {wanted}")
            return None
        document = read_shared(text.name, text.text, self._report)
        if document is None:
            return None
        return _Found(
            key=text.name, root=document.root, at=document.at, name=text.name, origin=_Origin(url=""), is_plugin=True
        )

    def _blueprint(self, request: _Request) -> _Found | None:
        identifier = request.text.removeprefix("blueprint:")
        used = self.result.namespaces_mapping.get(request.namespace)
        if used is not None and used != identifier:
            self._tell(faults.NAMESPACE_SHARED, request, f"{request.namespace} is the blueprint {used} already")
            return None
        main = self._fetch.blueprint(identifier)
        content = main.read() if main is not None else None
        if main is None or content is None:
            self._tell(faults.IMPORT_MISSING, request, f"there is no blueprint {identifier}")
            return None
        self.result.namespaces_mapping[request.namespace] = identifier
        self.result.folders[request.namespace] = main.folder
        if identifier not in self.result.imported_blueprints:
            self.result.imported_blueprints.append(identifier)
        document = read(content, main.display, self._report)
        if document is None:
            return None
        origin = _Origin(folder=main.folder, path=main.path)
        return _Found(
            key=request.text, root=document.root, at=document.at, name=document.name, origin=origin, is_blueprint=True
        )

    def _bundled(self, path: str, request: _Request, *, is_last: bool = True) -> _Found | None:
        beside = join(dirname(request.origin.path), path) if request.origin.folder is None else path
        for name in (*_candidates(beside, self._reading.version), *_candidates(path, self._reading.version)):
            text = bundled(name)
            if text is not None:
                document = read_shared(name, text, self._report)
                assert document is not None, "bundled resources are YAML"
                origin = _Origin(path=name)
                return _Found(key=name, root=document.root, at=document.at, name=name, origin=origin, is_standard=True)
        if is_last:
            self._tell(faults.IMPORT_MISSING, request, f"there is no {path}")
        return None

    def _url(self, location: str, request: _Request) -> _Found | None:
        try:
            text = self._fetch.url(location)
        except FetchError as error:
            self._tell(faults.IMPORT_FAILED, request, str(error))
            return None
        document = read(text.text, text.name, self._report)
        if document is None:
            return None
        return _Found(key=location, root=document.root, at=document.at, name=text.name, origin=_Origin(url=location))

    def _file(self, text: str, request: _Request) -> _Found | None:
        folder = request.origin.folder
        if folder is None:
            return self._bundled(text, request)
        try:
            for path in _candidates(join(dirname(request.origin.path), text), self._reading.version):
                content = folder.read(path)
                if content is not None:
                    return self._read_file(folder, path, content)
        except Outside:
            self._tell(faults.IMPORT_OUTSIDE, request, "leads out of the blueprint's folder")
            return None
        return self._bundled(text, request)

    def _read_file(self, folder: Folder, path: str, content: bytes) -> _Found | None:
        document = read(content, folder.display(path), self._report)
        if document is None:
            return None
        origin = _Origin(folder=folder, path=path)
        return _Found(key=document.name, root=document.root, at=document.at, name=document.name, origin=origin)

    def _add(self, found: _Found, request: _Request) -> None:
        reading = self._reading
        if request.is_ungated or found.is_blueprint:
            reading = replace(reading, version=Version.V1_5)
        root = _without_private(found.root) if found.is_plugin else found.root
        if root is not None and as_map(root) is None:
            self._report.tell(faults.DOCUMENT_ROOT, found.at, f"expected a mapping, found {describe(root)}")
            self.result.is_complete = False
            return
        if not self._has_fitting_version(root, request, reading.version):
            self.result.is_complete = False
            return
        sections = element(Field(root, found.at, found.at), BLUEPRINT, "", reading) or {}
        is_standard = found.is_standard or _is_standard(sections)
        if is_standard and request.own_namespace:
            self._tell(faults.NAMESPACE_STANDARD, request, f"{found.name} declares the standard types")
        namespace = "" if is_standard else request.namespace
        if request.properties is not None:
            sections = with_values(sections, request.properties, request.path, self._reading)
        self._enqueue(sections, found.origin, request.namespace, is_ungated=request.is_ungated or found.is_blueprint)
        if namespace:
            sections = namespaces.qualify(sections, namespace)
        self.result.units.append(Unit(name=found.name, sections=sections, is_standard=is_standard))

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
                places=declared(request.at, "imported here"),
                fix=f"write tosca_definitions_version: {version.text} in the main file.",
            )
            return False
        return True

    def _tell(self, fault: Fault, request: _Request, label: str) -> None:
        self._report.tell(fault, request.at, label, path=request.path)


def _candidates(path: str, version: Version) -> tuple[str, str]:
    stem, extension = splitext(path)
    return f"{stem}_{version.suffix}{extension}", path


def _is_standard(sections: Mapping[str, Field]) -> bool:
    types = sections.get("node_types")
    return types is not None and isinstance(types.value, Map) and "cloudify.nodes.Root" in types.value


def _without_private(root: Value) -> Value:
    if not isinstance(root, Map):
        return root
    return Map({key: found for key, found in root.entries.items() if key not in _DROPPED_FROM_PLUGINS}, root.at)
