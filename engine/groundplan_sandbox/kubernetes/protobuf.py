"""Read objects that typed Go clients (kubectl's generators, Helm's release records) send in protobuf.

`messages` says which field has which number; `wire` reads the bytes. A part that is not in the tables is refused by
name, never dropped in silence. Envelope: Kubernetes, "API Concepts: Kubernetes Protobuf encoding".
"""

from __future__ import annotations

import base64
from typing import Any

from groundplan_sandbox.kubernetes import wire
from groundplan_sandbox.kubernetes.kinds import Object
from groundplan_sandbox.kubernetes.messages import MESSAGES, Field, Form
from groundplan_sandbox.kubernetes.status import ApiError, bad_request

MAGIC = b"k8s\x00"


def decode(body: bytes) -> Object:
    """The object in a protobuf body, as its JSON form.

    Raises ApiError 400 when the bytes are no such envelope, 415 for a kind or a field that the tables do not hold.
    """
    if not body.startswith(MAGIC):
        raise bad_request("the body does not begin as the Kubernetes protobuf encoding does")
    try:
        envelope = dict(wire.read_fields(body[len(MAGIC) :]))
        type_meta = dict(wire.read_fields(_bytes(envelope.get(1, b""))))
        api_version, kind = (_bytes(type_meta.get(number, b"")).decode() for number in (1, 2))
        if kind not in MESSAGES:
            raise _unreadable(f"kind {kind}")
        item = _message(kind, _bytes(envelope.get(2, b"")))
    except (ValueError, TypeError) as error:
        raise bad_request(f"the protobuf body cannot be read: {error}") from error
    return {"apiVersion": api_version, "kind": kind} | item


def _unreadable(what: str) -> ApiError:
    message = f"the sandbox does not read {what} in protobuf: send JSON or YAML"
    return ApiError(415, "UnsupportedMediaType", message)


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise TypeError("a number stands where bytes belong")
    return value


def _message(name: str, data: bytes) -> Object:
    result: Object = {}
    for number, value in wire.read_fields(data):
        field = MESSAGES[name].get(number)
        if field is None:
            if value in (0, b""):
                continue
            raise _unreadable(f"field {number} of {name}")
        _add(result, field, value)
    return result


def _add(result: Object, field: Field, value: int | bytes) -> None:
    if field.form is Form.IGNORED:
        return
    if field.form in (Form.STRING_MAP, Form.BYTES_MAP):
        _add_entry(result.setdefault(field.name, {}), field.form, _bytes(value))
        return
    read = _value(field, value)
    if field.repeated:
        result.setdefault(field.name, []).append(read)
    elif field.pointer or read not in ("", 0, {}):
        result[field.name] = read


def _add_entry(entries: Object, form: Form, data: bytes) -> None:
    pair = dict(wire.read_fields(data))
    key, value = _bytes(pair.get(1, b"")).decode(), _bytes(pair.get(2, b""))
    entries[key] = value.decode() if form is Form.STRING_MAP else base64.b64encode(value).decode()


def _value(field: Field, value: int | bytes) -> Any:
    match field.form:
        case Form.STRING:
            return _bytes(value).decode()
        case Form.MESSAGE:
            return _message(field.message, _bytes(value))
        case Form.INT_OR_STRING:
            return _int_or_string(_bytes(value))
        case Form.BOOL:
            return bool(value)
        case _:
            assert isinstance(value, int)
            return wire.signed(value)


def _int_or_string(data: bytes) -> int | str:
    pair = dict(wire.read_fields(data))
    if pair.get(1):
        return _bytes(pair.get(3, b"")).decode()
    number = pair.get(2, 0)
    assert isinstance(number, int)
    return wire.signed(number)
