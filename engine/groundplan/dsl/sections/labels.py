"""The sections `labels` and `blueprint_labels` (spec 1.17)."""

import re
from typing import Any, Final

from groundplan.dsl import faults
from groundplan.dsl.functions import OF_INSTANCES
from groundplan.dsl.reader import describe
from groundplan.dsl.shape import Reading, element, items_of
from groundplan.dsl.versions import LABEL
from groundplan.model.values import Call, Data, Field, calls, to_data

_KEY: Final = re.compile(r"[A-Za-z0-9_.\-]{1,256}\Z")
_RESERVED: Final = "csys-"
_ALLOWED: Final = frozenset(
    {
        "csys-obj-type",
        "csys-obj-parent",
        "csys-obj-name",
        "csys-env-type",
        "csys-environment",
        "csys-wrcp-services",
        "csys-wrcp-group-id",
        "csys-location-name",
        "csys-location-lat",
        "csys-location-long",
    }
)


def read(fields: dict[str, Field], section: str, reading: Reading) -> Data:
    """Return labels as the plan shows them: `{KEY: {"values": [...]}}`."""
    labels: dict[str, Any] = {}
    for name, field in fields.items():
        path = f"{section}.{name}"
        _check_key(name, field, path, reading)
        entries = element(field, LABEL, path, reading) or {}
        values = items_of(entries.get("values"), f"{path}.values", reading)
        for index, value in enumerate(values):
            _check_value(value, f"{path}.values.{index}", reading, allow_functions=section == "labels")
        labels[name] = {"values": [to_data(value.value) for value in values]}
    return labels


def _check_key(name: str, field: Field, path: str, reading: Reading) -> None:
    plain = name.rpartition("--")[2]
    if not _KEY.match(plain):
        reading.report.tell(faults.LABEL_KEY, field.key_at, "not letters, digits, - . _", path=path)
    elif plain.startswith(_RESERVED) and plain not in _ALLOWED:
        reading.report.tell(faults.LABEL_KEY, field.key_at, "keys that begin with csys- are reserved", path=path)


def _check_value(value: Field, path: str, reading: Reading, *, allow_functions: bool) -> None:
    if isinstance(value.value, Call):
        forbidden = [call for call in calls(value.value) if call.name in OF_INSTANCES]
        if not allow_functions:
            reading.report.tell(
                faults.LABEL_VALUE, value.at, f"expected text, found {describe(value.value)}", path=path
            )
        for call in forbidden:
            reading.report.tell(faults.LABEL_VALUE, call.at, f"{call.name} has no value yet", path=path)
    elif not isinstance(value.value, str):
        reading.report.tell(
            faults.LABEL_VALUE,
            value.at,
            f"expected text, found {describe(value.value)}",
            path=path,
            fix="quote it to make it text.",
        )
    elif len(value.value) > 256 or '"' in value.value or any(ord(character) < 32 for character in value.value):
        reading.report.tell(
            faults.LABEL_VALUE, value.at, "at most 256 characters, no control characters or double quotes", path=path
        )
