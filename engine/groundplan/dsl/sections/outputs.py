"""The sections `outputs` and `capabilities` (spec 1.16)."""

from groundplan.dsl import faults
from groundplan.dsl.shape import Reading, element, text_of
from groundplan.dsl.versions import CAPABILITY, OUTPUT
from groundplan.model.blueprint import Output
from groundplan.model.values import Field


def read(fields: dict[str, Field], section: str, reading: Reading) -> dict[str, Output]:
    """Return the outputs or capabilities that have a value."""
    expected = CAPABILITY if section == "capabilities" else OUTPUT
    outputs = {}
    for name, field in fields.items():
        entries = element(field, expected, f"{section}.{name}", reading)
        written = entries.get("value") if entries is not None else None
        if entries is None or written is None:
            continue
        if written.value is None:
            reading.report.tell(
                faults.KEY_MISSING, written.key_at, "nothing stands under value", path=f"{section}.{name}.value"
            )
        else:
            outputs[name] = Output(value=written.value, description=text_of(entries, "description"))
    return outputs
