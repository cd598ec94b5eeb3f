"""Finds the function behind an operation, through the manifests of the plugins that were found.

A plugin is asked for by the package that the blueprint's declaration names, else by the declaration's own name.
Loading a plugin's module happens at first use; what it lacks is reported in the words of plugin.yaml.
"""

import importlib
from collections.abc import Callable, Iterable
from typing import Any

from groundplan.model.blueprint import Plugin
from groundplan.model.plugin import PluginManifest
from groundplan.sdk.errors import NonRecoverableError


class Registry:
    """The functions of all plugins of a home."""

    def __init__(self, manifests: Iterable[PluginManifest]) -> None:
        self._by_name: dict[str, PluginManifest] = {}
        self._loaded: dict[str, Callable[..., Any]] = {}
        for manifest in manifests:
            self._by_name.setdefault(manifest.name, manifest)
            for stand_in in manifest.stands_for:
                self._by_name.setdefault(stand_in.name, manifest)

    def knows(self, plugin: Plugin) -> bool:
        """Whether a plugin stands for the one that a blueprint declares."""
        return self._standing_for(plugin) is not None

    def unknown(self, plugin: Plugin) -> str:
        """Return, for people, that no plugin stands for it."""
        wanted = plugin.package_name or plugin.name
        return f"No plugin here stands for {wanted!r}; known are {', '.join(sorted(self._by_name))}."

    def manifest(self, plugin: Plugin) -> PluginManifest:
        """Return the manifest of the plugin that a blueprint declares.

        Raises:
            NonRecoverableError: no plugin stands for it.
        """
        found = self._standing_for(plugin)
        if found is None:
            raise NonRecoverableError(self.unknown(plugin))
        return found

    def _standing_for(self, plugin: Plugin) -> PluginManifest | None:
        declared = self._by_name.get(plugin.package_name or "")
        return declared or self._by_name.get(plugin.name.rpartition("--")[2])

    def function(self, plugin: Plugin, operation: str) -> Callable[..., Any]:
        """Return the function that a manifest puts behind an operation path.

        Raises:
            NonRecoverableError: the plugin has no such operation, or it cannot be loaded.
        """
        manifest = self.manifest(plugin)
        target = manifest.operations.get(operation)
        if target is None:
            raise NonRecoverableError(f"Plugin {manifest.name!r} has no operation {operation!r}.")
        loaded = self._loaded.get(target)
        if loaded is not None:
            return loaded
        module_name, _, function_name = target.partition(":")
        try:
            function: Callable[..., Any] = getattr(importlib.import_module(module_name), function_name)
        except ImportError as error:
            raise NonRecoverableError(
                f"Plugin {manifest.name!r} cannot be loaded: {error}. Install groundplan[{manifest.name}]."
            ) from error
        self._loaded[target] = function
        return function
