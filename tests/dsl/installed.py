"""A `Fetch` with the plugins of this project, and stand-ins for types that they do not have yet.

A stand-in declares the types that one blueprint uses, each with the properties that are given there: enough to hold
everything else in the blueprint to the language.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from groundplan.diagnostics.report import Report
from groundplan.dsl.folder import SourceFile
from groundplan.dsl.imports import FetchError, Text
from groundplan.dsl.reader import read_data

PLUGINS = Path(__file__).parents[2] / "plugins"
PREFIXES = ("aws", "azure", "fabric", "kubernetes", "tf")
"""Names by which the example's operations call their plugins."""


class Installed:
    """Serves manifests by the names that plugins stand for.

    Args:
        example: the blueprint that stand-ins are made for.
    """

    def __init__(self, example: Path) -> None:
        self._example = example
        manifests = [_data(path) for path in sorted(PLUGINS.glob("*/plugin.yaml"))]
        self._by_name = {
            alias["name"]: manifest for manifest in manifests for alias in manifest["groundplan"]["stands_for"]
        }
        self._stand_in: dict[str, Any] = _stand_in(_data(example), manifests)

    def plugin(self, name: str, specifiers: str) -> Text | None:
        manifest = self._by_name.get(name, {})
        served = {
            section: {**manifest.get(section, {}), **self._stand_in.get(section, {})}
            for section in manifest.keys() | self._stand_in.keys()
        }
        self._stand_in = {}
        return Text(f"{self._example}:{name}", json.dumps(served))

    def url(self, location: str) -> Text:
        raise FetchError("nothing is fetched here")

    def blueprint(self, blueprint_id: str) -> SourceFile | None:
        return None


def _data(path: Path) -> Any:
    return read_data(path.read_bytes(), str(path), Report())


def _stand_in(blueprint: dict[str, Any], manifests: list[dict[str, Any]]) -> dict[str, Any]:
    known = {name for texts in (*manifests, blueprint) for section in texts.values() for name in section}
    properties: dict[str, dict[str, Any]] = defaultdict(dict)
    relationships: dict[str, Any] = {}
    for template in blueprint["node_templates"].values():
        if not _is_standard(template["type"]) and template["type"] not in known:
            properties[template["type"]] |= {name: {"required": False} for name in template.get("properties", {})}
        for relationship in template.get("relationships", []):
            if not _is_standard(relationship["type"]) and relationship["type"] not in known:
                relationships[relationship["type"]] = {"derived_from": "cloudify.relationships.depends_on"}
    central = {"executor": "central_deployment_agent", "install": False}
    return {
        "plugins": {name: central for name in PREFIXES if name not in known},
        "node_types": {
            name: {"derived_from": "cloudify.nodes.Root", "properties": given} for name, given in properties.items()
        },
        "relationships": relationships,
    }


def _is_standard(name: str) -> bool:
    begins = name.startswith(("cloudify.nodes.", "cloudify.relationships."))
    return begins and name.count(".") == 2 and name != "cloudify.nodes.terraform"
