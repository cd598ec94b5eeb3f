"""The operation of the plugin. What it marks is the world's own memory: the engine's record is held against it."""

import os
import time
from pathlib import Path

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.operation import operation


@operation()
def mark(ctx: OperationContext, **_: Data) -> None:
    """Append `begin INSTANCE.OPERATION` to `marks` in the engine's folder, wait for `hold` to go, append `end`.

    A node that is `apart` has a process of its own do the waiting. What was done is kept as runtime property `made`.
    """
    operation = ctx.operation.name.rpartition(".")[2]
    name = f"{ctx.instance.id}.{operation}"
    _append(f"begin {name}")
    seconds = float(ctx.node.properties["seconds"])
    if ctx.node.properties["apart"]:
        ctx.run(["sleep", str(seconds)])
    else:
        time.sleep(seconds)
    while Path("hold").exists():
        time.sleep(0.02)
    made = ctx.instance.runtime_properties.get("made") or []
    ctx.instance.runtime_properties["made"] = [*made, operation]
    _append(f"end {name}")


def _append(line: str) -> None:
    descriptor = os.open("marks", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)
