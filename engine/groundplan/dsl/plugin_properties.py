"""Plugin properties that an import sets: `{plugin:NAME: {property: value}}` (spec 1.4, since 1_5)."""

from collections.abc import Mapping

from groundplan.diagnostics.suggest import suggest
from groundplan.dsl import faults
from groundplan.dsl.reader import as_map, describe
from groundplan.dsl.shape import Reading, declared
from groundplan.model.values import Call, Field, Map, Seq

_ACCEPTED: Mapping[str, tuple[type, ...]] = {
    "string": (str, int),
    "integer": (int,),
    "float": (int, float),
    "boolean": (bool,),
    "list": (Seq,),
}


def with_values(sections: dict[str, Field], given: Field, path: str, reading: Reading) -> dict[str, Field]:
    """Return the sections of a plugin's file with the given values set on every plugin that declares properties."""
    values = as_map(given.value)
    section = sections.get("plugins")
    plugins = as_map(section.value) if section is not None else None
    if values is None:
        return sections
    known: dict[str, Field] = {}
    entries = {} if plugins is None else dict(plugins.entries)
    for name, field in list(entries.items()):
        plugin = as_map(field.value)
        properties = as_map(plugin.get("properties")) if plugin is not None else None
        if plugin is not None and properties is not None:
            known.update(properties.entries)
            filled = Map(_filled(properties.entries, values.entries, path, reading), properties.at)
            inner = {**plugin.entries, "properties": Field(filled, properties.at, properties.at)}
            entries[name] = Field(Map(inner, plugin.at), field.at, field.key_at)
    for name, field in values.entries.items():
        if name not in known:
            reading.report.tell(
                faults.PLUGIN_PROPERTY,
                field.key_at,
                f"the plugin has no property {name}" if known else "no plugin in the file has properties",
                path=f"{path}.{name}",
                suggestion=suggest(name, known),
            )
    if section is None or plugins is None:
        return sections
    return {**sections, "plugins": Field(Map(entries, plugins.at), section.at, section.key_at)}


def _filled(properties: dict[str, Field], values: dict[str, Field], path: str, reading: Reading) -> dict[str, Field]:
    filled = dict(properties)
    for name in properties.keys() & values.keys():
        schema = as_map(properties[name].value)
        if schema is None:
            continue
        _check(values[name], schema, f"{path}.{name}", reading)
        filled[name] = Field(
            Map({**schema.entries, "value": values[name]}, schema.at), properties[name].at, properties[name].key_at
        )
    return filled


def _check(given: Field, schema: Map, path: str, reading: Reading) -> None:
    type_name = schema.get("type")
    accepted = _ACCEPTED.get(type_name) if isinstance(type_name, str) else None
    value = given.value
    if accepted is None or isinstance(value, Call):
        return
    is_right = isinstance(value, accepted) and (bool in accepted or not isinstance(value, bool))
    if not is_right:
        reading.report.tell(
            faults.PLUGIN_PROPERTY,
            given.at,
            f"expected {type_name}, found {describe(value)}",
            path=path,
            places=declared(schema.entries["type"].at, f"declared {type_name} here"),
        )
