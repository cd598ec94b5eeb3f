"""Functions of Lambda, called: the answer becomes runtime property `output` of the calling node.

What a function does is not known, so a call is sent once: not again by the SDK, nor by another attempt when the answer
was lost, nor when the engine died while it ran.
"""

import json
from typing import Any, Final

from groundplan.model.values import Data
from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.operation import operation
from groundplan_aws.client import LostError, connect, once
from groundplan_aws.relation import account, ends, id_of
from groundplan_aws.rows.compute import FUNCTION
from groundplan_aws.target import merged, plain

_LONGEST: Final = 900.0
"""Seconds that a function may run (Lambda quotas, "Function timeout")."""
_RESERVE: Final = 0.9
"""The share of the attempt's time that may be spent on the answer."""


@operation(repeatable=False)
def invoke(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Call the function at the relationship's target with what the source says: parameters of boto3's `invoke`.

    A `Payload` that is a dictionary or a list is sent as JSON, a text as it is.

    Raises:
        NonRecoverableError: the target is no function; the function failed; the answer was lost.
    """
    caller, target = ends(ctx)
    if not target.node.is_a(FUNCTION.node_type):
        raise NonRecoverableError(f"{target.node.name} is no function: its type is {target.node.type}")
    patience = min(_LONGEST, ctx.operation.timeout * _RESERVE)
    api = connect("lambda", once(account(ctx), patience))
    parameters = {**_config(ctx, inputs), "FunctionName": id_of(target)}
    try:
        answer = api.call("invoke", **parameters)
    except LostError as error:
        raise NonRecoverableError(f"{error}; the function may have run, so it is not called again unasked") from error
    encoding = str(caller.node.properties.get("resource_encoding") or "utf-8")
    output = {**answer, "Payload": _read(answer.get("Payload") or b"", encoding)}
    if answer.get("FunctionError"):
        raise NonRecoverableError(f"the function {id_of(target)} failed: {_reason(output)}")
    caller.instance.runtime_properties["output"] = plain(output)
    return None


@operation()
def forget(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Forget the answer. What the function did stays done."""
    ends(ctx)[0].instance.runtime_properties.pop("output", None)
    return None


def _config(ctx: OperationContext, inputs: dict[str, Any]) -> dict[str, Any]:
    caller = ends(ctx)[0]
    recorded: Any = caller.instance.runtime_properties.get("resource_config")
    given = merged(inputs.get("resource_config")) or merged(recorded or caller.node.properties.get("resource_config"))
    if isinstance(given.get("Payload"), dict | list):
        given["Payload"] = json.dumps(given["Payload"])
    return given


def _read(payload: bytes, encoding: str) -> Any:
    """The payload as JSON says, else as text; so is the `body` of an answer that is meant for API Gateway."""
    text = payload.decode(encoding, "replace")
    try:
        told = json.loads(text)
        if isinstance(told, dict) and isinstance(told.get("body"), str):
            told["body"] = json.loads(told["body"])
    except ValueError:
        return text
    return told


def _reason(output: dict[str, Any]) -> str:
    payload = output["Payload"]
    if isinstance(payload, dict) and payload.get("errorMessage"):
        return f"{payload.get('errorType') or output['FunctionError']}: {payload['errorMessage']}"
    return f"{output['FunctionError']}: {payload}"
