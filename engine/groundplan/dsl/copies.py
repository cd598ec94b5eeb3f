"""Texts that are imported into namespaces, and how their faults are told: once, in the names that the text itself uses.

The names inside the blueprint are made by `namespaces`; here they are taken back, for people only.
"""

import re
from dataclasses import dataclass, field, replace

from groundplan.diagnostics.diagnostic import Diagnostic, Place
from groundplan.diagnostics.span import Sources
from groundplan.dsl.namespaces import DELIMITER
from groundplan.model.values import NOWHERE


@dataclass(frozen=True, slots=True)
class Copies:
    """The namespaces of each text, by where it begins in the sources, with the position of each import."""

    found: dict[int, list[tuple[str, int]]] = field(default_factory=dict)

    def note(self, base: int, namespace: str, imported_at: int = NOWHERE) -> None:
        """Note that a text is imported under a namespace; an empty one means that its names stay as they are."""
        self.found.setdefault(base, []).append((namespace, imported_at))

    def worded(self, diagnostic: Diagnostic, sources: Sources) -> Diagnostic:
        """Return a fault as the text that holds it would say it, with the places that import the text."""
        copies = self.found.get(sources.base_of(diagnostic.at), [])
        prefixes = sorted((namespace + DELIMITER for namespace, _ in copies if namespace), key=len, reverse=True)
        if not prefixes:
            return diagnostic
        pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, prefixes))})")
        places = (
            Place(at=at, label=f"imported here as {namespace}" if namespace else "imported here")
            for namespace, at in copies
            if at != NOWHERE
        )
        return replace(
            diagnostic,
            label=pattern.sub("", diagnostic.label),
            path=pattern.sub("", diagnostic.path),
            suggestion=pattern.sub("", diagnostic.suggestion),
            fix=pattern.sub("", diagnostic.fix),
            places=(*diagnostic.places, *places),
        )
