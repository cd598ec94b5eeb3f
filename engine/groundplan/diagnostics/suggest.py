"""The known name nearest to an unknown one, for "did you mean"."""

from collections.abc import Iterable
from difflib import get_close_matches


def suggest(unknown: str, known: Iterable[str]) -> str:
    """Return the nearest of the known names, or an empty string when none is near."""
    names = {name.lower(): name for name in known if name != unknown}
    near = get_close_matches(unknown.lower(), names, n=1, cutoff=0.7)
    return names[near[0]] if near else ""
