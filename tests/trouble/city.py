"""An environment of 300 nodes in three levels for rehearsing kills: a city has districts, each with a block of houses.

What it makes of itself is told without the ids that each install draws anew, so that two installs can be compared.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from groundplan.model.deployment import NodeInstance
from groundplan.model.ids import DeploymentId
from groundplan.model.values import reveal
from groundplan.service import deployments
from groundplan.service.assembly import open_engine

from ..proof.user import User

DEPLOYMENTS: Final = ("city", *(f"{kind}{number}" for number in range(3) for kind in ("district", "block")))
NODES: Final = 300
_LANES: Final = 4
_HEAD: Final = """tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml, plugin:groundplan-marks]
"""
_ON: Final = "{{type: cloudify.relationships.depends_on, target: n{}}}"
_INPUTS: Final = "inputs: {number: {type: integer}}\n"


def _nodes(count: int, *, seconds: float, last: str = "") -> str:
    """Return marked nodes in lanes, each of which stands on the one before; `last`: further ones."""
    lines = ["node_templates:\n"]
    for number in range(count):
        apart = ", apart: true" if number == count // 2 else ""
        lines.append(
            f"  n{number}:\n    type: groundplan.nodes.Marked\n    properties: {{seconds: {seconds}{apart}}}\n"
        )
        if number >= _LANES:
            lines.append(f"    relationships: [{_ON.format(number - _LANES)}]\n")
    return "".join(lines) + last


def _component(name: str, blueprint: str, number: str, below: int) -> str:
    return f"""  {name}:
    type: cloudify.nodes.ServiceComponent
    properties:
      resource_config:
        blueprint: {{id: {blueprint}, external_resource: true}}
        deployment: {{id: {{concat: [{blueprint}, {number}]}}, inputs: {{number: {number}}}}}
    relationships: [{_ON.format(below)}]
"""


def blueprints(seconds: float) -> Mapping[str, str]:
    """Return the blueprints by id. `seconds`: how long each operation takes at least."""
    of_block = "capabilities: {made: {value: {get_attribute: [n0, made]}}}\n"
    of_district = "capabilities: {made: {value: {get_attribute: [block, capabilities, made]}}}\n"
    parts = "".join(_component(f"part{number}", "district", str(number), 20 + number) for number in range(3))
    made = "".join(
        f"  made{number}: {{value: {{get_attribute: [part{number}, capabilities, made]}}}}\n" for number in range(3)
    )
    block = _component("block", "block", "{get_input: number}", 19)
    return {
        "block": _HEAD + _INPUTS + _nodes(38, seconds=seconds) + of_block,
        "district": _HEAD + _INPUTS + _nodes(38, seconds=seconds, last=block) + of_district,
        "city": _HEAD + _nodes(66, seconds=seconds, last=parts) + "capabilities:\n" + made,
    }


def found(user: User) -> Mapping[str, Any]:
    """Return what an install made: states, runtime properties and capabilities, by deployment and node."""
    with open_engine(user.environment) as engine, engine.store.snapshot() as snapshot:
        made = {it.id: dict(_instances(snapshot.instances(it.id))) for it in snapshot.deployments()}
        given = deployments.capabilities(engine.store, engine.library, DeploymentId("city"))
        return {"instances": made, "capabilities": {name: reveal(value) for name, (value, _) in given.items()}}


def _instances(instances: Sequence[NodeInstance]) -> Iterator[tuple[str, Any]]:
    for it in instances:
        yield it.node, (str(it.state), {name: reveal(value) for name, value in it.runtime_properties.items()})
