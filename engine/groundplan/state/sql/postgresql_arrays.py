"""Arrays as PostgreSQL sends them itself, in binary form: columns of a batch go to the server as one value each.

The client library packs item by item and cannot tell the type of an array that holds nothing but NULL. What the arrays
mean is `postgresql_writer`'s.
"""

from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import Any, Final

_HEADER: Final = Struct(">iiIii").pack
_LENGTH: Final = Struct(">i").pack
_INTEGER: Final = Struct(">ii").pack
_NUMBER: Final = Struct(">id").pack
_NULL: Final = _LENGTH(-1)


class Packed(bytes):
    """An array in its binary form."""

    __slots__ = ()


def pack(kind: str, items: Sequence[Any]) -> Packed:
    """Return items, None for NULL, as an array.

    Args:
        kind: the server's name of the items' type: int (of four bytes), float8, text or bytea.
    """
    oid, encode = _KINDS[kind]
    # Most columns hold few values, each many times. What is sealed is never the same, and long to compare.
    known: Callable[[Any], bytes] = encode if kind == "bytea" else {it: encode(it) for it in set(items)}.__getitem__
    return Packed(_HEADER(1, 1, oid, len(items), 1) + b"".join(map(known, items)))


class PackedDumper:
    """Implements `psycopg.abc.Dumper`, which needs no import of a library that may not be there."""

    format: Final = 1
    oid: Final = 0

    def __init__(self, cls: type, context: object = None) -> None:
        """Be made as such classes are."""

    def dump(self, obj: Packed) -> Packed:
        return obj

    def quote(self, obj: Packed) -> bytes:
        raise NotImplementedError("a packed array goes beside its statement, never into it")

    def get_key(self, obj: Packed, format: object) -> type:
        return Packed

    def upgrade(self, obj: Packed, format: object) -> "PackedDumper":
        return self


def accept_packed(connection: Any, _: object) -> None:
    """Have a connection of psycopg send what is packed as it is; the statement says what it is."""
    connection.adapters.register_dumper(Packed, PackedDumper)


def _integer(item: int | None) -> bytes:
    return _NULL if item is None else _INTEGER(4, item)


def _number(item: float | None) -> bytes:
    return _NULL if item is None else _NUMBER(8, item)


def _text(item: str | None) -> bytes:
    return _NULL if item is None else _bytes(item.encode())


def _bytes(item: bytes | None) -> bytes:
    return _NULL if item is None else _LENGTH(len(item)) + item


# https://www.postgresql.org/docs/current/datatype-oid.html: the numbers of built-in types never change.
_KINDS: Final[Mapping[str, tuple[int, Callable[[Any], bytes]]]] = {
    "int": (23, _integer),
    "float8": (701, _number),
    "text": (25, _text),
    "bytea": (17, _bytes),
}
