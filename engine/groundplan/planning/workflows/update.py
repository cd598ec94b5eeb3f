"""The update workflow (spec 5.10): from what an update changes to the tasks that change it, phase by phase.

What changes was found before it started (`planning.changes`) and stands in its parameters; what has drifted or fails is
looked at in the first phase. Records and blueprints are the service's: this plans tasks only.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from groundplan.model.blueprint import Blueprint
from groundplan.model.deployment import InstanceState, NodeInstance
from groundplan.model.execution import TaskState
from groundplan.model.graph import TaskGraph
from groundplan.model.ids import InstanceId
from groundplan.model.reshape import Reshape
from groundplan.model.update import Difference, Link
from groundplan.model.values import Data, replaced, reveal
from groundplan.planning.chains import Manner, Step
from groundplan.planning.graphs import Chain, GraphBuilder, order_chains
from groundplan.planning.health import (
    CHECK_DRIFT,
    CHECK_RELATIONSHIP_DRIFT,
    CHECK_STATUS,
    note_healed,
    note_updated,
)
from groundplan.planning.lifecycle import LIFECYCLE, RELATIONSHIP_LIFECYCLE, Steps
from groundplan.planning.relations import contained_in, waits_for
from groundplan.planning.stages import Ended, Facts, Stage
from groundplan.planning.workflows.install import install
from groundplan.planning.workflows.uninstall import uninstall

UPDATE_OPERATIONS: Final = ("preupdate", "update", "postupdate", "update_config", "update_apply", "update_postapply")
_UPDATING: Final = frozenset({"update", "update_config", "update_apply"})
_HEALING: Final = ("preheal", "heal", "postheal")
_ESTABLISH: Final = f"{RELATIONSHIP_LIFECYCLE}.establish"
_TAKE_DOWN: Final = "take down what is reinstalled"
_GONE: Final = frozenset({InstanceState.UNINITIALIZED, InstanceState.DELETED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What an update does and what it leaves out; `to_parameters` and `from_parameters` are its stored form.

    Attributes:
        reinstall: instances that are reinstalled whatever has changed (`reinstall_list`).
    """

    difference: Difference
    reinstall: tuple[InstanceId, ...] = ()
    skip_install: bool = False
    skip_uninstall: bool = False
    skip_reinstall: bool = False
    skip_drift_check: bool = False
    skip_heal: bool = False
    force_reinstall: bool = False
    ignore_failure: bool = False


_FLAGS: Final = (
    "skip_install",
    "skip_uninstall",
    "skip_reinstall",
    "skip_drift_check",
    "skip_heal",
    "force_reinstall",
    "ignore_failure",
)


def to_parameters(wishes: Wishes) -> dict[str, Data]:
    """Return the parameters of the execution, those that a custom workflow gets too (spec 5.10)."""
    found = wishes.difference
    return {
        "added_instance_ids": list(found.added),
        "added_target_instances_ids": _targets(found.extended, found.added),
        "removed_instance_ids": list(found.removed),
        "remove_target_instance_ids": _targets(found.reduced, found.removed),
        "extended_instance_ids": _sources(found.extended),
        "extend_target_instance_ids": _targets(found.extended),
        "reduced_instance_ids": _sources(found.reduced),
        "reduce_target_instance_ids": _targets(found.reduced),
        "modified_instance_ids": list(found.modified),
        "unfinished_instance_ids": list(found.unfinished),
        "extended_links": [[link.source, link.index, link.target] for link in found.extended],
        "reduced_links": [[link.source, link.index, link.target] for link in found.reduced],
        "node_instances_to_reinstall": list(wishes.reinstall),
        "install_first": False,
        **{name: getattr(wishes, name) for name in _FLAGS},
    }


def from_parameters(parameters: Mapping[str, Data]) -> Wishes:
    """Return what `to_parameters` wrote."""
    given = reveal(dict(parameters))

    def ids(name: str) -> tuple[InstanceId, ...]:
        return tuple(map(InstanceId, given.get(name) or ()))

    def links(name: str) -> tuple[Link, ...]:
        return tuple(
            Link(source=InstanceId(source), index=index, target=InstanceId(target))
            for source, index, target in given.get(name) or ()
        )

    return Wishes(
        difference=Difference(
            added=ids("added_instance_ids"),
            removed=ids("removed_instance_ids"),
            extended=links("extended_links"),
            reduced=links("reduced_links"),
            modified=ids("modified_instance_ids"),
            unfinished=ids("unfinished_instance_ids"),
        ),
        reinstall=ids("node_instances_to_reinstall"),
        **{name: bool(given.get(name)) for name in _FLAGS},
    )


def update_stages(parameters: Mapping[str, Data]) -> "Updating":
    """Return the stages of an update that was given its parameters."""
    return Updating(from_parameters(parameters))


class Updating:
    """The phases of an update, one a stage; each looks at what came of those before."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._phases: Sequence[tuple[str, Callable[[Facts], TaskGraph]]] = (
            ("check what there is", self._check),
            ("unlink", self._unlink),
            ("uninstall", self._uninstall),
            ("heal", self._heal),
            ("update", self._update),
            (_TAKE_DOWN, self._take_down),
            ("install", self._install),
            ("establish", self._establish),
        )

    def next(self, facts: Facts) -> Stage | None:
        """Plan the next phase; none after a failure, or after the last."""
        if facts.failed or facts.stage >= len(self._phases):
            return None
        about, phase = self._phases[facts.stage]
        noted = self._notes(facts) if about == _TAKE_DOWN else {}
        graph = phase(facts)
        return Stage(graph=graph, about=about if graph.tasks else "", reshape=Reshape(noted=noted) if noted else None)

    def _notes(self, facts: Facts) -> dict[InstanceId, Mapping[str, Data]]:
        """Return the notes of what was healed or updated: it is well, and as the blueprint has it."""
        choice = self._choice(facts)
        again = choice.reinstalled(facts.instances)
        notes: dict[InstanceId, Mapping[str, Data]] = {}
        for item in self._staying(facts):
            if item.id not in again and choice.is_healed(item):
                notes[item.id] = note_healed(item.system_properties, facts.now)
            if item.id not in again and choice.is_updated(item):
                notes[item.id] = note_updated(notes.get(item.id, item.system_properties))
        return notes

    # -- looking

    def _check(self, facts: Facts) -> TaskGraph:
        """Ask instances that stay whether they have drifted and how they are; failures are answers."""
        steps, builder = Steps(facts.blueprint), GraphBuilder(facts.first, Manner(ignore_failure=True))
        for item in self._staying(facts):
            if item.state is not InstanceState.STARTED:
                continue
            if not self._wishes.skip_drift_check:
                builder.chain(item.id, [steps.operation(item, CHECK_DRIFT), *steps.relationships(item, "check_drift")])
            if not self._wishes.skip_heal:
                builder.chain(item.id, [steps.operation(item, CHECK_STATUS)])
        return builder.finish()

    # -- taking away

    def _unlink(self, facts: Facts) -> TaskGraph:
        builder = GraphBuilder(facts.first, Manner(ignore_failure=self._wishes.ignore_failure))
        lost = _by_source(self._wishes.difference.reduced)
        for item in facts.instances:
            if item.id in lost and item.state not in _GONE:
                only = _only(item, lost[item.id])
                builder.chain(item.id, Steps(facts.blueprint).relationships(only, "unlink")[::-1])
        return builder.finish()

    def _uninstall(self, facts: Facts) -> TaskGraph:
        removed = () if self._wishes.skip_uninstall else self._wishes.difference.removed
        return self._taken(facts, removed)

    def _taken(self, facts: Facts, chosen: Collection[InstanceId]) -> TaskGraph:
        return uninstall(
            facts.blueprint,
            self._without_reduced(facts),
            ignore_failure=self._wishes.ignore_failure,
            selection=chosen,
            first=facts.first,
        )

    # -- changing

    def _heal(self, facts: Facts) -> TaskGraph:
        choice = self._choice(facts)
        chosen = [item for item in self._staying(facts) if choice.is_healed(item)]
        return self._operations(facts, chosen, lambda steps, item: _lifecycle(steps, item, _HEALING))

    def _update(self, facts: Facts) -> TaskGraph:
        choice = self._choice(facts)

        def steps_of(steps: Steps, item: NodeInstance) -> list[Step]:
            own = _lifecycle(steps, item, UPDATE_OPERATIONS) if choice.is_updated(item) else []
            return [*own, *steps.relationships(_only(item, choice.seen.links_of(item.id)), "update")]

        return self._operations(facts, self._staying(facts), steps_of)

    def _operations(
        self, facts: Facts, chosen: Sequence[NodeInstance], steps_of: Callable[[Steps, NodeInstance], list[Step]]
    ) -> TaskGraph:
        """Plan operations in dependency order; what fails is reinstalled afterwards, unless that is left out."""
        steps = Steps(facts.blueprint)
        builder = GraphBuilder(facts.first, Manner(ignore_failure=not self._wishes.skip_reinstall))
        chains: dict[InstanceId, Chain] = {}
        for item in chosen:
            chain = builder.chain(item.id, steps_of(steps, item))
            if chain is not None:
                chains[item.id] = chain
        order_chains(builder, chains, waits_for(facts.blueprint, facts.instances))
        return builder.finish()

    def _choice(self, facts: Facts) -> "_Choice":
        return _Choice(facts.blueprint, self._wishes, _seen(facts.ended))

    # -- reinstalling and adding

    def _take_down(self, facts: Facts) -> TaskGraph:
        return self._taken(facts, self._choice(facts).reinstalled(facts.instances))

    def _install(self, facts: Facts) -> TaskGraph:
        down = [about for about, _ in self._phases].index(_TAKE_DOWN)
        again = {
            each.task.instance
            for each in facts.ended
            if each.stage == down and each.task.after is InstanceState.DELETED
        }
        difference = self._wishes.difference
        new = () if self._wishes.skip_install else (*difference.added, *difference.unfinished)
        return install(facts.blueprint, self._without_reduced(facts), selection={*again, *new}, first=facts.first)

    def _establish(self, facts: Facts) -> TaskGraph:
        """Establish what existing instances got and what no installation before has established."""
        done = {
            (ref.source, ref.index, ref.target)
            for each in facts.ended
            if each.task.operation == _ESTABLISH and (ref := each.task.relationship) is not None
        }
        missing = _by_source(
            link for link in self._wishes.difference.extended if (link.source, link.index, link.target) not in done
        )
        steps, builder = Steps(facts.blueprint), GraphBuilder(facts.first)
        states = {item.id: item.state for item in facts.instances}
        for item in facts.instances:
            if item.state is InstanceState.STARTED and item.id in missing:
                links = [each for each in missing[item.id] if states.get(each.target) is InstanceState.STARTED]
                builder.chain(item.id, steps.relationships(_only(item, links), "establish"))
        return builder.finish()

    # -- who

    def _staying(self, facts: Facts) -> list[NodeInstance]:
        return _staying(self._wishes, facts.instances)

    def _without_reduced(self, facts: Facts) -> list[NodeInstance]:
        """Return the instances without the relationships that were unlinked already."""
        lost = {(link.source, link.index, link.target) for link in self._wishes.difference.reduced}
        return [
            replaced(
                item,
                relationships=tuple(it for it in item.relationships if (item.id, it.index, it.target) not in lost),
            )
            if lost
            else item
            for item in facts.instances
        ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """What an update will do with instances, were every instance whose template changes to have drifted.

    Attributes:
        asked: those that are asked first whether they have drifted; one that says no is left as it is.
    """

    installed: tuple[InstanceId, ...]
    uninstalled: tuple[InstanceId, ...]
    updated: tuple[InstanceId, ...]
    reinstalled: tuple[InstanceId, ...]
    asked: tuple[InstanceId, ...]


def forecast(blueprint: Blueprint, instances: Sequence[NodeInstance], wishes: Wishes) -> Forecast:
    """Return what an update will do, before anything is looked at.

    Args:
        blueprint: the joined one (`planning.changes.transition`).
        instances: as they are linked in it; those that are added are not among them.
    """
    difference = wishes.difference
    choice = _Choice(blueprint, wishes, _Seen(drifted=frozenset(difference.modified)))
    staying = _staying(wishes, instances)
    again = choice.reinstalled(instances)
    return Forecast(
        installed=() if wishes.skip_install else (*difference.added, *difference.unfinished),
        uninstalled=() if wishes.skip_uninstall else difference.removed,
        updated=tuple(item.id for item in staying if item.id not in again and choice.is_updated(item)),
        reinstalled=tuple(item.id for item in instances if item.id in again),
        asked=tuple(item.id for item in staying if item.state is InstanceState.STARTED and choice.is_asked(item)),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    """What the tasks of earlier phases showed.

    Attributes:
        failed: instance and full name of its own operations that failed.
        drifted: instances that say so of themselves.
        links: by source, the relationships that have drifted.
    """

    failed: Collection[tuple[InstanceId, str]] = frozenset()
    drifted: Collection[InstanceId] = frozenset()
    links: Mapping[InstanceId, Sequence[Link]] = field(default_factory=dict)

    def links_of(self, instance: InstanceId) -> Sequence[Link]:
        """Return the instance's relationships that have drifted."""
        return self.links.get(instance, ())


def _seen(ended: Sequence[Ended]) -> _Seen:
    own = [each for each in ended if each.task.relationship is None]
    links = (
        Link(source=ref.source, index=ref.index, target=ref.target)
        for each in ended
        if each.task.operation == CHECK_RELATIONSHIP_DRIFT
        and reveal(each.result)
        and (ref := each.task.relationship) is not None
    )
    return _Seen(
        failed={(each.task.instance, each.task.operation) for each in own if each.state is TaskState.IGNORED},
        drifted={each.task.instance for each in own if each.task.operation == CHECK_DRIFT and reveal(each.result)},
        links=_by_source(links),
    )


class _Choice:
    """Chooses what is done with each instance that stays (spec 5.10): heal, update, reinstall or nothing."""

    def __init__(self, blueprint: Blueprint, wishes: Wishes, seen: _Seen) -> None:
        self._blueprint = blueprint
        self._wishes = wishes
        self._modified = frozenset(wishes.difference.modified)
        self.seen = seen

    def is_asked(self, item: NodeInstance) -> bool:
        """Whether an instance can tell itself whether it has drifted."""
        return not self._wishes.skip_drift_check and self._has(item, "check_drift")

    def is_healed(self, item: NodeInstance) -> bool:
        """Whether an instance is unwell and knows how to heal."""
        return (item.id, CHECK_STATUS) in self.seen.failed and self._has(item, "heal")

    def is_updated(self, item: NodeInstance) -> bool:
        """Whether an instance is changed as it stands."""
        if item.state is not InstanceState.STARTED or self._wishes.force_reinstall:
            return False
        if item.id in self._wishes.reinstall or self._is_lost(item):
            return False
        return self._has_changed(item) and any(self._has(item, name) for name in _UPDATING)

    def reinstalled(self, instances: Sequence[NodeInstance]) -> set[InstanceId]:
        """Return the instances to reinstall, with everything contained in them."""
        difference = self._wishes.difference
        chosen = {item.id for item in _staying(self._wishes, instances) if self._is_reinstalled(item)}
        return contained_in(self._blueprint, instances, chosen) - {*difference.added, *difference.removed}

    def _is_reinstalled(self, item: NodeInstance) -> bool:
        if item.state is not InstanceState.STARTED:
            return False
        if item.id in self._wishes.reinstall:
            return True
        if self._wishes.skip_reinstall:
            return False
        if self._failed(item, UPDATE_OPERATIONS) or self._is_lost(item):
            return True
        return self._has_changed(item) and not self.is_updated(item)

    def _is_lost(self, item: NodeInstance) -> bool:
        """Whether only a reinstallation helps: it cannot say how it is, or is unwell and could not be healed."""
        if (item.id, CHECK_DRIFT) in self.seen.failed:
            return True
        unwell = (item.id, CHECK_STATUS) in self.seen.failed
        return unwell and (not self._has(item, "heal") or self._failed(item, _HEALING))

    def _has_changed(self, item: NodeInstance) -> bool:
        """Whether an instance is not as the blueprint has it; its own check, where it has one, is believed."""
        return item.id in self.seen.drifted if self.is_asked(item) else item.id in self._modified

    def _failed(self, item: NodeInstance, names: Sequence[str]) -> bool:
        return any((item.id, f"{LIFECYCLE}.{name}") in self.seen.failed for name in names)

    def _has(self, item: NodeInstance, name: str) -> bool:
        found = self._blueprint.nodes[item.node].operations.get(f"{LIFECYCLE}.{name}")
        return found is not None and not found.is_nop


def _staying(wishes: Wishes, instances: Sequence[NodeInstance]) -> list[NodeInstance]:
    difference = wishes.difference
    apart = {*difference.added, *difference.removed, *difference.unfinished}
    return [item for item in instances if item.id not in apart]


def _lifecycle(steps: Steps, item: NodeInstance, names: Sequence[str]) -> list[Step]:
    return [steps.operation(item, f"{LIFECYCLE}.{name}") for name in names]


def _only(item: NodeInstance, links: Collection[Link]) -> NodeInstance:
    """Return an instance with these of its relationships alone."""
    wanted = {(link.index, link.target) for link in links}
    kept = tuple(it for it in item.relationships if (it.index, it.target) in wanted)
    return replaced(item, relationships=kept)


def _by_source(links: Iterable[Link]) -> dict[InstanceId, list[Link]]:
    found: dict[InstanceId, list[Link]] = {}
    for link in links:
        found.setdefault(link.source, []).append(link)
    return found


def _sources(links: Sequence[Link]) -> list[Data]:
    return list(dict.fromkeys(link.source for link in links))


def _targets(links: Sequence[Link], among: Collection[InstanceId] | None = None) -> list[Data]:
    return list(dict.fromkeys(link.target for link in links if among is None or link.target in among))
