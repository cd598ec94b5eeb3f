"""What is wrong with a text, as data: where, what, why and how to mend it. `render` turns it into words on a screen."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Whether a text with the fault can be used."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A kind of fault, listed in docs/errors.md.

    Attributes:
        code: stable name for machines and searches, for example `property-type`.
        summary: constant words, for example "Wrong property type".
        explanation: what it means and what to do, for the manual.
    """

    code: str
    summary: str
    explanation: str
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A second place that belongs to the fault, for example the declaration that a value disagrees with."""

    at: int
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnostic:
    """One fault at one place.

    Attributes:
        at: position of the guilty token.
        label: what was expected and what was found, shown beside the carets.
        path: dotted place in the document, for example `node_templates.db.properties.port`.
        detail: why, in full sentences; may be empty.
        fix: what to write instead; may be empty.
        suggestion: the known name nearest to an unknown one; may be empty.
    """

    fault: Fault
    at: int
    label: str
    path: str = ""
    places: tuple[Place, ...] = ()
    detail: str = ""
    fix: str = ""
    suggestion: str = ""

    @property
    def is_error(self) -> bool:
        """Whether it forbids using the text."""
        return self.fault.severity is Severity.ERROR
