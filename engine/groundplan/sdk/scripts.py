"""What plugins that run scripts have in common (spec 7.3): inputs as environment, output as log lines, the end.

Pure. Starting a script is the plugin's work: on this machine `groundplan_script`, on another `groundplan_ssh`.
"""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from groundplan.model.values import Data
from groundplan.sdk.context import Log, ScriptAnswer
from groundplan.sdk.errors import AwaitsOthers, NonRecoverableError, OperationRetry, RecoverableError

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)
_LOGGED_LINES: Final = 10_000
_LOGGED_CHARACTERS: Final = 2**20
_TAIL_CHARACTERS: Final = 4000


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessOptions:
    """The input `process`.

    Attributes:
        cwd: working folder; empty for one of the script's own.
        command_prefix: words that the script's path and arguments are appended to.
        eval_python: whether it is run as Python; None to judge by its name.
        serves_ctx: whether `ctx` is there for it (`ctx_proxy_type` other than `none`).
        base_dir: on a remote host, where the script's folder is made.
    """

    cwd: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    args: tuple[str, ...] = ()
    command_prefix: tuple[str, ...] = ()
    log_stdout: bool = True
    log_stderr: bool = True
    stderr_to_stdout: bool = False
    eval_python: bool | None = None
    serves_ctx: bool = True
    base_dir: str = ""

    @classmethod
    def from_data(cls, data: Data) -> Self:
        """Read the input; keys that it does not know are left alone.

        Raises:
            NonRecoverableError: it is not of that form.
        """
        given = data or {}
        try:
            return cls(
                cwd=str(given.get("cwd") or ""),
                env=environment(given.get("env") or {}),
                args=tuple(str(argument) for argument in given.get("args") or ()),
                command_prefix=tuple(shlex.split(given.get("command_prefix") or "")),
                log_stdout=bool(given.get("log_stdout", True)),
                log_stderr=bool(given.get("log_stderr", True)),
                stderr_to_stdout=bool(given.get("stderr_to_stdout", False)),
                eval_python=given.get("eval_python"),
                serves_ctx=given.get("ctx_proxy_type") != "none",
                base_dir=str(given.get("base_dir") or ""),
            )
        except (AttributeError, TypeError, ValueError) as error:
            raise NonRecoverableError(f"the input process cannot be read: {error}") from error


def environment(inputs: Mapping[str, Data]) -> dict[str, str]:
    """Return inputs as environment variables: text as it is, null as nothing, the rest as JSON.

    An input whose name no shell could read is left out.

    Raises:
        NonRecoverableError: a text holds a NUL, which no environment can.
    """
    variables = {name: _text(value) for name, value in inputs.items() if _IDENTIFIER.match(name)}
    for name, text in variables.items():
        if "\0" in text:
            raise NonRecoverableError(f"the input {name} holds a NUL byte: it cannot be an environment variable")
    return variables


def _text(value: Data) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


class OutputLog:
    """Logs a script's output line by line, as `<out> ` and `<err> `, until it becomes too much.

    A `LineSink`. Each output has a limit of its own; the end of the error output is kept.
    """

    def __init__(self, log: Log, options: ProcessOptions) -> None:
        self._log = log
        self._options = options
        self._written = {"out": [0, 0], "err": [0, 0]}
        self._errors = ""

    def __call__(self, stream: str, line: str) -> None:
        """Take one line of `out` or `err`."""
        if stream == "err":
            self._errors = f"{self._errors}{line}\n"[-_TAIL_CHARACTERS:]
        shown = "out" if self._options.stderr_to_stdout else stream
        if self._options.log_stdout if shown == "out" else self._options.log_stderr:
            self._put(shown, line)

    def _put(self, stream: str, line: str) -> None:
        written = self._written[stream]
        was_much = _is_much(*written)
        written[0] += 1
        written[1] += len(line)
        if was_much:
            return
        if _is_much(*written):
            self._log.warning(f"the script writes much to {stream}: the rest of it is not logged")
        else:
            self._log.info(f"<{stream}> {line}")

    @property
    def errors(self) -> str:
        """The end of the error output, at most 4000 characters."""
        return self._errors.rstrip("\n")


def _is_much(lines: int, characters: int) -> bool:
    return lines > _LOGGED_LINES or characters > _LOGGED_CHARACTERS


def conclude(name: str, code: int, errors: str, answer: ScriptAnswer) -> Data:
    """Return the operation's result, or end it as the script asked or failed.

    Args:
        name: of the script, for people.
        code: exit status, negative for a signal.
        errors: the end of its error output.

    Raises:
        NonRecoverableError: it called `ctx abort-operation`.
        OperationRetry: it called `ctx retry-operation`, or waits for others.
        RecoverableError: it failed.
    """
    if answer.abort:
        raise NonRecoverableError(answer.message or f"{name} aborted the operation", detail=errors)
    if answer.awaits:
        raise AwaitsOthers(answer.message, retry_after=answer.retry_after)
    if answer.retry:
        raise OperationRetry(answer.message or f"{name} asked for a retry", retry_after=answer.retry_after)
    if answer.fail:
        raise RecoverableError(answer.message or f"{name} failed", retry_after=answer.retry_after, detail=errors)
    if code != 0:
        how = f"exit code {code}" if code > 0 else f"signal {-code}"
        last = errors.rpartition("\n")[2]
        raise RecoverableError(f"{name} ended with {how}{': ' if last else ''}{last}", detail=errors)
    return answer.result if answer.returned else None
