"""What a script said through `ctx`, as the `ctx` program writes it: to the proxy as a form, to a file for later.

Pure. The file lets an engine that takes over from a dead one repeat what the script told that one; `commands` gives
the words their meaning.
"""

import json
import urllib.parse
from dataclasses import dataclass
from typing import Final, Self

from groundplan.model.values import Data

_UNHEARD: Final = "!"
_ANSWERS: Final = ("returns", "retry_operation", "abort_operation")
_WRITTEN: Final = "runtime_properties"


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """One call as a form: `a` an argument, `p` the prefix of JSON arguments, `j` asks for JSON."""

    arguments: list[Data]
    wants_json: bool = False

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read `a=node&a=id&p=%40`.

        Raises:
            ValueError: it is not a form, or an argument not the JSON that its prefix promises.
        """
        fields = urllib.parse.parse_qs(text, keep_blank_values=True, errors="strict")
        prefix = fields.get("p", ["@"])[0]
        return cls(arguments=[_argument(word, prefix) for word in fields.get("a", [])], wants_json="j" in fields)


def read_journal(said: str) -> list[list[Data]] | None:
    """Return the calls that changed something, in order; None when one of them was not heard.

    Raises:
        ValueError: a line cannot be read.
    """
    lines = said.splitlines()
    if _UNHEARD in lines:
        return None
    calls = [json.loads(line)["args"] if line.startswith("{") else Form.from_text(line).arguments for line in lines]
    return [call for call in calls if _changes(call)]


def _changes(call: list[Data]) -> bool:
    words = [str(word).replace("-", "_") for word in call]
    if words[:1] and (words[0] in _ANSWERS or words[:2] == ["operation", "retry"]):
        return True
    if "change" in words[1:3]:
        return True
    return _WRITTEN in words and len(words) > words.index(_WRITTEN) + 2


def _argument(text: str, prefix: str) -> Data:
    if not prefix or not text.startswith(prefix):
        return text
    try:
        return json.loads(text[len(prefix) :])
    except ValueError as error:
        raise ValueError(f"{text} is not JSON behind {prefix}: {error}") from None
