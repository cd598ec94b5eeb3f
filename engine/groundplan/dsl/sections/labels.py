"""The sections `labels` and `blueprint_labels` (spec 1.17)."""

from typing import Any

from groundplan.dsl import faults
from groundplan.dsl.functions import OF_INSTANCES
from groundplan.dsl.reader import describe
from groundplan.dsl.shape import Reading, element, items_of
from groundplan.dsl.versions import LABEL
from groundplan.model.labels import key_fault, value_fault
from groundplan.model.values import Call, Data, Field, calls, to_data


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
    wrong = key_fault(name.rpartition("--")[2])
    if wrong:
        reading.report.tell(faults.LABEL_KEY, field.key_at, wrong, path=path)


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
    elif wrong := value_fault(value.value):
        reading.report.tell(faults.LABEL_VALUE, value.at, wrong, path=path)
