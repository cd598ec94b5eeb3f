"""What becomes of each instance that an update leaves in place: healed, updated, reinstalled or nothing (spec 5.10).

It decides from what earlier phases showed, or forecasts before anything is looked at. `planning.workflows.update` plans
the tasks.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from groundplan.model.blueprint import Blueprint
from groundplan.model.deployment import InstanceState, NodeInstance
from groundplan.model.execution import TaskState
from groundplan.model.ids import InstanceId
from groundplan.model.update import Link
from groundplan.model.values import reveal
from groundplan.planning.changes.wishes import Wishes
from groundplan.planning.health import CHECK_DRIFT, CHECK_RELATIONSHIP_DRIFT, CHECK_STATUS
from groundplan.planning.lifecycle import LIFECYCLE
from groundplan.planning.relations import contained_in
from groundplan.planning.stages import Ended

UPDATE_OPERATIONS: Final = ("preupdate", "update", "postupdate", "update_config", "update_apply", "update_postapply")
_UPDATING: Final = frozenset({"update", "update_config", "update_apply"})
HEALING: Final = ("preheal", "heal", "postheal")


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
    choice = Choice(blueprint, wishes, Seen(drifted=frozenset(difference.modified)))
    stay = staying(wishes, instances)
    again = choice.reinstalled(instances)
    return Forecast(
        installed=() if wishes.skip_install else (*difference.added, *difference.unfinished),
        uninstalled=() if wishes.skip_uninstall else difference.removed,
        updated=tuple(item.id for item in stay if item.id not in again and choice.is_updated(item)),
        reinstalled=tuple(item.id for item in instances if item.id in again),
        asked=tuple(item.id for item in stay if item.state is InstanceState.STARTED and choice.is_asked(item)),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
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


def seen(ended: Sequence[Ended]) -> Seen:
    """Return what the tasks of earlier phases showed."""
    own = [each for each in ended if each.task.relationship is None]
    links = (
        Link(source=ref.source, index=ref.index, target=ref.target)
        for each in ended
        if each.task.operation == CHECK_RELATIONSHIP_DRIFT
        and reveal(each.result)
        and (ref := each.task.relationship) is not None
    )
    return Seen(
        failed={(each.task.instance, each.task.operation) for each in own if each.state is TaskState.IGNORED},
        drifted={each.task.instance for each in own if each.task.operation == CHECK_DRIFT and reveal(each.result)},
        links=by_source(links),
    )


class Choice:
    """Chooses what is done with each instance that stays (spec 5.10): heal, update, reinstall or nothing."""

    def __init__(self, blueprint: Blueprint, wishes: Wishes, seen: Seen) -> None:
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
        chosen = {item.id for item in staying(self._wishes, instances) if self._is_reinstalled(item)}
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
        return unwell and (not self._has(item, "heal") or self._failed(item, HEALING))

    def _has_changed(self, item: NodeInstance) -> bool:
        """Whether an instance is not as the blueprint has it; its own check, where it has one, is believed."""
        return item.id in self.seen.drifted if self.is_asked(item) else item.id in self._modified

    def _failed(self, item: NodeInstance, names: Sequence[str]) -> bool:
        return any((item.id, f"{LIFECYCLE}.{name}") in self.seen.failed for name in names)

    def _has(self, item: NodeInstance, name: str) -> bool:
        found = self._blueprint.nodes[item.node].operations.get(f"{LIFECYCLE}.{name}")
        return found is not None and not found.is_nop


def staying(wishes: Wishes, instances: Sequence[NodeInstance]) -> list[NodeInstance]:
    """Return the instances that were finished before the update and that it does not remove."""
    difference = wishes.difference
    apart = {*difference.added, *difference.removed, *difference.unfinished}
    return [item for item in instances if item.id not in apart]


def by_source(links: Iterable[Link]) -> dict[InstanceId, list[Link]]:
    """Return links by the instance that they start from."""
    found: dict[InstanceId, list[Link]] = {}
    for link in links:
        found.setdefault(link.source, []).append(link)
    return found
