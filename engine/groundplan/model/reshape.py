"""How a stage of a workflow changes what a deployment consists of: its instances, their links, its counts, its content.

Written with the stage's tasks in one transaction, so that a stage is there with its reshape or not at all. Who decides
on it is `planning`; `state` writes it and `runtime` makes the same change in memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from groundplan.model.deployment import NodeInstance, Scaling
from groundplan.model.ids import BlueprintId, Digest, InstanceId
from groundplan.model.values import Data


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What a deployment is made of, for an update; the fields are those of `Deployment`."""

    blueprint: BlueprintId
    digest: Digest
    inputs: Mapping[str, Data]
    labels: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reshape:
    """What changes of a deployment besides what its operations change.

    Attributes:
        added: new instances, after those that there are.
        removed: instances that are forgotten; nothing that stays may relate to them.
        relinked: instances that are there already, with the index, host, relationships and scaling groups that they
            get; the rest of them stays as it is.
        noted: the whole system properties that instances get.
        scaling: the counts and the modification under way, where they change.
        content: what the deployment is made of from now on, where that changes.
    """

    added: tuple[NodeInstance, ...] = ()
    removed: frozenset[InstanceId] = frozenset()
    relinked: tuple[NodeInstance, ...] = ()
    noted: Mapping[InstanceId, Mapping[str, Data]] = field(default_factory=dict)
    scaling: Scaling | None = None
    content: Content | None = None
