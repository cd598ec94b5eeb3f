"""A deployment and its node instances: what exists, as the store knows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import msgspec

from groundplan.model.ids import BlueprintId, DeploymentId, Digest, ExecutionId, InstanceId, NodeId
from groundplan.model.values import Data


class InstanceState(StrEnum):
    """States of a node instance, in the order of its life (spec 5.2)."""

    UNINITIALIZED = "uninitialized"
    INITIALIZING = "initializing"
    CREATING = "creating"
    CREATED = "created"
    CONFIGURING = "configuring"
    CONFIGURED = "configured"
    STARTING = "starting"
    STARTED = "started"
    STOPPING = "stopping"
    STOPPED = "stopped"
    DELETING = "deleting"
    DELETED = "deleted"


class RelationshipInstance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A relationship between two instances.

    Attributes:
        index: which relationship of the source's template this is, counted from 0; two relationships to one target
            stay apart by it (spec Appendix B 9).
    """

    index: int
    type: str
    target_node: NodeId
    target: InstanceId


class GroupMembership(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The scaling-group instance that a node instance belongs to."""

    name: str
    id: str


class NodeInstance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One instance of a node template (spec 5.1).

    Attributes:
        index: 1-based among the instances of its node.
        host: the instance that hosts it (itself for a host), or None.
        runtime_properties: JSON data, `Sensitive` where secret.
        system_properties: what the engine notes about it, for example `status` (spec 5.7).
        version: grows with each change; a write with an older one is refused.
    """

    id: InstanceId
    node: NodeId
    index: int
    host: InstanceId | None = None
    state: InstanceState = InstanceState.UNINITIALIZED
    relationships: tuple[RelationshipInstance, ...] = ()
    scaling_groups: tuple[GroupMembership, ...] = ()
    runtime_properties: Mapping[str, Data] = msgspec.field(default_factory=dict)
    system_properties: Mapping[str, Data] = msgspec.field(default_factory=dict)
    version: int = 1

    def changed(
        self,
        *,
        state: InstanceState | None = None,
        runtime_properties: Mapping[str, Data] | None = None,
        system_properties: Mapping[str, Data] | None = None,
    ) -> "NodeInstance":
        """Return the instance in its next version; what is None stays as it is."""
        return msgspec.structs.replace(
            self,
            state=self.state if state is None else state,
            runtime_properties=self.runtime_properties if runtime_properties is None else runtime_properties,
            system_properties=self.system_properties if system_properties is None else system_properties,
            version=self.version + 1,
        )

    def with_relationships(self, relationships: tuple[RelationshipInstance, ...]) -> "NodeInstance":
        """Return the instance with other relationships, in the same version: a description, not a change."""
        return msgspec.structs.replace(self, relationships=relationships)

    def relinked(self, as_in: "NodeInstance") -> "NodeInstance":
        """Return the instance in its next version, with the place and the links of another description of it."""
        return msgspec.structs.replace(
            self,
            index=as_in.index,
            host=as_in.host,
            relationships=as_in.relationships,
            scaling_groups=as_in.scaling_groups,
            version=self.version + 1,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """The component that created a deployment: only it may change or delete it."""

    deployment: DeploymentId
    instance: InstanceId


@dataclass(frozen=True, kw_only=True, slots=True)
class Modification:
    """A change of counts under way (spec 5.1): begun by an execution, and neither finished nor rolled back.

    Attributes:
        counts: what `Scaling.counts` become when it is finished.
        added: instances that exist for it alone; rolling it back takes them away.
        removed: instances that finishing it takes away.
    """

    execution: ExecutionId
    counts: Mapping[str, int]
    added: tuple[InstanceId, ...] = ()
    removed: tuple[InstanceId, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Scaling:
    """How many instances a deployment is to have.

    Attributes:
        counts: instances of each node and scaling group within one instance of what it is inside of; evaluated.
        modification: the one that is under way, or None.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    modification: Modification | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """An environment made from one blueprint with inputs.

    Attributes:
        digest: content of the blueprint it was made from; replacing the blueprint leaves it as it is.
        inputs: every declared input, supplied values and defaults, functions as written (JSON data).
        labels: key to values.
    """

    id: DeploymentId
    blueprint: BlueprintId
    digest: Digest
    created_at: datetime
    inputs: Mapping[str, Data] = field(default_factory=dict)
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    display_name: str = ""
    owner: Owner | None = None
    scaling: Scaling = field(default_factory=Scaling)


class DependencyKind(StrEnum):
    """Why one deployment needs another (spec 6.4)."""

    COMPONENT = "component"
    SHARED_RESOURCE = "shared resource"
    CAPABILITY = "capability"


@dataclass(frozen=True, kw_only=True, slots=True)
class Dependency:
    """An inter-deployment dependency: `source` needs `target`.

    Attributes:
        id: for example `component.db_a1b2c3` or `outputs.url.get_capability`.
    """

    id: str
    kind: DependencyKind
    source: DeploymentId
    target: DeploymentId
    node: NodeId | None = None
    execution: ExecutionId | None = None
