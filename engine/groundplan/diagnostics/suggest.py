"""The known name nearest to an unknown one, for "did you mean"."""

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from string import ascii_lowercase, digits
from typing import Final

_FEW: Final = 300
"""Up to so many names are compared one by one; among more, only names one slip of the finger away are looked up."""

_LETTERS: Final = ascii_lowercase + ascii_lowercase.upper() + digits + "_-."


def suggest(unknown: str, known: Collection[str]) -> str:
    """Return the nearest of the known names, or an empty string when none is near."""
    if len(unknown) > 100:
        return ""
    if len(known) > _FEW:
        return slip(unknown, known)
    names = {name.lower(): name for name in known if name != unknown}
    near = get_close_matches(unknown.lower(), names, n=1, cutoff=0.7)
    if near:
        return names[near[0]]
    return names.get(slip(unknown.lower(), names), "") if len(unknown) > 2 else ""


def slip(unknown: str, known: Collection[str]) -> str:
    """Return the known name that is one swapped, missing, wrong or superfluous letter away, or an empty string."""
    if len(known) > _FEW:
        return next((name for name in _slips(unknown) if name in known and name != unknown), "")
    return next((name for name in known if _is_slip(unknown, name)), "")


def _is_slip(one: str, other: str) -> bool:
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    shorter = min(len(one), len(other))
    begin = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    left, right = one[begin:], other[begin:]
    same = next((at for at in range(min(len(left), len(right))) if left[-1 - at] != right[-1 - at]), None)
    same = min(len(left), len(right)) if same is None else same
    left, right = left[: len(left) - same], right[: len(right) - same]
    return len(left) + len(right) == 1 or len(left) == len(right) == 1 or (len(left) == 2 and left == right[::-1])


def _slips(word: str) -> Iterator[str]:
    """Yield the words that one swapped, missing, wrong or superfluous letter makes of a word."""
    splits = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    for before, after in splits:
        if len(after) > 1:
            yield before + after[1] + after[0] + after[2:]
        if after:
            yield before + after[1:]
        for letter in _LETTERS:
            yield before + letter + after
            yield before + letter + after[1:]
