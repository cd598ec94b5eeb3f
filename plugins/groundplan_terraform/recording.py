"""What a node's runtime properties tell of the state: resources, outputs, drifts; what is sensitive is marked so.

Read from what `show -json` tells: it alone says which values are sensitive. Running it is `client`'s work.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from groundplan.model.values import Data, Sensitive
from groundplan.sdk.context import OperationContext
from groundplan_terraform.workspace import STATE, StateCopy

RESOURCES: Final = "resources"
OUTPUTS: Final = "outputs"
DRIFTS: Final = "drifts"
IS_DRIFTED: Final = "is_drifted"
PLAN: Final = "plan"
PLAIN_TEXT_PLAN: Final = "plain_text_plan"
_RESTING: Final = (["no-op"], ["read"])


def record_state(ctx: OperationContext, state: StateCopy | None) -> None:
    """Put the state itself into the runtime properties, sealed as a whole."""
    if state is not None:
        ctx.instance.runtime_properties[STATE] = Sensitive(state.text)


def record(ctx: OperationContext, shown: Mapping[str, Any]) -> None:
    """Put resources and outputs into the runtime properties.

    Args:
        shown: the state as `show -json` tells it.
    """
    values = shown.get("values") or {}
    properties = ctx.instance.runtime_properties
    properties[RESOURCES] = _learnt(ctx, _resources(values.get("root_module") or {}))
    properties[OUTPUTS] = _learnt(ctx, {name: _output(each) for name, each in (values.get("outputs") or {}).items()})


def record_plan(ctx: OperationContext, changes: Mapping[str, Any], text: str) -> None:
    """Put a plan into the runtime properties: what would be changed, and how people read it."""
    plan = {
        "format_version": changes.get("format_version"),
        "terraform_version": changes.get("terraform_version"),
        "resource_changes": [
            {**_without(each, "change"), "change": _change(each["change"])}
            for each in changes.get("resource_changes") or ()
        ],
        "output_changes": {name: _change(each) for name, each in (changes.get("output_changes") or {}).items()},
    }
    ctx.instance.runtime_properties[PLAN] = _learnt(ctx, plan)
    ctx.instance.runtime_properties[PLAIN_TEXT_PLAN] = text


def record_drifts(ctx: OperationContext, changes: Mapping[str, Any]) -> dict[str, Data]:
    """Put what an apply would change into the runtime properties.

    Returns:
        `{"aws_vpc.vpc": {"actions": ["update"], "fields": ["tags"]}}`; values are not told: they may be secret.
    """
    drifted = [each for each in changes.get("resource_changes") or () if each["change"]["actions"] not in _RESTING]
    properties = ctx.instance.runtime_properties
    properties[DRIFTS] = _learnt(ctx, {str(each["name"]): _change(each["change"]) for each in drifted})
    properties[IS_DRIFTED] = bool(drifted)
    return {
        str(each["address"]): {"actions": each["change"]["actions"], "fields": _changed_fields(each["change"])}
        for each in drifted
    }


def vanished(changes: Mapping[str, Any]) -> list[str]:
    """Return the addresses of resources that the state has and the world has no more."""
    return sorted(
        str(each["address"]) for each in changes.get("resource_drift") or () if "delete" in each["change"]["actions"]
    )


def _resources(root: Mapping[str, Any]) -> dict[str, Data]:
    """Return the resources by name, as the state has them; where two have one name, each by its address as well."""
    by_address: dict[str, dict[str, Data]] = {}
    for instance, module in _instances(root, ""):
        address = _address(instance, module)
        if address not in by_address:
            by_address[address] = _resource(instance, module)
        by_address[address]["instances"].append(_instance(instance))
    found: dict[str, Data] = {}
    names = Counter(str(resource["name"]) for resource in by_address.values())
    for address, resource in by_address.items():
        name = str(resource["name"])
        if names[name] > 1:
            found[address] = resource
        if name not in found or found[name]["mode"] == "data":
            found[name] = resource
    return found


def _instances(module: Mapping[str, Any], path: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    for instance in module.get("resources") or ():
        yield instance, path
    for child in module.get("child_modules") or ():
        yield from _instances(child, str(child["address"]))


def _address(instance: Mapping[str, Any], module: str) -> str:
    kind = "data" if instance["mode"] == "data" else ""
    return ".".join(filter(None, (module, kind, instance["type"], instance["name"])))


def _resource(instance: Mapping[str, Any], module: str) -> dict[str, Data]:
    return {
        **({"module": module} if module else {}),
        "mode": instance["mode"],
        "type": instance["type"],
        "name": instance["name"],
        "provider": f'provider["{instance.get("provider_name")}"]',
        "instances": [],
    }


def _instance(instance: Mapping[str, Any]) -> dict[str, Data]:
    return {
        **({"index_key": instance["index"]} if "index" in instance else {}),
        "attributes": _marked(instance.get("values") or {}, instance.get("sensitive_values")),
    }


def _output(output: Mapping[str, Any]) -> dict[str, Data]:
    is_sensitive = bool(output.get("sensitive"))
    value = output.get("value")
    return {
        "sensitive": is_sensitive,
        "type": output.get("type"),
        "value": Sensitive(value) if is_sensitive and value is not None else value,
    }


def _change(change: Mapping[str, Any]) -> dict[str, Data]:
    return {
        "actions": change.get("actions"),
        "before": _marked(change.get("before"), change.get("before_sensitive")),
        "after": _marked(change.get("after"), change.get("after_sensitive")),
        "after_unknown": change.get("after_unknown"),
    }


def _changed_fields(change: Mapping[str, Any]) -> list[str]:
    """Return the fields that would be set to another value; what follows from them is not known before."""
    before, after, unknown = (change.get(name) or {} for name in ("before", "after", "after_unknown"))
    if not before or not after:
        return []
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name) and not unknown.get(name))


def _marked(data: Data, sensitive: Any) -> Data:
    """Return data with `Sensitive` where the binary says so: true for all of it, or a mapping or list of such."""
    if sensitive is True:
        return data if data is None else Sensitive(data)
    if isinstance(data, Mapping) and isinstance(sensitive, Mapping):
        return {key: _marked(item, sensitive.get(key)) for key, item in data.items()}
    if isinstance(data, list) and isinstance(sensitive, list):
        marks = [*sensitive, *([None] * len(data))]
        return [_marked(item, mark) for item, mark in zip(data, marks, strict=False)]
    return data


def _learnt(ctx: OperationContext, data: Data) -> Data:
    """Return the data, after its sensitive texts were told to the engine, which masks them from now on."""
    for text in _sensitive_texts(data, inside=False):
        ctx.mask(text)
    return data


def _sensitive_texts(data: Data, *, inside: bool) -> Iterator[str]:
    if isinstance(data, Sensitive):
        yield from _sensitive_texts(data.value, inside=True)
    elif isinstance(data, Mapping):
        for item in data.values():
            yield from _sensitive_texts(item, inside=inside)
    elif isinstance(data, list):
        for item in data:
            yield from _sensitive_texts(item, inside=inside)
    elif inside and isinstance(data, str):
        yield data


def _without(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: item for key, item in data.items() if key != name}
