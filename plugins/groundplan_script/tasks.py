"""The operation that runs a script in a child process, with `ctx` at hand (spec 7.3, 7.4).

What the script is and how it is started says `source`; confinement, environment and the end of the child are the
engine's, behind `ctx.run`.
"""

import json
from contextlib import nullcontext
from pathlib import Path

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext, ScriptAnswer
from groundplan.sdk.operation import operation
from groundplan.sdk.scripts import OutputLog, ProcessOptions, conclude, environment
from groundplan_script.source import command, find


@operation(repeatable=False)
def run(
    ctx: OperationContext,
    /,
    *,
    script_path: str = "",
    script_source: str = "",
    process: Data = None,
    ssl_cert_content: str = "",
    **inputs: Data,
) -> Data:
    """Run a script and return what it gave to `ctx returns`.

    Args:
        script_path: a file of the blueprint, or an http(s) URL.
        script_source: the script itself, instead.
        process: see `ProcessOptions`.
        inputs: become environment variables, and `ctx_parameters` in Python.

    Raises:
        RecoverableError: the script failed, or asked to be run again (OperationRetry).
        NonRecoverableError: it asked for the end, or cannot be run.
    """
    options = ProcessOptions.from_data(process)
    script = find(ctx, script_path, script_source, ssl_cert_content)
    folder = ctx.folder / "script"
    folder.mkdir(exist_ok=True)
    path = folder / script.name
    path.write_bytes(script.content)
    path.chmod(0o700)
    # A file of its own: an environment variable holds less, and is shown to whoever may look at the process.
    given = ctx.folder / "inputs.json"
    given.touch(mode=0o600)
    given.write_text(json.dumps(inputs))

    variables = {**environment(inputs), **options.env, "CTX_INPUTS": str(given)}
    output = OutputLog(ctx.logger, options)
    with ctx.serve() if options.serves_ctx else nullcontext() as proxy:
        if proxy is not None:
            variables["CTX_SOCKET_URL"] = proxy.url
        ended = ctx.run(
            command(path, script, options),
            environment=variables,
            folder=Path(options.cwd) if options.cwd else None,
            on_line=output,
        )
        answer = ScriptAnswer() if proxy is None else proxy.answer
    return conclude(script_path or script.name, ended.code, output.errors, answer)
