"""Makes ids that nobody has to choose, with the only randomness of this room, and finds items by how theirs begin."""

import secrets
import uuid
from collections.abc import Iterable
from typing import Final, Protocol, TypeVar

from groundplan.diagnostics.trouble import NotFound, UsageError
from groundplan.model.ids import ExecutionGroupId, ExecutionId

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_SUFFIX: Final = 6
_SHORTEST: Final = 4


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


Item = TypeVar("Item", bound=_Identified)


def by_beginning(items: Iterable[Item], beginning: str, *, noun: str, listing: str) -> Item:
    """Return the only item whose id begins so, with four characters at least.

    Args:
        noun: what the items are, for example `execution`.
        listing: the command that lists them, without the program's name.

    Raises:
        NotFound: there is none.
        UsageError: several begin so.
    """
    near = [item for item in items if len(beginning) >= _SHORTEST and item.id.startswith(beginning)]
    if not near:
        raise NotFound(f"There is no {noun} {beginning!r}.", fix=f"See those that there are: groundplan {listing}")
    if len(near) > 1:
        raise UsageError(f"Several {noun}s begin with {beginning!r}: {', '.join(item.id for item in near)}.")
    return near[0]


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
