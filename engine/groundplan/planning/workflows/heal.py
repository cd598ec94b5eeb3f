"""The heal workflow (spec 5.5): looks at instances, heals those that can heal, and reinstalls the others.

Each stage is planned from what the one before showed: what failed to heal is reinstalled too.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from groundplan.model.deployment import InstanceState, NodeInstance
from groundplan.model.execution import TaskState
from groundplan.model.graph import TaskGraph
from groundplan.model.ids import InstanceId
from groundplan.model.reshape import Reshape
from groundplan.model.values import Data
from groundplan.planning.chains import Chain
from groundplan.planning.faults import PlanningError
from groundplan.planning.graphs import GraphBuilder, order_chains
from groundplan.planning.health import CHECK_STATUS, is_available, note_healed
from groundplan.planning.lifecycle import LIFECYCLE, Steps
from groundplan.planning.relations import contained_in, waits_for
from groundplan.planning.stages import Facts, Stage
from groundplan.planning.workflows.execute_operation import execute_operation
from groundplan.planning.workflows.install import install
from groundplan.planning.workflows.parameters import flag, text
from groundplan.planning.workflows.uninstall import uninstall

_HEALING: Final = tuple(f"{LIFECYCLE}.{name}" for name in ("preheal", "heal", "postheal"))
_HEAL: Final = f"{LIFECYCLE}.heal"
_GONE: Final = frozenset({InstanceState.UNINITIALIZED, InstanceState.DELETED})


def heal(parameters: Mapping[str, Data]) -> "Heal":
    """Return the stages of a heal that was given its parameters.

    Raises:
        PlanningError: `parameter-type`.
    """
    return Heal(
        instance=InstanceId(text(parameters, "node_instance_id")),
        diagnosis=text(parameters, "diagnose_value"),
        ignore_failure=flag(parameters, "ignore_failure", default=True),
        check_status=flag(parameters, "check_status", default=True),
        allow_reinstall=flag(parameters, "allow_reinstall", default=True),
        force_reinstall=flag(parameters, "force_reinstall", default=False),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Heal:
    """A heal, stage by stage: check, heal, uninstall, install.

    Attributes:
        instance: the one that is named; empty for the whole deployment.
        diagnosis: what the caller says is wrong, told with the first stage.
        ignore_failure: of the uninstallation that a reinstallation begins with.
    """

    instance: InstanceId
    diagnosis: str
    ignore_failure: bool
    check_status: bool
    allow_reinstall: bool
    force_reinstall: bool

    def next(self, facts: Facts) -> Stage | None:
        """Plan the stage that is due; None after the last, or when taking down failed.

        Raises:
            PlanningError: `unknown-instance`; `reinstall-not-allowed`; `dependency-cycle`.
        """
        steps = (
            (self._uninstall, self._install) if self.force_reinstall else (self._heal, self._uninstall, self._install)
        )
        if self.check_status and not self.force_reinstall:
            steps = (self._check, *steps)
        if facts.stage >= len(steps):
            return None
        return steps[facts.stage](facts)

    # -- the stages

    def _check(self, facts: Facts) -> Stage:
        graph = execute_operation(
            facts.blueprint,
            facts.instances,
            CHECK_STATUS,
            retries=0,
            ignore_failure=True,
            selection={item.id for item in self._in_scope(facts) if item.state not in _GONE},
            first=facts.first,
        )
        return Stage(graph=graph, about=f"check the status of {self._named()}{self._diagnosed()}")

    def _heal(self, facts: Facts) -> Stage:
        unwell = self._unwell(facts)
        lost = self._lost(facts, unwell)
        self._refuse_reinstall(lost)
        chosen = [item for item in unwell if item.id not in lost]
        graph = _healing(facts, chosen)
        about = f"heal {_listed(item.id for item in chosen)}" if chosen else "nothing to heal in place"
        return Stage(graph=graph, about=about)

    def _uninstall(self, facts: Facts) -> Stage | None:
        chosen, healed = self._to_reinstall(facts)
        graph = uninstall(
            facts.blueprint,
            facts.instances,
            ignore_failure=self.ignore_failure,
            selection=chosen,
            first=facts.first,
        )
        notes = {item.id: note_healed(item.system_properties, facts.now) for item in healed}
        about = f"reinstall {_listed(sorted(chosen))}" if chosen else "nothing to reinstall"
        return Stage(graph=graph, reshape=Reshape(noted=notes) if notes else None, forgives=facts.failed, about=about)

    def _install(self, facts: Facts) -> Stage | None:
        if facts.failed:
            return None
        chosen = {
            each.task.instance
            for each in facts.ended
            if each.stage == facts.stage - 1 and each.task.after is InstanceState.DELETED
        }
        if self.instance:
            chosen |= {item.id for item in self._in_scope(facts) if item.state in _GONE}
        if not chosen:
            return None
        graph = install(facts.blueprint, facts.instances, selection=chosen, first=facts.first)
        return Stage(graph=graph, about="install again what was taken away")

    # -- who

    def _scope(self, facts: Facts) -> Collection[InstanceId]:
        """Return what is to be healed: everything in the host of the instance that is named, or the deployment."""
        if not self.instance:
            return {item.id for item in facts.instances}
        named = next((item for item in facts.instances if item.id == self.instance), None)
        if named is None:
            known = _listed(item.id for item in facts.instances)
            raise PlanningError(
                "unknown-instance",
                f"There is no node instance {self.instance!r}; there are: {known}.",
                path="node_instance_id",
            )
        return contained_in(facts.blueprint, facts.instances, [named.host or named.id])

    def _in_scope(self, facts: Facts) -> list[NodeInstance]:
        scope = self._scope(facts)
        return [item for item in facts.instances if item.id in scope]

    def _unwell(self, facts: Facts) -> Sequence[NodeInstance]:
        """Return what is not known to be well; of a whole deployment, what exists and is known to be unwell."""
        if self.instance:
            return [item for item in self._in_scope(facts) if not is_available(item)]
        return [item for item in facts.instances if item.state not in _GONE and is_available(item) is False]

    @staticmethod
    def _lost(facts: Facts, unwell: Sequence[NodeInstance]) -> set[InstanceId]:
        """Return what cannot heal where it stands, with everything contained in it."""
        helpless = [item.id for item in unwell if item.state in _GONE or not _can_heal(facts, item)]
        return contained_in(facts.blueprint, facts.instances, helpless)

    def _to_reinstall(self, facts: Facts) -> tuple[set[InstanceId], Sequence[NodeInstance]]:
        """Return the instances to reinstall, and those that have healed."""
        if self.force_reinstall:
            return set(self._scope(facts)), ()
        tasks = [each for each in facts.ended if each.stage == facts.stage - 1]
        tried = {each.task.instance for each in tasks}
        failed = {each.task.instance for each in tasks if each.state is not TaskState.SUCCEEDED}
        rest = [item for item in self._unwell(facts) if item.id not in tried]
        chosen = self._lost(facts, rest) | contained_in(facts.blueprint, facts.instances, failed)
        self._refuse_reinstall(chosen)
        return chosen, [item for item in facts.instances if item.id in tried - chosen]

    def _refuse_reinstall(self, chosen: Collection[InstanceId]) -> None:
        if chosen and not self.allow_reinstall:
            raise PlanningError(
                "reinstall-not-allowed",
                f"Only a reinstallation helps {_listed(sorted(chosen))}, and allow_reinstall is false.",
                path="allow_reinstall",
            )

    def _named(self) -> str:
        return self.instance or "all node instances"

    def _diagnosed(self) -> str:
        return f" ({self.diagnosis})" if self.diagnosis and self.diagnosis != "Not provided" else ""


def _healing(facts: Facts, chosen: Sequence[NodeInstance]) -> TaskGraph:
    """Plan preheal, heal and postheal of instances, each after those that it depends on."""
    steps, builder = Steps(facts.blueprint), GraphBuilder(facts.first)
    chains: dict[InstanceId, Chain] = {}
    for item in chosen:
        chain = builder.chain(item.id, [steps.operation(item, name) for name in _HEALING])
        if chain is not None:
            chains[item.id] = chain
    order_chains(builder, chains, waits_for(facts.blueprint, facts.instances))
    return builder.finish()


def _can_heal(facts: Facts, item: NodeInstance) -> bool:
    found = facts.blueprint.nodes[item.node].operations.get(_HEAL)
    return found is not None and not found.is_nop


def _listed(ids: Iterable[InstanceId]) -> str:
    named = list(ids)
    more = f" and {len(named) - 5} more" if len(named) > 6 else ""
    return ", ".join(named if not more else named[:5]) + more
