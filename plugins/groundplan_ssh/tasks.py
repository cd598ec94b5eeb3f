"""The operations of the fabric plugin (spec 7.3): scripts and commands on another host.

They make a job of their inputs; `attempts` runs it. Tasks that are Python functions of a fabfile are not supported:
they are code for a library that is not here.
"""

import json
from contextlib import nullcontext
from dataclasses import replace
from shlex import quote
from typing import Final, NoReturn

from groundplan.model.values import Data
from groundplan.sdk.context import ContextProxy, OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.operation import operation
from groundplan.sdk.scripts import OutputLog, ProcessOptions, environment
from groundplan.sdk.spans import span
from groundplan_ssh.attempts import run_job
from groundplan_ssh.remote import Job
from groundplan_ssh.target import Target

_BASE_DIR: Final = "/tmp"  # noqa: S108 - on the host; mktemp -d makes a folder of its own in it


@operation(repeatable=False, finds_lost_attempt=True)
def run_script(
    ctx: OperationContext,
    /,
    *,
    script_path: str = "",
    fabric_env: Data = None,
    process: Data = None,
    use_sudo: bool = False,
    hide_output: Data = None,
    **inputs: Data,
) -> Data:
    """Run a script of the blueprint on a host and return what it gave to `ctx returns`.

    Args:
        fabric_env: see `Target.read`; the host is by default the instance's.
        process: see `ProcessOptions`.
        hide_output: true, or the names of outputs: they are not logged then.
        inputs: become environment variables, and `ctx_parameters` in Python.

    Raises:
        RecoverableError: the script failed, asked to be run again, or the host does not answer.
        NonRecoverableError: it asked for the end, or the inputs or the host are refused.
    """
    if not script_path:
        raise NonRecoverableError("run_script needs script_path")
    options = ProcessOptions.from_data(process)
    content = ctx.resources.read(script_path)
    name = script_path.rpartition("/")[2]
    return _run(ctx, fabric_env, options, bool(use_sudo), hide_output, inputs, (name, content))


@operation(repeatable=False, finds_lost_attempt=True)
def run_commands(
    ctx: OperationContext,
    /,
    *,
    commands: Data = None,
    fabric_env: Data = None,
    process: Data = None,
    use_sudo: bool = False,
    hide_output: Data = None,
    **inputs: Data,
) -> Data:
    """Run commands on a host one after another, each in a shell of its own, until one fails.

    The other arguments and the errors are those of `run_script`.
    """
    if not isinstance(commands, list) or not commands:
        raise NonRecoverableError("run_commands needs commands: a list of texts")
    options = ProcessOptions.from_data(process)
    lines = ["#!/bin/sh", "shell=$(command -v bash || command -v sh)"]
    for command in commands:
        lines.append(f'"$shell" -c {quote(str(command))} || exit $?')
    script = "\n".join([*lines, ""]).encode()
    return _run(ctx, fabric_env, options, bool(use_sudo), hide_output, inputs, ("commands", script))


@operation()
def run_task(ctx: OperationContext, /, **_: Data) -> NoReturn:
    """Refuse: see the module's docstring.

    Raises:
        NonRecoverableError: always.
    """
    raise NonRecoverableError(
        "run_task runs a function of a fabfile with the fabric library, which Groundplan does not have: "
        "use run_script with a script, or run_commands"
    )


@operation()
def run_module_task(ctx: OperationContext, /, **_: Data) -> NoReturn:
    """Refuse: see the module's docstring.

    Raises:
        NonRecoverableError: always.
    """
    raise NonRecoverableError(
        "run_module_task runs a Python function with the fabric library, which Groundplan does not have: "
        "use run_script with a script, or run_commands"
    )


def _run(
    ctx: OperationContext,
    fabric_env: Data,
    options: ProcessOptions,
    use_sudo: bool,
    hide_output: Data,
    inputs: dict[str, Data],
    script: tuple[str, bytes],
) -> Data:
    target = Target.read(ctx, fabric_env)
    log = OutputLog(ctx.logger, _logged(options, hide_output))
    proxied = ctx.serve() if options.serves_ctx else nullcontext()
    with proxied as proxy, span("ssh", server_address=target.host) as told:

        def make(url: str) -> Job:
            job = _job(script, options, use_sudo, inputs, proxy, url)
            return replace(job, environment={**told.environment, **job.environment})

        return run_job(ctx, target, make, name=script[0], proxy=proxy, log=log)


def _job(
    script: tuple[str, bytes],
    options: ProcessOptions,
    use_sudo: bool,
    inputs: dict[str, Data],
    proxy: ContextProxy | None,
    url: str,
) -> Job:
    name, content = script
    files: dict[str, bytes] = {"inputs.json": json.dumps(inputs).encode()}
    variables = {**environment(inputs), **options.env}
    if proxy is not None:
        variables["CTX_SOCKET_URL"] = url
        files["bin/ctx"] = proxy.client.encode()
        if name.endswith(".py") or b"python" in content.partition(b"\n")[0]:
            files.update({f"python/{path}": text.encode() for path, text in proxy.modules.items()})
    return Job(
        name=name,
        content=content,
        prefix=_prefix(name, content, options),
        arguments=options.args,
        environment=variables,
        files=files,
        cwd=options.cwd,
        base_dir=options.base_dir or _BASE_DIR,
        use_sudo=use_sudo,
    )


def _prefix(name: str, content: bytes, options: ProcessOptions) -> tuple[str, ...]:
    """Return the words before the script's path: its first line decides what runs it, unless the inputs do."""
    if options.command_prefix:
        return options.command_prefix
    if content.startswith(b"#!"):
        return ()
    return ("python3",) if name.endswith(".py") else ("sh",)


def _logged(options: ProcessOptions, hide_output: Data) -> ProcessOptions:
    """Return the options with the outputs switched off that `hide_output` names."""
    if not hide_output:
        return options
    names = {hide_output} if isinstance(hide_output, str) else set(hide_output if isinstance(hide_output, list) else ())
    hides_all = hide_output is True or bool(names & {"everything", "output", "both"})
    return replace(
        options,
        log_stdout=options.log_stdout and not (hides_all or "stdout" in names),
        log_stderr=options.log_stderr and not (hides_all or "stderr" in names),
    )
