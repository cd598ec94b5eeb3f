"""Plugins of this installation: found by entry point, their plugin.yaml read once and kept in the store.

A manifest is read again when its file changes. The types in it go to `dsl.imports`, the functions to
`runtime.registry`.
"""

import hashlib
from collections.abc import Mapping
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from groundplan.diagnostics.render import render
from groundplan.diagnostics.report import Report
from groundplan.diagnostics.trouble import UsageError
from groundplan.model.plugin import PluginManifest, StandIn
from groundplan.state.store import Store

GROUP: Final = "groundplan.plugins"


def installed(store: Store) -> Mapping[str, PluginManifest]:
    """Return the manifests of all installed plugins by name, bringing the store up to date.

    Raises:
        UsageError: a plugin.yaml cannot be read.
    """
    with store.snapshot() as snapshot:
        known = snapshot.manifests()
    found: dict[str, PluginManifest] = {}
    fresh: dict[str, tuple[str, PluginManifest]] = {}
    for point in entry_points(group=GROUP):
        path = _manifest_path(point.value)
        fingerprint = _fingerprint(path)
        kept = known.get(point.name)
        if kept is not None and kept[0] == fingerprint:
            found[point.name] = kept[1]
            continue
        manifest = read_manifest(path, point.value)
        found[point.name] = manifest
        fresh[point.name] = (fingerprint, manifest)
    if fresh:
        with store.transaction() as transaction:
            for fingerprint, manifest in fresh.values():
                transaction.put_manifest(fingerprint, manifest)
    return found


def read_manifest(path: Path, package: str) -> PluginManifest:
    """Read a plugin.yaml.

    Args:
        package: the Python package that it belongs to.

    Raises:
        UsageError: it is missing or not of the form.
    """
    from groundplan.dsl.reader import read_data

    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"Plugin {package!r} has no readable plugin.yaml: {error.strerror}.") from error
    report = Report()
    document = read_data(text, str(path), report)
    if report.has_errors:
        raise UsageError(render(report))
    section = document.get("groundplan") if isinstance(document, dict) else None
    try:
        return _manifest(section, package, text)
    except (AttributeError, KeyError, TypeError):
        raise UsageError(
            f"{path} has no section 'groundplan' with the plugin's name, version, operations and stands_for."
        ) from None


def choose(manifests: Mapping[str, PluginManifest], name: str, specifiers: str) -> PluginManifest | None:
    """Return the manifest that answers to a name in a version that the specifiers allow, or None (spec 1.4)."""
    for manifest in manifests.values():
        for stand_in in manifest.stands_for:
            if stand_in.name == name and _allows(specifiers, stand_in.version):
                return manifest
    return None


def _manifest(section: Any, package: str, text: str) -> PluginManifest:
    name, version = str(section["name"]), str(section["version"])
    return PluginManifest(
        name=name,
        version=version,
        package=package,
        text=text,
        stands_for=tuple(
            StandIn(name=str(item["name"]), version=str(item["version"])) for item in section.get("stands_for", ())
        ),
        operations={str(path): str(target) for path, target in section.get("operations", {}).items()},
    )


def _allows(specifiers: str, version: str) -> bool:
    wanted = ",".join(part.strip() for part in specifiers.split(",") if part.strip())
    if not wanted:
        return True
    try:
        return Version(version) in SpecifierSet(wanted)
    except (InvalidSpecifier, InvalidVersion):
        return wanted == version


def _manifest_path(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(f"Plugin package {package!r} is declared but cannot be found.")
    return Path(next(iter(spec.submodule_search_locations))) / "plugin.yaml"


def _fingerprint(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return ""
    return hashlib.sha256(f"{path}:{found.st_size}:{found.st_mtime_ns}".encode()).hexdigest()
