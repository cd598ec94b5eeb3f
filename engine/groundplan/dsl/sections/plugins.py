"""The section `plugins` (spec 1.13). Which operations belong to a plugin is found in `operations`."""

from groundplan.diagnostics.suggest import suggest
from groundplan.dsl import faults
from groundplan.dsl.shape import Reading, element, entries_of, flag_of, text_of, value_of
from groundplan.dsl.versions import PLUGIN, PLUGIN_PROPERTY
from groundplan.model.blueprint import Plugin
from groundplan.model.values import Data, Field, to_data

EXECUTORS = ("central_deployment_agent", "host_agent")


def read(fields: dict[str, Field], reading: Reading) -> dict[str, Plugin]:
    """Return the plugins; one with faults is among them, so that its operations are found."""
    return {name: _plugin(name, field, reading) for name, field in fields.items()}


def _plugin(name: str, field: Field, reading: Reading) -> Plugin:
    path = f"plugins.{name}"
    entries = element(field, PLUGIN, path, reading) or {}
    install = flag_of(entries, "install", True)
    if entries and install and not (text_of(entries, "source") or text_of(entries, "package_name")):
        reading.report.tell(
            faults.PLUGIN_SOURCE,
            field.key_at,
            "neither source nor package_name",
            path=path,
            fix="add a source or a package_name, or install: false.",
        )
    return Plugin(
        name=name,
        executor=executor(entries.get("executor"), f"{path}.executor", reading) or EXECUTORS[0],
        install=install,
        source=text_of(entries, "source"),
        install_arguments=text_of(entries, "install_arguments"),
        package_name=text_of(entries, "package_name"),
        package_version=text_of(entries, "package_version"),
        properties=_properties(entries.get("properties"), f"{path}.properties", reading),
    )


def executor(field: Field | None, path: str, reading: Reading) -> str | None:
    """Return a written executor, or None, with a fault when there is no such one."""
    if field is None or field.value is None:
        return None
    if field.value not in EXECUTORS:
        near = [each for each in EXECUTORS if isinstance(field.value, str) and each.startswith(field.value)]
        reading.report.tell(
            faults.EXECUTOR,
            field.at,
            f"expected {' or '.join(EXECUTORS)}, found {field.value}",
            path=path,
            suggestion=near[0] if near else suggest(str(field.value), EXECUTORS),
        )
        return None
    return str(field.value)


def _properties(field: Field | None, path: str, reading: Reading) -> dict[str, Data]:
    properties: dict[str, Data] = {}
    for name, found in entries_of(field, path, reading).items():
        entries = element(found, PLUGIN_PROPERTY, f"{path}.{name}", reading)
        if entries is not None:
            properties[name] = {key: to_data(value_of(entries, key)) for key in entries}
    return properties
