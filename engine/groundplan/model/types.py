"""Schemas that authors declare: of properties, inputs and operation inputs, and the types that hold them.

Checking values against them is `dsl`'s and `planning`'s work.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from groundplan.model.values import NOWHERE, Value

PRIMITIVES: Final = frozenset({"string", "integer", "float", "boolean", "list", "dict", "regex", "textarea"})
OBJECT_TYPES: Final = frozenset(
    {
        "blueprint_id",
        "deployment_id",
        "secret_key",
        "capability_value",
        "scaling_group",
        "node_id",
        "node_type",
        "node_instance",
        "operation_name",
    }
)
"""Types whose value must name an existing entity (spec 1.6)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Constraint:
    """One rule on an input's value (spec 1.7).

    Attributes:
        operator: for example `valid_values`.
        argument: as written.
        error_message: the author's own words for a violation, or None.
    """

    operator: str
    argument: Value
    error_message: str | None = None
    at: int = NOWHERE


@dataclass(frozen=True, kw_only=True, slots=True)
class Schema:
    """What may be given for one property, input, parameter or operation input (spec 1.6, 1.8).

    Attributes:
        type: a primitive, an object type, a data type's name, or None for anything.
        item_type: type of a list's items, or None.
        default: the default value; meaningful only where `has_default`.
        has_default: whether a default was written (null counts, spec 1.9).
        at: position of the declaration, for the second place of a diagnostic.
        default_at: position of the default.
        spelled_out: keys that were written with the value they have anyway; a plan shows them.
    """

    type: str | None = None
    item_type: str | None = None
    default: Value = None
    has_default: bool = False
    required: bool = True
    description: str | None = None
    constraints: tuple[Constraint, ...] = ()
    display_label: str | None = None
    hidden: bool = False
    display: Value = None
    at: int = NOWHERE
    default_at: int = NOWHERE
    spelled_out: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class DataType:
    """A structure that authors name (spec 1.8), with what it inherits already merged in."""

    name: str
    derived_from: str | None = None
    properties: Mapping[str, Schema] = field(default_factory=dict)
    description: str | None = None
    version: str | None = None
    at: int = NOWHERE
