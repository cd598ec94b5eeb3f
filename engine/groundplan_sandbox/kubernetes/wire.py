"""The protobuf wire format: the few lines of it that Kubernetes clients make necessary.

kubectl's generators and Helm send typed objects in protobuf only (`protobuf` decodes them by its tables), and kubectl
asks for OpenAPI v2 in protobuf only (`discovery`). Source: "Encoding", protobuf.dev.
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read_fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value) pairs of a message, in order. Raises ValueError when the bytes are no message."""
    place = 0
    while place < len(data):
        tag, place = _read_varint(data, place)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            value, place = _read_varint(data, place)
            yield number, value
            continue
        if wire_type == _BYTES:
            size, place = _read_varint(data, place)
        elif wire_type in (_FIXED32, _FIXED64):
            size = 4 if wire_type == _FIXED32 else 8
        else:
            raise ValueError(f"wire type {wire_type} is not used by Kubernetes")
        if place + size > len(data):
            raise ValueError("a protobuf message ends too early")
        yield number, data[place : place + size]
        place += size


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if place >= len(data) or shift > 63:
            raise ValueError("a protobuf number ends too early")
        byte = data[place]
        result |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return result, place


def signed(value: int) -> int:
    """A varint as the signed 64-bit number that int32 and int64 fields hold."""
    return value - (1 << 64) if value >> 63 else value


def write_bytes(number: int, value: bytes | str) -> bytes:
    """A length-delimited field: a string, bytes or an encoded message."""
    data = value.encode() if isinstance(value, str) else value
    return _write_varint(number << 3 | _BYTES) + _write_varint(len(data)) + data


def _write_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
