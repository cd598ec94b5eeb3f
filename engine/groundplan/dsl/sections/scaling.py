"""How many instances: `instances`, `capabilities.scalable` and the properties of scaling policies (spec 1.11,
1.15).
"""

from typing import Final

from groundplan.dsl import faults
from groundplan.dsl.reader import describe
from groundplan.dsl.shape import Reading, declared, element
from groundplan.dsl.versions import CAPABILITIES, INSTANCES, SCALABLE, SCALABLE_PROPERTIES
from groundplan.model.blueprint import UNBOUNDED, Scalable
from groundplan.model.values import Call, Field, Value

ONE: Final = Scalable()


def of_template(entries: dict[str, Field], path: str, reading: Reading) -> Scalable:
    """Return the numbers of a node template."""
    instances, capabilities = entries.get("instances"), entries.get("capabilities")
    if instances is not None and capabilities is not None:
        reading.report.tell(
            faults.INSTANCES_TWICE,
            capabilities.key_at,
            "instances stands there too",
            path=path,
            places=declared(instances.key_at, "the other number"),
            fix="leave instances out.",
        )
        return ONE
    if instances is not None:
        return _deploy(instances, f"{path}.instances", reading)
    if capabilities is None:
        return ONE
    inner = element(capabilities, CAPABILITIES, f"{path}.capabilities", reading) or {}
    scalable = inner.get("scalable")
    where = f"{path}.capabilities.scalable"
    inner = (element(scalable, SCALABLE, where, reading) or {}) if scalable is not None else {}
    return of_properties(inner.get("properties"), f"{where}.properties", reading)


def _deploy(instances: Field, path: str, reading: Reading) -> Scalable:
    entries = element(instances, INSTANCES, path, reading) or {}
    deploy = entries.get("deploy")
    if deploy is None or deploy.value is None:
        return ONE
    if type(deploy.value) is not int or deploy.value < 0:
        found = f"expected a whole number of 0 or more, found {_shown(deploy.value)}"
        reading.report.tell(faults.INSTANCES_NUMBER, deploy.at, found, path=f"{path}.deploy")
        return ONE
    return Scalable(default_instances=deploy.value)


def of_properties(properties: Field | None, path: str, reading: Reading) -> Scalable:
    """Return the numbers of a mapping with default_instances, min_instances and max_instances."""
    if properties is None:
        return ONE
    entries = element(properties, SCALABLE_PROPERTIES, path, reading) or {}
    default = _number(entries.get("default_instances"), 1, f"{path}.default_instances", reading)
    least = _number(entries.get("min_instances"), 0, f"{path}.min_instances", reading)
    most = _number(entries.get("max_instances"), UNBOUNDED, f"{path}.max_instances", reading)
    if default is None or least is None or most is None:
        return ONE
    wrong = inconsistency(default, least, most)
    if wrong:
        key, words = wrong
        found = entries.get(key, properties)
        other = next((each for each in entries if each != key and each in words), None)
        reading.report.tell(
            faults.SCALABLE_RANGE,
            found.at,
            words,
            path=f"{path}.{key}",
            places=declared(entries[other].at, f"{other} here") if other is not None else (),
        )
        return ONE
    return Scalable(default_instances=default, min_instances=least, max_instances=most)


def _number(field: Field | None, otherwise: int, path: str, reading: Reading) -> int | Call | None:
    if field is None or field.value is None:
        return otherwise
    value = field.value
    if isinstance(value, Call):
        return value
    if value == "UNBOUNDED" and path.endswith("max_instances"):
        return UNBOUNDED
    if type(value) is int:
        return value
    expected = "a whole number or UNBOUNDED" if path.endswith("max_instances") else "a whole number or a function"
    reading.report.tell(faults.SCALABLE_VALUE, field.at, f"expected {expected}, found {_shown(value)}", path=path)
    return None


def inconsistency(default: int | Call, least: int | Call, most: int | Call) -> tuple[str, str] | None:
    """Return (key, what is wrong) of numbers that do not fit together; functions are left for later."""
    if isinstance(least, int) and least < 0:
        return "min_instances", f"{least} is negative"
    if isinstance(default, int) and default < 0:
        return "default_instances", f"{default} is negative"
    if isinstance(most, int) and most != UNBOUNDED and most < 1:
        return "max_instances", f"{most} is less than 1"
    if isinstance(most, int) and most != UNBOUNDED and isinstance(least, int) and least > most:
        return "min_instances", f"{least} is more than max_instances {most}"
    if isinstance(default, int) and isinstance(least, int) and default < least:
        return "default_instances", f"{default} is less than min_instances {least}"
    if isinstance(default, int) and isinstance(most, int) and most != UNBOUNDED and default > most:
        return "default_instances", f"{default} is more than max_instances {most}"
    return None


def _shown(value: Value) -> str:
    return repr(value) if isinstance(value, str | int | float) else describe(value)
