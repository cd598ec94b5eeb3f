"""The update workflow (spec 5.10): from what an update changes to the tasks that change it, phase by phase.

What changes was found before it started (`planning.changes`) and stands in its parameters; what has drifted or fails is
looked at in the first phase. Records and blueprints are the service's: this plans tasks only.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from groundplan.model.deployment import InstanceState, NodeInstance
from groundplan.model.graph import TaskGraph
from groundplan.model.ids import InstanceId
from groundplan.model.reshape import Reshape
from groundplan.model.update import Link
from groundplan.model.values import Data, replaced
from groundplan.planning.chains import Chain, Manner, Step
from groundplan.planning.changes.choice import HEALING, UPDATE_OPERATIONS, Choice, by_source, seen, staying
from groundplan.planning.changes.wishes import Wishes, from_parameters
from groundplan.planning.graphs import GraphBuilder, order_chains
from groundplan.planning.health import (
    CHECK_DRIFT,
    CHECK_STATUS,
    note_healed,
    note_updated,
)
from groundplan.planning.lifecycle import LIFECYCLE, RELATIONSHIP_LIFECYCLE, Steps
from groundplan.planning.relations import waits_for
from groundplan.planning.stages import Facts, Stage
from groundplan.planning.workflows.install import install
from groundplan.planning.workflows.uninstall import uninstall

_ESTABLISH: Final = f"{RELATIONSHIP_LIFECYCLE}.establish"
_TAKE_DOWN: Final = "take down what is reinstalled"
_GONE: Final = frozenset({InstanceState.UNINITIALIZED, InstanceState.DELETED})


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
        lost = by_source(self._wishes.difference.reduced)
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
        return self._operations(facts, chosen, lambda steps, item: _lifecycle(steps, item, HEALING))

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

    def _choice(self, facts: Facts) -> Choice:
        return Choice(facts.blueprint, self._wishes, seen(facts.ended))

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
        missing = by_source(
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
        return staying(self._wishes, facts.instances)

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


def _lifecycle(steps: Steps, item: NodeInstance, names: Sequence[str]) -> list[Step]:
    return [steps.operation(item, f"{LIFECYCLE}.{name}") for name in names]


def _only(item: NodeInstance, links: Collection[Link]) -> NodeInstance:
    """Return an instance with these of its relationships alone."""
    wanted = {(link.index, link.target) for link in links}
    kept = tuple(it for it in item.relationships if (it.index, it.target) in wanted)
    return replaced(item, relationships=kept)
