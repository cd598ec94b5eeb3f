"""The operations that every part has: put it in, take it out, ask for it.

What was put in stands in the record; that it was about to be, the deployment remembers before the call. A part that is
there already is ours only if it was remembered. What only some parts do stands in their own modules.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from groundplan.model.values import Data
from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws.catalogue import part_of
from groundplan_aws.failures import RefusedError
from groundplan_aws.parameters import give
from groundplan_aws.part import Part
from groundplan_aws.resource import dig
from groundplan_aws.target import Subject, on, plain


@dataclass(frozen=True, kw_only=True)
class Piece(Subject):
    """A node instance that stands for a part."""

    part: Part

    @property
    def parameters(self) -> dict[str, Any]:
        """What it is put in with: as recorded, else the author's and what related nodes give for the rest."""
        recorded: Any = self.record.get("put")
        if recorded:
            return dict(recorded)
        parameters = {name: value for name, value in self.config.items() if value != ""}
        give(self, self.part, parameters)
        if self.part.complete is not None:
            self.part.complete(parameters, self)
        return self.api.written(self.part.create, parameters)

    @property
    def key(self) -> str:
        return f"aws/{self.instance_id}/{self.part.label}"

    def __str__(self) -> str:
        return f"{self.part.label} {self.record.get('aws_resource_id') or 'of ' + self.instance_id}"


on_piece = on(Piece, "part", part_of)


@on_piece
def create(piece: Piece) -> Data:
    """Put the part in; one that an earlier attempt put in is fine."""
    parameters = piece.parameters
    told_once = piece.part.look is None and piece.record.get("put")
    if not piece.untouchable and not told_once:
        put(piece, parameters)
    note(piece, parameters)
    return None


@on_piece
def delete(piece: Piece) -> Data:
    """Take the part out, recorded or remembered; absence is done."""
    if not piece.untouchable and (piece.record.get("put") or piece.key in piece.ctx.remembered):
        take(piece, piece.part.delete, piece.part.undo(piece.parameters))
    piece.ctx.remembered.pop(piece.key, None)
    piece.record.clear()
    return None


@on_piece
def check_status(piece: Piece) -> Data:
    """Return `present`; a part that AWS does not tell of is an error."""
    if _missing(piece, piece.parameters):
        raise NonRecoverableError(f"{piece} does not exist")
    return "present"


@on_piece
def check_drift(piece: Piece) -> Data:
    """Return what was put in and is not there, or not so: `{number: {expected, actual}}`."""
    if piece.external:
        return {}
    return {
        str(number): {"expected": plain(item), "actual": None} for number, item in _missing(piece, piece.parameters)
    }


def put(piece: Piece, parameters: Mapping[str, Any]) -> None:
    """Call `create`, unless an earlier attempt did: AWS refuses or doubles what is there.

    Raises:
        RefusedError: somebody else's is there, or AWS refuses for another reason.
    """
    ours = piece.key in piece.ctx.remembered
    if ours and piece.part.look is not None and not _missing(piece, parameters):
        return
    piece.ctx.remembered[piece.key] = "put"
    try:
        piece.api.call(piece.part.create, **parameters)
    except RefusedError:
        if not ours:
            piece.ctx.remembered.pop(piece.key, None)
        raise


def take(piece: Piece, method: str, parameters: Mapping[str, Any]) -> None:
    """Call what takes the part out, if there is such a call; absence is done."""
    if not method:
        return
    try:
        piece.api.call(method, **parameters)
    except RefusedError as error:
        if not error.refusal.absent and not _says(error, piece.part.absent):
            raise


def note(piece: Piece, parameters: Mapping[str, Any]) -> None:
    """Record the part and what it was put in with."""
    identity = ",".join(str(found) for found in dig(parameters, piece.part.known_by))
    piece.record["aws_resource_id"] = piece.ctx.node.properties.get("resource_id") or identity or piece.instance_id
    piece.record["resource_config"] = plain(piece.config)
    piece.record["put"] = plain(parameters)


def _says(error: RefusedError, words: Iterable[str]) -> bool:
    return any(found in str(error.refusal) for found in words)


def _missing(piece: Piece, parameters: Mapping[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """What was put in and is not among what AWS tells, numbered."""
    look = piece.part.look
    if look is None:
        raise NonRecoverableError(f"{piece}: AWS does not tell whether it is there")
    try:
        found = [item for page in piece.api.pages(look.method, **look.by(parameters)) for item in look.read(page)]
    except RefusedError as error:
        if not error.refusal.absent:
            raise
        found = []
    wanted = enumerate(look.wanted(parameters))
    return [(number, item) for number, item in wanted if not any(_holds(there, item) for there in found)]


def _holds(there: Any, wanted: Any) -> bool:
    """Whether what AWS tells agrees in all that was put in; names of DNS may have their last dot."""
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(
            name in there and _holds(there[name], value) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(there, list) and all(any(_holds(found, item) for found in there) for item in wanted)
    return str(there).rstrip(".").lower() == str(wanted).rstrip(".").lower()
