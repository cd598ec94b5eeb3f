"""Where a YAML token ends, read off the text: positions are offsets of beginnings, and only people ask for ends."""

from typing import Final

_QUOTES: Final = ("'", '"')


def token_end(text: str, start: int) -> int:
    """Return where the YAML token at `start` ends; a block's first line stands for the block."""
    first = text[start : start + 1]
    if first in _QUOTES:
        return _quoted_end(text, start, first)
    if first in ("{", "["):
        return _bracket_end(text, start)
    line_start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    before = text[line_start:start]
    stops = ",]}" if before.count("[") + before.count("{") > before.count("]") + before.count("}") else ""
    end = start
    while end < len(text) and text[end] not in "\r\n" and text[end] not in stops:
        if text[end] == ":" and text[end + 1 : end + 2] in ("", " ", "\n", "\r", "\t"):
            break
        if text[end] == "#" and end > start and text[end - 1] in " \t":
            break
        end += 1
    return start + len(text[start:end].rstrip())


def _quoted_end(text: str, start: int, quote: str) -> int:
    end = start + 1
    while end < len(text):
        if text[end] == "\\" and quote == '"':
            end += 2
        elif text[end] == quote and not (quote == "'" and text[end + 1 : end + 2] == "'"):
            return end + 1
        else:
            end += 2 if text[end] == quote else 1
    return end


def _bracket_end(text: str, start: int) -> int:
    depth = 0
    for end in range(start, len(text)):
        if text[end] in "\r\n":
            return end
        depth += (text[end] in "[{") - (text[end] in "]}")
        if depth == 0:
            return end + 1
    return len(text)
