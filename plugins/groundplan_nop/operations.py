"""The one operation behind all operations of `groundplan.nodes.Nop` and `groundplan.relationships.Nop`.

It waits, fails and records values as it is told, so that installs, retries, kills and resumes can be rehearsed with no
world around them. It reaches nothing outside its context.
"""

from typing import NamedTuple

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan.sdk.operation import operation

_REMOVING = frozenset({"delete", "postdelete"})


class Behaviour(NamedTuple):
    """How an operation is to go.

    Attributes:
        seconds: how long it takes.
        fail: short names of the operations that fail for good, for example `start`.
        fail_times: number of first attempts of every operation that fail and may be tried again.
        values: what the instance's runtime properties are to hold until `delete`.
        drift: what `check_drift` says; empty for no drift.
        message: logged at the start; may hold a secret, to see it masked.
    """

    seconds: float
    fail: tuple[str, ...]
    fail_times: int
    values: dict[str, Data]
    drift: dict[str, Data]
    message: str


@operation()
def run(ctx: OperationContext, **inputs: Data) -> Data:
    """Do nothing, as the node's properties and the operation's inputs say; inputs win. Other inputs are ignored.

    Returns:
        The short name of the operation; of `check_drift`, what has drifted, as it is told.

    Raises:
        RecoverableError: this attempt is one of the first `fail_times`.
        NonRecoverableError: the operation stands in `fail`, or a setting cannot be read.
    """
    name = ctx.operation.name.rpartition(".")[2]
    behaviour = _behaviour(ctx, inputs)
    if behaviour.message:
        ctx.logger.info(behaviour.message)
    if behaviour.seconds:
        ctx.sleep(behaviour.seconds)
    if name in behaviour.fail:
        raise NonRecoverableError(f"{name} was told to fail")
    if ctx.operation.retry_number < behaviour.fail_times:
        raise RecoverableError(
            f"{name} was told to fail {behaviour.fail_times} times; this is attempt {ctx.operation.retry_number + 1}"
        )
    _record(ctx, name, behaviour.values)
    return behaviour.drift if name == "check_drift" else name


def _behaviour(ctx: OperationContext, inputs: dict[str, Data]) -> Behaviour:
    """Read the settings; those of a node do not count in its relationships' operations."""
    properties = {} if ctx.source is not None else ctx.node.properties
    told = {**properties, **{key: value for key, value in inputs.items() if value is not None}}
    try:
        return Behaviour(
            seconds=float(told.get("seconds") or 0),
            fail=tuple(told.get("fail") or ()),
            fail_times=int(told.get("fail_times") or 0),
            values=dict(told.get("values") or {}),
            drift=dict(told.get("drift") or {}),
            message=str(told.get("message") or ""),
        )
    except (TypeError, ValueError) as error:
        raise NonRecoverableError(f"a setting of the nop node cannot be read: {error}") from error


def _record(ctx: OperationContext, name: str, values: dict[str, Data]) -> None:
    properties = ctx.instance.runtime_properties
    if name in _REMOVING:
        for key in values:
            properties.pop(key, None)
    else:
        properties.update(values)
