"""A secret's value on its way from the store to an evaluation; never shown, never in an event."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretValue:
    """A secret's text.

    Attributes:
        text: JSON for a document.
        is_document: it was given as a JSON object or list, a map of environments for example. Inside a document only
            names that say so (password, token...) hold what people must not see; a text is Sensitive as a whole.
    """

    text: str
    is_document: bool = False

    def __repr__(self) -> str:
        return "SecretValue(******)"
