"""The section `workflows` (spec 1.14)."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from groundplan.dsl import faults
from groundplan.dsl.conformance import Conformance
from groundplan.dsl.operations import RUN_WORKFLOW_SCRIPT, Implementations
from groundplan.dsl.sections import inputs
from groundplan.dsl.shape import Reading, element, flag_of, items_of, names_of, text_of
from groundplan.dsl.versions import AVAILABILITY, WORKFLOW
from groundplan.model.blueprint import Workflow
from groundplan.model.types import Schema
from groundplan.model.values import Data, Field, to_data

_ACTIVE = ("all", "partial", "none")


def read(
    fields: dict[str, Field],
    names: AbstractSet[str],
    conformance: Conformance,
    implementations: Implementations,
    reading: Reading,
) -> dict[str, Workflow]:
    """Return the workflows; one whose mapping stands for nothing is left out, with a fault."""
    workflows = {}
    for name, field in fields.items():
        workflow = _workflow(name, field, names, conformance, implementations, reading)
        if workflow is not None:
            workflows[name] = workflow
    return workflows


def _workflow(
    name: str,
    field: Field,
    names: AbstractSet[str],
    conformance: Conformance,
    implementations: Implementations,
    reading: Reading,
) -> Workflow | None:
    path = f"workflows.{name}"
    if isinstance(field.value, str):
        entries, mapping, at = {}, field.value, field.at
    else:
        entries = element(field, WORKFLOW, path, reading) or {}
        mapping = text_of(entries, "mapping") or ""
        at = entries["mapping"].at if "mapping" in entries else field.key_at
    parameters = inputs.read_parameters(entries.get("parameters"), f"{path}.parameters", names, conformance, reading)
    rules = _availability(entries.get("availability_rules"), f"{path}.availability_rules", reading)
    if not mapping:
        if field.value == "" or "mapping" in entries:
            reading.report.tell(faults.KEY_MISSING, at, "expected what runs it, found nothing", path=path)
        return None
    found = implementations.resolve(mapping, at, path, RUN_WORKFLOW_SCRIPT)
    if found is None:
        return None
    if found.script is not None:
        parameters = _with_script(parameters, found.script, at, path, reading)
    return Workflow(
        name=name,
        plugin=found.plugin,
        operation=found.operation,
        parameters=parameters,
        is_cascading=flag_of(entries, "is_cascading", False),
        availability_rules=rules,
    )


def _with_script(
    parameters: Mapping[str, Schema], script: tuple[str, str], at: int, path: str, reading: Reading
) -> dict[str, Schema]:
    key, value = script
    if key in parameters:
        reading.report.tell(
            faults.SCRIPT_PATH_TWICE, parameters[key].at, "the mapping is a script already", path=f"{path}.parameters"
        )
    described = Schema(
        default=value,
        has_default=True,
        description="Workflow script executed by the script plugin",
        at=at,
        default_at=at,
    )
    return {**parameters, key: described}


def _availability(field: Field | None, path: str, reading: Reading) -> Data:
    if field is None:
        return None
    entries = element(field, AVAILABILITY, path, reading) or {}
    for item in items_of(entries.get("node_instances_active"), f"{path}.node_instances_active", reading):
        if item.value not in _ACTIVE:
            reading.report.tell(
                faults.AVAILABILITY,
                item.at,
                f"expected {', '.join(_ACTIVE)}, found {to_data(item.value)}",
                path=f"{path}.node_instances_active",
            )
    tuple(names_of(entries.get("node_types_required"), f"{path}.node_types_required", reading))
    return {key: to_data(found.value) for key, found in entries.items()}
