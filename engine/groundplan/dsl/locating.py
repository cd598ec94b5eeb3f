"""Finds and reads the text that an import means (spec 1.4): a file, an address, a plugin's manifest, a blueprint.

Each text is read once, however often it is imported. Following imports and naming them is the business of `imports`.
"""

import re
from dataclasses import dataclass
from posixpath import dirname, join, normpath, splitext
from typing import Final
from urllib.parse import parse_qsl, urljoin

from groundplan.diagnostics.diagnostic import Fault
from groundplan.diagnostics.suggest import suggest
from groundplan.dsl import faults
from groundplan.dsl.fetch import Fetch, FetchError
from groundplan.dsl.folder import Folder, Outside, nearest
from groundplan.dsl.operations import is_url
from groundplan.dsl.reader import Document, read
from groundplan.dsl.shape import Reading
from groundplan.dsl.shared import bundled, read_shared
from groundplan.dsl.versions import STANDARD_TYPES_SINCE, Version

STANDARD_TYPES: Final = "cloudify/types/types.yaml"
_STANDARD_URL: Final = re.compile(
    r"(?:https?|ftp)://(?:www\.)?(?:cloudify\.co|getcloudify\.org)/spec/cloudify/[^/]+/types(?:_1_[345])?\.yaml\Z"
)
_QUERY_KEYS: Final = frozenset({"version", "distribution"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where a file stands, for what it names relatively: a folder and a path in it, or an address, or neither."""

    folder: Folder | None = None
    path: str = ""
    url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """An import as written, without its namespace.

    Attributes:
        origin: the file that it is written in.
        path: its place in that file, for a diagnostic.
    """

    text: str
    at: int
    path: str
    origin: Origin


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A text that was found and read.

    Attributes:
        key: what tells it from other texts.
    """

    key: str
    document: Document
    origin: Origin
    is_plugin: bool = False
    is_blueprint: bool = False
    is_standard: bool = False


class Locator:
    """Finds texts for one blueprint."""

    def __init__(self, fetch: Fetch, reading: Reading) -> None:
        self._fetch = fetch
        self._reading = reading
        self._documents: dict[str, Document | None] = {}

    def know(self, key: str, document: Document) -> None:
        """Remember a text that was read already."""
        self._documents[key] = document

    def find(self, wanted: Wanted) -> Found | None:
        """Return what an import means; None, with a fault, when there is nothing or it cannot be read."""
        text = wanted.text
        if text.startswith("plugin:"):
            return self._plugin(wanted)
        if text.startswith("blueprint:"):
            return self._blueprint(wanted)
        if _STANDARD_URL.match(text):
            return self._bundled(STANDARD_TYPES, wanted)
        if text.startswith("file://"):
            return self._file(text.removeprefix("file://"), wanted)
        if is_url(text):
            return self._url(text, wanted)
        if wanted.origin.url:
            return self._bundled(text, wanted, is_last=False) or self._url(urljoin(wanted.origin.url, text), wanted)
        return self._file(text, wanted)

    def _plugin(self, wanted: Wanted) -> Found | None:
        name, _, query = wanted.text.removeprefix("plugin:").partition("?")
        given = dict(parse_qsl(query, keep_blank_values=True))
        unknown = ", ".join(sorted(given.keys() - _QUERY_KEYS))
        if unknown:
            return self._nothing(faults.IMPORT_FORM, wanted, f"no parameter {unknown}; version or distribution")
        specifiers = given.get("version", "").strip()
        text = self._fetch.plugin(name.strip(), specifiers)
        if text is None:
            shown = f"{name} {specifiers}".strip()
            return self._nothing(
                faults.PLUGIN_UNAVAILABLE,
                wanted,
                f"no installed plugin is, or stands for, {shown}",
                fix="install a plugin of that name beside Groundplan, or correct the name.",
            )
        document = read_shared(text.name, text.text, self._reading.report)
        return None if document is None else Found(key=text.name, document=document, origin=Origin(), is_plugin=True)

    def _blueprint(self, wanted: Wanted) -> Found | None:
        identifier = wanted.text.removeprefix("blueprint:")
        main = self._fetch.blueprint(identifier)
        content = main.read() if main is not None else None
        if main is None or content is None:
            return self._nothing(
                faults.BLUEPRINT_MISSING,
                wanted,
                f"no blueprint {identifier} was uploaded",
                fix="upload it first: groundplan blueprints upload FILE.",
            )
        origin = Origin(folder=main.folder, path=main.path)
        document = self._read(wanted.text, main.display, content)
        return None if document is None else Found(key=wanted.text, document=document, origin=origin, is_blueprint=True)

    def _bundled(self, path: str, wanted: Wanted, *, is_last: bool = True) -> Found | None:
        beside = join(dirname(wanted.origin.path), path) if wanted.origin.folder is None else path
        version = max(self._reading.version, STANDARD_TYPES_SINCE)
        for name in (*_candidates(beside, version), *_candidates(path, version)):
            text = bundled(name)
            if text is not None:
                document = read_shared(name, text, self._reading.report)
                assert document is not None, "bundled resources are YAML"
                return Found(key=name, document=document, origin=Origin(path=name), is_standard=True)
        if is_last:
            self._missing(path, wanted)
        return None

    def _url(self, location: str, wanted: Wanted) -> Found | None:
        if location not in self._documents:
            try:
                text = self._fetch.url(location)
            except FetchError as error:
                return self._nothing(faults.IMPORT_FAILED, wanted, str(error))
            self._read(location, text.name, text.text)
        document = self._documents[location]
        return None if document is None else Found(key=location, document=document, origin=Origin(url=location))

    def _file(self, text: str, wanted: Wanted) -> Found | None:
        folder = wanted.origin.folder
        if folder is None:
            return self._bundled(text, wanted)
        try:
            for path in _candidates(normpath(join(dirname(wanted.origin.path), text)), self._reading.version):
                content = folder.read(path)
                if content is not None:
                    return self._read_file(folder, path, content)
        except Outside:
            return self._nothing(
                faults.IMPORT_OUTSIDE,
                wanted,
                "leads out of the blueprint's folder",
                fix="move the file into the blueprint's folder.",
            )
        return self._bundled(text, wanted)

    def _read_file(self, folder: Folder, path: str, content: bytes) -> Found | None:
        name = folder.display(path)
        document = self._read(name, name, content)
        return None if document is None else Found(key=name, document=document, origin=Origin(folder=folder, path=path))

    def _read(self, key: str, name: str, text: bytes | str) -> Document | None:
        if key not in self._documents:
            self._documents[key] = read(text, name, self._reading.report)
        return self._documents[key]

    def _missing(self, path: str, wanted: Wanted) -> None:
        folder = wanted.origin.folder
        near = nearest(normpath(join(dirname(wanted.origin.path), path)), folder) if folder is not None else ""
        self._reading.report.tell(
            faults.IMPORT_MISSING,
            wanted.at,
            f"there is no {path}",
            path=wanted.path,
            suggestion=near or suggest(path, [STANDARD_TYPES]),
        )

    def _nothing(self, fault: Fault, wanted: Wanted, label: str, fix: str = "") -> Found | None:
        self._reading.report.tell(fault, wanted.at, label, path=wanted.path, fix=fix)
        return None


def _candidates(path: str, version: Version) -> tuple[str, str]:
    """Return the path with the version in its name, and the plain one."""
    stem, extension = splitext(path)
    return f"{stem}_{version.suffix}{extension}", path
