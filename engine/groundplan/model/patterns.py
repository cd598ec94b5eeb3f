"""Regular expressions that authors write, matched in bounded time: some of the standard library's never end.

The syntax is that of `re`. Which texts are expressions at all is said by `dsl.conformance`.
"""

from typing import Final

import regex

SECONDS: Final = 1.0
"""How long one match may take."""


def matches(pattern: str, text: str) -> bool:
    """Whether a text matches from its beginning on (spec 1.7); one that takes longer than `SECONDS` to tell does not.

    Raises:
        TypeError: `text` is no text.
        ValueError: `pattern` is no regular expression.
    """
    try:
        return regex.match(pattern, text, timeout=SECONDS) is not None
    except TimeoutError:
        return False
    except regex.error as error:
        raise ValueError(str(error)) from error
