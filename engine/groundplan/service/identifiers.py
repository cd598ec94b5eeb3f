"""Makes ids that nobody has to choose: the only place of this room that asks for randomness."""

import secrets
import uuid
from typing import Final

from groundplan.model.ids import ExecutionGroupId, ExecutionId

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_SUFFIX: Final = 6


def instance_id(node: str) -> str:
    """Return an id for a node instance: the node's name and six letters or digits (spec 5.1)."""
    return f"{node}_" + "".join(secrets.choice(_ALPHABET) for _ in range(_SUFFIX))


def execution_id() -> ExecutionId:
    """Return an id for an execution: twelve hexadecimal digits."""
    return ExecutionId(secrets.token_hex(6))


def execution_group_id() -> ExecutionGroupId:
    """Return an id for a group of executions: twelve hexadecimal digits."""
    return ExecutionGroupId(secrets.token_hex(6))


def unique_text() -> str:
    """Return the `{uuid}` of an id template (spec 5.11)."""
    return str(uuid.uuid4())
