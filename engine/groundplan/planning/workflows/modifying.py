"""Changes of counts that a custom workflow begins, finishes and takes back by itself (spec 7.5, `start_modification`).

The tasks between are the workflow's own, whereas `scale` plans both. What is begun is recorded with the deployment, so
that nobody begins a second one meanwhile.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from groundplan.model.blueprint import Blueprint
from groundplan.model.deployment import Deployment, Modification, NodeInstance, Scaling
from groundplan.model.ids import ExecutionId, InstanceId
from groundplan.model.requests import Count
from groundplan.model.reshape import Reshape
from groundplan.model.values import Data
from groundplan.planning.faults import PlanningError
from groundplan.planning.modification import change_counts, counts_now, scaled_name, without


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """A deployment as it stands when a change is asked for."""

    blueprint: Blueprint
    deployment: Deployment
    instances: Sequence[NodeInstance]


def begin_modification(
    standing: Standing, execution: ExecutionId, counts: Mapping[str, Count], new_id: Callable[[str], str]
) -> tuple[Reshape, Data]:
    """Return what changes when counts are to become others, and what the workflow is shown of it.

    Raises:
        PlanningError: `modification-started`, or a name, count or hint that does not fit.
    """
    begun = standing.deployment.scaling.modification
    if begun is not None:
        raise PlanningError(
            "modification-started", f"execution {begun.execution} has begun a modification and has not finished"
        )
    now = counts_now(standing.blueprint, standing.deployment, standing.instances)
    wanted = dict(now)
    doomed, spared = set[str](), set[str]()
    for name, count in counts.items():
        own = scaled_name(standing.blueprint, name, compute=False)
        wanted[own] = count.instances
        doomed |= _identities(standing.instances, own, count.removed_ids_include_hint)
        spared |= _identities(standing.instances, own, count.removed_ids_exclude_hint)
    changes = change_counts(
        standing.blueprint, standing.instances, wanted, new_id, doomed=doomed, spared=spared - doomed
    )
    modification = Modification(
        execution=execution,
        counts=wanted,
        added=tuple(item.id for item in changes.added),
        removed=changes.removed,
    )
    reshape = Reshape(
        added=changes.added,
        relinked=changes.extended,
        scaling=Scaling(counts=now, modification=modification),
    )
    extended = {item.id: item for item in changes.extended}
    after = [*(extended.get(item.id, item) for item in standing.instances), *changes.added]
    return reshape, shown_modification(modification, after)


def finish_modification(standing: Standing, execution: ExecutionId, new_id: Callable[[str], str]) -> Reshape:
    """Return what changes when a modification is finished: what was to go is gone, the counts hold.

    Raises:
        PlanningError: `no-modification`.
    """
    begun = _own(standing, execution)
    doomed = frozenset[str](begun.removed)
    left = {group.id for item in standing.instances if item.id not in doomed for group in item.scaling_groups}
    groups = {group.id for item in standing.instances for group in item.scaling_groups}
    changes = change_counts(
        standing.blueprint, standing.instances, begun.counts, new_id, doomed=doomed | (groups - left)
    )
    final = {item.id: item for item in (*changes.extended, *changes.final)}
    return Reshape(
        removed=frozenset(changes.removed), relinked=tuple(final.values()), scaling=Scaling(counts=begun.counts)
    )


def take_back_modification(standing: Standing, execution: ExecutionId) -> Reshape:
    """Return what changes when a modification is taken back: what was added is gone, the counts stay.

    Raises:
        PlanningError: `no-modification`.
    """
    gone = frozenset(_own(standing, execution).added)
    return Reshape(
        removed=gone,
        relinked=without(standing.instances, gone),
        scaling=Scaling(counts=standing.deployment.scaling.counts),
    )


def shown_modification(modification: Modification, instances: Sequence[NodeInstance]) -> dict[str, Data]:
    """Return a modification as a workflow is shown it: with the instances that relate to what comes and goes."""
    return {
        "id": modification.execution,
        "added": list(modification.added),
        "added_related": _related(instances, modification.added),
        "removed": list(modification.removed),
        "removed_related": _related(instances, modification.removed),
    }


def _own(standing: Standing, execution: ExecutionId) -> Modification:
    begun = standing.deployment.scaling.modification
    if begun is None or begun.execution != execution:
        raise PlanningError("no-modification", "this execution has begun no modification")
    return begun


def _identities(instances: Sequence[NodeInstance], name: str, hints: Collection[str]) -> set[str]:
    """Return the instances of a node or scaling group that hints mean; a member stands for its group's instance."""
    known = {item.id: str(item.id) for item in instances if item.node == name}
    for item in instances:
        for group in item.scaling_groups:
            if group.name == name:
                known[InstanceId(group.id)] = known[item.id] = group.id
    unknown = sorted(hint for hint in hints if InstanceId(hint) not in known)
    if unknown:
        raise PlanningError("instance-hints", f"{', '.join(unknown)}: no instances of {name!r}")
    return {known[InstanceId(hint)] for hint in hints}


def _related(instances: Sequence[NodeInstance], chosen: Collection[InstanceId]) -> list[str]:
    targets = {link.target for item in instances if item.id in chosen for link in item.relationships}
    sources = {item.id for item in instances if any(link.target in chosen for link in item.relationships)}
    return [item.id for item in instances if item.id in (targets | sources) and item.id not in chosen]
