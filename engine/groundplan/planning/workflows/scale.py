"""The scale workflow (spec 5.5): more or fewer instances of a node or scaling group.

What is begun is recorded with the deployment (`model.deployment.Modification`) until it is finished or rolled back, so
that a second one is refused meanwhile. Which instances come and go is `planning.modification`'s.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from groundplan.model.deployment import InstanceState, Modification, NodeInstance, Scaling
from groundplan.model.execution import TaskState
from groundplan.model.graph import TaskGraph
from groundplan.model.ids import InstanceId
from groundplan.model.reshape import Reshape
from groundplan.model.values import Data
from groundplan.planning.faults import PlanningError
from groundplan.planning.graphs import GraphBuilder
from groundplan.planning.lifecycle import Steps
from groundplan.planning.modification import InstanceChanges, change_counts, counts_now, scaled_name, without
from groundplan.planning.stages import Facts, Stage
from groundplan.planning.workflows.install import install
from groundplan.planning.workflows.parameters import flag, names, text, whole_number
from groundplan.planning.workflows.rollback import rollback
from groundplan.planning.workflows.uninstall import uninstall

_GOOD: Final = frozenset({TaskState.SUCCEEDED, TaskState.IGNORED})


def scale(parameters: Mapping[str, Data]) -> "Scale":
    """Return the stages of a scale that was given its parameters.

    Raises:
        PlanningError: `parameter-type`.
    """
    return Scale(
        entity=text(parameters, "scalable_entity_name"),
        delta=whole_number(parameters, "delta", default=1),
        compute=flag(parameters, "scale_compute", default=False),
        include=names(parameters, "include_instances"),
        exclude=names(parameters, "exclude_instances"),
        ignore_failure=flag(parameters, "ignore_failure", default=False),
        rollback_if_failed=flag(parameters, "rollback_if_failed", default=True),
        abort_started=flag(parameters, "abort_started", default=False),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """A change of counts, stage by stage: (clear away what an earlier one left,) begin, finish; or back.

    Attributes:
        entity: name of a scaling group or node.
        compute: scale the host that the node stands on.
        include: instances that go first.
        exclude: instances that stay.
        ignore_failure: of what is uninstalled.
        abort_started: take back a modification that another execution began and left.
    """

    entity: str
    delta: int
    compute: bool
    include: Sequence[str]
    exclude: Sequence[str]
    ignore_failure: bool
    rollback_if_failed: bool
    abort_started: bool

    def next(self, facts: Facts) -> Stage | None:
        """Plan the stage that is due; None when all is done, or when what failed is not taken back.

        Raises:
            PlanningError: the parameters do not fit the deployment, or another modification is under way.
        """
        forth = (self._clear, self._begin) if self.abort_started else (self._begin,)
        if facts.stage < len(forth):
            return None if facts.failed else forth[facts.stage](facts)
        if not facts.failed:
            return self._finish(facts)
        return self._take_back(facts, facts.stage - len(forth))

    # -- forth

    def _clear(self, facts: Facts) -> Stage:
        """Uninstall what an earlier modification added; its record goes when the next one begins."""
        left = facts.deployment.scaling.modification
        about = "nothing to clear away" if left is None else f"clear away what execution {left.execution} began"
        return Stage(graph=self._uninstalled(facts, () if left is None else left.added), about=about)

    def _begin(self, facts: Facts) -> Stage:
        left = facts.deployment.scaling.modification
        if left is not None and not self.abort_started:
            raise PlanningError(
                "modification-started",
                f"Execution {left.execution} has begun to scale this deployment and has not finished.",
                fix="resume it, or start with abort_started: true to take back what it began.",
            )
        dropped = frozenset() if left is None else frozenset(left.added)
        unlinked = {item.id: item for item in without(facts.instances, dropped)}
        cleared = [unlinked.get(item.id, item) for item in facts.instances if item.id not in dropped]
        facts = replace(facts, instances=cleared)
        name = scaled_name(facts.blueprint, self.entity, compute=self.compute)
        counts = counts_now(facts.blueprint, facts.deployment, cleared)
        wanted = {**counts, name: self._wanted(name, counts[name])}
        changes = self._changes(facts, name, wanted)
        begun = Modification(
            execution=facts.execution,
            counts=wanted,
            added=tuple(item.id for item in changes.added),
            removed=changes.removed,
        )
        linked = {**unlinked, **{item.id: item for item in changes.extended}}
        reshape = Reshape(
            added=changes.added,
            removed=dropped,
            relinked=tuple(linked.values()),
            scaling=Scaling(counts=counts, modification=begun if self.delta else None),
        )
        about = f"scale {name} from {counts[name]} to {wanted[name]}"
        return Stage(graph=self._changing(facts, changes), reshape=reshape, about=about)

    def _wanted(self, name: str, count: int) -> int:
        if count + self.delta < 0:
            raise PlanningError(
                "instance-count",
                f"{name!r} has {count} instances in each place; {-self.delta} of them cannot go.",
                path="delta",
            )
        return count + self.delta

    def _changes(self, facts: Facts, name: str, wanted: Mapping[str, int]) -> InstanceChanges:
        doomed, spared = self._hints(facts, name)
        changes = change_counts(facts.blueprint, facts.instances, wanted, facts.new_id, doomed=doomed, spared=spared)
        going = _identities(name, [item for item in facts.instances if item.id in changes.removed])
        if not doomed <= going or spared & going:
            raise PlanningError(
                "instance-hints",
                f"{len(going)} instances of {name!r} go: they cannot be all of include_instances "
                f"({_listed(self.include)}) and none of exclude_instances ({_listed(self.exclude)}).",
                path="include_instances",
            )
        return changes

    def _hints(self, facts: Facts, name: str) -> tuple[set[str], set[str]]:
        """Return the instances of the node or group that are to go and to stay, by their own ids."""
        if not self.include and not self.exclude:
            return set(), set()
        if self.delta >= 0 or self.compute:
            raise PlanningError(
                "instance-hints",
                "include_instances and exclude_instances are for scaling in, and not with scale_compute.",
                path="include_instances" if self.include else "exclude_instances",
            )
        known = {own: own for own in _identities(name, facts.instances)}
        for item in facts.instances:
            known.update((item.id, group.id) for group in item.scaling_groups if group.name == name)
        unknown = [own for own in (*self.include, *self.exclude) if own not in known]
        both = [own for own in self.include if own in self.exclude]
        if unknown or both:
            words = f"are no instances of {name!r}" if unknown else "are both to go and to stay"
            raise PlanningError("instance-hints", f"These {words}: {', '.join(unknown or both)}.")
        return {known[own] for own in self.include}, {known[own] for own in self.exclude}

    def _changing(self, facts: Facts, changes: InstanceChanges) -> TaskGraph:
        if self.delta < 0:
            return self._uninstalled(facts, changes.removed)
        extended = {item.id: item for item in changes.extended}
        instances = [*(extended.get(item.id, item) for item in facts.instances), *changes.added]
        added = {item.id for item in changes.added}
        return install(facts.blueprint, instances, selection=added, first=facts.first)

    def _uninstalled(self, facts: Facts, chosen: Sequence[InstanceId]) -> TaskGraph:
        return uninstall(
            facts.blueprint,
            facts.instances,
            ignore_failure=self.ignore_failure,
            selection=set(chosen),
            first=facts.first,
        )

    def _finish(self, facts: Facts) -> Stage | None:
        """Commit the counts; what lost the target of an `all_to_one` relationship gets another."""
        begun = facts.deployment.scaling.modification
        if begun is None:
            return None
        doomed = _with_groups(facts.instances, frozenset(begun.removed))
        changes = change_counts(facts.blueprint, facts.instances, begun.counts, facts.new_id, doomed=doomed)
        final = {item.id: item for item in (*changes.extended, *changes.final)}
        reshape = Reshape(
            removed=frozenset(changes.removed),
            relinked=tuple(final.values()),
            scaling=Scaling(counts=begun.counts),
        )
        steps, builder = Steps(facts.blueprint), GraphBuilder(facts.first)
        known = {item.id: {link.target for link in item.relationships} for item in facts.instances}
        for item in final.values():
            if item.state is InstanceState.STARTED:
                gained = [link.target for link in item.relationships if link.target not in known[item.id]]
                builder.chain(item.id, steps.relationships(item, "establish", gained) if gained else [])
        return Stage(graph=builder.finish(), reshape=reshape, about="commit the counts")

    # -- back

    def _take_back(self, facts: Facts, step: int) -> Stage | None:
        begun = facts.deployment.scaling.modification
        if begun is None or begun.execution != facts.execution or not self.rollback_if_failed:
            return None
        if self.delta < 0:
            return Stage(graph=_nothing(facts), reshape=Reshape(scaling=_as_before(facts)), about="keep the counts")
        ways: Sequence[Callable[[Facts, Modification], Stage | None]] = (self._roll_back, self._remove, self._forget)
        return ways[step](facts, begun)

    def _roll_back(self, facts: Facts, begun: Modification) -> Stage:
        graph = rollback(facts.blueprint, facts.instances, selection=set(begun.added), first=facts.first)
        return Stage(graph=graph, about="roll back what was begun")

    def _remove(self, facts: Facts, begun: Modification) -> Stage:
        return Stage(graph=self._uninstalled(facts, begun.added), about="uninstall what was added")

    def _forget(self, facts: Facts, begun: Modification) -> Stage | None:
        if any(each.stage == facts.stage - 1 and each.state not in _GOOD for each in facts.ended):
            return None
        gone = frozenset(begun.added)
        reshape = Reshape(removed=gone, relinked=without(facts.instances, gone), scaling=_as_before(facts))
        return Stage(graph=_nothing(facts), reshape=reshape, about="keep the counts")


def _nothing(facts: Facts) -> TaskGraph:
    return TaskGraph(tasks=(), waits=(), first=facts.first)


def _as_before(facts: Facts) -> Scaling:
    return Scaling(counts=facts.deployment.scaling.counts)


def _identities(name: str, instances: Sequence[NodeInstance]) -> set[str]:
    """Return the ids of the instances of a node or scaling group."""
    groups = {group.id for item in instances for group in item.scaling_groups if group.name == name}
    return groups or {item.id for item in instances if item.node == name}


def _with_groups(instances: Sequence[NodeInstance], gone: frozenset[InstanceId]) -> frozenset[str]:
    """Return instances with those of scaling groups that have no other member."""
    left = {group.id for item in instances if item.id not in gone for group in item.scaling_groups}
    groups = {group.id for item in instances for group in item.scaling_groups}
    return gone | (groups - left)


def _listed(ids: Sequence[str]) -> str:
    return ", ".join(ids) or "none"
