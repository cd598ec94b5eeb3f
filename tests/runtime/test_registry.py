"""How the function behind an operation is found, and what is said when it is not."""

import pytest

from groundplan.model.blueprint import Plugin
from groundplan.model.plugin import PluginManifest, StandIn
from groundplan.runtime.registry import Registry
from groundplan.sdk.errors import NonRecoverableError

MANIFEST = PluginManifest(
    name="nop",
    version="1",
    package="groundplan_nop",
    text="",
    stands_for=(StandIn(name="cloudify-nop-plugin", version="1"),),
    operations={"nop.run": "groundplan_nop.operations:run", "nop.lost": "groundplan_nop.no_such_module:run"},
)
REGISTRY = Registry([MANIFEST])


@pytest.mark.parametrize(
    "declared",
    [
        Plugin(name="nop"),
        Plugin(name="anything", package_name="nop"),
        Plugin(name="anything", package_name="cloudify-nop-plugin"),
        Plugin(name="mine--nop"),
    ],
)
def test_a_plugin_is_found_by_its_package_or_its_name(declared: Plugin) -> None:
    assert REGISTRY.function(declared, "nop.run").__name__ == "run"


def test_a_plugin_that_nobody_stands_for_is_named_with_those_that_are_known() -> None:
    with pytest.raises(NonRecoverableError, match="'cloudify-gcp-plugin'; known are cloudify-nop-plugin, nop"):
        REGISTRY.manifest(Plugin(name="gcp", package_name="cloudify-gcp-plugin"))


def test_an_operation_that_the_plugin_lacks_is_named() -> None:
    with pytest.raises(NonRecoverableError, match=r"has no operation 'nop\.walk'"):
        REGISTRY.function(Plugin(name="nop"), "nop.walk")


def test_a_plugin_that_cannot_be_loaded_says_what_to_install() -> None:
    with pytest.raises(NonRecoverableError, match=r"Install groundplan\[nop\]"):
        REGISTRY.function(Plugin(name="nop"), "nop.lost")
