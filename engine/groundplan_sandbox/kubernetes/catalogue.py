"""The kinds that one cluster serves: those of the table, and custom ones while their definition is there.

`kinds` is the table, `definitions` says what kind a CustomResourceDefinition makes; who brings it here is its
controller.
"""

from __future__ import annotations

from collections.abc import Iterator

from groundplan_sandbox.kubernetes.kinds import KINDS, REVIEWS, Kind


class Catalogue:
    """Kinds by path and by name. No lock: one event loop owns it, as it owns the store."""

    def __init__(self) -> None:
        self._by_path: dict[tuple[str, str, str], Kind] = {}
        self._by_name: dict[tuple[str, str], Kind] = {}
        for kind in KINDS:
            self.serve(kind)

    def __iter__(self) -> Iterator[Kind]:
        return iter(list(self._by_path.values()))

    def serve(self, kind: Kind) -> None:
        """Serve a kind, in place of one of the same names."""
        self._by_path[kind.group, kind.version, kind.plural] = kind
        self._by_name[kind.api_version, kind.kind] = kind

    def withdraw(self, kind: Kind) -> None:
        self._by_path.pop((kind.group, kind.version, kind.plural), None)
        self._by_name.pop((kind.api_version, kind.kind), None)

    def at(self, group: str, version: str, plural: str) -> Kind | None:
        """The kind served under /apis/GROUP/VERSION/PLURAL (group "" is /api)."""
        return self._by_path.get((group, version, plural))

    def named(self, api_version: str, name: str) -> Kind | None:
        """The kind that an object's `apiVersion` and `kind` name, as ownerReferences do."""
        return self._by_name.get((api_version, name))

    def members(self, group: str, version: str) -> list[Kind]:
        return [kind for kind in self if (kind.group, kind.version) == (group, version)]

    def group_versions(self) -> list[tuple[str, str]]:
        """Every (group, version) served, the core group first, then in the order of coming."""
        found = dict.fromkeys((kind.group, kind.version) for kind in self)
        return list(dict.fromkeys([*found, *REVIEWS]))
