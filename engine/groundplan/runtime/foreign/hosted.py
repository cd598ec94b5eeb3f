"""Runs an operation of a plugin that is not ours: its `@operation` function, in a process of its own (spec 7.1, 7.2).

The process is a script's in every respect: confinement, environment, the ctx proxy, the end with its group. The code
is that of an installed package or of the blueprint's folder `plugins/`; nothing is fetched or installed.
"""

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from groundplan.model.blueprint import Plugin
from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.scripts import OutputLog, ProcessOptions, conclude

_NOT_RESUMABLE: Final = 113
_NOT_THERE: Final = 114


class NotResumable(NonRecoverableError):
    """The operation was cut off, and does not say that it may be run again."""


class NotThere(NonRecoverableError):
    """The code of the plugin cannot be had on this machine."""


def run_hosted(ctx: OperationContext, plugin: Plugin, function: str, inputs: Mapping[str, Data], *, lost: bool) -> Data:
    """Run `module.function` with the inputs as keywords and return what it returns.

    Args:
        lost: an earlier attempt was cut off; it is then run only when it is declared resumable.

    Raises:
        NotThere, NotResumable: see there; nothing was run.
        RecoverableError, NonRecoverableError: as the function raised.
    """
    given = ctx.folder / "inputs.json"
    given.touch(mode=0o600)
    given.write_text(json.dumps(dict(inputs)))
    environment = {
        "CTX_INPUTS": str(given),
        "CTX_OPERATION": function,
        "PYTHONPATH": code_folder(ctx, plugin),
        # The blueprint's folder is the engine's copy: nothing is to be written there.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if lost:
        environment["CTX_LOST"] = "1"
    output = OutputLog(ctx.logger, ProcessOptions())
    with ctx.serve() as proxy:
        environment["CTX_SOCKET_URL"] = proxy.url
        command = [sys.executable, "-m", "cloudify.plugins.operation"]
        ended = ctx.run(command, environment=environment, on_line=output)
        answer = proxy.answer
    if ended.code == _NOT_RESUMABLE:
        raise NotResumable(f"{function} is not declared resumable")
    if ended.code == _NOT_THERE:
        raise NotThere(output.errors.rpartition("\n")[2])
    return conclude(function, ended.code, output.errors, answer)


def code_folder(ctx: OperationContext, plugin: Plugin) -> str:
    """Return where the plugin's code lies in the blueprint's folder, or nothing when it does not."""
    if plugin.code:
        with suppress(NonRecoverableError):
            return str(ctx.resources.path(plugin.code))
    return ""
