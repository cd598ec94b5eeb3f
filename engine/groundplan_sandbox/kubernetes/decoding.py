"""Check a client's object against the shape of its kind: wrong types are refused, unknown fields found and dropped.

What becomes of an unknown field is the client's choice (`fieldValidation`: Strict, Warn, Ignore), and always an error
in server-side apply. Meaning is checked later, in `validation`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from groundplan_sandbox.kubernetes.kinds import Kind, Object
from groundplan_sandbox.kubernetes.schemas import pruned
from groundplan_sandbox.kubernetes.shapes import SHAPES, FieldType, Shape
from groundplan_sandbox.kubernetes.status import bad_request

_TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "int": (int,), "bool": (bool,), "int-or-string": (int, str)}
_GO_TYPES = {"int": "int32", "map": "map[string]string", "int-or-string": "intstr.IntOrString"}


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """The object without its unknown fields, and where those were: `spec.replcas`, `spec.containers[0].imag`."""

    object: Object
    unknown: list[str] = field(default_factory=list)


def decode_object(kind: Kind, body: Object) -> Decoded:
    """Raises ApiError 400 for a value of the wrong type. Kinds without a shape are taken as they come."""
    unknown: list[str] = []
    if kind.schema is not None:
        kept, unknown = pruned(kind.schema, body)
        return Decoded(object=kept, unknown=unknown)
    if kind.kind not in SHAPES:
        return Decoded(object=body)
    return Decoded(object=_Walk(kind=kind, unknown=unknown).shaped(body, SHAPES[kind.kind], ""), unknown=unknown)


@dataclass(frozen=True, kw_only=True)
class _Walk:
    kind: Kind
    unknown: list[str]

    def shaped(self, value: Any, shape: Shape, path: str) -> Object:
        result: Object = {}
        for name, inner in value.items():
            place = f"{path}.{name}" if path else str(name)
            if name not in shape:
                self.unknown.append(place)
            elif inner is not None:
                result[name] = self.value(inner, shape[name], place)
        return result

    def value(self, value: Any, expected: FieldType, path: str) -> Any:
        if not expected.repeated:
            return self.single(value, expected.name, path)
        if not isinstance(value, list):
            raise self.mismatch(value, f"[]{_go_type(expected.name)}", path)
        return [self.single(each, expected.name, f"{path}[{index}]") for index, each in enumerate(value)]

    def single(self, value: Any, expected: str, path: str) -> Any:
        if expected == "any":
            return value
        if expected in _TYPES:
            if not isinstance(value, _TYPES[expected]) or (isinstance(value, bool) and expected != "bool"):
                raise self.mismatch(value, _go_type(expected), path)
            return value
        if not isinstance(value, dict):
            raise self.mismatch(value, _go_type(expected), path)
        if expected == "map":
            for name, inner in value.items():
                if not isinstance(inner, str | None):
                    raise self.mismatch(inner, "string", f"{path}.{name}")
            return value
        return self.shaped(value, SHAPES[expected], path)

    def mismatch(self, value: Any, expected: str, path: str) -> Exception:
        where = f"json: cannot unmarshal {_json_type(value)} into Go struct field {self.kind.kind}.{path}"
        about = f'{self.kind.kind} in version "{self.kind.version}" cannot be handled as a {self.kind.kind}'
        return bad_request(f"{about}: {where} of type {expected}")


def _go_type(name: str) -> str:
    return _GO_TYPES.get(name, name)


def _json_type(value: Any) -> str:
    names = {bool: "bool", str: "string", dict: "object", list: "array", type(None): "null"}
    return next((name for python_type, name in names.items() if isinstance(value, python_type)), "number")
