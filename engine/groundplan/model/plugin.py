"""What the engine knows of a plugin once its plugin.yaml was read.

The service reads each plugin.yaml once and stores this; `dsl.imports` takes the types from it, `runtime.registry` the
functions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class StandIn:
    """A plugin of another engine that a plugin of ours stands for: its name and the version it answers to."""

    name: str
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PluginManifest:
    """A plugin: its types as DSL text, and the function behind each operation.

    Attributes:
        name: short name, also the section of the home's settings that the plugin gets.
        package: the Python package that it was found in.
        text: the DSL part of plugin.yaml (types, relationships, data types, plugin declarations).
        stands_for: names under which blueprints import it (`plugin:NAME`), with versions; its own name among them.
        operations: path as blueprints map it -> `module:function`.
    """

    name: str
    version: str
    package: str
    text: str
    stands_for: tuple[StandIn, ...] = ()
    operations: Mapping[str, str] = field(default_factory=dict)
