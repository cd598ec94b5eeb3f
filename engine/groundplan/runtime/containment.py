"""Which deployments stand in which: those that say so by the label `csys-obj-parent` (spec 6.5).

A deployment that a component made belongs to that component, which uninstalls and deletes it in its turn; it does not
count as standing in the component's own deployment.
"""

from collections.abc import Sequence

from groundplan.model.ids import DeploymentId
from groundplan.model.labels import PARENT
from groundplan.state.store import Snapshot


class Containment:
    """The deployments of a store, read once."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._within: dict[str, list[DeploymentId]] = {}
        for item in snapshot.deployments():
            for parent in item.labels.get(PARENT, ()):
                if item.owner is None or item.owner.deployment != parent:
                    self._within.setdefault(parent, []).append(item.id)

    def within(self, id: DeploymentId) -> Sequence[DeploymentId]:
        """Return the deployments that stand right in one, oldest first."""
        return self._within.get(id, ())

    def below(self, id: DeploymentId) -> Sequence[DeploymentId]:
        """Return all deployments below one, each after what it stands in; each once, and not `id` itself."""
        found = [id]
        for known in found:  # grows while it is walked
            found += [item for item in self.within(known) if item not in found]
        return found[1:]
