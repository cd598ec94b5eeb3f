"""The manifests of this project's plugins are read without a fault, beside the standard types of every version."""

from pathlib import Path

import pytest

from groundplan.diagnostics.report import Report
from groundplan.dsl.reader import read_data

from .installed import PLUGINS
from .writing import Shelf, blueprint

MANIFESTS = sorted(PLUGINS.glob("*/plugin.yaml"))


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.parent.name)
@pytest.mark.parametrize("version", ["1_3", "1_4", "1_5"])
def test_a_manifest_is_read(manifest: Path, version: str) -> None:
    text = manifest.read_text(encoding="utf-8")
    shelf = Shelf(plugins={"it": text})
    found = blueprint("imports: [cloudify/types/types.yaml, plugin:it]", version=version, fetch=shelf)
    assert found.plugins.keys() >= (read_data(text, str(manifest), Report()) or {}).get("plugins", {}).keys()
