"""The sections `outputs` and `capabilities` (spec 1.16)."""

from groundplan.dsl.shape import Reading, element, text_of
from groundplan.dsl.versions import OUTPUT
from groundplan.model.blueprint import Output
from groundplan.model.values import Field


def read(fields: dict[str, Field], section: str, reading: Reading) -> dict[str, Output]:
    """Return the outputs or capabilities that have a value."""
    outputs = {}
    for name, field in fields.items():
        entries = element(field, OUTPUT, f"{section}.{name}", reading)
        if entries is not None and "value" in entries:
            outputs[name] = Output(value=entries["value"].value, description=text_of(entries, "description"))
    return outputs
