"""What the binary says in JSON lines (`-json`): shown as log lines, and its errors told as the sdk's errors.

Values are not in what is shown: the binary leaves them out, and the engine masks what it knows to be secret. Which
command is run says `client`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from groundplan.sdk.context import Log
from groundplan.sdk.errors import NonRecoverableError, OperationError, RecoverableError

_QUIET: Final = frozenset({"version", "outputs", "refresh_start", "refresh_complete", "apply_progress"})
_GROWING: Final = frozenset({"apply_complete", "apply_errored"})
"""After these, the state has another resource, or one less."""


@dataclass(kw_only=True, slots=True)
class Messages:
    """Takes the lines of one command (`sdk.context.LineSink`).

    Attributes:
        grown: called when the state has changed.
        errors: the diagnostics of severity `error`, as the binary told them.
        summary: what was added, changed and removed, `{"add": 1, "change": 0, "remove": 0}`.
    """

    log: Log
    is_logged: bool = True
    grown: Callable[[], None] | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, int] = field(default_factory=dict)
    _rest: list[str] = field(default_factory=list)

    def __call__(self, stream: str, line: str) -> None:
        message = _read(line) if stream == "out" else None
        if message is None:
            self._take_text(line)
            return
        kind = message.get("type", "")
        if kind == "diagnostic":
            self._take_diagnostic(message.get("diagnostic") or {})
        elif kind == "change_summary":
            self.summary = {name: count for name, count in message["changes"].items() if isinstance(count, int)}
        if self.is_logged and kind not in _QUIET and kind != "diagnostic":
            self.log.info(str(message.get("@message", "")))
        if kind in _GROWING and self.grown is not None:
            self.grown()

    def _take_text(self, line: str) -> None:
        if line.strip():
            self._rest.append(line)
            del self._rest[:-200]
            if self.is_logged:
                self.log.info(line)

    def _take_diagnostic(self, diagnostic: dict[str, Any]) -> None:
        if diagnostic.get("severity") == "error":
            self.errors.append(diagnostic)
            self.log.error(_words(diagnostic))
        else:
            self.log.warning(_words(diagnostic))

    def failure(self, act: str, code: int) -> OperationError:
        """Return how the command failed, in the binary's own words.

        Nobody knows which faults of a provider pass: what a resource met may be tried again. What is wrong with the
        module itself, wherever it stands in it, may not.
        """
        if not self.errors:
            text = "\n".join(self._rest)
            return failure_of_text(act, code, text)
        first = self.errors[0]
        more = f" (and {len(self.errors) - 1} more)" if len(self.errors) > 1 else ""
        said = f"{act}: {_words(first, whole=False)}{more}"
        detail = "\n\n".join(map(_words, self.errors))
        if all(error.get("range") and not error.get("address") for error in self.errors):
            return NonRecoverableError(said, detail=detail)
        return RecoverableError(said, detail=detail)


def failure_of_text(act: str, code: int, text: str) -> OperationError:
    """Return how a command failed that speaks in text: for good when it points to a line of the module."""
    lines = [line.strip("│╷╵ ").strip() for line in text.splitlines()]
    lines = [line for line in lines if line]
    first = next((line for line in lines if line.startswith("Error: ")), lines[-1] if lines else f"exit code {code}")
    said = f"{act}: {first.removeprefix('Error: ')}"
    if any(line.startswith("on ") and " line " in line for line in lines):
        return NonRecoverableError(said, detail="\n".join(lines))
    return RecoverableError(said, detail="\n".join(lines))


def _read(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "@message" in found else None


def _words(diagnostic: dict[str, Any], *, whole: bool = True) -> str:
    summary = str(diagnostic.get("summary", "")).strip()
    detail = str(diagnostic.get("detail", "")).strip()
    place = diagnostic.get("address") or _place(diagnostic.get("range") or {})
    said = ": ".join(part for part in (place, summary) if part)
    if not detail:
        return said
    return f"{said}\n{detail}" if whole else f"{said}: {detail.splitlines()[0]}"


def _place(found: dict[str, Any]) -> str:
    line = (found.get("start") or {}).get("line")
    return f"{found['filename']}:{line}" if found.get("filename") and line else ""
