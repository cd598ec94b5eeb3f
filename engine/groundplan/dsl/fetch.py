"""What reading a blueprint asks of the world outside its folder. Who answers is passed in; nothing is fetched here."""

from dataclasses import dataclass
from typing import Protocol

from groundplan.dsl.folder import SourceFile


@dataclass(frozen=True, slots=True)
class Text:
    """A text from elsewhere, and what people call it."""

    name: str
    text: str


class FetchError(Exception):
    """A text could not be had; the message says why in one sentence."""


class Fetch(Protocol):
    """Gives the texts that lie outside the blueprint's folder."""

    def plugin(self, name: str, specifiers: str) -> Text | None:
        """Return the manifest of the installed plugin that goes by, or stands for, a name.

        Args:
            specifiers: PEP 440 version specifiers joined by commas; empty for any; a bare version means that one.
        """
        ...

    def url(self, location: str) -> Text:
        """Return the text at an address. Raises `FetchError`."""
        ...

    def blueprint(self, blueprint_id: str) -> SourceFile | None:
        """Return the main file of an uploaded blueprint, or None when there is no such blueprint."""
        ...


class NoFetch:
    """Gives nothing: for texts that need none but themselves and the bundled resources."""

    def plugin(self, name: str, specifiers: str) -> Text | None:
        """Return None."""
        return None

    def url(self, location: str) -> Text:
        """Raise `FetchError`."""
        raise FetchError("nothing is fetched here")

    def blueprint(self, blueprint_id: str) -> SourceFile | None:
        """Return None."""
        return None
