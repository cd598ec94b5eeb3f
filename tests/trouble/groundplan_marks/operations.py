"""The operation of the plugin. What it marks is the world's own memory: the engine's record is held against it."""

import os
import time
from pathlib import Path

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.operation import operation


@operation()
def mark(ctx: OperationContext, **_: Data) -> None:
    """Append `begin INSTANCE.OPERATION` to `marks` in the engine's folder, wait for `hold` to go, append `end`."""
    name = f"{ctx.instance.id}.{ctx.operation.name.rpartition('.')[2]}"
    _append(f"begin {name}")
    time.sleep(float(ctx.node.properties["seconds"]))
    while Path("hold").exists():
        time.sleep(0.02)
    _append(f"end {name}")


def _append(line: str) -> None:
    descriptor = os.open("marks", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)
