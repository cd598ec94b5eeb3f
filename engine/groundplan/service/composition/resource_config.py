"""What components and shared resources are told by their properties: `resource_config`, evaluated where they stand."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from groundplan.model.deployment import InstanceState, Owner
from groundplan.model.ids import DeploymentId, InstanceId
from groundplan.model.values import Data, Map, Sensitive, Value, reveal
from groundplan.runtime.children import ChildCall
from groundplan.runtime.evaluation import Evaluator
from groundplan.runtime.library import Library
from groundplan.sdk.errors import NonRecoverableError, OperationRetry
from groundplan.service import deployments
from groundplan.state.store import Snapshot

POLL_SECONDS = 2.0
"""How long a step waits before it looks again at something that it cannot be told of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceConfig:
    """`resource_config` (spec 4.3, 6.1) but for the child's inputs; what the operation says goes before the node's."""

    blueprint: Mapping[str, Data]
    deployment: Mapping[str, Data]
    start_arguments: Mapping[str, Data]

    @property
    def is_external(self) -> bool:
        """Whether the deployment belongs to somebody else."""
        return bool(self.deployment.get("external_resource"))


def read_config(call: ChildCall) -> ResourceConfig:
    """Return the configuration of a step.

    Raises:
        NonRecoverableError: it names another manager, which a home cannot reach.
    """
    client = reveal(call.evaluate(call.template.properties.get("client"), False)) or {}
    if client.get("host"):
        raise NonRecoverableError("client.host names another manager; children are made in this home only.")
    given = reveal(call.inputs.get("resource_config") or {})
    written = call.template.properties.get("resource_config")
    parts: dict[str, Any] = {}
    for section in ("blueprint", "deployment", "executions_start_args"):
        value = written.get(section) if isinstance(written, Map) else None
        found = reveal(call.evaluate(_without(value, "inputs"), False)) or {}
        parts[section] = {**found, **(given.get(section) or {})}
    return ResourceConfig(
        blueprint=parts["blueprint"],
        deployment=parts["deployment"],
        start_arguments=parts["executions_start_args"],
    )


def read_inputs(call: ChildCall) -> Mapping[str, Data]:
    """Return the child's inputs: evaluated here, but with each `get_secret` handed on as the function."""
    given = (reveal(call.inputs.get("resource_config") or {}).get("deployment") or {}).get("inputs")
    if given is not None:
        return dict(given)
    config = call.template.properties.get("resource_config")
    section = config.get("deployment") if isinstance(config, Map) else None
    found = call.evaluate(section.get("inputs") if isinstance(section, Map) else None, True)
    if isinstance(found, Sensitive):
        found = found.value
    if not isinstance(found or {}, dict):
        raise NonRecoverableError("resource_config.deployment.inputs is not a mapping.")
    return dict(found or {})


def target_of(call: ChildCall, config: ResourceConfig) -> DeploymentId:
    """Return the child's id: the one noted at its making, else the one configured, else the instance's own."""
    noted = call.context.instance.runtime_properties.get("deployment")
    if isinstance(noted, dict) and noted.get("id"):
        return DeploymentId(str(noted["id"]))
    return DeploymentId(str(config.deployment.get("id") or call.context.instance.id))


def owner_of(call: ChildCall) -> Owner:
    """Return what a deployment made by this step carries as its owner."""
    return Owner(deployment=call.deployment.id, instance=InstanceId(call.context.instance.id))


def is_own(snapshot: Snapshot, child: DeploymentId, owner: Owner) -> bool:
    """Whether a deployment was made by this very component."""
    known = snapshot.deployment(child)
    return known is not None and known.owner == owner


def evaluate_capabilities(snapshot: Snapshot, library: Library, child: DeploymentId) -> dict[str, Data]:
    """Return a deployment's capabilities as they are in a snapshot."""
    world = library.world(snapshot, deployments.existing(snapshot, child))
    return Evaluator.within(library, snapshot).outputs(world, world.blueprint.capabilities, "capabilities")


def require_installed(snapshot: Snapshot, child: DeploymentId) -> None:
    """Make sure that a deployment can be used.

    Raises:
        OperationRetry: something runs in it.
        NonRecoverableError: it is not installed.
    """
    missing = [item.id for item in snapshot.instances(child) if item.state is not InstanceState.STARTED]
    if not missing:
        return
    running = [item for item in snapshot.executions(deployment=child) if not item.status.is_final]
    if running:
        raise OperationRetry(f"Execution {running[-1].id} runs in {child}; waiting for it.", retry_after=POLL_SECONDS)
    raise NonRecoverableError(f"Deployment {child!r} is not installed: {', '.join(missing[:3])} not started.")


def _without(value: Value, key: str) -> Value:
    if isinstance(value, Map) and key in value.entries:
        return Map({name: field for name, field in value.entries.items() if name != key}, at=value.at)
    return value
