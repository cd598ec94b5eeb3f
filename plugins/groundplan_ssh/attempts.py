"""Runs a job in one attempt and survives what can happen to the connection and to the engine.

An attempt that follows a lost one asks the host first what became of the script: it takes the result of one that ended,
waits for one that runs, and starts anew only what never started. How a job ended is kept with the deployment before its
folder on the host is removed, so that no moment of a crash loses it. What is run says `tasks`, how `remote`.
"""

import codecs
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Final, NoReturn

from groundplan.model.values import Data
from groundplan.sdk.context import ContextProxy, LineSink, OperationContext, ScriptAnswer
from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan.sdk.scripts import OutputLog, conclude
from groundplan_ssh import remote
from groundplan_ssh.client import Connection, Dropped, connect
from groundplan_ssh.remote import Job
from groundplan_ssh.target import Target

_PATIENCE_SECONDS: Final = 300.0
_RECONNECTS: Final = 10
_ATTEMPT: Final = "ssh.attempt:"
_UNSEEN: Final = "ssh.unseen:"

MakeJob = Callable[[str], Job]
"""Makes the job once the URL of `ctx` on the host is known; the URL is empty when the job gets none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a job ended.

    Attributes:
        said: what it told `ctx`, as the `ctx` program kept it.
        errors: the end of its error output.
    """

    code: int
    said: str
    errors: str


def run_job(
    ctx: OperationContext, target: Target, make_job: MakeJob, *, name: str, proxy: ContextProxy | None, log: OutputLog
) -> Data:
    """Run a job on a host to its end, or take the end of the one that a lost attempt started.

    Raises:
        RecoverableError: the job failed, or the host cannot be reached.
        NonRecoverableError: the job asked for the end; the host or its key is refused; or nobody can know what an
            interrupted job did.
    """
    attempt = _Attempt(ctx, target, proxy, log)
    memory = _Memory(ctx)
    earlier = memory.earlier_attempt()
    ended = memory.ended(earlier)
    if earlier and ended is None:
        memory.adopt(earlier)
        ended = attempt.go_on(earlier)
    if ended is not None:
        ctx.logger.info(f"{name} was started by the attempt before: taking its result, exit code {ended.code}")
        return conclude(name, ended.code, ended.errors, _repeat(name, ended, proxy))
    ended = attempt.begin(make_job)
    return conclude(name, ended.code, ended.errors, ScriptAnswer() if proxy is None else proxy.answer)


def _repeat(name: str, ended: Ended, proxy: ContextProxy | None) -> ScriptAnswer:
    """Tell this attempt's context what the job told a lost one."""
    if proxy is None:
        return ScriptAnswer()
    if not proxy.replay(ended.said):
        raise NonRecoverableError(
            f"{name} was interrupted: it went on without the engine and called ctx in vain (exit code {ended.code}). "
            "See what it did on the host, then: groundplan executions resume --reset-operations",
            detail=ended.errors,
        )
    return proxy.answer


class _Memory:
    """What is kept with the deployment of its jobs; each change is stored at once."""

    def __init__(self, ctx: OperationContext) -> None:
        self._ctx = ctx
        self._facts = ctx.remembered
        ends = (ctx.source, ctx.target)
        places = [end.instance.id for end in ends if end is not None] or [ctx.instance.id]
        self._task = f"{_UNSEEN}{ctx.execution_id}:{ctx.operation.name}:{ctx.operation.relationship}:{':'.join(places)}"

    def earlier_attempt(self) -> str:
        """Return the attempt that started the job which is to be found again, or an empty text."""
        found = self._ctx.operation.lost_attempt or self._facts.pop(self._task, "")
        while "instead" in (fact := self._fact(found)):
            found = fact["instead"]
        return found

    def ended(self, attempt: str) -> Ended | None:
        """Return how the attempt's job ended, if somebody has seen it; forget other executions' jobs."""
        for key in [key for key in self._facts if key.startswith(_ATTEMPT)]:
            if json.loads(self._facts[key])["execution"] != self._ctx.execution_id:
                del self._facts[key]
        fact = self._fact(attempt)
        return Ended(code=fact["code"], said=fact["said"], errors=fact["errors"]) if "code" in fact else None

    def adopt(self, attempt: str) -> None:
        """Keep that this attempt goes on with another one's job."""
        self._keep(self._ctx.operation.attempt_id, {"instead": attempt})

    def keep_end(self, attempt: str, ended: Ended) -> None:
        """Keep how a job ended, before the host forgets it."""
        self._keep(attempt, asdict(ended))

    def keep_unseen(self, attempt: str) -> None:
        """Have the next attempt of this task look for the job; this one cannot see it any more."""
        self._facts[self._task] = attempt

    def _fact(self, attempt: str) -> dict[str, Data]:
        fact: dict[str, Data] = json.loads(self._facts.get(f"{_ATTEMPT}{attempt}", "{}")) if attempt else {}
        return fact

    def _keep(self, attempt: str, fact: dict[str, Data]) -> None:
        self._facts[f"{_ATTEMPT}{attempt}"] = json.dumps({"execution": self._ctx.execution_id, **fact})


class _Attempt:
    """One attempt's work on the host."""

    def __init__(self, ctx: OperationContext, target: Target, proxy: ContextProxy | None, log: OutputLog) -> None:
        self._ctx = ctx
        self._target = target
        self._proxy = proxy
        self._log = log
        self._output = _Output(log)
        self._remote_port = 0
        self._patience = float(ctx.plugin.settings.get("connect_patience") or _PATIENCE_SECONDS)

    def begin(self, make_job: MakeJob) -> Ended:
        """Start a job of this attempt and return its end."""
        attempt = self._ctx.operation.attempt_id
        ended = self._drive(attempt, lambda url: remote.start(attempt, make_job(url)))
        if ended is None:
            raise RecoverableError(f"the connection to {self._target} ended before the script was started")
        return ended

    def go_on(self, attempt: str) -> Ended | None:
        """Return the end of another attempt's job, or None when the host knows of none."""
        return self._drive(attempt, lambda _: remote.follow(attempt, {}), may_run=True)

    def _drive(self, attempt: str, program: Callable[[str], bytes], *, may_run: bool = False) -> Ended | None:
        """Run a program that follows the job; where the connection ends, connect again and follow on.

        Args:
            may_run: the job may be running already, so that a next attempt has to look for it.
        """
        for _ in range(_RECONNECTS):
            try:
                with connect(self._ctx, self._target, self._patience) as line, self._context(line) as url:
                    status = line.run(program(url), self._output.take, self._ctx.cancelled)
                    if status is not None:
                        return self._finish(line, attempt, status)
                return self._give_up(attempt)
            except Dropped as error:
                self._ctx.logger.warning(f"the connection to {self._target} ended ({error}): connecting again")
                program, may_run = self._following(attempt), True
            except RecoverableError:
                if may_run:
                    _Memory(self._ctx).keep_unseen(attempt)
                raise
            self._ctx.sleep(1)
        _Memory(self._ctx).keep_unseen(attempt)
        raise RecoverableError(f"the connection to {self._target} does not hold; the next attempt looks for the script")

    def _following(self, attempt: str) -> Callable[[str], bytes]:
        return lambda _: remote.follow(attempt, self._output.shown)

    @contextmanager
    def _context(self, line: Connection) -> Iterator[str]:
        """Make `ctx` reachable on the host, on the same port as before the connection ended; gives its URL."""
        if self._proxy is None:
            yield ""
            return
        with line.forwarding(self._proxy.port, self._remote_port) as port:
            self._remote_port = port
            yield f"http://127.0.0.1:{port}{self._proxy.path}"

    def _give_up(self, attempt: str) -> NoReturn:
        """End the job on the host; over a new connection, since the old one may be why the attempt is given up."""
        try:
            with connect(self._ctx, self._target, 0) as line:
                line.run(remote.end(attempt), _ignore)
                line.run(remote.clean(attempt), _ignore)
        except Dropped as error:
            raise RecoverableError(f"the attempt was given up; the script may still run on {self._target}") from error
        raise RecoverableError("the attempt was given up, and the script was ended")

    def _finish(self, line: Connection, attempt: str, status: int) -> Ended | None:
        self._output.close()
        if status == remote.UNKNOWN:
            return None
        errors = self._log.errors
        if status == remote.GONE:
            line.run(remote.clean(attempt), _ignore)
            raise NonRecoverableError(
                f"the script on {self._target} was interrupted: its process is gone and left no exit code "
                "(was the host restarted?). See what it did there, then: groundplan executions resume",
                detail=errors,
            )
        if status == remote.NO_FOLDER:
            raise RecoverableError(f"{self._target}: the script's folder cannot be made: {errors}")
        if status != remote.ENDED:
            raise RecoverableError(f"{self._target}: its shell ended with exit code {status}: {errors}")
        ended = self._collect(line, attempt, errors)
        _Memory(self._ctx).keep_end(attempt, ended)
        line.run(remote.clean(attempt), _ignore)
        return ended

    def _collect(self, line: Connection, attempt: str, errors: str) -> Ended:
        parts: list[bytes] = []
        line.run(remote.collect(attempt), lambda stream, part: parts.append(part) if stream == "out" else None)
        code, _, said = b"".join(parts).decode(errors="replace").partition("\n")
        if not code.isdigit():
            raise RecoverableError(f"{self._target}: the exit code of the script cannot be read")
        return Ended(code=int(code), said=said, errors=errors)


class _Output:
    """Makes lines of what comes, and counts what was shown."""

    def __init__(self, sink: LineSink) -> None:
        self._sink = sink
        self._decoders = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in ("out", "err")}
        self._open = {"out": "", "err": ""}
        self.shown = {"out": 0, "err": 0}

    def take(self, stream: str, part: bytes) -> None:
        self.shown[stream] += len(part)
        *lines, self._open[stream] = (self._open[stream] + self._decoders[stream].decode(part)).split("\n")
        for line in lines:
            self._sink(stream, line.rstrip("\r"))

    def close(self) -> None:
        for stream, line in self._open.items():
            if line:
                self._sink(stream, line)
        self._open = dict.fromkeys(self._open, "")


def _ignore(_stream: str, _part: bytes) -> None:
    """Output that nobody needs."""
