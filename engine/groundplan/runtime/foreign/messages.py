"""What the process of a custom workflow says, line by line: read and checked here, trusted nowhere.

Nouns and one reader. `workflow_process` carries lines, `runtime.dialogue` makes tasks and answers of them.
"""

from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct

from groundplan.model.requests import AnyRequest, Name, Number, Text
from groundplan.model.values import Data

LONGEST: Final = 16 * 2**20
"""Bytes of one message."""


class Malformed(Exception):
    """What was said is no message."""


class Ran(Struct, frozen=True, kw_only=True, tag="ran", forbid_unknown_fields=True):
    """A function in the process ended; `error` is empty when it ended well."""

    number: Number
    result: Data = None
    error: Text = ""
    error_type: Name = ""
    detail: Text = ""
    recoverable: bool = True
    retry_after: Annotated[float, Meta(ge=0, le=31_536_000)] | None = None


class Judged(Struct, frozen=True, kw_only=True, tag="judged", forbid_unknown_fields=True):
    """What the workflow makes of requests that failed: it went on from them, or not."""

    numbers: Annotated[tuple[Number, ...], Meta(max_length=100_000)]
    ignored: bool


class Said(Struct, frozen=True, kw_only=True, tag="said", forbid_unknown_fields=True):
    """A line for the log, or with `level` empty an event."""

    message: Text
    level: Annotated[str, Meta(pattern="^(debug|info|warning|error|)$")] = ""
    instance: Name = ""


class PropertiesWanted(Struct, frozen=True, kw_only=True, tag="properties", forbid_unknown_fields=True):
    """The properties of a node are to be shown."""

    node: Name


class FileWanted(Struct, frozen=True, kw_only=True, tag="file", forbid_unknown_fields=True):
    """The place of a file of the blueprint is to be shown."""

    path: Name


class Ended(Struct, frozen=True, kw_only=True, tag="end", forbid_unknown_fields=True):
    """The workflow ended: well, cancelled, or with an error."""

    verdict: Annotated[str, Meta(pattern="^(done|cancelled|failed)$")]
    error: Text = ""
    detail: Text = ""


Message: TypeAlias = AnyRequest | Ran | Judged | Said | PropertiesWanted | FileWanted | Ended

_decode: Final = msgspec.json.Decoder(Message).decode


def read_message(line: bytes) -> Message:
    """Return what a line says.

    Raises:
        Malformed: it is none of the messages, or holds what may not be in one.
    """
    try:
        return _decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Malformed(str(error)) from None
